"""Which workers are there: they come, come back, fall silent, die and leave."""

import msgspec

from tq.engine import auditing as audit
from tq.engine import dispatching
from tq.engine.dispatching import await_tasks, stop_waiting
from tq.engine.ledger import DEFAULT_OPTIONS, Ledger, decode_lease, decode_stored
from tq.engine.settling import OVERRUN_MARGIN_MS, crash, hand_back, overrule
from tq.engine.tables import Table
from tq.engine.workers import Lease, Profile, Worker
from tq.model.commands import DrainWorker, Fetch, Heartbeat, QueuePreference, WorkerDied, WorkerHello
from tq.model.errors import InvalidArgument, StorageCorrupt, WorkerNotFound
from tq.model.ids import format_id
from tq.model.names import check_name
from tq.model.replies import Affected, CancelRun, Drain
from tq.model.task import TaskOptions

SLEEP_MS = 5_000
"""A call so much later than it was asked for is taken for a sleep of the broker."""


def load_leases(ledger: Ledger, rows: list[tuple[bytes, bytes]], now_ms: int) -> None:
    """After a restart: every lease waits for its worker to come back within the grace."""
    for task_id, value in rows:
        row = decode_lease(value)
        body = ledger.changes.get(Table.BODIES, task_id)
        if body is None:
            raise StorageCorrupt(f"leased task {format_id(task_id)} has no record", hint="tq doctor")
        spec = decode_stored(body).spec
        options: TaskOptions = spec.options or DEFAULT_OPTIONS
        worker = ledger.workers.get(row.incarnation)
        if worker is None:
            hello = WorkerHello(row.worker, row.incarnation, "", 0, [])
            worker = ledger.workers[row.incarnation] = Worker(hello, None, now_ms)
            worker.deadline_ms = now_ms + ledger.settings.broker.reconnect_grace_ms
            _check_by(ledger, worker.deadline_ms)
        lease = Lease(
            id=task_id,
            token=row.token,
            lane=ledger.lanes_by_number[row.lane],
            sequence=row.sequence,
            attempt=row.attempt,
            crashes=row.crashes,
            leased_at_ms=row.leased_at_ms,
            ready_at_ms=row.ready_at_ms,
            deadline_ms=max(now_ms + spec.timeout_ms + OVERRUN_MARGIN_MS if spec.timeout_ms else 0, row.extended_to_ms),
            result_ttl_ms=options.result_ttl_ms,
            has_state=True,
            worker=worker,
            cancel_reason=row.cancel_reason,
            extended_to_ms=row.extended_to_ms,
        )
        ledger.leases[task_id] = lease
        worker.leases[task_id] = lease


def _heartbeat_interval_ms(ledger: Ledger) -> int:
    return ledger.settings.broker.worker_heartbeat_interval_secs * 1_000


def _check_by(ledger: Ledger, when_ms: int) -> None:
    if ledger.next_worker_check_ms is None or when_ms < ledger.next_worker_check_ms:
        ledger.next_worker_check_ms = when_ms


def register(ledger: Ledger, session: int, hello: WorkerHello, now_ms: int) -> list[bytes]:
    """A worker connects, for the first time or again; the tasks that it thinks it holds and does not.

    Raises:
        InvalidArgument: a name that `check_name` refuses, or another worker introduced itself on this connection.
    """
    check_name("worker", hello.name)
    for preference in hello.queues:
        check_name("queue", preference.name)
    known = ledger.sessions.get(session)
    if known is not None and known.hello.incarnation != hello.incarnation:
        raise InvalidArgument(
            f"this connection is the one of worker {known.hello.name!r}", hint="one connection for each worker"
        )
    worker = ledger.workers.get(hello.incarnation)
    is_back = worker is not None
    if worker is None:
        worker = ledger.workers[hello.incarnation] = Worker(hello, None, now_ms)
    elif worker.session is not None:
        # Its old connection is dead, though nobody has told us: the new one takes over.
        ledger.sessions.pop(worker.session, None)
    _leave_profile(ledger, worker)
    worker.hello = msgspec.structs.replace(hello, signatures=[])
    worker.profile = _join_profile(ledger, hello, now_ms)
    worker.session = session
    worker.delivered = 0
    worker.is_held = False
    worker.connected_at_ms = worker.last_seen_at_ms = now_ms
    worker.is_draining = False
    ledger.sessions[session] = worker
    ledger.events.add_worker(now_ms, "worker_back" if is_back else "worker_connected", hello.name)
    _check_by(ledger, worker.lost_at_ms(_heartbeat_interval_ms(ledger)))
    return _reconcile(ledger, worker, session, now_ms)


def _reconcile(ledger: Ledger, worker: Worker, session: int, now_ms: int) -> list[bytes]:
    """Make the leases what the worker really holds: what it never got goes back, what it lost is named."""
    held = {ref.task_id: ref.token for ref in worker.hello.held}
    for lease in reversed(list(worker.leases.values())):  # the last first: each goes before the one put back just now
        if held.get(lease.id) != lease.token:
            hand_back(ledger, lease, now_ms)
        elif lease.cancel_reason is not None:
            ledger.outbox.append((session, CancelRun(lease.id, lease.token)))
    return [task_id for task_id in held if task_id not in worker.leases]


def _profile_key(task_types: frozenset[str], queues: tuple[QueuePreference, ...]) -> tuple[object, ...]:
    return task_types, tuple(sorted((preference.name, preference.priority) for preference in queues))


def _join_profile(ledger: Ledger, hello: WorkerHello, now_ms: int) -> Profile:
    task_types, queues = frozenset(hello.task_types), tuple(hello.queues)
    key = _profile_key(task_types, queues)
    profile = ledger.profiles.get(key)
    if profile is None:
        profile = ledger.profiles[key] = Profile(task_types, queues)
    profile.workers += 1
    if hello.signatures:
        profile.signatures = {signature.task_type: signature for signature in hello.signatures}
        profile.announced_at_ms = now_ms
    return profile


def _leave_profile(ledger: Ledger, worker: Worker) -> None:
    profile = worker.profile
    if profile is None:
        return
    stop_waiting(worker)
    worker.profile = None
    profile.workers -= 1
    if not profile.workers:
        del ledger.profiles[_profile_key(profile.task_types, tuple(worker.hello.queues))]


def disconnect(ledger: Ledger, session: int, now_ms: int) -> None:
    """A connection ended. A worker that held nothing is gone; another may come back within the grace."""
    ledger.waiters.disconnect(session)
    worker = ledger.sessions.pop(session, None)
    if worker is None:
        return
    worker.session = None
    _leave_profile(ledger, worker)
    if not worker.leases:
        ledger.events.add_worker(now_ms, "worker_left", worker.hello.name)
        del ledger.workers[worker.hello.incarnation]
        return
    ledger.events.add_worker(now_ms, "worker_disconnected", worker.hello.name, leases=len(worker.leases))
    worker.deadline_ms = now_ms + ledger.settings.broker.reconnect_grace_ms
    _check_by(ledger, worker.deadline_ms)


def fetch(ledger: Ledger, session: int, request: Fetch) -> None:
    """A worker has free slots, or fewer than it said."""
    worker, credit = _worker_of(ledger, session), request.credit
    if request.seen is not None:
        stop_waiting(worker)
        credit += request.seen - worker.delivered
    if credit > 0:
        await_tasks(worker, credit)


def hold(ledger: Ledger, session: int) -> None:
    """A connection does not read what it is sent; if it is a worker's, it gets no tasks until it does."""
    worker = ledger.sessions.get(session)
    if worker is not None:
        dispatching.hold(worker)


def resume(ledger: Ledger, session: int) -> None:
    """It reads again."""
    worker = ledger.sessions.get(session)
    if worker is not None:
        dispatching.resume(worker)


def heartbeat(ledger: Ledger, session: int, request: Heartbeat, now_ms: int) -> None:
    """A worker lives; tasks that it holds beyond their timeout are taken back."""
    worker = _worker_of(ledger, session)
    worker.running = request.running
    worker.prefetched = request.prefetched
    worker.rss_bytes = request.rss_bytes
    worker.note = request.note
    worker.cpu_percent = request.cpu_percent
    worker.loop_blocked_ms = request.loop_blocked_ms
    worker.stuck = request.stuck
    worker.reported_at_ms = now_ms
    if request.is_draining and not worker.is_draining:
        worker.is_draining = True
        stop_waiting(worker)
    for lease in [lease for lease in worker.leases.values() if 0 < lease.deadline_ms < now_ms]:
        overrule(ledger, lease, now_ms)


def _worker_of(ledger: Ledger, session: int) -> Worker:
    worker = ledger.sessions.get(session)
    if worker is None:
        raise InvalidArgument("this connection did not introduce itself as a worker", hint="send Hello with a worker")
    return worker


def drain(ledger: Ledger, request: DrainWorker, now_ms: int) -> Affected:
    """Ask workers to finish and leave.

    Raises:
        WorkerNotFound: none of this name, and no incarnation, or more than one, begins so.
    """
    named = named_workers(ledger, request.worker)
    count = 0
    for worker in named:
        if worker.session is not None and not worker.is_draining:
            worker.is_draining = True
            stop_waiting(worker)
            ledger.outbox.append((worker.session, Drain()))
            count += 1
    if count:
        audit.record(ledger, now_ms, "drain", request.worker)
    return Affected(request.request_id, count, len(named) - count)


def named_workers(ledger: Ledger, name: str) -> list[Worker]:
    """The workers of a name; else the one of an incarnation, in hex, or of a unique beginning of one.

    Raises:
        WorkerNotFound: none, or more than one incarnation begins so.
    """
    named = [worker for worker in ledger.workers.values() if worker.hello.name == name]
    if not named:
        wanted = name.lower()
        named = [worker for worker in ledger.workers.values() if worker.hello.incarnation.hex().startswith(wanted)]
        if len(named) != 1 or len(wanted) < 4:
            raise WorkerNotFound(f"there is no one worker {name!r}", hint="tq worker list shows all")
    return named


def worker_died(ledger: Ledger, request: WorkerDied, now_ms: int) -> Affected:
    """A supervisor saw a worker end: no need to wait for its grace."""
    worker = ledger.workers.get(request.incarnation)
    if worker is None:
        return Affected(request.request_id, 0)
    cause = f"killed by {request.signal}" if request.signal else f"exited with code {request.exit_code}"
    message = f"worker {cause} on {request.host!r}"
    if request.rss_max_bytes:
        message += f", peak memory {request.rss_max_bytes >> 20} MiB"
    count = len(worker.leases)
    running = set(request.running) if request.running is not None else None
    _give_up(ledger, worker, message, request.last_lines, running, now_ms)
    return Affected(request.request_id, count)


def notice_sleep(ledger: Ledger, now_ms: int) -> None:
    """If the engine is called much later than it asked to be, nobody was there to hear the workers: the machine slept,
    or its clock was put forward. What they did not say meanwhile is not held against them, nor against their tasks."""
    check_ms = ledger.next_worker_check_ms
    if check_ms is None or now_ms <= check_ms + SLEEP_MS:
        return
    interval_ms = _heartbeat_interval_ms(ledger)
    slept_ms = now_ms - min((worker.lost_at_ms(interval_ms) for worker in ledger.workers.values()), default=now_ms)
    if slept_ms <= SLEEP_MS:
        return
    for worker in ledger.workers.values():
        worker.excused_at_ms = now_ms
        worker.deadline_ms = now_ms + ledger.settings.broker.reconnect_grace_ms
        for lease in worker.leases.values():
            if lease.deadline_ms:
                lease.deadline_ms = max(lease.deadline_ms + slept_ms, now_ms + OVERRUN_MARGIN_MS)
    ledger.next_worker_check_ms = min(worker.lost_at_ms(interval_ms) for worker in ledger.workers.values())


def check_workers(ledger: Ledger, now_ms: int) -> None:
    """Give up the workers whose grace or heartbeats have run out. Costs a pass over the workers, at most once a
    heartbeat interval, a grace or a loss."""
    notice_sleep(ledger, now_ms)
    if ledger.next_worker_check_ms is None or now_ms < ledger.next_worker_check_ms:
        return
    interval_ms = _heartbeat_interval_ms(ledger)
    for worker in [worker for worker in ledger.workers.values() if worker.lost_at_ms(interval_ms) <= now_ms]:
        if worker.session is None:
            message = "the worker's connection ended and it did not come back"
        else:
            message = "the worker fell silent: no heartbeat"
        _give_up(ledger, worker, message, "", None, now_ms)
    ledger.next_worker_check_ms = min(
        (worker.lost_at_ms(interval_ms) for worker in ledger.workers.values()), default=None
    )


def _give_up(
    ledger: Ledger, worker: Worker, message: str, evidence: str, running: set[bytes] | None, now_ms: int
) -> None:
    """Forget a worker; its tasks count a crash, or only those in `running` where that is known."""
    ledger.events.add_worker(now_ms, "worker_lost", worker.hello.name, leases=len(worker.leases), reason=message)
    for lease in reversed(list(worker.leases.values())):  # the last first: each goes before the one put back just now
        if running is None or lease.id in running:
            crash(ledger, lease, message, evidence, now_ms)
        else:
            hand_back(ledger, lease, now_ms)
    if worker.session is not None:
        ledger.sessions.pop(worker.session, None)
    _leave_profile(ledger, worker)
    del ledger.workers[worker.hello.incarnation]

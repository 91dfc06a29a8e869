"""What the engine must do, written as plainly as it can be: dicts, lists and scans, no windows, indexes or counters.

The model is told every request and every moment, and answers what a broker must answer. Where the engine may choose
(the jitter of a backoff, which worker gets a task, which tasks a bounded purge takes first), the model does not
predict: it checks that the choice was allowed, and takes it over.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.plain_operations import PlainOperations
from tq.engine.bounds import Bounds
from tq.model.commands import (
    Ack,
    Cancel,
    CancelledByWorker,
    DrainWorker,
    Extend,
    Failure,
    Fetch,
    Heartbeat,
    LeaseRef,
    Nack,
    Release,
    ReportProgress,
    Resubmit,
    Submit,
    Unwait,
    Wait,
    WorkerDied,
    WorkerHello,
)
from tq.model.settings import Settings
from tq.model.task import RetryPolicy, State, TaskOptions, TaskSpec, tier_of

MARGIN_MS = 30_000
APART_MS = 30_000
SLEEP_MS = 5_000
MISSED = 3
GUARD = 16
HOUR_MS = 3_600_000

Sent = tuple[object, ...]


class Refused(Exception):
    """The request must be refused with one of these codes."""

    def __init__(self, *codes: str) -> None:
        super().__init__(codes)
        self.codes = codes


@dataclass
class PlainLease:
    token: int
    attempt: int
    holder: bytes
    leased_at: int
    deadline: int
    cancel_reason: str | None = None
    progress: float | None = None


@dataclass
class PlainTask:
    spec: TaskSpec
    submitted_at: int
    expires_at: int
    birth: int  # another one when the id is used again after the record's retention
    state: State = State.PENDING  # while leased too: PENDING
    place: int = 0  # in its lane, 0: waits for a time
    ready_at: int = 0
    scheduled_at: int = 0
    scheduled_between: tuple[int, int] | None = None  # of a backoff with jitter, until the engine has said
    attempt: int = 0
    crashes: int = 0
    lease: PlainLease | None = None
    history: list[tuple[int, str, str]] = field(default_factory=list)
    reason: str = ""
    result: bytes = b""
    ended_at: int = 0
    remove_at: int = 0
    resubmitted_as: bytes | None = None
    expiry_lifted: bool = False
    leased: int = 0  # how often
    handed_back: int = 0

    @property
    def options(self) -> TaskOptions:
        return self.spec.options or TaskOptions()

    @property
    def tier(self) -> int:
        return int(tier_of(self.spec.priority))

    @property
    def status(self) -> str:
        """The public state, with the two kinds of pending apart."""
        if self.lease is not None:
            return "in_progress"
        if self.state is State.PENDING:
            return "ready" if self.place else "scheduled"
        return str(self.state)

    @property
    def is_waiting(self) -> bool:
        return self.status in ("ready", "scheduled", "failed")


@dataclass
class PlainQueue:
    is_paused: bool = False
    passed_over: list[int] = field(default_factory=lambda: [0, 0, 0])
    totals: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("submitted", "completed", "failed", "crashed", "dead", "cancelled"), 0)
    )


@dataclass
class PlainWorker:
    name: str
    incarnation: bytes
    types: frozenset[str]
    queues: frozenset[str]
    session: int | None
    last_seen: int
    credit: int = 0
    delivered: int = 0
    is_draining: bool = False
    is_held: bool = False  # its connection does not read
    deadline: int = 0
    excused_at: int = 0

    def runs(self, task: PlainTask) -> bool:
        return task.spec.task_type in self.types and (not self.queues or task.spec.queue in self.queues)


class PlainModel:
    """The state of a broker, and every request on it."""

    def __init__(self, settings: Settings, bounds: Bounds) -> None:
        self.settings = settings
        self.tasks: dict[bytes, PlainTask] = {}
        self.queues: dict[str, PlainQueue] = {}
        self.workers: dict[bytes, PlainWorker] = {}
        self.waits: list[tuple[int, int, bytes, int]] = []  # session, request id, task, deadline
        self.births = 0
        self.last_place = 0
        self.last_token = 0
        self.cause = ""
        self.now = 0
        self.sent: list[tuple[int, Sent]] = []
        self.moves: set[tuple[str, str, str]] = set()
        self.operations = PlainOperations()

    # -- moves ------------------------------------------------------------------------------------------------------

    def _moved(self, before: str, after: str) -> None:
        self.moves.add((before, after, self.cause))

    def _next_place(self) -> int:
        self.last_place += 1
        return self.last_place

    def _make_ready(self, task: PlainTask) -> None:
        task.state, task.place, task.ready_at, task.scheduled_at = State.PENDING, self._next_place(), self.now, 0

    def _wait_until(self, task: PlainTask, state: State, low: int, high: int) -> None:
        task.lease, task.state, task.place, task.ready_at = None, state, 0, 0
        task.scheduled_at = low
        task.scheduled_between = (low, high) if low != high else None
        self._moved("in_progress", task.status)

    def _end(self, task: PlainTask, state: State, reason: str, result: bytes = b"") -> None:
        before = task.status
        keep = {
            State.COMPLETED: task.options.result_ttl_ms,
            State.DEAD_LETTER: self.settings.persistence.dead_letter_retention_hours * HOUR_MS,
            State.CANCELLED: self.settings.persistence.cancelled_retention_hours * HOUR_MS,
        }[state]
        task.lease, task.state, task.place, task.ready_at, task.scheduled_at = None, state, 0, 0, 0
        task.reason, task.result, task.ended_at, task.remove_at = reason, result, self.now, self.now + keep
        total = {State.COMPLETED: "completed", State.DEAD_LETTER: "dead", State.CANCELLED: "cancelled"}[state]
        self.queues[task.spec.queue].totals[total] += 1
        self._moved(before, task.status)
        for session, request_id, task_id, _ in [wait for wait in self.waits if wait[2] == task.spec.id]:
            self.sent.append((session, self.outcome(request_id, task_id)))
        self.waits = [wait for wait in self.waits if wait[2] != task.spec.id]

    def outcome(self, request_id: int, task_id: bytes) -> Sent:
        task = self.tasks[task_id]
        error = task.history[-1] if task.history and task.state is not State.COMPLETED else None
        return ("outcome", request_id, task_id, str(task.state), task.result, task.reason, error)

    def _hand_back(self, task: PlainTask) -> None:
        assert task.lease is not None
        if task.lease.cancel_reason is not None:
            self._end(task, State.CANCELLED, task.lease.cancel_reason)
        else:
            task.lease = None
            task.handed_back += 1
            self._moved("in_progress", "ready")

    def _crash(self, task: PlainTask) -> None:
        assert task.lease is not None
        task.crashes += 1
        task.history.append((task.lease.attempt, "crashed", "WorkerCrashed"))
        self.queues[task.spec.queue].totals["crashed"] += 1
        if task.lease.cancel_reason is None and task.crashes >= task.options.max_crashes:
            self._end(task, State.DEAD_LETTER, f"quarantined: {task.crashes} workers died running it")
        elif task.lease.cancel_reason is None and task.crashes > 1:
            self._wait_until(task, State.PENDING, self.now + 1, self.now + APART_MS)
        else:
            self._hand_back(task)

    def _fail(self, task: PlainTask, failure: Failure) -> None:
        lease = task.lease
        assert lease is not None
        task.attempt = lease.attempt
        task.history.append((lease.attempt, "timed_out" if failure.is_timeout else "failed", failure.error_type))
        self.queues[task.spec.queue].totals["failed"] += 1
        if lease.cancel_reason is not None:
            self._end(task, State.CANCELLED, lease.cancel_reason)
        elif failure.is_final:
            self._end(task, State.DEAD_LETTER, "failed for good")
        elif lease.attempt > task.spec.max_retries:
            self._end(task, State.DEAD_LETTER, "no retries left")
        elif failure.retry_in_ms is not None:
            self._wait_until(task, State.FAILED, self.now + failure.retry_in_ms, self.now + failure.retry_in_ms)
        else:
            bound = _backoff_bound_ms(task.options.retry, lease.attempt)
            low = 0 if task.options.retry.jitter else bound
            self._wait_until(task, State.FAILED, self.now + low, self.now + bound)

    # -- finding ----------------------------------------------------------------------------------------------------

    def _task(self, task_id: bytes) -> PlainTask:
        if task_id not in self.tasks:
            raise Refused("TASK_NOT_FOUND")
        return self.tasks[task_id]

    def queue_named(self, name: str) -> PlainQueue:
        if name not in self.queues:
            raise Refused("QUEUE_NOT_FOUND")
        return self.queues[name]

    def of_queue(self, name: str) -> list[PlainTask]:
        return [task for task in self.tasks.values() if task.spec.queue == name]

    def held_by(self, incarnation: bytes) -> list[PlainTask]:
        return [task for task in self.tasks.values() if task.lease is not None and task.lease.holder == incarnation]

    def worker_of(self, session: int) -> PlainWorker | None:
        return next((worker for worker in self.workers.values() if worker.session == session), None)

    def hear(self, session: int) -> None:
        """A request came: its worker lives."""
        worker = self.worker_of(session)
        if worker is not None:
            self._notice_sleep()
            worker.last_seen = self.now

    def _live(self, task_id: bytes, token: int) -> PlainTask | None:
        task = self.tasks.get(task_id)
        return task if task is not None and task.lease is not None and task.lease.token == token else None

    def _each_live(self, refs: list[LeaseRef], lost: list[bytes]) -> Iterator[tuple[PlainTask, PlainLease]]:
        for ref in refs:
            task = self._live(ref.task_id, ref.token)
            if task is None or task.lease is None:
                lost.append(ref.task_id)
            else:
                yield task, task.lease

    # -- producers --------------------------------------------------------------------------------------------------

    def submit(self, request: Submit) -> list[tuple[int, bytes]]:
        """The (index, id) of those that are there already."""
        broker = self.settings.broker
        codes = set()
        if any(len(spec.payload) > broker.max_payload_bytes for spec in request.tasks):
            codes.add("PAYLOAD_TOO_LARGE")
        if any(not 0 <= spec.priority <= 255 or not spec.queue or not spec.task_type for spec in request.tasks):
            codes.add("INVALID_ARGUMENT")
        existing: list[tuple[int, bytes]] = []
        new: dict[bytes, TaskSpec] = {}
        new_keys: dict[tuple[str, str], bytes] = {}
        for index, spec in enumerate(request.tasks):
            key = spec.options.key if spec.options is not None else None
            if spec.id in self.tasks or spec.id in new:
                existing.append((index, spec.id))
                continue
            if key is not None:
                owner = new_keys.get((spec.queue, key)) or self._owner(spec.queue, key)
                if owner is not None:
                    existing.append((index, owner))
                    continue
                new_keys[spec.queue, key] = spec.id
            new[spec.id] = spec
        for name in {spec.queue for spec in new.values()}:
            count = sum(spec.queue == name for spec in new.values())
            waiting = sum(task.is_waiting for task in self.of_queue(name))
            if broker.queue_depth_threshold and waiting + count > broker.queue_depth_threshold:
                codes.add("QUEUE_FULL")
        if codes:
            raise Refused(*codes)
        for spec in new.values():
            self._take_in(spec)
        return existing

    def _owner(self, queue: str, key: str) -> bytes | None:
        return next((task.spec.id for task in self.of_queue(queue) if task.options.key == key), None)

    def _take_in(self, spec: TaskSpec) -> None:
        options = spec.options or TaskOptions()
        expires_at = self.now + options.expires_ms if options.expires_ms is not None else 0
        self.births += 1
        task = self.tasks[spec.id] = PlainTask(spec, self.now, expires_at, self.births)
        self.queues.setdefault(spec.queue, PlainQueue()).totals["submitted"] += 1
        due = max(self.now + options.delay_ms, options.eta_ms or 0)
        if due > self.now:
            task.scheduled_at = due
        else:
            self._make_ready(task)
        self._moved("-", task.status)

    def resubmit(self, request: Resubmit) -> list[tuple[int, bytes]]:
        old = self._task(request.task_id)
        if not old.state.is_final:
            raise Refused("WRONG_STATE")
        options = old.options
        spec = old.spec
        new = TaskSpec(
            request.new_id,
            spec.task_type,
            request.payload if request.payload is not None else spec.payload,
            request.queue if request.queue is not None else spec.queue,
            request.priority if request.priority is not None else spec.priority,
            spec.timeout_ms,
            spec.max_retries,
            spec.content_type,
            TaskOptions(
                delay_ms=request.delay_ms,
                expires_ms=options.expires_ms,
                result_ttl_ms=options.result_ttl_ms,
                max_crashes=options.max_crashes,
                retry=options.retry,
                resubmit_of=old.spec.id,
            ),
        )
        existing = self.submit(Submit(0, [new]))
        if not existing:
            old.resubmitted_as = request.new_id
        return existing

    def wait(self, session: int, request: Wait) -> Sent | None:
        task = self._task(request.task_id)
        if task.state.is_final:
            return self.outcome(request.request_id, request.task_id)
        if len(self.waits) >= self.settings.broker.max_waiters:
            raise Refused("TOO_MANY_REQUESTS")
        self.waits.append((session, request.request_id, request.task_id, self.now + request.timeout_ms))
        return None

    def unwait(self, session: int, request: Unwait) -> None:
        over = [wait for wait in self.waits if wait[:2] == (session, request.wait_id)]
        self.sent += [(session, ("timed_out", request.wait_id)) for _ in over]
        self.waits = [wait for wait in self.waits if wait not in over]

    def cancel(self, request: Cancel) -> tuple[int, int]:
        """How many, and how many were skipped."""
        if len(request.task_ids) == 1:
            self._task(request.task_ids[0])
        count = 0
        for task_id in request.task_ids:
            task = self.tasks.get(task_id)
            if task is None or (task.lease is None and task.state.is_final):
                continue
            count += 1
            if task.lease is None:
                self._end(task, State.CANCELLED, request.reason or "cancelled")
                continue
            task.lease.cancel_reason = request.reason or "cancelled"
            holder = self.workers[task.lease.holder]
            if holder.session is not None:
                self.sent.append((holder.session, ("cancel_run", task_id, task.lease.token)))
        return count, len(request.task_ids) - count

    # -- workers ----------------------------------------------------------------------------------------------------

    def hello(self, session: int, hello: WorkerHello) -> list[bytes]:
        """The claimed leases that are lost."""
        known = self.worker_of(session)
        if known is not None and known.incarnation != hello.incarnation:
            raise Refused("INVALID_ARGUMENT")
        queues = frozenset(preference.name for preference in hello.queues)
        self.workers[hello.incarnation] = PlainWorker(
            hello.name, hello.incarnation, frozenset(hello.task_types), queues, session, self.now
        )
        held = {ref.task_id: ref.token for ref in hello.held}
        for task in self.held_by(hello.incarnation):
            assert task.lease is not None
            if held.get(task.spec.id) != task.lease.token:
                self._hand_back(task)
            elif task.lease.cancel_reason is not None:
                self.sent.append((session, ("cancel_run", task.spec.id, task.lease.token)))
        kept = {task.spec.id for task in self.held_by(hello.incarnation)}
        return [task_id for task_id in held if task_id not in kept]

    def fetch(self, session: int, request: Fetch) -> None:
        worker = self.worker_of(session)
        if worker is None:
            raise Refused("INVALID_ARGUMENT")
        credit = request.credit
        if request.seen is not None:
            worker.credit = 0
            credit += request.seen - worker.delivered
        if credit > 0 and not worker.is_draining:
            worker.credit += credit

    def hold(self, session: int, is_held: bool) -> None:
        worker = self.worker_of(session)
        if worker is not None:
            worker.is_held = is_held

    def heartbeat(self, session: int, request: Heartbeat) -> None:
        worker = self.worker_of(session)
        if worker is None:
            raise Refused("INVALID_ARGUMENT")
        if request.is_draining:
            worker.is_draining, worker.credit = True, 0
        for task in self.held_by(worker.incarnation):
            lease = task.lease
            if lease is not None and 0 < lease.deadline < self.now:
                self.sent.append((session, ("revoked", task.spec.id, lease.token)))
                self._fail(task, Failure(task.spec.id, lease.token, error_type="Timeout", is_timeout=True))

    def disconnect(self, session: int) -> None:
        self.waits = [wait for wait in self.waits if wait[0] != session]
        worker = self.worker_of(session)
        if worker is not None:
            self._lose(worker)

    def _lose(self, worker: PlainWorker) -> None:
        if not self.held_by(worker.incarnation):
            del self.workers[worker.incarnation]
            return
        worker.session, worker.credit = None, 0
        worker.deadline = self.now + self.settings.broker.reconnect_grace_ms

    def worker_died(self, request: WorkerDied) -> int:
        worker = self.workers.get(request.incarnation)
        if worker is None:
            return 0
        held = self.held_by(worker.incarnation)
        for task in held:
            if request.running is None or task.spec.id in request.running:
                self._crash(task)
            else:
                self._hand_back(task)
        del self.workers[worker.incarnation]
        return len(held)

    def drain(self, request: DrainWorker) -> tuple[int, int]:
        named = [worker for worker in self.workers.values() if worker.name == request.worker]
        if not named:
            wanted = request.worker.lower()
            named = [worker for worker in self.workers.values() if worker.incarnation.hex().startswith(wanted)]
            if len(named) != 1 or len(wanted) < 4:
                raise Refused("WORKER_NOT_FOUND")
        count = 0
        for worker in named:
            if worker.session is not None and not worker.is_draining:
                worker.is_draining, worker.credit = True, 0
                self.sent.append((worker.session, ("drain",)))
                count += 1
        return count, len(named) - count

    # -- leases -----------------------------------------------------------------------------------------------------

    def grant(self, session: int, task_id: bytes, token: int, attempt: int) -> None:
        """A task was leased to the worker of a session: that must have been right, and this task the one whose turn
        it was."""
        worker = self.worker_of(session)
        assert worker is not None, "I12: a delivery to a session without a worker"
        assert not worker.is_draining, "a delivery to a draining worker"
        assert not worker.is_held, "a delivery to a worker that does not read"
        assert worker.credit > 0, "a delivery without credit"
        task = self.tasks.get(task_id)
        assert task is not None, "a delivery of a task that does not exist"
        assert task.status == "ready", f"I2: a delivery of a task that is {task.status}"
        queue = self.queues[task.spec.queue]
        assert not queue.is_paused, "a delivery from a paused queue"
        assert worker.runs(task), "a delivery to a worker that cannot run it"
        assert token > self.last_token, "I4: tokens must increase"
        assert attempt == task.attempt + 1, "the number of the attempt is wrong"
        ready = [other for other in self.of_queue(task.spec.queue) if other.status == "ready"]
        mine = [other for other in ready if worker.runs(other)]
        tiers = {other.tier for other in mine}
        owed = [tier for tier in sorted(tiers) if queue.passed_over[tier] >= GUARD - 1]
        assert task.tier == (owed[0] if owed else max(tiers)), "strict tiers, with the guard against starvation"
        first = min(other.place for other in mine if other.tier == task.tier)
        assert task.place == first, "I8: first in, first out inside a tier"
        queue.passed_over[task.tier] = 0
        for tier in {other.tier for other in ready if other.tier < task.tier}:
            queue.passed_over[tier] += 1
        self.last_token = token
        worker.credit -= 1
        worker.delivered += 1
        timeout = task.spec.timeout_ms
        deadline = self.now + timeout + MARGIN_MS if timeout else 0
        task.leased += 1
        task.lease = PlainLease(token, attempt, worker.incarnation, self.now, deadline)
        self._moved("ready", "in_progress")

    def is_dispatched(self) -> bool:
        """Whether no task waits while a worker that could run it does too."""
        return not any(
            worker.credit > 0 and not worker.is_held and worker.runs(task)
            for task in self.tasks.values()
            if task.status == "ready" and not self.queues[task.spec.queue].is_paused
            for worker in self.workers.values()
        )

    def ack(self, request: Ack) -> list[bytes]:
        """The ids whose tokens are stale."""
        if any(len(success.result) > self.settings.broker.max_payload_bytes for success in request.successes):
            raise Refused("PAYLOAD_TOO_LARGE")
        lost = []
        for success in request.successes:
            task = self._live(success.task_id, success.token)
            if task is None or task.lease is None:
                lost.append(success.task_id)
                continue
            task.attempt = task.lease.attempt
            self._end(task, State.COMPLETED, "", success.result)
        return lost

    def nack(self, request: Nack) -> list[bytes]:
        lost = []
        for failure in request.failures:
            task = self._live(failure.task_id, failure.token)
            if task is None:
                lost.append(failure.task_id)
            else:
                self._fail(task, failure)
        return lost

    def release(self, request: Release) -> list[bytes]:
        lost: list[bytes] = []
        for task, lease in self._each_live(request.leases, lost):
            if request.delay_ms and lease.cancel_reason is None:
                due = self.now + request.delay_ms
                self._wait_until(task, State.PENDING, due, due)
            else:
                self._hand_back(task)
        return lost

    def extend(self, request: Extend) -> list[bytes]:
        lost: list[bytes] = []
        for _, lease in self._each_live(request.leases, lost):
            lease.deadline = self.now + request.extend_ms + MARGIN_MS
        return lost

    def cancelled_by_worker(self, request: CancelledByWorker) -> list[bytes]:
        lost: list[bytes] = []
        for task, lease in self._each_live(request.leases, lost):
            task.attempt = lease.attempt
            self._end(task, State.CANCELLED, lease.cancel_reason or "cancelled by its worker")
        return lost

    def report_progress(self, request: ReportProgress) -> None:
        for note in request.notes:
            task = self._live(note.task_id, note.token)
            if task is not None and task.lease is not None:
                task.lease.progress = note.fraction

    # -- operators --------------------------------------------------------------------------------------------------

    def pause(self, name: str, is_paused: bool) -> tuple[int, int]:
        queue = self.queue_named(name)
        if queue.is_paused == is_paused:
            return 0, 1
        queue.is_paused = is_paused
        return 1, 0

    def purge(self, task: PlainTask, reason: str) -> None:
        """A waiting task or a dead letter becomes cancelled."""
        self._end(task, State.CANCELLED, reason)

    def retry(self, task: PlainTask) -> None:
        """A dead letter runs again."""
        self._make_ready(task)
        task.attempt = task.crashes = task.ended_at = task.remove_at = 0
        task.reason = ""
        task.expiry_lifted = task.expiry_lifted or (task.expires_at > 0 and task.expires_at <= self.now)
        self._moved("dead_letter", "ready")

    def put_back(self, task: PlainTask, before: PlainTask) -> None:
        """A task goes back to where it was; what it has been through since stays in its history."""
        status = task.status
        task.state, task.place, task.ready_at, task.scheduled_at = (
            before.state, before.place, before.ready_at, before.scheduled_at
        )  # fmt: skip
        task.attempt, task.crashes, task.reason = before.attempt, before.crashes, before.reason
        task.ended_at, task.remove_at, task.expiry_lifted = before.ended_at, before.remove_at, before.expiry_lifted
        self._moved(status, task.status)

    # -- time -------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """All that is due at this moment; dispatch is told by `grant`."""
        now = self.now
        self.cause = "time"
        for session, request_id, _, deadline in self.waits:
            if deadline <= now:
                self.sent.append((session, ("timed_out", request_id)))
        self.waits = [wait for wait in self.waits if wait[3] > now]
        self._notice_sleep()
        for worker in list(self.workers.values()):
            if self._lost_at(worker) <= now:
                self.cause = "lost worker"
                for task in self.held_by(worker.incarnation):
                    self._crash(task)
                del self.workers[worker.incarnation]
        self.cause = "time"
        due = [task for task in self.tasks.values() if task.status in ("scheduled", "failed")]
        for task in sorted(due, key=lambda task: (task.scheduled_at, task.spec.id)):
            if task.scheduled_at <= now:
                before = task.status
                self._make_ready(task)
                self._moved(before, "ready")
        for task in self.tasks.values():
            if task.is_waiting and 0 < task.expires_at <= now and not task.expiry_lifted:
                self._end(task, State.CANCELLED, "expired")
        for task in list(self.tasks.values()):
            if task.state.is_final and task.remove_at <= now:
                self._moved(task.status, "-")
                del self.tasks[task.spec.id]

    def _lost_at(self, worker: PlainWorker) -> int:
        silent = MISSED * self.settings.broker.worker_heartbeat_interval_secs * 1_000
        return worker.deadline if worker.session is None else max(worker.last_seen, worker.excused_at) + silent

    def _notice_sleep(self) -> None:
        """A worker should have been given up long ago, and nobody did: nobody was there to hear it either."""
        slept = self.now - min((self._lost_at(worker) for worker in self.workers.values()), default=self.now)
        if slept <= SLEEP_MS:
            return
        for worker in self.workers.values():
            worker.excused_at = self.now
            worker.deadline = self.now + self.settings.broker.reconnect_grace_ms
            for task in self.held_by(worker.incarnation):
                if task.lease is not None and task.lease.deadline:
                    task.lease.deadline = max(task.lease.deadline + slept, self.now + MARGIN_MS)

    def restart(self) -> None:
        """The broker stops and starts: connections, credit, waits and progress are gone, leases wait for the grace."""
        self.sent.clear()
        self.waits.clear()
        for worker in list(self.workers.values()):
            self._lose(worker)
            worker.types, worker.is_draining = frozenset(), False
        for queue in self.queues.values():
            queue.passed_over = [0, 0, 0]
        for task in self.tasks.values():
            if task.lease is not None:
                task.lease.progress = None
                timeout = task.spec.timeout_ms
                renewed = self.now + timeout + MARGIN_MS if timeout else 0
                task.lease.deadline = max(renewed, task.lease.deadline)  # an extension outlives the broker


def _backoff_bound_ms(policy: RetryPolicy, attempt: int) -> int:
    return int(min(policy.backoff_ms_max, policy.backoff_ms_base * policy.factor ** (attempt - 1)))

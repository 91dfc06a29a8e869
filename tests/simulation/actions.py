"""What can happen to a broker, each as one function over a World and a Draw, which makes the choices.

Hypothesis draws (and shrinks) in test_machine.py, a seeded random generator draws (and is ten times as fast) in
test_walks.py: the same actions, the same checks.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tests.engine.rig import id_of
from tests.simulation.world import Wanted, World
from tq.model import operations
from tq.model.commands import (
    Ack,
    Cancel,
    CancelledByWorker,
    DrainWorker,
    Extend,
    Failure,
    Fetch,
    Heartbeat,
    Hello,
    LeaseRef,
    LogEntry,
    Nack,
    Order,
    PauseQueue,
    ProgressNote,
    QueuePreference,
    Release,
    ReportLog,
    ReportProgress,
    Resubmit,
    ResumeQueue,
    Submit,
    Success,
    Unwait,
    Wait,
    WorkerDied,
    WorkerHello,
)
from tq.model.task import RetryPolicy, State, TaskOptions, TaskSpec

T = TypeVar("T")

IDS = [id_of(number) for number in range(1, 31)]
QUEUES = ["a", "b", "c"]
TYPES = ["x", "y", "z"]
PRIORITIES = [10, 128, 200]
INCARNATIONS = [bytes([number]) * 16 for number in (0xA1, 0xA2, 0xB3)]
NAMES = ["one", "one", "two"]
CLIENTS = [900_001, 900_002]
"""Sessions that are no worker's, and so far away that none ever gets their numbers."""


RATES = [1, 20, operations.RATE_MAX]
"""Of operations, tasks a second."""
RUNNING_MAX = 20
"""Operations that run at once; fewer than are allowed."""


class Draw(Protocol):
    """Who makes the choices."""

    def choose(self, options: Sequence[T]) -> T: ...

    def number(self, low: int, high: int) -> int: ...


def chance(draw: Draw, one_in: int) -> bool:
    return draw.number(1, one_in) == one_in


def some(draw: Draw, options: Sequence[T], count_max: int) -> list[T]:
    return [draw.choose(options) for _ in range(draw.number(1, count_max))] if options else []


def _options(world: World, draw: Draw) -> TaskOptions | None:
    if not chance(draw, 3):
        return None
    return TaskOptions(
        delay_ms=draw.choose([0, 0, 0, 10, 5_000]),
        eta_ms=draw.choose([None, None, world.now_ms + 1_000, world.now_ms - 1_000]),
        expires_ms=draw.choose([None, None, 0, 10, 5_000, 60_000]),
        key=draw.choose([None, None, None, "k1", "k2"]),
        result_ttl_ms=draw.choose([0, 1_000, 3_600_000]),
        max_crashes=draw.choose([1, 2, 3]),
        retry=RetryPolicy(
            backoff_ms_base=draw.choose([0, 1_000]),
            backoff_ms_max=draw.choose([3_000, 3_600_000]),
            jitter=draw.choose([True, False]),
        ),
    )


def _spec(world: World, draw: Draw) -> TaskSpec:
    return TaskSpec(
        draw.choose(IDS),
        draw.choose(TYPES),
        bytes(draw.choose([0, 5, 5, 64])),
        draw.choose(QUEUES),
        draw.choose(PRIORITIES),
        draw.choose([0, 1_000, 300_000]),
        draw.choose([0, 1, 2]),
        "",
        _options(world, draw),
    )


def submit(world: World, draw: Draw) -> None:
    specs = [_spec(world, draw) for _ in range(draw.number(1, 4))]
    world.do(draw.choose(CLIENTS), Submit(world.next_id(), specs))


def submit_many(world: World, draw: Draw) -> None:
    """Enough of one lane for windows to run over and refill."""
    spec = _spec(world, draw)
    unused = [task_id for task_id in IDS if task_id not in world.model.tasks]
    specs = [
        TaskSpec(task_id, spec.task_type, b"many", spec.queue, spec.priority, spec.timeout_ms, spec.max_retries)
        for task_id in unused[:10]
    ]
    if specs:
        world.do(draw.choose(CLIENTS), Submit(world.next_id(), specs))


def submit_wrong(world: World, draw: Draw) -> None:
    """One bad task among good ones: none may be taken."""
    bad = _spec(world, draw)
    wrong = draw.choose(
        [
            TaskSpec(bad.id, bad.task_type, bytes(65), bad.queue),
            TaskSpec(bad.id, bad.task_type, b"", bad.queue, 256),
            TaskSpec(bad.id, "", b"", bad.queue),
            TaskSpec(bad.id, bad.task_type, b"", ""),
        ]
    )
    world.do(draw.choose(CLIENTS), Submit(world.next_id(), [_spec(world, draw), wrong]))


def connect_worker(world: World, draw: Draw) -> None:
    """New, again, or in the place of a connection that nobody knew was dead; sometimes with false claims."""
    number = draw.number(0, len(INCARNATIONS) - 1)
    incarnation = INCARNATIONS[number]
    held = [
        LeaseRef(task.spec.id, task.lease.token)
        for task in world.model.held_by(incarnation)
        if task.lease is not None and not chance(draw, 4)
    ]
    if world.delivered and chance(draw, 4):
        held.append(draw.choose(world.delivered))
    queues = [QueuePreference(queue, draw.choose([0, 5])) for queue in QUEUES if chance(draw, 3)]
    hello = WorkerHello(
        NAMES[number],
        incarnation,
        "host",
        number,
        draw.choose([["x"], ["x", "y"], ["x", "y", "z"]]),
        queues,
        held=list({ref.task_id: ref for ref in held}.values()),
    )
    world.do(_session_for(world, draw), Hello(world.next_id(), 1, worker=hello))


def _session_for(world: World, draw: Draw) -> int:
    """A new connection; at times one that introduced itself before."""
    return _session(world, draw) if chance(draw, 8) else world.new_session()


def _session(world: World, draw: Draw) -> int:
    """A worker's session, at times one that is over, or a client's."""
    connected = [worker.session for worker in world.model.workers.values() if worker.session is not None]
    if connected and not chance(draw, 12):
        return draw.choose(connected)
    return draw.number(1, world.sessions)


def fetch(world: World, draw: Draw) -> None:
    seen = draw.choose([None, None, None, 0, 1, 2])
    credit = draw.choose([1, 1, 2, 5])
    if seen is not None:
        credit = draw.choose([0, credit])
    world.do(_session(world, draw), Fetch(0, credit, seen))


def _leases(world: World, draw: Draw, count_max: int = 3) -> list[LeaseRef]:
    """Leases to settle: live ones mostly, at times stale, doubled or forged."""
    live = [ref for ref in world.delivered if _is_live(world, ref)]
    refs = some(draw, live, count_max) if live and not chance(draw, 6) else some(draw, world.delivered, count_max)
    if chance(draw, 12):
        refs.append(LeaseRef(draw.choose(IDS), draw.number(0, 200)))
    return refs


def _is_live(world: World, ref: LeaseRef) -> bool:
    task = world.model.tasks.get(ref.task_id)
    return task is not None and task.lease is not None and task.lease.token == ref.token


def ack(world: World, draw: Draw) -> None:
    successes = [Success(ref.task_id, ref.token, bytes(draw.choose([0, 3, 3, 64]))) for ref in _leases(world, draw)]
    if successes and chance(draw, 20):
        successes.append(Success(successes[0].task_id, successes[0].token, bytes(65)))
    world.do(_session(world, draw), Ack(world.next_id(), successes))


def nack(world: World, draw: Draw) -> None:
    failures = [
        Failure(
            ref.task_id,
            ref.token,
            draw.choose(["ValueError", "OSError"]),
            draw.choose(["no", "not after 30 s", "not after 7 s"]),
            draw.choose(["", '  File "/srv/http.py", line 212, in post\n']),
            draw.choose([None, None, 0, 5_000]),
            chance(draw, 6),
            chance(draw, 4),
        )
        for ref in _leases(world, draw)
    ]
    world.do(_session(world, draw), Nack(world.next_id(), failures))


def release(world: World, draw: Draw) -> None:
    refs = _leases(world, draw, 5)
    world.do(_session(world, draw), Release(world.next_id(), refs, draw.choose([0, 0, 0, 5_000])))


def extend(world: World, draw: Draw) -> None:
    world.do(_session(world, draw), Extend(world.next_id(), _leases(world, draw), draw.choose([0, 1_000, 600_000])))


def report_log(world: World, draw: Draw) -> None:
    lines = [LogEntry(ref.task_id, ref.token, 1, "info", "a line") for ref in _leases(world, draw)]
    world.do(_session(world, draw), ReportLog(0, lines * draw.choose([1, 1, 20])))


def report_progress(world: World, draw: Draw) -> None:
    notes = [ProgressNote(ref.task_id, ref.token, 0.5, "half") for ref in _leases(world, draw)]
    world.do(_session(world, draw), ReportProgress(0, notes))


def stop_cancelled(world: World, draw: Draw) -> None:
    world.do(_session(world, draw), CancelledByWorker(world.next_id(), _leases(world, draw)))


def heartbeat(world: World, draw: Draw) -> None:
    world.do(_session(world, draw), Heartbeat(0, is_draining=chance(draw, 10)))


def disconnect(world: World, draw: Draw) -> None:
    world.disconnect(draw.choose([_session(world, draw), draw.choose(CLIENTS)]))


def worker_died(world: World, draw: Draw) -> None:
    incarnation = draw.choose(INCARNATIONS)
    held = [task.spec.id for task in world.model.held_by(incarnation)]
    running = draw.choose([None, [], held[:1]])
    request = WorkerDied(world.next_id(), incarnation, None, "SIGKILL", "host", 1 << 30, "Killed", running)
    world.do(draw.choose(CLIENTS), request)


def hold(world: World, draw: Draw) -> None:
    world.hold(_session(world, draw), draw.choose([True, False, False]))


def drain(world: World, draw: Draw) -> None:
    worker = draw.choose(["one", "two", "nobody", INCARNATIONS[2].hex()[:6], INCARNATIONS[0].hex()[:1]])
    world.do(draw.choose(CLIENTS), DrainWorker(world.next_id(), worker))


def cancel(world: World, draw: Draw) -> None:
    running = [task.spec.id for task in world.model.tasks.values() if task.lease is not None]
    ids = some(draw, running, 2) if running and chance(draw, 2) else some(draw, IDS, 3)
    world.do(draw.choose(CLIENTS), Cancel(world.next_id(), ids, draw.choose(["", "not needed"])))


def pause(world: World, draw: Draw) -> None:
    world.do(draw.choose(CLIENTS), PauseQueue(world.next_id(), draw.choose(QUEUES)))


def resume(world: World, draw: Draw) -> None:
    world.do(draw.choose(CLIENTS), ResumeQueue(world.next_id(), draw.choose(QUEUES)))


def prepare(world: World, draw: Draw) -> None:
    """Somebody looks at what an operation would be about: a queue, all, or some ids."""
    kinds = operations.Action
    action = draw.choose([kinds.RETRY, kinds.RETRY, kinds.PURGE, kinds.CANCEL])
    ids = list(dict.fromkeys(some(draw, IDS, 3))) if chance(draw, 3) and action is not kinds.CANCEL else None
    world.prepare(draw.choose(CLIENTS), action, draw.choose([None, *QUEUES]) if ids is None else None, ids)


def commit_operation(world: World, draw: Draw) -> None:
    """And decides, perhaps for the second time, perhaps too late."""
    plain = world.model.operations
    tokens = [*plain.prepared, *plain.all]
    if tokens and len(world.engine._ledger.operations.running) < RUNNING_MAX:
        world.commit_operation(draw.choose(CLIENTS), draw.choose(tokens), draw.choose(RATES))


def purge(world: World, draw: Draw) -> None:
    """The two at once."""
    world.prepare(draw.choose(CLIENTS), operations.Action.PURGE, draw.choose([None, *QUEUES]), None)
    world.advance()
    commit_operation(world, draw)


def retry(world: World, draw: Draw) -> None:
    """The two at once."""
    world.prepare(draw.choose(CLIENTS), operations.Action.RETRY, draw.choose([None, *QUEUES]), None)
    world.advance()
    commit_operation(world, draw)


def undo_operation(world: World, draw: Draw) -> None:
    known = list(world.model.operations.all)
    if known and len(world.engine._ledger.operations.running) < RUNNING_MAX:
        world.undo_operation(draw.choose(CLIENTS), draw.choose(known), draw.choose(RATES))


def cancel_operation(world: World, draw: Draw) -> None:
    known = list(world.model.operations.all)
    if known:
        world.cancel_operation(draw.choose(CLIENTS), draw.choose(known))


def resubmit(world: World, draw: Draw) -> None:
    ended = [task.spec.id for task in world.model.tasks.values() if task.state.is_final]
    task_id = draw.choose(ended) if ended and not chance(draw, 6) else draw.choose(IDS)
    request = Resubmit(
        world.next_id(),
        task_id,
        draw.choose(IDS),
        draw.choose([None, b"new", bytes(65)]),
        queue=draw.choose([None, None, *QUEUES]),
        priority=draw.choose([None, 0, 255]),
        delay_ms=draw.choose([0, 0, 1_000]),
    )
    world.do(draw.choose(CLIENTS), request)


def wait(world: World, draw: Draw) -> None:
    session = draw.choose([*CLIENTS, _session(world, draw)])
    world.do(session, Wait(world.next_id(), draw.choose(IDS), draw.choose([0, 1_000, 60_000])))


def unwait(world: World, draw: Draw) -> None:
    """Of a wait that there is, more often than not."""
    waits = [wait[:2] for wait in world.model.waits] or [(CLIENTS[0], 0)]
    session, request_id = draw.choose(waits)
    world.do(session, Unwait(0, draw.choose([request_id, request_id, request_id + 1])))


def list_tasks(world: World, draw: Draw) -> None:
    wanted = Wanted(draw.choose([None, *State]), draw.choose([None, *QUEUES]), draw.choose([None, None, *TYPES]))
    world.list_tasks(wanted, draw.choose(list(Order)), draw.choose([False, True]), draw.choose([1, 2, 100]))


def list_groups(world: World, draw: Draw) -> None:
    world.list_groups(draw.choose([None, *QUEUES]))


def repeat_request(world: World, draw: Draw) -> None:
    """A client or worker did not hear the answer and says it again."""
    recent = [
        (session, request)
        for session, request in world.requests[-30:]
        if isinstance(request, Submit | Ack | Nack | Release | Cancel | Resubmit)
    ]
    if recent:
        session, request = draw.choose(recent)
        world.do(session, request)


def tick(world: World, draw: Draw) -> None:
    """Time passes, and requests may come before the loop gets to what is due."""
    world.model.now += draw.choose([1, 10, 1_000])


def pass_time(world: World, draw: Draw) -> None:
    world.pass_time(draw.choose([0, 1, 10, 1_000, 5_000, 6_000, 15_000, 45_000]))


def pass_time_alive(world: World, draw: Draw) -> None:
    """Time passes while all workers send their heartbeats, so that what runs too long is found out."""
    for _ in range(3):
        world.pass_time(15_000)
        for worker in list(world.model.workers.values()):
            if worker.session is not None:
                world.do(worker.session, Heartbeat(0))


def pass_long_time(world: World, draw: Draw) -> None:
    world.pass_time(draw.choose([60_000, 330_000, 3_600_000, 7_200_000, 90_000_000]))


def jump(world: World, draw: Draw) -> None:
    """The machine slept, or its clock was put forward."""
    world.model.now += draw.choose([6_000, 60_000, 3_600_000])
    if draw.choose([True, False]):
        world.advance()


def advance(world: World, draw: Draw) -> None:
    world.advance()


def commit(world: World, draw: Draw) -> None:
    world.commit()


def sync(world: World, draw: Draw) -> None:
    world.sync()


def crash(world: World, draw: Draw) -> None:
    world.crash(is_power_cut=draw.choose([True, False]))


Action = Callable[[World, Draw], None]

ACTIONS: dict[Action, int] = {
    submit: 8,
    submit_many: 2,
    submit_wrong: 1,
    connect_worker: 6,
    fetch: 10,
    ack: 8,
    nack: 7,
    release: 4,
    extend: 2,
    report_progress: 1,
    report_log: 1,
    stop_cancelled: 2,
    heartbeat: 4,
    disconnect: 2,
    worker_died: 2,
    drain: 1,
    hold: 2,
    cancel: 3,
    pause: 1,
    resume: 2,
    prepare: 2,
    commit_operation: 3,
    purge: 1,
    retry: 3,
    undo_operation: 2,
    cancel_operation: 1,
    resubmit: 2,
    wait: 2,
    unwait: 1,
    list_tasks: 2,
    list_groups: 2,
    repeat_request: 3,
    tick: 2,
    pass_time: 7,
    pass_time_alive: 1,
    pass_long_time: 1,
    jump: 1,
    advance: 6,
    commit: 4,
    sync: 14,
    crash: 2,
}
"""How often each happens, in a walk of random ones."""


def settle_down(world: World) -> None:
    """Faults stop, workers that can run everything are there: within a bound, every task ends. I14."""
    world.sync()
    for queue in QUEUES:
        if queue in world.model.queues:
            world.do(CLIENTS[0], ResumeQueue(world.next_id(), queue))
    hello = WorkerHello("last", bytes([0xC4]) * 16, "host", 9, TYPES)
    session = world.new_session()
    world.do(session, Hello(world.next_id(), 1, worker=hello))
    world.do(session, Fetch(0, 1_000))
    for worker in list(world.model.workers.values()):
        if worker.session is not None and worker.session != session:
            world.disconnect(worker.session)
    for _ in range(400):
        world.sync()
        if all(task.state.is_final for task in world.model.tasks.values()):
            return
        mine = [task for task in world.model.held_by(hello.incarnation) if task.lease is not None]
        if mine:
            successes = [Success(task.spec.id, task.lease.token) for task in mine if task.lease is not None]
            world.do(session, Ack(world.next_id(), successes))
            continue
        world.do(session, Heartbeat(0))
        deadline_ms = world.engine.next_deadline_ms()
        assert deadline_ms is not None, "I14: tasks wait and nothing will ever happen"
        world.pass_time(max(0, min(deadline_ms - world.now_ms, 10_000)))
    raise AssertionError("I14: the tasks do not end")

"""Who gets which task next.

Between queues: the worker's own priorities, equals in turn. Inside a queue: the highest tier first, but a lower one
that was passed over 15 times, so that nothing starves. Inside a tier: first in, first out, over all types that the
worker can run.
"""

from collections import deque

import msgspec

from tq.engine.lanes import Lane
from tq.engine.ledger import DEFAULT_OPTIONS, Ledger, decode_stored, encode
from tq.engine.queues import Queue
from tq.engine.settling import OVERRUN_MARGIN_MS
from tq.engine.tables import Table
from tq.engine.workers import Lease, Profile, Worker
from tq.model.errors import StorageCorrupt
from tq.model.ids import format_id
from tq.model.replies import Deliver, Delivery
from tq.model.task import Tier

STARVATION_GUARD = 16
"""Of the dispatches from a queue, one in this many goes to a lower tier that has ready tasks (the middle one waits one
longer where both are owed); of the turns of a profile, one in this many to a lower queue priority, each in turn."""
TURN_MAX = 32
"""Tasks that a queue gives before it is the next queue's turn."""
DELIVER_BYTES_MAX = 1 << 20
"""Bodies in one Deliver frame, unless a single one is larger."""

Deliveries = dict[Worker, list[Delivery]]


def dispatch(ledger: Ledger, now_ms: int) -> bool:
    """Lease ready tasks to workers that wait; whether there may be more to do at once."""
    if not ledger.active:
        return False
    left = ledger.bounds.dispatch_max
    deliveries: Deliveries = {}
    for profile in list(ledger.profiles.values()):
        if profile.waiting and left > 0:
            left -= _serve(ledger, profile, left, deliveries, now_ms)
    _send(ledger, deliveries)
    return left <= 0 or ledger.delivered_bytes >= ledger.bounds.deliver_bytes_max


def _send(ledger: Ledger, deliveries: Deliveries) -> None:
    for worker, given in deliveries.items():
        assert worker.session is not None
        # As a rule all that was given away fits into one frame, and no body need be measured again.
        frames = [given] if ledger.delivered_bytes <= DELIVER_BYTES_MAX else _cut(given)
        ledger.outbox += [(worker.session, Deliver(frame)) for frame in frames]


def _cut(given: list[Delivery]) -> list[list[Delivery]]:
    """Deliveries by frames of at most DELIVER_BYTES_MAX, larger only for a single one."""
    frames: list[list[Delivery]] = [[]]
    size = 0
    for delivery in given:
        length = memoryview(delivery.task).nbytes
        if size and size + length > DELIVER_BYTES_MAX:
            frames.append([])
            size = 0
        frames[-1].append(delivery)
        size += length
    return frames


def _serve(ledger: Ledger, profile: Profile, left: int, deliveries: Deliveries, now_ms: int) -> int:
    """Give tasks to the waiting workers of one profile until either runs out; how many."""
    groups, ready = _groups(ledger, profile)
    waiting = profile.waiting
    # Spread over all that wait: what one worker holds and does not run yet, another could.
    share = max(1, -(-ready // len(waiting)))
    given, bytes_max = 0, ledger.bounds.deliver_bytes_max
    while groups and waiting and given < left and ledger.delivered_bytes < bytes_max:
        profile.turns += 1
        place = 0
        if profile.turns % STARVATION_GUARD == 0 and len(groups) > 1:
            place = 1 + profile.turns // STARVATION_GUARD % (len(groups) - 1)
        group = groups[place]
        queue = group[0]
        worker = waiting[0]
        wanted = min(worker.credit, share, left - given)
        if len(group) > 1 or len(groups) > 1:
            wanted = min(wanted, TURN_MAX)
        tasks = _give(ledger, queue, worker, wanted, now_ms)
        got = len(tasks)
        if tasks:
            deliveries.setdefault(worker, []).extend(tasks)
        given += got
        queue.served = ledger.turn = ledger.turn + 1
        if got < wanted:
            if ledger.delivered_bytes < bytes_max:
                profile.barren[queue.number] = queue.filled
            group.popleft()
            if not group:
                del groups[place]
        else:
            group.rotate(-1)
        worker.credit -= got
        worker.delivered += got
        if worker.credit:
            waiting.rotate(-1)
        else:
            waiting.popleft()
            worker.is_waiting = False
    return given


def _groups(ledger: Ledger, profile: Profile) -> tuple[list[deque[Queue]], int]:
    """The queues that the profile serves and that may have ready tasks for it: by falling priority, and in a priority
    the one served longest ago first; and how many ready tasks they hold."""
    by_priority: dict[int, list[Queue]] = {}
    ready = 0
    for queue in ledger.active.values():
        if profile.serves(queue) and profile.barren.get(queue.number) != queue.filled:
            by_priority.setdefault(profile.priorities.get(queue.row.name, 0), []).append(queue)
            ready += sum(queue.ready)
    groups = [
        deque(sorted(by_priority[priority], key=lambda queue: queue.served))
        for priority in sorted(by_priority, reverse=True)
    ]
    return groups, ready


def _give(ledger: Ledger, queue: Queue, worker: Worker, wanted: int, now_ms: int) -> list[Delivery]:
    """Lease up to `wanted` tasks of a queue to a worker."""
    assert worker.profile is not None
    task_types = worker.profile.task_types
    tiers = [
        [lane for lane in lanes.values() if lane.row.ready and lane.row.task_type in task_types]
        for lanes in queue.lanes
    ]
    ready, passed_over = queue.ready, queue.passed_over
    given: list[Delivery] = []
    bytes_max = ledger.bounds.deliver_bytes_max
    lanes = [lane for lanes in tiers for lane in lanes]
    if len(lanes) == 1 and lanes[0].row.ready == sum(ready):
        # The rule, a queue of one type and priority, without the choice that it does not need.
        lane, changes = lanes[0], ledger.changes
        passed_over[lane.row.tier] = 0
        while len(given) < wanted and ledger.delivered_bytes < bytes_max and lane.head(changes) is not None:
            given.append(_lease(ledger, lane, worker, now_ms))
    while len(given) < wanted and ledger.delivered_bytes < bytes_max:
        for tier in _order(passed_over):
            first = _first(ledger, tiers[tier]) if tiers[tier] else None
            if first is not None:
                given.append(_lease(ledger, first, worker, now_ms))
                passed_over[tier] = 0
                for lower in range(tier):
                    if ready[lower]:
                        passed_over[lower] += 1
                break
        else:
            break
    if given:
        queue.row.in_progress += len(given)
        ledger.touch(queue)
    ledger.refresh_active(queue)
    return given


def _order(passed_over: list[int]) -> tuple[int, int, int]:
    """The tiers in the order to try them. A worker that cannot run the one whose turn it is goes on to the next."""
    is_low_owed = passed_over[Tier.LOW] >= STARVATION_GUARD - 1
    if passed_over[Tier.NORMAL] >= STARVATION_GUARD - 1:
        return (0, 1, 2) if is_low_owed else (1, 2, 0)
    return (0, 2, 1) if is_low_owed else (2, 1, 0)


def _first(ledger: Ledger, lanes: list[Lane]) -> Lane | None:
    """The lane whose head came first; lanes found empty leave the list."""
    changes = ledger.changes
    if len(lanes) == 1:
        if lanes[0].head(changes) is not None:
            return lanes[0]
        lanes.clear()
        return None
    heads = [(head.sequence, lane) for lane in lanes if (head := lane.head(changes)) is not None]
    lanes[:] = [lane for _, lane in heads]
    return min(heads, key=lambda pair: pair[0])[1] if heads else None


def _lease(ledger: Ledger, lane: Lane, worker: Worker, now_ms: int) -> Delivery:
    ready = ledger.take_ready(lane)
    body = ready.body
    has_state = False
    if body is None:
        body = ledger.changes.get(Table.BODIES, ready.id)
        if body is None:
            raise StorageCorrupt(f"ready task {format_id(ready.id)} has no record", hint="stop the broker; tq doctor")
        stored = decode_stored(body)
        ready.timeout_ms = stored.spec.timeout_ms
        ready.result_ttl_ms = (stored.spec.options or DEFAULT_OPTIONS).result_ttl_ms
        # A state row is there if it ever moved: it got a new place then, or one of the counts.
        has_state = stored.sequence != ready.sequence or ready.attempt > 0 or ready.crashes > 0
    meta = ledger.meta
    token = meta.next_token
    meta.next_token = token + 1
    attempt = ready.attempt + 1
    hello = worker.hello
    timeout_ms = ready.timeout_ms
    lease = Lease(
        ready.id,
        token,
        lane,
        ready.sequence,
        attempt,
        ready.crashes,
        now_ms,
        ready.ready_at_ms,
        now_ms + timeout_ms + OVERRUN_MARGIN_MS if timeout_ms else 0,
        ready.result_ttl_ms,
        has_state,
        worker,
    )
    ledger.leases[ready.id] = lease
    worker.leases[ready.id] = lease
    # A LeaseRow, put together as the tuple that it is on disk: this is done once for every task.
    row = (
        token,
        lane.number,
        ready.sequence,
        attempt,
        ready.crashes,
        now_ms,
        ready.ready_at_ms,
        hello.incarnation,
        hello.name,
    )
    ledger.changes.tables[Table.LEASES][ready.id] = encode(row)
    ledger.delivered_bytes += len(body)
    return Delivery(token, attempt, msgspec.Raw(body))


def await_tasks(worker: Worker, credit: int) -> None:
    """The worker takes `credit` more tasks."""
    if worker.is_draining or worker.profile is None:
        return
    worker.credit += credit
    _line_up(worker)


def hold(worker: Worker) -> None:
    """The worker has not read yet what it was given: it gets nothing more for now, and keeps its credit."""
    worker.is_held = True
    _leave_line(worker)


def resume(worker: Worker) -> None:
    """It has read."""
    worker.is_held = False
    if worker.credit:
        _line_up(worker)


def stop_waiting(worker: Worker) -> None:
    """The worker takes nothing more."""
    worker.credit = 0
    _leave_line(worker)


def _line_up(worker: Worker) -> None:
    if not worker.is_waiting and not worker.is_held:
        assert worker.profile is not None
        worker.is_waiting = True
        worker.profile.waiting.append(worker)


def _leave_line(worker: Worker) -> None:
    if worker.is_waiting:
        worker.is_waiting = False
        assert worker.profile is not None
        worker.profile.waiting.remove(worker)

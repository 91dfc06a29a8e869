"""What operators do: cancel, pause and resume, purge, and put dead letters back to work. Each request does a bounded
amount and says whether there is more; repeating one is harmless."""

from collections.abc import Callable

import msgspec

from tq.engine import auditing as audit
from tq.engine.lanes import Ready
from tq.engine.ledger import Ledger, Record
from tq.engine.queues import Queue
from tq.engine.submitting import submit
from tq.engine.tables import DEAD_KEY, DUE_KEY, DueKind, Table
from tq.engine.workers import Lease
from tq.model.commands import Cancel, PauseQueue, PurgeDead, PurgeQueue, Resubmit, ResumeQueue, RetryDead, Submit
from tq.model.errors import WrongState
from tq.model.ids import format_id
from tq.model.replies import Affected, CancelRun, Submitted
from tq.model.task import State, TaskOptions

PURGED = "purged"
_NO_ID = bytes(16)


def cancel(ledger: Ledger, request: Cancel, now_ms: int) -> Affected:
    """Waiting tasks end now; running ones are asked to, and never retried.

    Raises:
        TaskNotFound: the only task of the request does not exist.
    """
    reason = request.reason or "cancelled"
    count = skipped = 0
    for task_id in request.task_ids:
        record = ledger.find(task_id) if len(request.task_ids) == 1 else ledger.find_or_none(task_id)
        if record is None or record.current.is_final:
            skipped += 1
        elif record.lease is not None:
            count += ask_to_stop(ledger, record.lease, reason)
        else:
            ledger.leave(record)
            ledger.enter_final(record, State.CANCELLED, now_ms, reason=reason)
            count += 1
    if count:
        ids = request.task_ids
        target = format_id(ids[0]) if len(ids) == 1 else f"{len(ids)} ids from {format_id(ids[0])}"
        audit.record(ledger, now_ms, "cancel", target, count=count, reason=request.reason)
    return Affected(request.request_id, count, skipped)


def ask_to_stop(ledger: Ledger, lease: Lease, reason: str) -> int:
    """A running task is to stop, and is never retried; how many were asked: one."""
    lease.cancel_reason = reason
    ledger.rewrite_lease(lease)
    if lease.worker.session is not None:
        ledger.outbox.append((lease.worker.session, CancelRun(lease.id, lease.token)))
    return 1


def pause_queue(ledger: Ledger, request: PauseQueue, now_ms: int) -> Affected:
    """Dispatch nothing more from a queue.

    Raises:
        QueueNotFound: no such queue.
    """
    queue = ledger.queue(request.queue)
    row = queue.row
    if row.is_paused:
        return Affected(request.request_id, 0, 1)
    row.is_paused, row.paused_at_ms, row.pause_reason = True, now_ms, request.reason
    row.paused_by = ledger.actor.name
    audit.record(ledger, now_ms, "pause", request.queue, reason=request.reason)
    ledger.touch(queue)
    ledger.refresh_active(queue)
    return Affected(request.request_id, 1)


def resume_queue(ledger: Ledger, request: ResumeQueue, now_ms: int) -> Affected:
    """Dispatch from a queue again.

    Raises:
        QueueNotFound: no such queue.
    """
    queue = ledger.queue(request.queue)
    row = queue.row
    if not row.is_paused:
        return Affected(request.request_id, 0, 1)
    row.is_paused, row.paused_at_ms, row.pause_reason, row.paused_by = False, 0, "", ""
    audit.record(ledger, now_ms, "resume", request.queue)
    ledger.touch(queue)
    ledger.refresh_active(queue)
    return Affected(request.request_id, 1)


def purge_queue(ledger: Ledger, request: PurgeQueue, now_ms: int) -> Affected:
    """Cancel waiting tasks: first the ready ones, then those that wait for a time.

    Raises:
        QueueNotFound: no such queue.
    """
    queue = ledger.queue(request.queue)
    if request.is_dry_run:
        return Affected(request.request_id, queue.waiting)
    limit = min(request.limit, ledger.bounds.bulk_max)
    count = 0 if request.cursor else _purge_ready(ledger, queue, limit, now_ms)
    cursor = request.cursor
    if count < limit and queue.row.scheduled + queue.row.retrying:
        purged, cursor = _purge_due(ledger, queue, limit - count, cursor, now_ms)
        count += purged
        return Affected(request.request_id, count, 0, bool(cursor), cursor)
    return Affected(request.request_id, count, 0, queue.waiting > 0 and not cursor)


def _purge_ready(ledger: Ledger, queue: Queue, limit: int, now_ms: int) -> int:
    count = 0
    ledger.touch(queue)
    for lane in queue.all_lanes():
        while count < limit and (head := lane.head(ledger.changes)) is not None:
            record = ledger.find(head.id)
            ledger.take_ready(lane)
            ledger.enter_final(record, State.CANCELLED, now_ms, reason=PURGED)
            count += 1
    ledger.refresh_active(queue)
    return count


def _purge_due(ledger: Ledger, queue: Queue, limit: int, cursor: bytes, now_ms: int) -> tuple[int, bytes]:
    """Cancel tasks of a queue among those that wait for a time; how many, and where to go on (empty: at the end)."""
    kind = DueKind.READY
    start = cursor + b"\0" if cursor else DUE_KEY.pack(kind, ledger.due_floors[kind], _NO_ID)
    rows = ledger.changes.range(Table.DUE, start, DUE_KEY.pack(kind + 1, 0, _NO_ID), ledger.bounds.scan_max)
    count = 0
    for key, _ in rows:
        record = ledger.find(DUE_KEY.unpack(key)[2])
        if record.stored.spec.queue == queue.row.name:
            ledger.leave(record)
            ledger.enter_final(record, State.CANCELLED, now_ms, reason=PURGED)
            count += 1
        if count == limit:
            return count, key
    return count, rows[-1][0] if len(rows) == ledger.bounds.scan_max else b""


def retry_dead(ledger: Ledger, request: RetryDead, now_ms: int) -> Affected:
    """Dead letters become ready, with all their attempts again; their history stays.

    Raises:
        TaskNotFound, WrongState: the only task of the request does not exist, or is no dead letter.
        QueueNotFound: no such queue.
    """

    def retry(record: Record) -> None:
        ledger.leave(record)
        ledger.groups.count_retry(record.state.group)
        sequence = ledger.next_sequence()
        state = msgspec.structs.replace(
            record.state,
            state=State.PENDING,
            sequence=sequence,
            attempt=0,
            crashes=0,
            ended_at_ms=0,
            remove_at_ms=0,
            reason="",
            group=b"",
        )
        ledger.put_state(record.id, state)
        ledger.put_ready(ledger.lane_of(record.stored), Ready(record.id, sequence, 0, 0, now_ms))
        if 0 < record.stored.expires_at_ms <= now_ms:
            # Too late for its producer, but an operator wants it to run.
            ledger.delete_due(DueKind.EXPIRE, record.stored.expires_at_ms, record.id)

    return _each_dead(ledger, request, retry)


def purge_dead(ledger: Ledger, request: PurgeDead, now_ms: int) -> Affected:
    """Dead letters become cancelled; they can be resubmitted until their retention ends.

    Raises:
        TaskNotFound, WrongState: the only task of the request does not exist, or is no dead letter.
        QueueNotFound: no such queue.
    """

    def purge(record: Record) -> None:
        ledger.leave(record)
        ledger.enter_final(record, State.CANCELLED, now_ms, reason=PURGED)

    return _each_dead(ledger, request, purge)


def _each_dead(ledger: Ledger, request: RetryDead | PurgeDead, move: Callable[[Record], None]) -> Affected:
    if request.task_ids:
        return _each_dead_of(ledger, request, move)
    queues = [ledger.queue(request.queue)] if request.queue is not None else list(ledger.queues.values())
    if request.is_dry_run:
        return Affected(request.request_id, sum(queue.row.dead for queue in queues))
    limit = min(request.limit, ledger.bounds.bulk_max)
    count = 0
    for queue in queues:
        if count == limit or not queue.row.dead:
            continue
        start, end = DEAD_KEY.pack(queue.number, 0, _NO_ID), DEAD_KEY.pack(queue.number + 1, 0, _NO_ID)
        for key, _ in ledger.changes.range(Table.DEAD, start, end, limit - count):
            move(ledger.find(DEAD_KEY.unpack(key)[2]))
            count += 1
    return Affected(request.request_id, count, 0, any(queue.row.dead for queue in queues))


def _each_dead_of(ledger: Ledger, request: RetryDead | PurgeDead, move: Callable[[Record], None]) -> Affected:
    is_only = len(request.task_ids) == 1
    count = skipped = 0
    for task_id in request.task_ids:
        record = ledger.find(task_id) if is_only else ledger.find_or_none(task_id)
        if record is None or record.current is not State.DEAD_LETTER:
            if is_only and record is not None:
                raise WrongState(f"task {format_id(task_id)} is {record.current}, not a dead letter")
            skipped += 1
            continue
        if not request.is_dry_run:
            move(record)
        count += 1
    return Affected(request.request_id, count, skipped)


def resubmit(ledger: Ledger, request: Resubmit, now_ms: int) -> Submitted:
    """A new task like an ended one, with what the request changes, due at once unless it delays; the two name each
    other.

    Raises:
        TaskNotFound: no such task.
        WrongState: it has not ended.
        QueueFull, PayloadTooLarge: as for a submit.
    """
    record = ledger.find(request.task_id)
    if not record.current.is_final:
        raise WrongState(
            f"task {format_id(request.task_id)} is {record.current}: only ended tasks are resubmitted",
            hint="cancel it first",
        )
    reply = make_again(ledger, record, request, now_ms)
    if not reply.existing:
        audit.record(ledger, now_ms, "resubmit", format_id(record.id), count=1, reason=request.reason)
    return reply


def make_again(ledger: Ledger, record: Record, request: Resubmit, now_ms: int) -> Submitted:
    """The new task of a resubmit.

    Raises:
        QueueFull, PayloadTooLarge: as for a submit.
    """
    # Its own key would answer with the old task, and its delay was for the first time.
    options: TaskOptions = msgspec.structs.replace(
        record.options, key=None, delay_ms=request.delay_ms, eta_ms=None, resubmit_of=record.id
    )
    changed = {
        name: value
        for name in ("payload", "content_type", "queue", "priority")
        if (value := getattr(request, name)) is not None
    }
    spec = msgspec.structs.replace(record.stored.spec, id=request.new_id, options=options, **changed)
    reply = submit(ledger, Submit(request.request_id, [spec]), now_ms)
    if not reply.existing:
        ledger.annotate(record.id, msgspec.structs.replace(record.state, resubmitted_as=request.new_id))
    return reply

"""What operators do to single tasks and to queues: cancel, pause and resume, resubmit; repeating one is harmless. What
they do to many tasks is in operations/."""

import msgspec

from tq.engine import auditing as audit
from tq.engine.ledger import Ledger, Record
from tq.engine.submitting import submit
from tq.engine.workers import Lease
from tq.model.commands import Cancel, PauseQueue, Resubmit, ResumeQueue, Submit
from tq.model.errors import WrongState
from tq.model.ids import format_id
from tq.model.replies import Affected, CancelRun, Submitted
from tq.model.task import State, TaskOptions

PURGED = "purged"


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

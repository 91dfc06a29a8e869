"""What is asked of operations: start a prepared one, look at them, stop one, take one back."""

from tq.engine import auditing
from tq.engine.ledger import HOUR_MS, Ledger
from tq.engine.operations.book import WAITS_MAX, Preview, Wait, by_queue, shown
from tq.engine.operations.preparing import new_id
from tq.engine.operations.running import end, start, write
from tq.engine.tables import OperationRow
from tq.model.commands import CancelOperation, CommitOperation, GetOperation, ListOperations, UndoOperation
from tq.model.errors import PreviewExpired, TooManyRequests, WrongState
from tq.model.operations import Action, OperationState
from tq.model.replies import OperationPage, OperationReply

QUEUES_SHOWN_MAX = 100
"""Queues that the record of an operation names, the fullest first."""
NEVER_UNDONE = {
    Action.RESUBMIT: "cancel the new tasks instead: each names the old one",
    Action.UNDO: "prepare the same operation again",
    Action.PURGE: "its records were removed for good",  # a hard one; of others see `undo`
}


def commit(ledger: Ledger, request: CommitOperation, now_ms: int) -> OperationReply:
    """Start what was prepared; if it was started already, nothing changes.

    Raises:
        PreviewExpired: the preview is too old, or of a broker before its restart.
        TooManyRequests: as many operations run as may.
    """
    book = ledger.operations
    row = book.rows.get(request.token)
    if row is None:
        preview = book.prepared.get(request.token)
        if preview is None or preview.expires_at_ms <= now_ms:
            raise PreviewExpired(
                "the preview is older than a minute, or of before a restart: nothing was done",
                hint="look again, and decide again: the tasks may have changed",
            )
        row = _row_of(ledger, preview, request, now_ms)
        start(ledger, request.token, row, now_ms)
        del book.prepared[request.token]
    return OperationReply(request.request_id, shown(request.token, row))


def _row_of(ledger: Ledger, preview: Preview, request: CommitOperation, now_ms: int) -> OperationRow:
    frozen, prepared, actor = preview.frozen, preview.request, ledger.actor
    return OperationRow(
        action=frozen.action,
        selector="" if frozen.ids is not None else frozen.selector.text,
        ids=None if frozen.ids is None else preview.ids,
        is_hard=frozen.is_hard,
        overrides=prepared.overrides,
        total=preview.counts.total(),
        queues=tuple(by_queue(preview)[:QUEUES_SHOWN_MAX]),
        rate=request.rate,
        reason=request.reason,
        actor=actor.name,
        origin=actor.origin,
        as_of=frozen.as_of,
        as_of_ms=frozen.as_of_ms,
        token_as_of=frozen.token_as_of,
        started_at_ms=now_ms,
    )


def list_operations(ledger: Ledger, request: ListOperations) -> OperationPage:
    """The latest operations, the latest first."""
    latest = list(ledger.operations.rows.items())[: -request.limit - 1 : -1]
    return OperationPage(request.request_id, [shown(key, row) for key, row in latest])


def get(ledger: Ledger, session: int, request: GetOperation, now_ms: int) -> OperationReply | None:
    """One operation: now, or when it ends, or after `wait_ms`.

    Raises:
        OperationNotFound, InvalidArgument: no operation, or several, begin like this.
        TooManyRequests: too many wait.
    """
    book = ledger.operations
    key = book.find(request.operation)
    row = book.rows[key]
    if not request.wait_ms or row.state is not OperationState.RUNNING:
        return OperationReply(request.request_id, shown(key, row))
    if len(book.waits) >= WAITS_MAX:
        raise TooManyRequests(f"{WAITS_MAX} requests wait for operations already", hint="ask without waiting")
    book.waits.append(Wait(session, request.request_id, key, now_ms + request.wait_ms))
    book.refresh()
    return None


def cancel(ledger: Ledger, request: CancelOperation, now_ms: int) -> OperationReply:
    """Stop an operation.

    Raises:
        OperationNotFound, InvalidArgument: no operation, or several, begin like this.
        WrongState: it has ended.
    """
    key = ledger.operations.find(request.operation)
    row = ledger.operations.rows[key]
    if row.state is not OperationState.RUNNING:
        raise WrongState(f"operation {key.hex()} is {row.state} already", hint=f"tq op show {key.hex()}")
    end(ledger, key, OperationState.CANCELLED, now_ms)
    auditing.record(ledger, now_ms, "cancel-operation", key.hex(), count=row.done, reason=request.reason, operation=key)
    return OperationReply(request.request_id, shown(key, row))


def undo(ledger: Ledger, request: UndoOperation, now_ms: int) -> OperationReply:
    """Start to put back what an operation has moved, where it is still there; stop it first if it runs.

    Raises:
        OperationNotFound, InvalidArgument: no operation, or several, begin like this.
        WrongState: it cannot be undone, or has moved nothing.
        TooManyRequests: as many operations run as may.
    """
    book = ledger.operations
    key = book.find(request.operation)
    row = book.rows[key]
    if row.undone_by is not None and book.rows[row.undone_by].state is not OperationState.CANCELLED:
        return OperationReply(request.request_id, shown(row.undone_by, book.rows[row.undone_by]))
    if row.is_hard or row.action in (Action.RESUBMIT, Action.UNDO):
        raise WrongState(f"operation {key.hex()}, a {row.action}, cannot be undone", hint=NEVER_UNDONE[row.action])
    if not row.moved:
        raise WrongState(f"operation {key.hex()} has moved nothing that could go back", hint=f"tq op show {key.hex()}")
    actor = ledger.actor
    undoing = OperationRow(
        action=Action.UNDO,
        total=row.moved,
        queues=row.queues,
        rate=request.rate,
        reason=request.reason,
        actor=actor.name,
        origin=actor.origin,
        as_of=ledger.next_sequence(),
        as_of_ms=now_ms,
        started_at_ms=now_ms,
        undo_of=key,
    )
    undo_id = new_id(ledger, undoing.as_of)
    start(ledger, undo_id, undoing, now_ms)
    if row.state is OperationState.RUNNING:
        end(ledger, key, OperationState.CANCELLED, now_ms)
    row.undone_by = undo_id
    # What is to go back must not be forgotten on the way.
    row.remove_at_ms = now_ms + ledger.settings.persistence.cancelled_retention_hours * HOUR_MS
    write(ledger, key, row)
    return OperationReply(request.request_id, shown(undo_id, undoing))

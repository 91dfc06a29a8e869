"""The second half: operations run in slices, one after the other, and end; their records go after their retention."""

from tq.engine import auditing
from tq.engine.ledger import HOUR_MS, Ledger, decode_moved, encode
from tq.engine.operations.book import KEPT_MAX, Running, reply_to
from tq.engine.operations.members import plan_of, walk
from tq.engine.operations.moving import can_go_back, go_back, move, place_of
from tq.engine.operations.preparing import count_on
from tq.engine.tables import OperationRow, Table
from tq.model.ids import ID_BYTES
from tq.model.operations import Action, OperationState

SLICE_MS = 100
"""An operation moves as many tasks at once as its rate allows in this time, and then waits for that long."""
_US_PER_SECOND = 1_000_000


def advance(ledger: Ledger, now_ms: int) -> None:
    """What is due of all operations and previews: a bounded amount."""
    book = ledger.operations
    if book.next_at_ms is None or now_ms < book.next_at_ms:
        return
    count_on(ledger, now_ms)
    for _ in range(len(book.running)):
        running = book.running[0]
        book.running.rotate(-1)
        if running.next_at_us <= now_ms * 1_000:
            _run_slice(ledger, running, now_ms)
            break
    _answer_waits(ledger, now_ms)
    _remove_old(ledger, now_ms)
    book.refresh()


def start(ledger: Ledger, operation_id: bytes, row: OperationRow, now_ms: int) -> None:
    """An operation begins.

    Raises:
        TooManyRequests: as many run as may.
    """
    book = ledger.operations
    book.add(operation_id, row)
    write(ledger, operation_id, row)
    target = row.selector if row.ids is None else f"{len(row.ids) // ID_BYTES} named tasks"
    if row.undo_of is not None:
        target = row.undo_of.hex()
    action = f"{row.action}-hard" if row.is_hard else str(row.action)
    auditing.record(ledger, now_ms, action, target, count=row.total, reason=row.reason, operation=operation_id)
    if len(book.rows) > KEPT_MAX and (oldest := book.first_ended()) is not None:
        book.rows[oldest].remove_at_ms = now_ms
        write(ledger, oldest, book.rows[oldest])
        book.refresh()


def end(ledger: Ledger, operation_id: bytes, state: OperationState, now_ms: int) -> None:
    """An operation is over. What it can be undone from is kept as long as what it purged."""
    book = ledger.operations
    row = book.rows[operation_id]
    row.state, row.ended_at_ms, row.cursor = state, now_ms, b""
    row.remove_at_ms = now_ms + ledger.settings.persistence.cancelled_retention_hours * HOUR_MS
    if state is OperationState.DONE:
        # Those that no walk met any more: they had left for another place before it came by.
        row.skipped = max(0, row.total - row.done - row.failed)
    book.running = type(book.running)(running for running in book.running if running.id != operation_id)
    write(ledger, operation_id, row)
    for wait in book.waits:
        if wait.operation == operation_id:
            ledger.outbox.append(reply_to(wait, row))
    book.waits = [wait for wait in book.waits if wait.operation != operation_id]
    book.refresh()


def write(ledger: Ledger, operation_id: bytes, row: OperationRow) -> None:
    """Put the row of an operation among the batch's writes."""
    ledger.changes.put(Table.OPERATIONS, operation_id, encode(row))


def _run_slice(ledger: Ledger, running: Running, now_ms: int) -> None:
    row = running.row
    before = row.done + row.failed
    members_max = max(1, min(ledger.bounds.bulk_max, row.rate * SLICE_MS // 1_000))
    if row.action is Action.UNDO:
        _undo_slice(ledger, running, members_max)
    else:
        running.plan = running.plan or plan_of(ledger, running.frozen)
        part = walk(ledger, running.frozen, running.plan, row.cursor, members_max)
        places = [place_of(ledger, record) for record in part.members]  # a read may fail: before the first change
        for record, place in zip(part.members, places, strict=True):
            move(ledger, running, record, place, now_ms)
        row.cursor = part.cursor
        row.skipped += part.gone
    # What was not used of the time before is good for one slice, not more.
    free_from_us = max(running.next_at_us, (now_ms - SLICE_MS) * 1_000)
    running.next_at_us = free_from_us + (row.done + row.failed - before) * _US_PER_SECOND // row.rate
    if row.cursor:
        write(ledger, running.id, row)
    else:
        end(ledger, running.id, OperationState.DONE, now_ms)


def _undo_slice(ledger: Ledger, running: Running, members_max: int) -> None:
    """Put the next tasks back that another operation has moved, in the order of their ids."""
    row = running.row
    assert row.undo_of is not None
    start = row.undo_of + (row.cursor + b"\0" if row.cursor else b"")
    rows = ledger.changes.range(Table.MOVED, start, row.undo_of + b"\xff" * (ID_BYTES + 1), members_max)
    ids = [key[-ID_BYTES:] for key, _ in rows]
    records = [ledger.find_or_none(task_id) for task_id in ids]
    for record, (_, value) in zip(records, rows, strict=True):
        moved = decode_moved(value)
        if record is not None and can_go_back(record, moved):
            go_back(ledger, record, moved)
            row.done += 1
        else:
            row.skipped += 1
    row.cursor = ids[-1] if len(rows) == members_max else b""


def _answer_waits(ledger: Ledger, now_ms: int) -> None:
    book = ledger.operations
    over = [wait for wait in book.waits if wait.deadline_ms <= now_ms]
    if over:
        ledger.outbox += [reply_to(wait, book.rows[wait.operation]) for wait in over]
        book.waits = [wait for wait in book.waits if wait.deadline_ms > now_ms]


def _remove_old(ledger: Ledger, now_ms: int) -> None:
    """Forget the operation whose retention was over first, with what it moved; a bounded part of it."""
    book = ledger.operations
    oldest = book.first_ended()
    if oldest is None or book.rows[oldest].remove_at_ms > now_ms:
        return
    last = book.removed_to.get(oldest, b"")
    start = oldest + (last + b"\0" if last else b"")  # not from the front, where what was removed lies as tombstones
    rows = ledger.changes.range(Table.MOVED, start, oldest + b"\xff" * (ID_BYTES + 1), ledger.bounds.sweep_max)
    for key, _ in rows:
        ledger.changes.delete(Table.MOVED, key)
    if len(rows) == ledger.bounds.sweep_max:
        book.removed_to[oldest] = rows[-1][0][-ID_BYTES:]
        return
    book.removed_to.pop(oldest, None)
    del book.rows[oldest]
    ledger.changes.delete(Table.OPERATIONS, oldest)

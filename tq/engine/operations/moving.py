"""What an operation does to one task, and how it is taken back."""

import msgspec

from tq.engine.lanes import Ready
from tq.engine.ledger import Ledger, Record, encode
from tq.engine.operating import PURGED, ask_to_stop, make_again
from tq.engine.operations.book import Running
from tq.engine.tables import DUE_KEY, READY_ROW, DueKind, MovedRow, OperationRow, Table
from tq.model.commands import Resubmit
from tq.model.errors import TqError
from tq.model.ids import make_id
from tq.model.operations import Action
from tq.model.task import State, TaskState

_ID_RANDOM_BYTES = 10


class Place(msgspec.Struct, frozen=True):
    """Where a task is, beside what its state says: since when it is ready (0: it is not), and whether it can expire."""

    ready_at_ms: int
    is_expiring: bool


def place_of(ledger: Ledger, record: Record) -> Place:
    """What an undo will need to know of a task. Reads alone: all of a slice comes before its first change, for a read
    may fail."""
    ready_at_ms, state = 0, record.state
    if state.state is State.PENDING and state.sequence and record.lease is None:
        row = ledger.changes.get(Table.READY, ledger.lane_of(record.stored).key(state.sequence))
        assert row is not None, "a pending task with a place has a READY row"
        ready_at_ms = READY_ROW.unpack(row)[3]
    is_expiring = False
    expires_at_ms = record.stored.expires_at_ms
    if expires_at_ms and not state.state.is_final:
        key = DUE_KEY.pack(DueKind.EXPIRE, expires_at_ms, record.id)
        is_expiring = ledger.changes.get(Table.DUE, key) is not None
    return Place(ready_at_ms, is_expiring)


def move(ledger: Ledger, running: Running, record: Record, place: Place, now_ms: int) -> None:
    """Do to a task what the operation does, and count it."""
    row = running.row
    match row.action:
        case Action.RETRY:
            _note(ledger, running, record, place, retry(ledger, record, now_ms))
        case Action.PURGE if row.is_hard:
            _remove(ledger, record, now_ms)
        case Action.PURGE:
            _note(ledger, running, record, place, _cancel(ledger, record, PURGED, now_ms))
        case Action.CANCEL if record.lease is not None:
            ask_to_stop(ledger, record.lease, row.reason or "cancelled")
        case Action.CANCEL:
            _note(ledger, running, record, place, _cancel(ledger, record, row.reason or "cancelled", now_ms))
        case Action.RESUBMIT:
            if not _resubmit(ledger, row, record, now_ms):
                return
        case Action.UNDO:
            raise AssertionError("an undo walks over what was moved")
    row.done += 1


def retry(ledger: Ledger, record: Record, now_ms: int) -> TaskState:
    """A dead letter becomes ready, with all its attempts again; its history stays. The state that it has then."""
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
    state = ledger.put_state(record.id, state)
    ledger.put_ready(ledger.lane_of(record.stored), Ready(record.id, sequence, 0, 0, now_ms))
    if 0 < record.stored.expires_at_ms <= now_ms:
        # Too late for its producer, but an operator wants it to run.
        ledger.delete_due(DueKind.EXPIRE, record.stored.expires_at_ms, record.id)
    return state


def _cancel(ledger: Ledger, record: Record, reason: str, now_ms: int) -> TaskState:
    ledger.leave(record)
    return ledger.enter_final(record, State.CANCELLED, now_ms, reason=reason)


def _remove(ledger: Ledger, record: Record, now_ms: int) -> None:
    if not record.state.state.is_final:  # it ends first: somebody may wait for it
        record.state = _cancel(ledger, record, PURGED, now_ms)
        record.has_state = True
    ledger.leave(record)
    ledger.remove(record)


def _resubmit(ledger: Ledger, row: OperationRow, record: Record, now_ms: int) -> bool:
    """Make a new task of an old one; whether it could be done."""
    overrides = row.overrides
    request = Resubmit(
        0,
        record.id,
        make_id(now_ms, ledger.random.randbytes(_ID_RANDOM_BYTES)),
        queue=overrides.queue,
        priority=overrides.priority,
        delay_ms=overrides.delay_ms,
    )
    try:
        make_again(ledger, record, request, now_ms)
    except TqError as error:  # a queue that is full refuses one task, and an operation does not end for that
        row.failed += 1
        row.error = f"{error.code}: {error.message}"
        return False
    return True


def _note(ledger: Ledger, running: Running, record: Record, place: Place, after: TaskState) -> None:
    """Remember where a task was that came to where `after` says."""
    before = msgspec.structs.replace(record.state, history=())
    moved = MovedRow(before, after.moved, place.ready_at_ms, place.is_expiring)
    ledger.changes.put(Table.MOVED, running.id + record.id, encode(moved))
    running.row.moved += 1


def can_go_back(record: Record | None, moved: MovedRow) -> bool:
    """Whether a task is still where an operation has put it, does not run, and was not resubmitted since: it would run
    twice."""
    return (
        record is not None
        and record.lease is None
        and record.moved == moved.moved
        and record.state.resubmitted_as == moved.state.resubmitted_as
    )


def go_back(ledger: Ledger, record: Record, moved: MovedRow) -> None:
    """A task goes back to where an operation found it."""
    ledger.leave(record)
    now = record.state
    before = msgspec.structs.replace(moved.state, history=now.history)
    ledger.put_back(record, before, moved.ready_at_ms)
    if moved.is_expiring:
        ledger.put_due(DueKind.EXPIRE, record.stored.expires_at_ms, record.id)

"""What becomes due: delays and backoffs that end, tasks that expire, records whose retention is over."""

import msgspec

from tq.engine.lanes import Ready
from tq.engine.ledger import Ledger
from tq.engine.tables import DUE_KEY, DueKind, Table
from tq.model.task import State

_NO_ID = bytes(16)


def sweep(ledger: Ledger, now_ms: int) -> bool:
    """Handle what is due, a bounded amount; whether more is due already."""
    if ledger.next_due_ms is None or now_ms < ledger.next_due_ms:
        return False
    has_more, sweep_max = False, ledger.bounds.sweep_max
    for kind in DueKind:
        start = DUE_KEY.pack(kind, ledger.due_floors[kind], _NO_ID)
        rows = ledger.changes.range(Table.DUE, start, DUE_KEY.pack(kind, now_ms + 1, _NO_ID), sweep_max)
        for key, _ in rows:
            ledger.changes.delete(Table.DUE, key)
            _, when_ms, task_id = DUE_KEY.unpack(key)
            _handle(ledger, kind, when_ms, task_id, now_ms)
        if rows:
            ledger.due_floors[kind] = DUE_KEY.unpack(rows[-1][0])[1]
        has_more = has_more or len(rows) == sweep_max
    ledger.next_due_ms = now_ms if has_more else _peek(ledger)
    return has_more


def _peek(ledger: Ledger) -> int | None:
    """The moment of the first row that is left."""
    moments = []
    for kind in DueKind:
        start = DUE_KEY.pack(kind, ledger.due_floors[kind], _NO_ID)
        rows = ledger.changes.range(Table.DUE, start, DUE_KEY.pack(kind + 1, 0, _NO_ID), 1)
        if rows:
            ledger.due_floors[kind] = DUE_KEY.unpack(rows[0][0])[1]
            moments.append(ledger.due_floors[kind])
    return min(moments, default=None)


def _handle(ledger: Ledger, kind: DueKind, when_ms: int, task_id: bytes, now_ms: int) -> None:
    record = ledger.find_or_none(task_id)
    if record is None or record.lease is not None:
        return  # an expiry whose task is gone or runs: there is nothing to expire now
    state = record.state
    match kind:
        case DueKind.READY:
            assert state.scheduled_at_ms == when_ms, "every move out of waiting deletes its due row"
            ledger.leave(record)
            sequence = ledger.next_sequence()
            ledger.put_state(
                task_id, msgspec.structs.replace(state, state=State.PENDING, sequence=sequence, scheduled_at_ms=0)
            )
            ready = Ready(task_id, sequence, state.attempt, state.crashes, now_ms)
            ledger.put_ready(ledger.lane_of(record.stored), ready)
        case DueKind.EXPIRE:
            if not state.state.is_final:
                ledger.leave(record)
                ledger.enter_final(record, State.CANCELLED, now_ms, reason="expired")
        case DueKind.REMOVE:
            ledger.leave(record)
            ledger.remove(record)

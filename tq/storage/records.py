"""What the record of a task demands of the indexes. Pure: the rules that `tq doctor` proves, written down once.

    there is a lease                 in progress; no index row
    pending (or no STATES row)       READY (lane, sequence) if it has a sequence, else DUE (READY, scheduled_at)
    failed                           DUE (READY, scheduled_at)
    dead_letter                      DEAD (queue, ended_at), DUE (REMOVE, remove_at), and a row of each order
                                     of DEAD_INDEX
    completed, cancelled             DUE (REMOVE, remove_at)
    waits, and can still expire      also DUE (EXPIRE, expires_at)
    has an idempotency key           also KEYS (queue, key)

The engine keeps them (tq/engine/ledger.py). A DUE row of kind EXPIRE may outlive its reason; the engine ignores it.
"""

from collections.abc import Callable

import msgspec

from tq.engine.tables import (
    DEAD_KEY,
    DUE_KEY,
    READY_KEY,
    READY_ROW,
    U32,
    DueKind,
    LeaseRow,
    Table,
    dead_index_keys,
)
from tq.model.task import State, StoredTask, TaskState, Tier, tier_of

Row = tuple[Table, bytes, bytes]

encode: Callable[[object], bytes] = msgspec.msgpack.Encoder().encode
decode_stored: Callable[[bytes], StoredTask] = msgspec.msgpack.Decoder(StoredTask).decode
decode_state: Callable[[bytes], TaskState] = msgspec.msgpack.Decoder(TaskState).decode
decode_lease: Callable[[bytes], LeaseRow] = msgspec.msgpack.Decoder(LeaseRow).decode


class Mismatch(msgspec.Struct, frozen=True):
    """A row that should be another, or `is_missing`: what is wrong, and what is right; None: there should be no row."""

    what: str
    table: Table
    key: bytes
    value: bytes | None
    is_missing: bool = False


class TaskRecord(msgspec.Struct, frozen=True, gc=False):
    """The rows of one task that are not indexes. `state` is as submitted where there is no STATES row."""

    id: bytes
    stored: StoredTask
    state: TaskState
    lease: LeaseRow | None

    @property
    def current(self) -> State:
        """The public state."""
        return State.IN_PROGRESS if self.lease is not None else self.state.state

    @property
    def lane(self) -> tuple[str, str, Tier]:
        """Queue, task type and tier."""
        spec = self.stored.spec
        return spec.queue, spec.task_type, tier_of(spec.priority)

    @property
    def key(self) -> str | None:
        """The producer's idempotency key."""
        options = self.stored.spec.options
        return None if options is None else options.key


def decode_record(task_id: bytes, body: bytes, state: bytes | None, lease: bytes | None) -> TaskRecord:
    """A record from its rows.

    Raises:
        msgspec.MsgspecError: one of them is not what it should be.
    """
    stored = decode_stored(body)
    if state is None:
        decoded = TaskState(state=State.PENDING, sequence=stored.sequence, scheduled_at_ms=stored.scheduled_at_ms)
    else:
        decoded = decode_state(state)
    return TaskRecord(task_id, stored, decoded, None if lease is None else decode_lease(lease))


def expected_rows(record: TaskRecord, queue: int, lane: int, now_ms: int) -> list[Row]:
    """The index rows that there must be.

    Args:
        queue, lane: the numbers of the task's queue and lane.
        now_ms: a task that waits beyond its expiry was retried by an operator after it, and expires no more.
    """
    rows: list[Row] = []
    task_id, state = record.id, record.state
    match record.current:
        case State.IN_PROGRESS:
            pass
        case State.PENDING if state.sequence:
            rows.append((Table.READY, READY_KEY.pack(lane, state.sequence), ready_row(record)))
        case State.PENDING | State.FAILED:
            rows.append((Table.DUE, DUE_KEY.pack(DueKind.READY, state.scheduled_at_ms, task_id), b""))
        case State.DEAD_LETTER:
            rows.append((Table.DEAD, DEAD_KEY.pack(queue, state.ended_at_ms, task_id), b""))
            rows += [(Table.DEAD_INDEX, key, b"") for key in dead_index_keys(state.group, state.ended_at_ms, task_id)]
            rows.append((Table.DUE, DUE_KEY.pack(DueKind.REMOVE, state.remove_at_ms, task_id), b""))
        case State.COMPLETED | State.CANCELLED:
            rows.append((Table.DUE, DUE_KEY.pack(DueKind.REMOVE, state.remove_at_ms, task_id), b""))
    expires_at_ms = record.stored.expires_at_ms
    if expires_at_ms > now_ms and record.current in (State.PENDING, State.FAILED):
        rows.append((Table.DUE, DUE_KEY.pack(DueKind.EXPIRE, expires_at_ms, task_id), b""))
    if record.key is not None:
        rows.append((Table.KEYS, U32.pack(queue) + record.key.encode(), task_id))
    return rows


def ready_row(record: TaskRecord) -> bytes:
    """The value of the READY row. When the task became ready is not in its record: its submission stands for it."""
    state = record.state
    return READY_ROW.pack(record.id, state.attempt, state.crashes, record.stored.submitted_at_ms)

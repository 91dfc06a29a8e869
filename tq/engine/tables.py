"""The port through which the engine sees the disk, and the layout of every row. The format of the data directory.

A table is a column family of the store. Keys are fixed-width big-endian, so that the order of bytes is the order of
meaning; values are arrays of MessagePack where not said otherwise. Moments are u64 ms since the epoch, ids 16 bytes.

    table     key                                   value
    BODIES    id                                    StoredTask; written once, gone when the task's record goes
    STATES    id                                    TaskState; no row: the task is as it was submitted
    READY     lane u32, sequence u64                id, attempt u16, crashes u16, ready_at u64 (30 bytes, READY_ROW)
    DUE       kind u8, when u64, id                 empty (kind: DueKind)
    LEASES    id                                    LeaseRow
    DEAD      queue u32, died_at u64, id            empty
    DEAD_INDEX  one row of each DeadOrder for each dead letter, all empty:
              1, group (8 bytes), died_at u64, id   the dead letters of one group, in the order of time
              2, died_at u64, id                    all dead letters, in the order of time
              3, id                                 all dead letters, by id
    KEYS      queue u32, idempotency key (UTF-8)    id
    QUEUES    queue u32                             QueueRow: name, pause, counters
    LANES     lane u32                              LaneRow: queue, task type, tier, ready count, low-water mark
    HISTORY   kind u8, queue u32, slot u16          kind 1: one second, 2: one minute: moment u32 (in these units since
                                                    the epoch), submitted, completed, failed, dead, ready u32 each (24
                                                    bytes, POINT_ROW); the slot is the moment modulo 300 or 1440, so a
                                                    row is overwritten in its turn. kind 0, slot 0: HistoryHead, the
                                                    totals at the last point
    GROUPS    group (8 bytes)                       GroupRow: an error, and how often it was the end of a task
              group (8 bytes), queue u32            u32: its dead letters in that queue now; no row: none
    OPERATIONS operation id, 8 bytes                OperationRow: what it does to which tasks, and how far it is
    MOVED     operation id, task id                 MovedRow: where the operation found the task
    LOGS      id, number u32                        number 0: u32, the number of the task's next line; from 1: LogRow, a
                                                    line that its handlers logged, of which the latest 500 are kept.
                                                    Only tasks of lanes with `has_logs` have such rows
    AUDIT     at u64, number u64                    AuditRow: who did what to what, when, and why
    TOKENS    id, 6 bytes                           TokenRow: the hash of the secret, role, queues
    META      name (ASCII)                          "format": u32; "engine": MetaRow; and the store's own
                                                    "database": its id, 16 bytes; "synced": u64, see storage/wal.py

To change the format: raise FORMAT_VERSION, add a step to tq/storage/upgrade.py that rewrites the rows of the version
before, say in CHANGELOG.md that older versions cannot open it. A new field at the end of a row, with a default, is no
change of format.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import msgspec

from tq.model.identity import Role
from tq.model.operations import RATE, Action, OperationState, Overrides, QueueCount
from tq.model.task import TaskState

FORMAT_VERSION = 2


class Table(IntEnum):
    """The tables; the number is the index into Writes."""

    BODIES = 0
    STATES = 1
    READY = 2
    DUE = 3
    LEASES = 4
    DEAD = 5
    KEYS = 6
    QUEUES = 7
    LANES = 8
    META = 9
    DEAD_INDEX = 10
    GROUPS = 11
    OPERATIONS = 12
    MOVED = 13
    LOGS = 14
    HISTORY = 15
    AUDIT = 16
    TOKENS = 17


Writes = Sequence[dict[bytes, bytes | None]]
"""The changes of one batch, one dict a table (index: Table): the new value of each key, None to delete it. Plain data:
what a replicated log will carry."""


class Reader(Protocol):
    """What the engine may ask of the store. Synchronous, ordered by key; sees all that was applied."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value of a key, None if there is none."""
        ...

    def range(
        self, table: Table, start: bytes, end: bytes, limit: int, is_descending: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """The first `limit` rows with start <= key < end, ascending; the last ones, descending, if asked."""
        ...


class DueKind(IntEnum):
    """Why a task is in the due index. Each kind is a range of its own, in the order of time."""

    READY = 1  # its delay, backoff or snooze is over
    EXPIRE = 2  # too late to run
    REMOVE = 3  # its retention is over


class DeadOrder(IntEnum):
    """The orders in which dead letters can be read, besides that of DEAD. Each is a range of DEAD_INDEX of its own."""

    GROUP = 1
    TIME = 2
    ID = 3


READY_KEY = struct.Struct(">IQ")
READY_ROW = struct.Struct(">16sHHQ")
DUE_KEY = struct.Struct(">BQ16s")
DEAD_KEY = struct.Struct(">IQ16s")
HISTORY_KEY = struct.Struct(">BIH")
POINT_ROW = struct.Struct(">IIIIII")
DEAD_BY_GROUP_KEY = struct.Struct(">B8sQ16s")
DEAD_BY_TIME_KEY = struct.Struct(">BQ16s")
DEAD_BY_ID_KEY = struct.Struct(">B16s")
GROUP_COUNT_KEY = struct.Struct(">8sI")
LOG_KEY = struct.Struct(">16sI")
AUDIT_KEY = struct.Struct(">QQ")
U32 = struct.Struct(">I")


def dead_index_keys(group: bytes, died_at_ms: int, task_id: bytes) -> tuple[bytes, bytes, bytes]:
    """The keys of DEAD_INDEX of one dead letter."""
    return (
        DEAD_BY_GROUP_KEY.pack(DeadOrder.GROUP, group, died_at_ms, task_id),
        DEAD_BY_TIME_KEY.pack(DeadOrder.TIME, died_at_ms, task_id),
        DEAD_BY_ID_KEY.pack(DeadOrder.ID, task_id),
    )


class LeaseRow(msgspec.Struct, array_like=True, frozen=True):
    """A task in progress, as a restarted broker needs it."""

    token: int
    lane: int
    sequence: int
    attempt: int
    crashes: int
    leased_at_ms: int
    ready_at_ms: int
    incarnation: bytes
    worker: str
    cancel_reason: str | None = None
    extended_to_ms: int = 0  # how long its worker may keep it; 0: as long as its timeout allows


class QueueRow(msgspec.Struct, array_like=True):
    """A queue and its counters; mutable, because it lives in memory and is written when it changed."""

    name: str
    is_paused: bool = False
    paused_at_ms: int = 0
    pause_reason: str = ""
    scheduled: int = 0
    retrying: int = 0
    in_progress: int = 0
    dead: int = 0
    completed: int = 0  # records still kept
    cancelled: int = 0
    submitted_total: int = 0
    completed_total: int = 0
    failed_total: int = 0
    crashed_total: int = 0
    dead_total: int = 0
    cancelled_total: int = 0
    paused_by: str = ""
    retried_total: int = 0


class LaneRow(msgspec.Struct, array_like=True):
    """The ready tasks of one queue, type and tier. No READY row of the lane lies below `low_water`. `has_logs` once one
    of its tasks has logged a line: the others need not be looked at for lines when they go."""

    queue: int
    task_type: str
    tier: int
    ready: int = 0
    low_water: int = 0
    has_logs: bool = False


class LogRow(msgspec.Struct, array_like=True, frozen=True):
    """A line that a handler logged. `at_ms` is of its worker's clock."""

    at_ms: int
    level: str
    attempt: int
    text: str


class GroupRow(msgspec.Struct, array_like=True):
    """An error that was the end of tasks; mutable, because it lives in memory and is written when it changed.

    `message` has masks, `place` is where the latest happened (tq/model/fingerprint.py). `sample` is the latest to die,
    which may have left. The last three are for the rate: deaths in the minute of the latest, and in the one before.
    """

    error_type: str
    message: str
    place: str
    first_died_at_ms: int
    last_died_at_ms: int
    sample: bytes
    dead_total: int = 0
    retried_total: int = 0
    minute: int = 0  # whole minutes since the epoch
    deaths: int = 0
    deaths_before: int = 0


class AuditRow(msgspec.Struct, array_like=True, frozen=True):
    """One thing that somebody did. `target` says to what: a queue, an id, a selector; `count` how many tasks it
    concerned; `operation` is the id of the operation that carries it out, empty if there is none."""

    actor: str
    origin: str
    action: str
    target: str
    count: int = 0
    reason: str = ""
    operation: bytes = b""


class HistoryHead(msgspec.Struct, array_like=True):
    """Where the history of a queue has got to: its last point and the totals then, and the totals when the minute of
    that point began. Mutable, for it lives in memory and is written with each point."""

    second: int = 0
    submitted: int = 0
    completed: int = 0
    failed: int = 0
    dead: int = 0
    ready: int = 0
    minute: int = 0
    minute_submitted: int = 0
    minute_completed: int = 0
    minute_failed: int = 0
    minute_dead: int = 0


class OperationRow(msgspec.Struct, array_like=True, kw_only=True):
    """An operation; mutable, because it lives in memory and is written when it changed.

    Its set: the tasks that `selector` matches at the moment `as_of_ms`, or, where it is not None, those of `ids` (16
    bytes each, one after the other), which had come to where they are before `as_of` in the order of all changes; one
    that ran then, under a token below `token_as_of`. `cursor` says how far the walk over them is.
    """

    action: Action
    state: OperationState = OperationState.RUNNING
    selector: str = ""
    ids: bytes | None = None
    is_hard: bool = False
    overrides: Overrides = Overrides()
    total: int = 0
    queues: tuple[QueueCount, ...] = ()
    done: int = 0
    skipped: int = 0
    failed: int = 0
    moved: int = 0  # MovedRows written: what an undo can take back
    rate: int = RATE
    reason: str = ""
    actor: str = ""
    origin: str = ""
    as_of: int = 0
    as_of_ms: int = 0
    token_as_of: int = 0
    started_at_ms: int = 0
    ended_at_ms: int = 0
    remove_at_ms: int = 0
    cursor: bytes = b""
    undo_of: bytes | None = None
    undone_by: bytes | None = None
    error: str = ""


class MovedRow(msgspec.Struct, array_like=True, frozen=True):
    """Where an operation found a task: its state row but for the history, since when it was ready (0: it was not), and
    whether it could expire. `moved` is the number that the move gave it: another one says that it moved on since. Goes
    with the record of its operation."""

    state: TaskState
    moved: int
    ready_at_ms: int = 0
    is_expiring: bool = False


class TokenRow(msgspec.Struct, array_like=True, frozen=True):
    """Somebody who may connect by showing a secret, of which only the SHA-256 is here. `queues` are patterns, empty for
    no limit; `expires_at_ms` 0: never."""

    name: str
    secret_hash: bytes
    role: Role
    queues: tuple[str, ...] = ()
    created_at_ms: int = 0
    created_by: str = ""
    expires_at_ms: int = 0


class MetaRow(msgspec.Struct, array_like=True):
    """The engine's own counters. `applied` counts batches: the sequence of a future replicated log.

    No task with an id above `last_id` was ever taken.
    """

    applied: int = 0
    next_sequence: int = 1
    next_token: int = 1
    next_queue: int = 1
    next_lane: int = 1
    last_id: bytes = b""


META_FORMAT = b"format"
META_DATABASE = b"database"
META_ENGINE = b"engine"

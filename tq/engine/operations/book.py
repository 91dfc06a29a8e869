"""The operations that the broker knows: those that run, those that ended, and the previews that may still start."""

from collections import Counter, deque
from typing import TYPE_CHECKING

import msgspec

from tq.engine.changes import Changes
from tq.engine.tables import OperationRow, Table
from tq.model.commands import PrepareOperation
from tq.model.errors import InvalidArgument, OperationNotFound, TooManyRequests
from tq.model.operations import OPERATION_ID_BYTES, Action, Operation, OperationState, QueueCount
from tq.model.replies import OperationReply
from tq.model.selector import Selector, parse
from tq.model.task import TaskSummary

if TYPE_CHECKING:
    from tq.engine.plans import Plan

RUNNING_MAX = 32
"""Operations that run at once."""
PREPARED_MAX = 256
"""Previews that wait to be committed, and that are being counted."""
KEPT_MAX = 1_000
"""Operations of which the record is kept; beyond it the one that ended first goes before its time."""
WAITS_MAX = 1_000
"""Requests that wait for an operation to end."""


class Frozen(msgspec.Struct, frozen=True):
    """A frozen set: of these ids (16 bytes each; None: not by ids), or of this selector, what an action takes and what
    was there at that time.

    `as_of` is the number of the freeze in the order of all changes, `token_as_of` the token of the first lease after
    it, `as_of_ms` its moment, up to which an age counts.
    """

    action: Action
    is_hard: bool
    selector: Selector
    ids: bytes | None
    as_of: int
    as_of_ms: int
    token_as_of: int


class Preview(msgspec.Struct):
    """A frozen set that is being counted, or was: then it may become an operation until `expires_at_ms`.

    `ids` are those of the ids asked for that are members; `counts` how many there are in each queue.
    """

    token: bytes
    session: int
    request: PrepareOperation
    frozen: Frozen
    plan: "Plan | None"  # of the walk over what the selector means; None: over ids
    ids: bytes = b""
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    sample: list[TaskSummary] = []
    cursor: bytes = b""
    expires_at_ms: int = 0


class Wait(msgspec.Struct, frozen=True):
    """A request that is answered when an operation ends, or at the deadline."""

    session: int
    request_id: int
    operation: bytes
    deadline_ms: int


class Running(msgspec.Struct):
    """What a running operation has in memory beside its row."""

    id: bytes
    row: OperationRow
    frozen: Frozen
    plan: "Plan | None" = None  # made with its first slice, here and after a restart
    next_at_us: int = 0  # it has moved enough until then


def by_queue(preview: Preview) -> list[QueueCount]:
    """How a counted set lies over the queues, the fullest first."""
    pairs = sorted(preview.counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [QueueCount(name, count) for name, count in pairs if count]


def frozen_of(row: OperationRow) -> Frozen:
    """The set of an operation, as its row has it."""
    return Frozen(row.action, row.is_hard, parse(row.selector), row.ids, row.as_of, row.as_of_ms, row.token_as_of)


class Book:
    """All operations by id, in the order in which they were frozen, which is about that of their start."""

    def __init__(self, changes: Changes) -> None:
        self.rows: dict[bytes, OperationRow] = {}
        self.running: deque[Running] = deque()  # the one whose turn it is comes first
        self.counting: deque[Preview] = deque()
        self.prepared: dict[bytes, Preview] = {}
        self.waits: list[Wait] = []
        self.removed_to: dict[bytes, bytes] = {}  # of operations that are being removed, the last MovedRow that went
        self.next_at_ms: int | None = None  # when there is something to do; None: never
        rows = changes.range(Table.OPERATIONS, b"", b"\xff" * (OPERATION_ID_BYTES + 1), 1 << 31)
        loaded = [(key, msgspec.msgpack.decode(value, type=OperationRow)) for key, value in rows]
        for key, row in sorted(loaded, key=lambda pair: pair[1].as_of):
            self.rows[key] = row
            if row.state is OperationState.RUNNING:
                self.running.append(Running(key, row, frozen_of(row)))
        self.refresh()

    @property
    def is_known(self) -> bool:
        """Whether there is any operation, or preview of one, that a task could be of."""
        return bool(self.rows or self.prepared or self.counting)

    def find(self, name: str) -> bytes:
        """The id of the operation that an id in hex, or a unique beginning of one, names.

        Raises:
            OperationNotFound: none.
            InvalidArgument: several, or no hex digits.
        """
        digits = name.lower()
        if not digits or not set(digits) <= set("0123456789abcdef"):
            raise InvalidArgument(f"{name[:60]!r} is not the id of an operation", hint="tq op list shows them")
        found = [key for key in self.rows if key.hex().startswith(digits)]
        if not found:
            raise OperationNotFound(
                f"there is no operation {name[:60]}",
                hint="it never started, or its record is gone; tq op list shows all",
            )
        if len(found) > 1:
            raise InvalidArgument(f"{len(found)} operations begin with {name[:60]}", hint="give more of the id")
        return found[0]

    def add(self, operation_id: bytes, row: OperationRow) -> None:
        """A new operation runs.

        Raises:
            TooManyRequests: as many as may run at once.
        """
        if len(self.running) >= RUNNING_MAX:
            raise TooManyRequests(
                f"{len(self.running)} operations run already", hint="tq op list shows them; wait for one, or cancel one"
            )
        self.rows[operation_id] = row
        self.running.append(Running(operation_id, row, frozen_of(row)))
        self.refresh()

    def forget_session(self, session: int) -> None:
        """The connection is gone: nobody waits for what it asked."""
        self.waits = [wait for wait in self.waits if wait.session != session]
        self.counting = deque(preview for preview in self.counting if preview.session != session)
        self.refresh()

    def first_ended(self) -> bytes | None:
        """Of the operations that ended, the one whose record goes first."""
        ended = [(row.remove_at_ms, row.as_of, key) for key, row in self.rows.items() if row.ended_at_ms]
        return min(ended)[2] if ended else None

    def refresh(self) -> None:
        """Find out when there is something to do; to be called after every change of the book."""
        if self.counting:
            self.next_at_ms = 0
            return
        moments = [-(-running.next_at_us // 1_000) for running in self.running]
        moments += [wait.deadline_ms for wait in self.waits]
        moments += [row.remove_at_ms for row in self.rows.values() if row.ended_at_ms]
        self.next_at_ms = min(moments, default=None)


def shown(operation_id: bytes, row: OperationRow) -> Operation:
    """An operation as it is shown."""
    is_running = row.state is OperationState.RUNNING
    left = max(0, row.total - row.done - row.skipped - row.failed)
    if row.undo_of is not None:
        target = f"operation {row.undo_of.hex()}"
    else:
        target = f"{len(row.ids) // 16} named" if row.ids is not None else row.selector
    return Operation(
        id=operation_id,
        action=row.action,
        state=row.state,
        target=target,
        is_hard=row.is_hard,
        total=row.total,
        done=row.done,
        skipped=row.skipped,
        failed=row.failed,
        queues=row.queues,
        rate=row.rate,
        reason=row.reason,
        actor=row.actor,
        origin=row.origin,
        as_of=row.as_of,
        started_at_ms=row.started_at_ms,
        ended_at_ms=row.ended_at_ms,
        remaining_ms=left * 1_000 // row.rate if is_running else 0,
        undo_until_ms=row.remove_at_ms if row.moved and row.undone_by is None else 0,
        undo_of=row.undo_of,
        undone_by=row.undone_by,
        error=row.error,
    )


def reply_to(wait: Wait, row: OperationRow) -> tuple[int, OperationReply]:
    """What answers a wait."""
    return wait.session, OperationReply(wait.request_id, shown(wait.operation, row))

"""Operations: one thing done to many tasks by the broker, previewed first and, where that is possible, taken back.

`prepare` freezes a set of tasks and counts it; `commit` starts the operation, which has the token of the preview for
its id. It goes on over restarts, at a bounded rate, and ends by itself.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from tq.model.task import PRIORITY_MAX, State

OPERATION_ID_BYTES = 8
RATE = 500
"""Tasks a second that an operation moves unless told otherwise: a flood of retries is not let loose by mistake."""
UNDO_RATE = 5_000
"""The same for an undo: whoever takes something back is in a hurry."""
RATE_MAX = 1_000_000
PREPARED_MS = 60_000
"""How long a preview may be committed: it says what was there then."""
SAMPLE_MAX = 5
"""Tasks that a preview shows."""


class Action(StrEnum):
    """What is done to each task of the set."""

    RETRY = "retry"  # a dead letter becomes ready, with all its attempts again
    PURGE = "purge"  # a waiting task or a dead letter becomes cancelled: the trash, kept for its retention
    CANCEL = "cancel"  # a waiting task becomes cancelled, a running one is asked to stop
    RESUBMIT = "resubmit"  # a new task is made from an ended one
    UNDO = "undo"  # what another operation moved goes back to where it was

    def takes(self, state: State, *, is_hard: bool = False) -> bool:
        """Whether it is done to tasks of this state; the others are no part of the set.

        Args:
            is_hard: of a purge, that it removes the records: it takes all that do not run.
        """
        match self:
            case Action.RETRY:
                return state is State.DEAD_LETTER
            case Action.PURGE:
                return state is not State.IN_PROGRESS and (
                    is_hard or state in (State.PENDING, State.FAILED, State.DEAD_LETTER)
                )
            case Action.CANCEL:
                return not state.is_final
            case Action.RESUBMIT:
                return state.is_final
            case Action.UNDO:
                return True


class OperationState(StrEnum):
    """How far an operation is."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"  # stopped half-way; what it had done stays done, and can be undone


class Overrides(msgspec.Struct, array_like=True, frozen=True):
    """What a resubmit changes of every task; None: as it was."""

    queue: Annotated[str, Meta(max_length=200)] | None = None
    priority: Annotated[int, Meta(ge=0, le=PRIORITY_MAX)] | None = None
    delay_ms: Annotated[int, Meta(ge=0, le=1 << 53)] = 0


class QueueCount(msgspec.Struct, array_like=True, frozen=True):
    """How many tasks of something are in a queue."""

    queue: str
    count: int


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation as it is shown. Moments are ms since the epoch, 0 for "not yet".

    `total` is what the preview counted, `queues` how it lies over the queues. Of these `done` were moved, `skipped`
    were no longer where they had been or ran, and `failed` could not be moved: `error` says why the last could not.
    """

    id: bytes
    action: Action
    state: OperationState
    target: str  # the selector, or how many ids were named, or the operation that is undone
    is_hard: bool
    total: int
    done: int
    skipped: int
    failed: int
    queues: tuple[QueueCount, ...]
    rate: int  # tasks a second
    reason: str
    actor: str
    origin: str
    as_of: int
    started_at_ms: int
    ended_at_ms: int
    remaining_ms: int  # of a running one: about how long it takes at its rate
    undo_until_ms: int  # until when it can be taken back; 0: it cannot
    undo_of: bytes | None
    undone_by: bytes | None
    error: str

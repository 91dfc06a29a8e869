"""A task: what a producer submits, what is known of it later, and the words for both.

The Structs here are the same on the wire, on disk and at the HTTP edge. They are encoded as arrays: a new field goes
to the end, with a default, so that older readers skip it and older rows still decode.
"""

from enum import IntEnum, StrEnum

import msgspec

TIER_LOW_MAX = 84
TIER_NORMAL_MAX = 169
PRIORITY_MAX = 255
LOW, NORMAL, HIGH = 42, 128, 212
"""The middle of each tier: what `priority=tq.HIGH` means."""

MAX_RETRIES_MAX = 1_000
MAX_CRASHES_MAX = 1_000
TRACEBACK_CHARS_MAX = 16_384
MESSAGE_CHARS_MAX = 2_048
HISTORY_MAX = 50
"""Attempts of which the record is kept; of more than these, the first and the latest are."""


class State(StrEnum):
    """Where a task is in its life, by the name that every interface shows."""

    PENDING = "pending"  # ready, or waiting for the time in `scheduled_at_ms`
    IN_PROGRESS = "in_progress"  # leased to a worker
    COMPLETED = "completed"
    FAILED = "failed"  # the last attempt failed; will be pending again at `scheduled_at_ms`
    DEAD_LETTER = "dead_letter"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the task will never run again by itself."""
        return self in (State.COMPLETED, State.DEAD_LETTER, State.CANCELLED)


class Tier(IntEnum):
    """The three levels that dispatch knows; priorities inside one tier are equal."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


def tier_of(priority: int) -> Tier:
    """The tier of a priority from 0 to 255."""
    return _TIERS[priority]


_TIERS = tuple(
    Tier.HIGH if priority > TIER_NORMAL_MAX else Tier.NORMAL if priority > TIER_LOW_MAX else Tier.LOW
    for priority in range(PRIORITY_MAX + 1)
)


class RetryPolicy(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """The wait before attempt n+1: uniform in [0, min(max, base * factor**(n-1))] with jitter, that bound without.

    Source of the jitter: "Exponential Backoff And Jitter", Marc Brooker, AWS Architecture Blog, 2015 ("full jitter").
    """

    backoff_ms_base: int = 1_000
    backoff_ms_max: int = 3_600_000
    factor: float = 2.0
    jitter: bool = True


class TaskOptions(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What few submits set. Lengths of time are ms from the moment the broker takes the task."""

    delay_ms: int = 0
    eta_ms: int | None = None  # a moment, ms since the epoch; the later of delay and eta holds
    expires_ms: int | None = None  # still waiting after this long: cancelled with reason "expired"
    key: str | None = None  # the producer's own idempotency key
    result_ttl_ms: int = 3_600_000
    max_crashes: int = 3
    retry: RetryPolicy = RetryPolicy()
    resubmit_of: bytes | None = None
    tags: tuple[str, ...] = ()  # the producer's own words, to find tasks by
    trace: str = ""  # a W3C traceparent: whose doing the task is; the broker only passes it on


class TaskSpec(msgspec.Struct, array_like=True, frozen=True):
    """A task as it is submitted.

    `id` is made by the client and makes a repeated submit harmless. `timeout_ms` counts from the start of the handler.
    """

    id: bytes
    task_type: str
    payload: bytes
    queue: str = "default"
    priority: int = NORMAL
    timeout_ms: int = 300_000
    max_retries: int = 3
    content_type: str = ""
    options: TaskOptions | None = None


class StoredTask(msgspec.Struct, array_like=True, frozen=True):
    """The immutable row of a task: written once by submit, sent as it is to the worker that runs it.

    `sequence` is its place in its lane, 0 for a task that was submitted with a delay; `number` is what that one got
    instead: its place in the order of all changes.
    """

    submitted_at_ms: int
    sequence: int
    scheduled_at_ms: int
    expires_at_ms: int
    spec: TaskSpec
    number: int = 0


class AttemptRecord(msgspec.Struct, array_like=True, frozen=True):
    """How one attempt ended, if not well. `outcome`: failed, timed_out, crashed."""

    attempt: int
    outcome: str
    started_at_ms: int
    ended_at_ms: int
    worker: str
    error_type: str = ""
    message: str = ""
    traceback: str = ""


class TaskState(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """The rewritten row of a task. A task without one is as it was submitted.

    `attempt` and `crashes` count what was used up. `sequence` is its place in its lane while it is ready.
    """

    state: State
    sequence: int = 0
    attempt: int = 0
    crashes: int = 0
    scheduled_at_ms: int = 0  # of a pending or failed task: when it will be ready
    ended_at_ms: int = 0
    remove_at_ms: int = 0  # of an ended task: when its record goes
    worker: str = ""
    started_at_ms: int = 0
    result: bytes = b""
    content_type: str = ""
    reason: str = ""  # of a cancelled task or a dead letter: why
    history: tuple[AttemptRecord, ...] = ()
    resubmitted_as: bytes | None = None
    moved: int = 0  # when it came to where it is, in the order of all changes
    group: bytes = b""  # of a dead letter: the fingerprint of its error


class Progress(msgspec.Struct, array_like=True, frozen=True):
    """What a running handler last said of itself. `fraction` is from 0 to 1."""

    fraction: float
    note: str
    at_ms: int


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """All that the broker knows of one task. Moments are ms since the epoch, 0 for "not yet"."""

    id: bytes
    task_type: str
    queue: str
    priority: int
    state: State
    payload: bytes
    content_type: str
    submitted_at_ms: int
    scheduled_at_ms: int
    started_at_ms: int
    ended_at_ms: int
    expires_at_ms: int
    attempt: int
    max_retries: int
    crashes: int
    max_crashes: int
    timeout_ms: int
    worker: str
    no_handler: bool  # pending, and no connected worker can run it
    cancel_requested: bool
    progress: Progress | None
    result: bytes
    result_content_type: str
    reason: str
    history: tuple[AttemptRecord, ...]
    key: str | None
    tags: tuple[str, ...]
    resubmit_of: bytes | None
    resubmitted_as: bytes | None
    trace: str = ""  # as the producer gave it


class TaskSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a listing."""

    id: bytes
    task_type: str
    queue: str
    priority: int
    state: State
    submitted_at_ms: int
    scheduled_at_ms: int
    ended_at_ms: int
    attempt: int
    worker: str
    error_type: str
    message: str
    group: str  # of a dead letter: the fingerprint of its error, in hex
    key: str | None
    tags: tuple[str, ...]
    resubmitted_as: bytes | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a task ended, for whoever waits for it."""

    id: bytes
    state: State
    result: bytes
    content_type: str
    reason: str
    error: AttemptRecord | None

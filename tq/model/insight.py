"""What is said of one task or one worker when somebody looks closer: why a task is where it is, and what a worker
has in hand."""

from enum import StrEnum

import msgspec

from tq.model.stats import WorkerInfo
from tq.model.task import AttemptRecord, Progress, State


class Because(StrEnum):
    """Why a task is where it is. A released code never changes its meaning; new ones may come."""

    # It waits.
    NOT_DUE = "NOT_DUE"  # submitted for later
    SNOOZED = "SNOOZED"  # its handler asked to be run later
    BACKOFF = "BACKOFF"  # between a failed attempt and the next
    QUEUE_PAUSED = "QUEUE_PAUSED"
    NO_HANDLER = "NO_HANDLER"  # no connected worker has a handler of this type for this queue
    WORKERS_DRAINING = "WORKERS_DRAINING"  # all that have one take nothing more
    WORKERS_FULL = "WORKERS_FULL"  # all that have one, and take tasks, have no free slot
    WORKERS_NOT_ASKING = "WORKERS_NOT_ASKING"  # they have a free slot and do not ask for tasks
    OTHER_QUEUES_FIRST = "OTHER_QUEUES_FIRST"  # they serve queues of a higher priority before this one
    TASKS_AHEAD = "TASKS_AHEAD"
    NEXT = "NEXT"  # nothing holds it up: it goes to a worker now
    NOT_WRITABLE = "NOT_WRITABLE"  # the broker's disk is full, or it stops: it starts nothing
    # It runs.
    RUNNING = "RUNNING"
    FETCHED_AHEAD = "FETCHED_AHEAD"  # its worker holds more tasks than it has slots: it may wait there
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    OVERDUE = "OVERDUE"  # it should have been settled within its timeout
    WORKER_LOST = "WORKER_LOST"  # its worker's connection is gone, and may come back
    WORKER_SILENT = "WORKER_SILENT"  # heartbeats are missing
    WORKER_TROUBLED = "WORKER_TROUBLED"  # its worker says what is wrong with it
    # It has ended.
    COMPLETED = "COMPLETED"
    RETRIES_USED_UP = "RETRIES_USED_UP"
    FAILED_FOR_GOOD = "FAILED_FOR_GOOD"  # its handler, or a rule for its error, said that no retry would help
    QUARANTINED = "QUARANTINED"  # too many workers died running it
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    RESUBMITTED = "RESUBMITTED"  # a new task was made from it
    # Beside the others.
    EXPIRES = "EXPIRES"  # it will be cancelled if it has not started by then


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason, as a sentence and as facts. Moments are ms since the epoch; 0, or empty: it has no such fact."""

    code: str  # a Because
    text: str  # one sentence for people, without a final stop; lengths are counted from when it was asked
    hint: str = ""  # what to do about it, such as a command to run
    is_cause: bool = True  # false: worth knowing, but not what decides
    since_ms: int = 0
    until_ms: int = 0
    count: int = 0  # tasks ahead, or workers
    is_count_exact: bool = True
    estimate_ms: int | None = None  # until the tasks ahead are done, at the pace of late; None: not known
    who: str = ""  # has paused the queue
    note: str = ""  # in their words: the reason of a pause or a cancellation, the error of an attempt
    workers: tuple[str, ...] = ()  # names, a few of them


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a task is where it is: the deciding reason first."""

    id: bytes
    task_type: str
    queue: str
    state: State
    worker: str  # that runs it, or ran it last
    submitted_at_ms: int
    reasons: tuple[Reason, ...]
    history: tuple[AttemptRecord, ...]  # what went wrong before, oldest first; without tracebacks


class HeldTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that a worker has in hand. Moments are ms since the epoch."""

    id: bytes
    task_type: str
    queue: str
    attempt: int
    leased_at_ms: int
    deadline_ms: int  # when its timeout is over, counted from the lease; 0: it has none
    cancel_requested: bool
    progress: Progress | None


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process and what it has in hand: the tasks given first, `info.leases` of them in all."""

    info: WorkerInfo
    tasks: tuple[HeldTask, ...]


class TaskStack(msgspec.Struct, frozen=True, kw_only=True):
    """Where the handler of a running task was at a moment."""

    task_id: bytes
    attempt: int
    worker: str
    host: str
    pid: int  # of the process in which the handler runs
    kind: str  # coroutine, thread or process
    running_ms: int  # since the handler started
    place: str  # its innermost own line, such as "app.py:88"
    text: str  # its frames as a traceback prints them, outermost first


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a handler logged with ctx.log."""

    number: int  # from 1, over all attempts of the task
    at_ms: int  # of its worker's clock
    level: str  # debug, info, warning, error, critical, or a name of the application's own
    attempt: int
    text: str

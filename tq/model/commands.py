"""Every request that the broker understands: the commands of all edges, each a Struct with a tag of its own.

The first element of the array on the wire is the tag; a released tag never changes its meaning. `request_id` is the
caller's and comes back in the reply; 0 asks for none where that is said. docs/protocol.md describes each from the
caller's side. Lengths of time are ms; `limit` bounds the work of one request, and the reply says whether there is more.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from tq.model.groups import GroupOrder
from tq.model.identity import Role
from tq.model.operations import OPERATION_ID_BYTES, RATE, RATE_MAX, UNDO_RATE, Action, Overrides
from tq.model.selector import SELECTOR_CHARS_MAX
from tq.model.signatures import SIGNATURES_MAX, TaskSignature
from tq.model.task import PRIORITY_MAX, TaskSpec
from tq.model.watching import HZ_MAX, SCOPES_MAX

BATCH_MAX = 1_000
"""Tasks, leases or ids in one request: what bounds the time of one step of the engine."""

LOG_LINES_MAX = 500
"""Lines that are kept of one task, the latest."""
LOG_CHARS_MAX = 1_000
"""Of one line."""
STACK_CHARS_MAX = 32_768
"""Of a stack of a handler, its innermost part."""

Id = Annotated[bytes, Meta(min_length=16, max_length=16)]
Ids = Annotated[list[Id], Meta(max_length=BATCH_MAX)]
Limit = Annotated[int, Meta(ge=1, le=BATCH_MAX)]
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
Name = Annotated[str, Meta(max_length=200)]
Note = Annotated[str, Meta(max_length=2_000)]
ScopeText = Annotated[str, Meta(max_length=2_000)]


class Order(StrEnum):
    """How a listing is sorted; each can be reversed. docs/selectors.md says what it costs."""

    ANY = "any"  # as it is found fastest: what is ready in the order it will run, then what waits for a time, ...
    ID = "id"  # as the ids were made
    AGE = "age"  # the youngest first: dead letters by when they died, others by when their ids were made
    QUEUE = "queue"  # by the name of the queue


class LeaseRef(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The proof of a lease: which task, and the token of this grant."""

    task_id: Id
    token: int


class QueuePreference(msgspec.Struct, array_like=True, frozen=True):
    """A queue that a worker serves. Higher priorities are served first; equal ones take turns."""

    name: Name
    priority: int = 0


class WorkerHello(msgspec.Struct, array_like=True, frozen=True):
    """A worker introduces itself: who it is, what it can run, and what it still holds from an earlier connection.

    `incarnation` is 16 random bytes made when the process starts: a re-used name is not mistaken for its predecessor.
    An empty `queues` means all queues, those still to come included. `signatures` are those of handlers.
    """

    name: Name
    incarnation: Id
    host: Name
    pid: int
    task_types: Annotated[list[Name], Meta(max_length=10_000)]
    queues: Annotated[list[QueuePreference], Meta(max_length=1_000)] = []
    concurrency: int = 1
    version: Name = ""
    held: Annotated[list[LeaseRef], Meta(max_length=100_000)] = []
    signatures: Annotated[list[TaskSignature], Meta(max_length=SIGNATURES_MAX)] = []


class _Request(msgspec.Struct, array_like=True, frozen=True, tag_field="tag"):
    request_id: int


class Hello(_Request, frozen=True, tag=1):
    """The first message of every connection, within 5 s and 256 KiB.

    `role_max`: no more than this is wanted, whatever the other end could show; it stays for as long as the connection.
    `acts_for`: who sits behind the client, such as the owner of a key at an SSH door. The audit shows it as what the
    client says, beside what the broker found out.
    """

    protocol_version: int
    client: Name = ""
    token: Name = ""
    worker: WorkerHello | None = None
    role_max: Role = Role.ADMIN
    acts_for: Name = ""


class Submit(_Request, frozen=True, tag=2):
    """Take these tasks, all or none. Reply: Submitted."""

    tasks: Annotated[list[TaskSpec], Meta(min_length=1, max_length=BATCH_MAX)]


class GetTask(_Request, frozen=True, tag=3):
    """Reply: TaskReply."""

    task_id: Id


class Wait(_Request, frozen=True, tag=4):
    """Reply: OutcomeReply once the task has ended, or error TIMED_OUT."""

    task_id: Id
    timeout_ms: Annotated[int, Meta(ge=0, le=86_400_000)]


class Cancel(_Request, frozen=True, tag=5):
    """Waiting tasks are cancelled at once; running ones are asked to stop and never retried. Reply: Affected.

    Ended tasks are skipped, and so are unknown ones unless it is the only one.
    """

    task_ids: Ids
    reason: Note = ""


class ListTasks(_Request, frozen=True, tag=6):
    """A page of the tasks of a selector. Reply: TaskPage; its cursor and its `as_of` go into the next request."""

    selector: Annotated[str, Meta(max_length=SELECTOR_CHARS_MAX)] = ""
    order: Order = Order.ANY
    is_descending: bool = False
    limit: Limit = 100
    cursor: Annotated[bytes, Meta(max_length=512)] = b""
    as_of: Count = 0


class Fetch(_Request, frozen=True, tag=10, gc=False):
    """`credit` more tasks may be delivered to this worker. No reply.

    With `seen`, `credit` replaces what earlier ones left over: so many more than the first `seen` tasks delivered on
    this connection. Deliveries still on their way are counted, so a worker takes credit back without a race.
    """

    credit: Annotated[int, Meta(ge=0, le=100_000)]
    seen: Count | None = None


class Success(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One handler returned."""

    task_id: Id
    token: int
    result: bytes = b""
    content_type: Name = ""


class Ack(_Request, frozen=True, tag=11):
    """These tasks are done. Reply: Settled."""

    successes: Annotated[list[Success], Meta(max_length=BATCH_MAX)]


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """One handler failed. `retry_in_ms` overrides the task's backoff; `is_final` forbids a retry."""

    task_id: Id
    token: int
    error_type: Name = ""
    message: str = ""
    traceback: str = ""
    retry_in_ms: Count | None = None
    is_final: bool = False
    is_timeout: bool = False


class Nack(_Request, frozen=True, tag=12):
    """These tasks failed. Reply: Settled."""

    failures: Annotated[list[Failure], Meta(max_length=BATCH_MAX)]


class Release(_Request, frozen=True, tag=13):
    """Hand these back to the front of their lanes, no attempt used. Reply: Settled.

    `delay_ms` > 0 is a snooze: not before that long from now.
    """

    leases: Annotated[list[LeaseRef], Meta(max_length=BATCH_MAX)]
    delay_ms: Count = 0


class Extend(_Request, frozen=True, tag=14):
    """The handlers of these need until `extend_ms` from now, whatever their timeout said. Reply: Settled."""

    leases: Annotated[list[LeaseRef], Meta(max_length=BATCH_MAX)]
    extend_ms: Count


class ProgressNote(msgspec.Struct, array_like=True, frozen=True):
    """What one running handler says of itself."""

    task_id: Id
    token: int
    fraction: Annotated[float, Meta(ge=0, le=1)]
    note: Note = ""


class ReportProgress(_Request, frozen=True, tag=15):
    """Kept in memory while the tasks run. No reply."""

    notes: Annotated[list[ProgressNote], Meta(max_length=BATCH_MAX)]


class CancelledByWorker(_Request, frozen=True, tag=16):
    """These handlers stopped because they were asked to. Reply: Settled."""

    leases: Annotated[list[LeaseRef], Meta(max_length=BATCH_MAX)]


class Heartbeat(_Request, frozen=True, tag=17):
    """This worker lives, and so do all its leases. No reply.

    `note` is what is wrong with it, for people: "loop blocked 14 s at app.py:88". `cpu_percent` (100: one core) and
    `loop_blocked_ms`, the longest that its event loop did not turn, are since the heartbeat before. `stuck` handlers
    did not stop when asked, and run on without a slot.
    """

    running: Count = 0
    prefetched: Count = 0
    rss_bytes: Count = 0
    is_draining: bool = False
    note: Note = ""
    cpu_percent: Count = 0
    loop_blocked_ms: Count = 0
    stuck: Count = 0


class WorkerDied(_Request, frozen=True, tag=18):
    """A supervisor saw a worker process end: its leases are freed at once, with the evidence. Reply: Affected.

    `running`, where the supervisor knows it, are the tasks whose handlers had started: only these count a crash.
    """

    incarnation: Id
    exit_code: int | None = None
    signal: Name = ""
    host: Name = ""
    rss_max_bytes: Count = 0
    last_lines: Annotated[str, Meta(max_length=8_000)] = ""
    running: Ids | None = None


class ListQueues(_Request, frozen=True, tag=20):
    """Reply: QueuePage, all of them."""


class PauseQueue(_Request, frozen=True, tag=21):
    """Nothing more is dispatched from this queue; what runs goes on. Reply: Affected."""

    queue: Name
    reason: Note = ""


class ResumeQueue(_Request, frozen=True, tag=22):
    """Reply: Affected."""

    queue: Name


class Resubmit(_Request, frozen=True, tag=26):
    """A new task from an ended one, with another payload, queue or priority if given. Reply: Submitted."""

    task_id: Id
    new_id: Id
    payload: bytes | None = None
    content_type: Name | None = None
    queue: Name | None = None
    priority: Annotated[int, Meta(ge=0, le=PRIORITY_MAX)] | None = None
    delay_ms: Count = 0
    reason: Note = ""


class GetSignature(_Request, frozen=True, tag=42):
    """What the handler of a task type takes, as a connected worker announced it. Reply: SignatureReply."""

    task_type: Name


class ListWorkers(_Request, frozen=True, tag=27):
    """Reply: WorkerPage, all of them."""


class DrainWorker(_Request, frozen=True, tag=28):
    """Tell workers to take nothing more and end when they are idle. Reply: Affected.

    `worker` is a name (all incarnations of it) or an incarnation in hex, or a unique beginning of one.
    """

    worker: Name


class GetStats(_Request, frozen=True, tag=29):
    """Reply: StatsReply."""


class Backup(_Request, frozen=True, tag=30):
    """A consistent copy of the data into a new directory on the broker's machine. Reply: Affected."""

    directory: Annotated[str, Meta(max_length=4_000)]


class ListGroups(_Request, frozen=True, tag=31):
    """The failure groups that have dead letters. Reply: GroupPage.

    `selector` may ask for queue, err, group, age (since the latest death) and free text in the error.
    """

    selector: Annotated[str, Meta(max_length=SELECTOR_CHARS_MAX)] = ""
    order: GroupOrder = GroupOrder.COUNT
    is_descending: bool = True
    limit: Limit = 100


class Why(_Request, frozen=True, tag=38):
    """Why a task is where it is. Reply: WhyReply."""

    task_id: Id


class GetLog(_Request, frozen=True, tag=39):
    """The lines that the handlers of a task have logged, with a number above `after`. Reply: LogPage."""

    task_id: Id
    after: Count = 0
    limit: Annotated[int, Meta(ge=1, le=LOG_LINES_MAX)] = LOG_LINES_MAX


class LogEntry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A line that a running handler logged. `at_ms` is a moment of its worker's clock."""

    task_id: Id
    token: int
    at_ms: Count
    level: Annotated[str, Meta(max_length=20)]
    text: Annotated[str, Meta(max_length=LOG_CHARS_MAX)]


class ReportLog(_Request, frozen=True, tag=60):
    """Lines that handlers have logged, in their order; of leases that are no longer, they are dropped. No reply."""

    lines: Annotated[list[LogEntry], Meta(max_length=BATCH_MAX)]


class TakeStack(_Request, frozen=True, tag=40):
    """Where the handler of a running task is. Reply: StackReply, once its worker has said so, within 5 s."""

    task_id: Id


class StackTaken(_Request, frozen=True, tag=61):
    """A worker answers StackWanted. No reply.

    `reason` says why there is no stack: the task has ended, or has not started. `kind` is coroutine, thread or
    process, `place` the innermost line of the application's own, `text` the frames, outermost first.
    """

    number: Count
    reason: Note = ""
    kind: Name = ""
    pid: Count = 0
    running_ms: Count = 0
    place: Note = ""
    text: Annotated[str, Meta(max_length=STACK_CHARS_MAX)] = ""


class GetWorker(_Request, frozen=True, tag=41):
    """Worker processes with what they have in hand. Reply: WorkerReply.

    `worker` is a name (all processes of it), or an incarnation in hex, or a unique beginning of one.
    """

    worker: Name


class GetHistory(_Request, frozen=True, tag=46):
    """What these queues did in the last five minutes, second by second; or in the last day, minute by minute. Reply:
    HistoryReply.

    `since_ms`: points that begin at or after this moment; 0: as far back as they go.
    """

    queues: Annotated[list[Name], Meta(min_length=1, max_length=100)]
    is_by_minute: bool = False
    since_ms: Count = 0


# -- operations: one thing done to many tasks (tq/model/operations.py) ----------------------------------------------

OperationId = Annotated[bytes, Meta(min_length=OPERATION_ID_BYTES, max_length=OPERATION_ID_BYTES)]
Rate = Annotated[int, Meta(ge=1, le=RATE_MAX)]


class PrepareOperation(_Request, frozen=True, tag=32):
    """Freeze and count the tasks to which something is about to be done: those of a selector (an empty one: all), or
    these ids. Changes nothing. Reply: Prepared, when they are counted.
    """

    action: Action
    selector: Annotated[str, Meta(max_length=SELECTOR_CHARS_MAX)] = ""
    task_ids: Ids = []
    is_hard: bool = False
    overrides: Overrides = Overrides()


class CommitOperation(_Request, frozen=True, tag=33):
    """Start what was prepared; a second time changes nothing. Reply: OperationReply."""

    token: OperationId
    reason: Note = ""
    rate: Rate = RATE


class ListOperations(_Request, frozen=True, tag=34):
    """Reply: OperationPage, the latest first."""

    limit: Limit = 100


class GetOperation(_Request, frozen=True, tag=35):
    """Reply: OperationReply, at the latest after `wait_ms`, before if the operation ends.

    `operation` is an id in hex, or a unique beginning of one.
    """

    operation: Name
    wait_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0


class CancelOperation(_Request, frozen=True, tag=36):
    """Stop an operation; what it has done stays done. Reply: OperationReply."""

    operation: Name
    reason: Note = ""


class UndoOperation(_Request, frozen=True, tag=37):
    """Start an operation that takes another one back; one that still runs is stopped first. Reply: OperationReply, of
    the new one, or of the one that does so already."""

    operation: Name
    reason: Note = ""
    rate: Rate = UNDO_RATE


class CreateToken(_Request, frozen=True, tag=47):
    """Know somebody by a token from now on. Its secret is made and kept by the caller: only the SHA-256 of it comes
    here. Reply: TokenPage, with this token alone.

    The same request again is harmless. `queues` are patterns; with any, the token is good for the queues that match one
    of them, and for nothing that concerns the whole broker.
    """

    token_id: Annotated[bytes, Meta(min_length=6, max_length=6)]
    secret_hash: Annotated[bytes, Meta(min_length=32, max_length=32)]
    name: Name
    role: Role
    queues: Annotated[list[Name], Meta(max_length=100)] = []
    lifetime_ms: Count = 0  # 0: until it is revoked


class ListTokens(_Request, frozen=True, tag=48):
    """Reply: TokenPage, all of them."""


class RevokeToken(_Request, frozen=True, tag=49):
    """Forget a token, by its name or its id in hex; connections that came with it are ended. Reply: Affected."""

    token: Name


class ListAudit(_Request, frozen=True, tag=50):
    """Who did what, the latest first. Reply: AuditPage; its cursor goes into the next request.

    `who` and `action` are patterns, or parts of the actor's name and the action. A page may be short, even empty, and
    have a cursor: the broker looks at a bounded number of rows a request.
    """

    since_ms: Count = 0
    until_ms: Count | None = None
    who: Name = ""
    action: Name = ""
    limit: Limit = 100
    cursor: Annotated[bytes, Meta(max_length=64)] = b""


class Watch(_Request, frozen=True, tag=43):
    """Be sent what is new in these scopes, as WatchFrame, up to `hz` times a second; instead of what was watched on
    this connection before. Reply: Affected, then a first frame at once.

    With the `boot_id` and `seq` of the last frame of the same scopes, the next one goes on where that one was; else it
    is whole. `hz` 0: nothing is sent until the next Watch.
    """

    scopes: Annotated[list[ScopeText], Meta(min_length=1, max_length=SCOPES_MAX)]
    hz: Annotated[float, Meta(ge=0, le=HZ_MAX)] = 2.0
    boot_id: Name = ""
    seq: Count = 0


class WatchCredit(_Request, frozen=True, tag=44):
    """So many more frames may be sent; a Watch begins with one. No reply.

    To be given when the last frame has been dealt with: who is slow gets fewer frames, each with the latest.
    """

    frames: Annotated[int, Meta(ge=1, le=4)] = 1


class Unwatch(_Request, frozen=True, tag=45):
    """Watch nothing any more. Reply: Affected."""


class GetAttention(_Request, frozen=True, tag=51):
    """What somebody should look at, the most urgent first. Reply: AttentionReply."""


Request = (
    Hello | Submit | GetTask | Wait | Cancel | ListTasks
    | Fetch | Ack | Nack | Release | Extend | ReportProgress | CancelledByWorker | Heartbeat | WorkerDied
    | ListQueues | PauseQueue | ResumeQueue | Resubmit | GetSignature
    | ListGroups
    | ListWorkers | DrainWorker | GetStats | Backup
    | Why | GetLog | TakeStack | GetWorker | ReportLog | StackTaken
    | PrepareOperation | CommitOperation | ListOperations | GetOperation | CancelOperation | UndoOperation
    | CreateToken | ListTokens | RevokeToken | ListAudit
    | GetHistory | Watch | WatchCredit | Unwatch | GetAttention
)  # fmt: skip

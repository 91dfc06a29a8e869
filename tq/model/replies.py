"""What the broker sends: one reply to each request that has one, and pushes to workers.

Tags from 100 on are replies and from 150 on are pushes; a released tag never changes its meaning.
"""

import msgspec

from tq.model.credentials import AuditEntry, TokenInfo
from tq.model.groups import FailureGroup
from tq.model.history import QueueHistory
from tq.model.insight import Explanation, LogLine, TaskStack, WorkerView
from tq.model.metrics import Metrics
from tq.model.operations import Action, Operation, QueueCount
from tq.model.signatures import TaskSignature
from tq.model.stats import EngineStats, ProcessStats, QueueStats, WorkerInfo
from tq.model.task import Outcome, StoredTask, TaskSummary, TaskView
from tq.model.watching import Finding, ScopePart


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What this broker accepts; a client that keeps to these is never refused for size."""

    frame_bytes_max: int
    payload_bytes_max: int
    batch_max: int
    outstanding_requests_max: int
    heartbeat_interval_ms: int


class _Reply(msgspec.Struct, array_like=True, frozen=True, tag_field="tag"):
    request_id: int


class Cluster(msgspec.Struct, frozen=True):
    """What a broker says of itself to those who look at it: its name, a word of warning such as PRODUCTION, and whether
    to ask before what is usually done at once, too."""

    name: str = ""
    badge: str = ""
    confirm_always: bool = False


class Welcome(_Reply, frozen=True, tag=100):
    """The answer to Hello. `boot_id` changes when the broker restarts; `lost` are held leases that are no longer.
    `actor` is how the audit calls this connection."""

    protocol_version: int
    server_version: str
    boot_id: str
    role: str
    limits: Limits
    lost: list[bytes] = []
    actor: str = ""
    cluster: Cluster = Cluster()


class ErrorReply(_Reply, frozen=True, tag=101):
    """The request failed, with the code of one of the errors of tq/model/errors.py. Id 0: the connection did."""

    code: str
    message: str
    hint: str = ""


class Existing(msgspec.Struct, array_like=True, frozen=True):
    """Task number `index` of a submit was there already, as `task_id` (which differs where a key matched)."""

    index: int
    task_id: bytes


class Submitted(_Reply, frozen=True, tag=102):
    """All tasks of the submit are on disk, under the ids they came with except those in `existing`."""

    existing: list[Existing] = []


class Settled(_Reply, frozen=True, tag=103):
    """What a worker reported is on disk, except for `lost`: their tokens were stale."""

    lost: list[bytes] = []


class Affected(_Reply, frozen=True, tag=104):
    """How many it was done to, how many were skipped, and whether more are left beyond the limit.

    A broker may do less than the limit at once; repeat, with `cursor`, while `has_more`.
    """

    count: int
    skipped: int = 0
    has_more: bool = False
    cursor: bytes = b""


class TaskReply(_Reply, frozen=True, tag=105):
    """One task."""

    task: TaskView


class OutcomeReply(_Reply, frozen=True, tag=106):
    """How the task ended."""

    outcome: Outcome


class TaskPage(_Reply, frozen=True, tag=107):
    """Some tasks. An empty cursor: there are no more.

    `total` is how many tasks the selector has in all; where `is_total_exact` is false, at least so many, and on pages
    after the first no more than what they hold. `stopped_by` says which bound ended the page or the count early:
    "rows", after `examined` rows; empty: none did.
    """

    tasks: list[TaskSummary]
    cursor: bytes = b""
    as_of: int = 0
    total: int = 0
    is_total_exact: bool = False
    stopped_by: str = ""
    examined: int = 0


class QueuePage(_Reply, frozen=True, tag=108):
    """All queues, by name."""

    queues: list[QueueStats]


class WorkerPage(_Reply, frozen=True, tag=109):
    """All workers, by name."""

    workers: list[WorkerInfo]


class StatsReply(_Reply, frozen=True, tag=110):
    """The broker in numbers; `process` is None where the engine runs without one (tests)."""

    engine: EngineStats
    process: ProcessStats | None = None


class GroupPage(_Reply, frozen=True, tag=111):
    """Failure groups, as many as were asked for. `total`: groups that match; `dead_total`: their dead letters."""

    groups: list[FailureGroup]
    total: int
    dead_total: int


class WhyReply(_Reply, frozen=True, tag=115):
    """Why the task is where it is."""

    explanation: Explanation


class LogPage(_Reply, frozen=True, tag=116):
    """Lines that the handlers of a task have logged, in their order.

    `total` counts all that it ever logged: of more than 500, the first are gone. `is_over`: it has ended, and logs no
    more.
    """

    lines: list[LogLine]
    total: int = 0
    is_over: bool = False


class StackReply(_Reply, frozen=True, tag=117):
    """Where the handler of a running task was, a moment ago."""

    stack: TaskStack


class WorkerReply(_Reply, frozen=True, tag=118):
    """The processes of a worker, with what they have in hand."""

    workers: list[WorkerView]


class SignatureReply(_Reply, frozen=True, tag=119):
    """What a handler takes; None: no connected worker has said so."""

    signature: TaskSignature | None = None


class HistoryReply(_Reply, frozen=True, tag=120):
    """What queues did, in the order in which they were asked for; points are `step_ms` long."""

    step_ms: int
    histories: list[QueueHistory]


class Prepared(_Reply, frozen=True, tag=112):
    """A preview. Its token starts the operation until `expires_at_ms` (ms since the epoch).

    `queues` is how `count` lies over the queues, the fullest first; `as_of` the number in the order of all changes at
    which the set was frozen; `estimated_ms` how long it takes at `rate` tasks a second.
    """

    token: bytes
    action: Action
    count: int
    queues: list[QueueCount]
    sample: list[TaskSummary]
    as_of: int
    rate: int
    estimated_ms: int
    expires_at_ms: int
    warnings: list[str] = []


class OperationReply(_Reply, frozen=True, tag=113):
    """One operation."""

    operation: Operation


class OperationPage(_Reply, frozen=True, tag=114):
    """The latest operations, the latest first."""

    operations: list[Operation]


class TokenPage(_Reply, frozen=True, tag=121):
    """All tokens, by name; or the one that was made."""

    tokens: list[TokenInfo]


class AuditPage(_Reply, frozen=True, tag=122):
    """Some of what was done, the latest first. An empty cursor: there is no more."""

    entries: list[AuditEntry]
    cursor: bytes = b""


class AttentionReply(_Reply, frozen=True, tag=123):
    """What somebody should look at, the most urgent first; `left_out` how many more there are."""

    findings: list[Finding]
    left_out: int = 0


class MetricsReply(_Reply, frozen=True, tag=124):
    """What monitoring wants to know. `more_after` 0: the rest of the queues is in it whole; else see GetMetrics."""

    metrics: Metrics
    more_after: int = 0


class Delivery(msgspec.Struct, array_like=True, frozen=True):
    """One leased task. `task` is the stored row, byte for byte."""

    token: int
    attempt: int
    task: msgspec.Raw

    def stored(self) -> StoredTask:
        """The task, decoded."""
        return msgspec.msgpack.decode(self.task, type=StoredTask)


class Deliver(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=150):
    """Tasks for a worker that gave credit."""

    deliveries: list[Delivery]


class CancelRun(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=151):
    """Stop the handler of this task, if it still runs under this token."""

    task_id: bytes
    token: int


class LeaseRevoked(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=152):
    """The broker took this lease back; what the handler returns will be refused."""

    task_id: bytes
    token: int


class Drain(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=153):
    """Take nothing more; finish, then leave."""


class StackWanted(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=156):
    """Say where the handler of this task is: StackTaken with this number, within 5 s."""

    number: int
    task_id: bytes
    token: int


class Stopping(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=154):
    """The broker closes this connection because it stops; come back later."""


class WatchFrame(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=155):
    """What is new in the scopes that are watched; none of the parts is there for a scope in which nothing is.

    `boot_id` names the broker's memory that `seq` counts in; both go into the Watch after a lost connection. Each part
    is a ScopePart, encoded once for all who are sent it.
    """

    boot_id: str
    seq: int
    now_ms: int
    parts: list[msgspec.Raw]

    def decoded(self) -> list[ScopePart]:
        """The parts."""
        return [msgspec.msgpack.decode(part, type=ScopePart) for part in self.parts]


Reply = (
    Welcome | ErrorReply | Submitted | Settled | Affected | TaskReply | OutcomeReply
    | TaskPage | QueuePage | WorkerPage | StatsReply
    | WhyReply | LogPage | StackReply | WorkerReply
    | GroupPage
    | SignatureReply
    | HistoryReply | AttentionReply | MetricsReply
    | Prepared | OperationReply | OperationPage
    | TokenPage | AuditPage
)  # fmt: skip
Push = Deliver | CancelRun | LeaseRevoked | Drain | StackWanted | Stopping | WatchFrame
FromBroker = Reply | Push

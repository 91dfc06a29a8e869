"""Every request that the broker understands: the commands of all edges, each a Struct with a tag of its own.

The first element of the array on the wire is the tag; a released tag never changes its meaning. `request_id` is the
caller's and comes back in the reply; 0 asks for none where that is said. docs/protocol.md describes each from the
caller's side. Lengths of time are ms; `limit` bounds the work of one request, and the reply says whether there is more.
"""

from tq.model.commands.access import CreateToken, ListAudit, ListTokens, RevokeToken
from tq.model.commands.fields import (
    BATCH_MAX,
    LOG_CHARS_MAX,
    LOG_LINES_MAX,
    STACK_CHARS_MAX,
    Count,
    Id,
    Ids,
    Limit,
    Name,
    Note,
    OperationId,
    Rate,
    ScopeText,
)
from tq.model.commands.looking import GetAttention, GetHistory, GetMetrics, ReportEdge, Unwatch, Watch, WatchCredit
from tq.model.commands.operating import (
    Backup,
    CancelOperation,
    CommitOperation,
    DrainWorker,
    GetOperation,
    GetStats,
    GetWorker,
    ListGroups,
    ListOperations,
    ListQueues,
    ListWorkers,
    PauseQueue,
    PrepareOperation,
    ResumeQueue,
    UndoOperation,
)
from tq.model.commands.tasks import (
    Cancel,
    GetLog,
    GetSignature,
    GetTask,
    ListTasks,
    Order,
    Resubmit,
    Submit,
    TakeStack,
    Unwait,
    Wait,
    Why,
)
from tq.model.commands.working import (
    EDGE_ITSELF,
    Ack,
    Behind,
    CancelledByWorker,
    Extend,
    Failure,
    Fetch,
    Heartbeat,
    Hello,
    LeaseRef,
    LogEntry,
    Nack,
    ProgressNote,
    QueuePreference,
    Release,
    ReportLog,
    ReportProgress,
    StackTaken,
    Success,
    WorkerDied,
    WorkerHello,
)

Request = (
    Hello | Submit | GetTask | Wait | Unwait | Cancel | ListTasks
    | Fetch | Ack | Nack | Release | Extend | ReportProgress | CancelledByWorker | Heartbeat | WorkerDied
    | ListQueues | PauseQueue | ResumeQueue | Resubmit | GetSignature
    | ListGroups
    | ListWorkers | DrainWorker | GetStats | Backup
    | Why | GetLog | TakeStack | GetWorker | ReportLog | StackTaken
    | PrepareOperation | CommitOperation | ListOperations | GetOperation | CancelOperation | UndoOperation
    | CreateToken | ListTokens | RevokeToken | ListAudit
    | GetHistory | Watch | WatchCredit | Unwatch | GetAttention | GetMetrics | ReportEdge
)  # fmt: skip


__all__ = [
    "Request",
    "BATCH_MAX",
    "LOG_LINES_MAX",
    "LOG_CHARS_MAX",
    "STACK_CHARS_MAX",
    "Id",
    "Ids",
    "Limit",
    "Count",
    "Name",
    "Note",
    "ScopeText",
    "OperationId",
    "Rate",
    "Order",
    "Submit",
    "GetTask",
    "Wait",
    "Unwait",
    "Cancel",
    "ListTasks",
    "Resubmit",
    "GetSignature",
    "Why",
    "GetLog",
    "TakeStack",
    "LeaseRef",
    "QueuePreference",
    "WorkerHello",
    "EDGE_ITSELF",
    "Behind",
    "Hello",
    "Fetch",
    "Success",
    "Ack",
    "Failure",
    "Nack",
    "Release",
    "Extend",
    "ProgressNote",
    "ReportProgress",
    "CancelledByWorker",
    "Heartbeat",
    "WorkerDied",
    "LogEntry",
    "ReportLog",
    "StackTaken",
    "ListQueues",
    "PauseQueue",
    "ResumeQueue",
    "ListWorkers",
    "GetWorker",
    "DrainWorker",
    "GetStats",
    "Backup",
    "ListGroups",
    "PrepareOperation",
    "CommitOperation",
    "ListOperations",
    "GetOperation",
    "CancelOperation",
    "UndoOperation",
    "GetHistory",
    "Watch",
    "WatchCredit",
    "Unwatch",
    "GetAttention",
    "GetMetrics",
    "ReportEdge",
    "CreateToken",
    "ListTokens",
    "RevokeToken",
    "ListAudit",
]

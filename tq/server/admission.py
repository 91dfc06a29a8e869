"""What the broker takes as things stand, and what it says when it cannot keep what it took."""

from enum import Enum
from typing import get_args

import msgspec

from tq.model.commands import (
    Fetch,
    GetAttention,
    GetHistory,
    GetLog,
    GetMetrics,
    GetSignature,
    GetStats,
    GetTask,
    GetWorker,
    Heartbeat,
    Hello,
    ListAudit,
    ListGroups,
    ListQueues,
    ListTasks,
    ListTokens,
    ListWorkers,
    ReportEdge,
    ReportLog,
    ReportProgress,
    Request,
    Resubmit,
    StackTaken,
    Submit,
    Unwait,
    Unwatch,
    Watch,
    WatchCredit,
    Why,
)
from tq.model.errors import DiskFull, OutcomeUnknown, ShuttingDown, TqError
from tq.model.insight import Because, Reason
from tq.model.replies import FromBroker, Push, WhyReply
from tq.protocol.codec import to_reply

READS = frozenset(
    {
        GetTask,
        GetSignature,
        ListTasks,
        ListQueues,
        ListGroups,
        ListWorkers,
        GetStats,
        Why,
        GetWorker,
        GetLog,
        GetHistory,
        ListTokens,
        ListAudit,
    }
    | {GetAttention, GetMetrics, ReportEdge, Watch, WatchCredit, Unwatch, Unwait}
)
"""Requests that change nothing, in memory or on disk."""

SILENT = frozenset({Fetch, Heartbeat, ReportProgress, ReportLog, StackTaken, WatchCredit, Unwait})
"""Requests without a reply."""

_WRITES = frozenset(get_args(Request)) - READS - {Hello}
_ADDS = frozenset({Submit, Resubmit})


class Condition(Enum):
    """How the broker is. `value` says why it does not take everything, empty if it does."""

    SERVING = ""
    DISK_LOW = "the disk is nearly full: nothing new is taken"
    READ_ONLY = "the disk is full: only reads are served"
    STOPPING = "the broker is stopping"

    @property
    def is_writable(self) -> bool:
        """Whether the engine may change anything."""
        return self in (Condition.SERVING, Condition.DISK_LOW)


def refusals(condition: Condition) -> dict[type, TqError]:
    """The kinds of request that are refused, with the error. A worker's Hello is refused by the greeting itself."""
    free_space = "free some space; the broker goes on by itself"
    match condition:
        case Condition.SERVING:
            return {}
        case Condition.DISK_LOW:
            return dict.fromkeys(_ADDS, DiskFull(condition.value, hint=free_space))
        case Condition.READ_ONLY:
            return dict.fromkeys(_WRITES, DiskFull(condition.value, hint=free_space))
        case Condition.STOPPING:
            return dict.fromkeys(_WRITES | READS | {Hello}, ShuttingDown(condition.value, hint="try again soon"))


def explain_condition(reply: WhyReply, condition: Condition) -> WhyReply:
    """The answer to "why" with what the engine cannot know: that the broker starts nothing as things stand."""
    explanation = reply.explanation
    if condition.is_writable or explanation.state.is_final:
        return reply
    reason = Reason(
        code=Because.NOT_WRITABLE, text=condition.value, hint="free some space; the broker goes on by itself"
    )
    reasons = (reason, *explanation.reasons)
    return msgspec.structs.replace(reply, explanation=msgspec.structs.replace(explanation, reasons=reasons))


def declared_unknown(messages: list[FromBroker]) -> list[FromBroker]:
    """What is sent instead of these messages when the batch that they belong to may not be on disk."""
    unknown = OutcomeUnknown(
        "the broker could not commit this request; it may or may not be done", hint="repeat it with the same id"
    )
    return [to_reply(message.request_id, unknown) for message in messages if not isinstance(message, Push)]

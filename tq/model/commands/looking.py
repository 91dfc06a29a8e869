"""Requests for what happens: the live stream, history, and what needs attention."""

from typing import Annotated

from msgspec import Meta

from tq.model.commands.fields import BaseRequest, Count, Name, ScopeText
from tq.model.metrics import EDGE_OPERATIONS_MAX, QUEUES_MAX, EdgeRequests
from tq.model.watching import HZ_MAX, SCOPES_MAX


class GetHistory(BaseRequest, frozen=True, tag=46):
    """What these queues did in the last five minutes, second by second; or in the last day, minute by minute. Reply:
    HistoryReply.

    `since_ms`: points that begin at or after this moment; 0: as far back as they go.
    """

    queues: Annotated[list[Name], Meta(min_length=1, max_length=100)]
    is_by_minute: bool = False
    since_ms: Count = 0


class Watch(BaseRequest, frozen=True, tag=43):
    """Be sent what is new in these scopes, as WatchFrame, up to `hz` times a second; instead of what was watched on
    this connection before. Reply: Affected, then a first frame at once.

    With the `boot_id` and `seq` of the last frame of the same scopes, the next one goes on where that one was; else it
    is whole. `hz` 0: nothing is sent until the next Watch.
    """

    scopes: Annotated[list[ScopeText], Meta(min_length=1, max_length=SCOPES_MAX)]
    hz: Annotated[float, Meta(ge=0, le=HZ_MAX)] = 2.0
    boot_id: Name = ""
    seq: Count = 0


class WatchCredit(BaseRequest, frozen=True, tag=44):
    """So many more frames may be sent; a Watch begins with one. No reply.

    To be given when the last frame has been dealt with: who is slow gets fewer frames, each with the latest.
    """

    frames: Annotated[int, Meta(ge=1, le=4)] = 1


class Unwatch(BaseRequest, frozen=True, tag=45):
    """Watch nothing any more. Reply: Affected."""


class GetAttention(BaseRequest, frozen=True, tag=51):
    """What somebody should look at, the most urgent first. Reply: AttentionReply."""


class GetMetrics(BaseRequest, frozen=True, tag=52):
    """What monitoring wants to know, at most `queues` queues by name. Reply: MetricsReply.

    The queues that are not named are counted in parts, so that no turn of the broker is long: as long as the reply says
    `more_after`, the next request has it as its `after`, and `rest` is the sum of all parts.
    """

    queues: Annotated[int, Meta(ge=0, le=QUEUES_MAX)] = 100
    after: Count = 0


class ReportEdge(BaseRequest, frozen=True, tag=53):
    """An edge of the broker says what it was asked for since it began; on its own connection alone. Reply: Affected."""

    started_at_ms: Count
    rss_bytes: Count
    cpu_ms: Count
    in_progress: Count
    requests: Annotated[list[EdgeRequests], Meta(max_length=EDGE_OPERATIONS_MAX)]

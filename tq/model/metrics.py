"""The broker as monitoring sees it: counters that are kept as things happen, and distributions of times."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec.structs import replace

from tq.model.stats import ProcessStats, QueueStats

QUEUES_MAX = 1_000
"""Queues that one answer names."""

REST_OF_QUEUES = "_other"
"""The name under which all other queues are counted together."""

PROCESSING_MS_BOUNDS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000)
"""The upper ends, inclusive, of the classes in which the times of handlers are counted."""

DISK_US_BOUNDS = (250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000)
"""The same, for commits and syncs."""


EDGE_US_BOUNDS = (
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
    60_000_000,
)  # fmt: skip
"""The same, for requests to an edge. The long ones are waits that were asked for."""

EDGE_OPERATIONS_MAX, EDGE_STATUSES_MAX = 200, 20
"""Operations of an edge that are told apart, and statuses of one of them."""


class Distribution(msgspec.Struct, frozen=True):
    """How often something took how long since the broker started, in the unit that the field which holds it names.

    `counts[i]` are those above `bounds[i - 1]` and not above `bounds[i]`; one more than there are bounds: those above
    all of them. `sum` is of all.
    """

    bounds: Sequence[int]
    counts: list[int]
    sum: int


class QueueMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One queue, or what is left of them together. `processing_ms` counts attempts that ended with a handler's return
    or failure, from the moment their worker was given the task."""

    stats: QueueStats
    retried_total: int  # failed attempts that were followed by a wait for another
    processing_ms: Distribution


SUMMED_OF_ROWS = (
    "scheduled", "retrying", "in_progress", "dead", "submitted_total", "completed_total", "failed_total",
    "crashed_total", "dead_total", "cancelled_total",
)  # fmt: skip
SUMMED = ("ready_high", "ready_normal", "ready_low", *SUMMED_OF_ROWS)
"""What is added up of the queues that are counted together; `SUMMED_OF_ROWS` are those that are kept in their rows."""


def together(first: QueueMetrics | None, second: QueueMetrics | None) -> QueueMetrics | None:
    """Two parts of the queues that are not named, as one."""
    if first is None or second is None:
        return second if first is None else first
    one, other, times = first.stats, second.stats, second.processing_ms
    sums = {name: getattr(one, name) + getattr(other, name) for name in SUMMED}
    return QueueMetrics(
        stats=replace(one, oldest_ready_ms=max(one.oldest_ready_ms, other.oldest_ready_ms), **sums),
        retried_total=first.retried_total + second.retried_total,
        processing_ms=Distribution(
            times.bounds,
            list(map(int.__add__, first.processing_ms.counts, times.counts)),
            first.processing_ms.sum + times.sum,
        ),
    )


class WorkerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """All worker processes together. `slots`: tasks that the connected ones can run at once; `in_use`: with a task."""

    connected: int = 0  # those that drain included
    draining: int = 0
    lost: int = 0  # their grace is running
    slots: int = 0
    in_use: int = 0


class ProcessMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """The broker process. `commit_us`: from the hand-over of a batch until it was on disk; `sync_us`: its fsync."""

    stats: ProcessStats
    cpu_ms: int  # that it used, of all cores
    connections_max: int
    connections_total: int  # since it started
    denied_total: int  # greetings turned away for want of good credentials, since it started
    commit_us: Distribution
    sync_us: Distribution


class EdgeStatus(msgspec.Struct, array_like=True, frozen=True):
    """So many requests were answered like this."""

    status: Annotated[str, msgspec.Meta(max_length=200)]
    count: int


class EdgeRequests(msgspec.Struct, array_like=True, frozen=True):
    """What was asked of an edge in one way since its process began."""

    operation: Annotated[str, msgspec.Meta(max_length=200)]
    statuses: Annotated[list[EdgeStatus], msgspec.Meta(max_length=EDGE_STATUSES_MAX)]
    duration_us: Distribution  # until the last byte of the answer


class EdgeMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge said of itself last: "rest" or "grpc"."""

    edge: str
    started_at_ms: int
    rss_bytes: int
    cpu_ms: int  # that its process used, of all cores
    in_progress: int
    requests: list[EdgeRequests]


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `queues` are named for good once they are named, until the broker starts again: a queue that moved in
    and out of `rest` would make the counters of both jump. `process` is None where the engine runs without one (tests).
    """

    queue_count: int  # named or not
    waiters: int  # callers that wait for a result
    workers: WorkerCounts
    queues: list[QueueMetrics]
    # None: all are named. Has no no_handler, rates and pause, always 0; its age leaves paused queues out.
    rest: QueueMetrics | None
    process: ProcessMetrics | None = None
    edges: list[EdgeMetrics] = []

"""Metrics with a different number in every place, so that no two can be mistaken for each other."""

import itertools

import msgspec

from tq.model.metrics import (
    DISK_US_BOUNDS,
    EDGE_US_BOUNDS,
    PROCESSING_MS_BOUNDS,
    Distribution,
    EdgeMetrics,
    EdgeRequests,
    EdgeStatus,
    Metrics,
    ProcessMetrics,
    QueueMetrics,
    WorkerCounts,
)
from tq.model.stats import ProcessStats, QueueStats


def distribution(bounds: tuple[int, ...], start: int = 0) -> Distribution:
    """1, 2, 3, ... in the classes, `start` more in each."""
    return Distribution(bounds, [start + number for number in range(1, len(bounds) + 2)], 1_234_567)


def queue_metrics(name: str, start: int = 100) -> QueueMetrics:
    """A queue whose numbers count up from `start`, in the order of the fields."""
    numbers = itertools.count(start)
    fields = {field.name: next(numbers) for field in msgspec.structs.fields(QueueStats) if field.type is int}
    stats = QueueStats(name=name, is_paused=False, pause_reason="", paused_by="", **fields)
    return QueueMetrics(stats=stats, retried_total=next(numbers), processing_ms=distribution(PROCESSING_MS_BOUNDS))


def process_metrics() -> ProcessMetrics:
    """A broker that has been running for a while."""
    numbers = itertools.count(1_000)
    fields = {field.name: next(numbers) for field in msgspec.structs.fields(ProcessStats) if field.type is int}
    stats = ProcessStats(
        version="1.2.3",
        boot_id="b",
        addresses=(),
        data_dir="/d",
        sync="always",
        is_accepting=True,
        why_not_accepting="",
        **fields,
    )
    return ProcessMetrics(
        stats=stats,
        cpu_ms=2_500,
        connections_max=2_001,
        connections_total=2_002,
        denied_total=2_003,
        commit_us=distribution(DISK_US_BOUNDS),
        sync_us=distribution(DISK_US_BOUNDS, 10),
    )


def metrics(*queues: QueueMetrics, rest: QueueMetrics | None = None) -> Metrics:
    """A broker with these queues."""
    numbers = itertools.count(3_000)
    workers = WorkerCounts(connected=4_001, draining=4_002, lost=4_003, slots=4_004, in_use=4_005)
    requests = [
        EdgeRequests("submit", [EdgeStatus("200", 7), EdgeStatus("400", 8)], distribution(EDGE_US_BOUNDS)),
        EdgeRequests("none", [EdgeStatus("404", 9)], distribution(EDGE_US_BOUNDS, 5)),
    ]
    return Metrics(
        queue_count=next(numbers),
        waiters=next(numbers),
        workers=workers,
        queues=list(queues),
        rest=rest,
        process=process_metrics(),
        edges=[
            EdgeMetrics(
                edge="rest", started_at_ms=5_000, rss_bytes=6_000, cpu_ms=7_000, in_progress=3, requests=requests
            )
        ],
    )

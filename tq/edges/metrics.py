"""What `/metrics` shows, in the words of Prometheus; docs/metrics.md explains each name. Plain functions of one answer
of the broker: no state, no sockets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from prometheus_client import exposition
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from tq.model.metrics import Distribution, EdgeMetrics, Metrics, ProcessMetrics, QueueMetrics

OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_VERSION = "1.0.0"


class _Number(NamedTuple):
    """A metric of one value for each queue. `is_of_rest`: the queues that are not named have it too, together."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    read: Callable[[QueueMetrics], float]
    is_of_rest: bool = True


_BY_QUEUE = (
    _Number("tq_tasks", "counter", "Tasks submitted.", lambda queue: queue.stats.submitted_total),
    _Number("tq_tasks_completed", "counter", "Tasks done.", lambda queue: queue.stats.completed_total),
    _Number("tq_tasks_cancelled", "counter", "Tasks cancelled.", lambda queue: queue.stats.cancelled_total),
    _Number(
        "tq_tasks_dead_lettered", "counter", "Tasks that became dead letters.", lambda queue: queue.stats.dead_total
    ),
    _Number("tq_task_attempts_failed", "counter", "Attempts that failed.", lambda queue: queue.stats.failed_total),
    _Number(
        "tq_task_retries",
        "counter",
        "Attempts that failed and were followed by a wait for another.",
        lambda queue: queue.retried_total,
    ),
    _Number(
        "tq_task_crashes", "counter", "Attempts under which the worker died.", lambda queue: queue.stats.crashed_total
    ),
    _Number(
        "tq_tasks_pending",
        "gauge",
        "Tasks that wait to run: ready or scheduled for later.",
        lambda queue: queue.stats.ready + queue.stats.scheduled,
    ),
    _Number("tq_tasks_scheduled", "gauge", "Pending tasks that are not due yet.", lambda queue: queue.stats.scheduled),
    _Number(
        "tq_tasks_retrying",
        "gauge",
        "Tasks whose last attempt failed and that wait for the next one.",
        lambda queue: queue.stats.retrying,
    ),
    _Number("tq_tasks_in_progress", "gauge", "Tasks that workers have.", lambda queue: queue.stats.in_progress),
    _Number("tq_tasks_dead_letter", "gauge", "Dead letters that are kept.", lambda queue: queue.stats.dead),
    _Number(
        "tq_tasks_no_handler",
        "gauge",
        "Ready tasks that no connected worker can run.",
        lambda queue: queue.stats.no_handler,
        is_of_rest=False,
    ),
    _Number(
        "tq_queue_oldest_task_age_seconds",
        "gauge",
        "For how long the oldest ready task has been ready; 0: there is none.",
        lambda queue: queue.stats.oldest_ready_ms / 1_000,
    ),
    _Number(
        "tq_queue_paused", "gauge", "1: the queue is paused.", lambda queue: queue.stats.is_paused, is_of_rest=False
    ),
)


def render(metrics: Metrics, accept: str = "") -> tuple[bytes, str]:
    """The text of `/metrics`, and its content type.

    Args:
        accept: the header of the request: with application/openmetrics-text in it the form is OpenMetrics 1.0, else
            the text format 0.0.4 that every Prometheus reads.
    """
    families = _Families(metrics)
    if OPENMETRICS in accept:
        text: bytes = openmetrics.generate_latest(families, version=OPENMETRICS_VERSION)  # type: ignore[no-untyped-call]
        return text, f"{OPENMETRICS}; version={OPENMETRICS_VERSION}; charset=utf-8"
    return exposition.generate_latest(families), exposition.CONTENT_TYPE_PLAIN_0_0_4


class _Families(Collector):
    """A registry of its own, and nothing of this process in it: what is shown is the broker."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return families(self._metrics)


def families(metrics: Metrics) -> Iterator[Metric]:
    """Every metric with its samples; always all of them, whatever there is to show."""
    queues = metrics.queues
    parts = [*queues, *([metrics.rest] if metrics.rest is not None else [])]
    for number in _BY_QUEUE:
        yield _by_queue(number, parts if number.is_of_rest else queues)
    yield _ready(parts)
    durations = HistogramMetricFamily(
        "tq_task_processing_duration_seconds",
        "How long workers had tasks whose attempt their handler ended, well or not.",
        labels=["queue"],
    )
    for part in parts:
        _add(durations, [part.stats.name], part.processing_ms, 1_000)
    yield durations
    yield _gauge("tq_queues", "Queues, named here or not.", metrics.queue_count)
    yield _gauge("tq_result_waits", "Callers that wait for a result.", metrics.waiters)
    workers = metrics.workers
    yield _gauge("tq_workers_connected", "Worker processes that are connected.", workers.connected)
    yield _gauge("tq_workers_draining", "Of these, those that take nothing more.", workers.draining)
    yield _gauge("tq_workers_lost", "Worker processes that may still come back for their tasks.", workers.lost)
    yield _gauge("tq_workers_slots", "Tasks that the connected workers can run at once.", workers.slots)
    yield _gauge("tq_workers_slots_in_use", "Of these slots, those that have a task.", workers.in_use)
    if metrics.process is not None:
        yield from _process(metrics.process)
    yield from _edges(metrics.edges)


def _by_queue(number: _Number, parts: Sequence[QueueMetrics]) -> Metric:
    make = CounterMetricFamily if number.kind == "counter" else GaugeMetricFamily
    family = make(number.name, number.help, labels=["queue"])
    for part in parts:
        family.add_metric([part.stats.name], number.read(part))
    return family


def _ready(parts: Sequence[QueueMetrics]) -> Metric:
    family = GaugeMetricFamily(
        "tq_tasks_ready", "Pending tasks that may run now, by priority.", labels=["queue", "priority"]
    )
    for part in parts:
        stats = part.stats
        for priority, count in (("high", stats.ready_high), ("normal", stats.ready_normal), ("low", stats.ready_low)):
            family.add_metric([stats.name, priority], count)
    return family


def _process(process: ProcessMetrics) -> Iterator[Metric]:
    stats = process.stats
    yield InfoMetricFamily("tq_broker", "Which broker this is.", value={"version": stats.version, "sync": stats.sync})
    yield _gauge("tq_broker_start_time_seconds", "When it started, since 1970.", stats.started_at_ms / 1_000)
    yield _gauge("tq_broker_accepting", "1: everything is taken; 0: submits are refused.", stats.is_accepting)
    yield _counter("tq_broker_cpu_seconds", "Processor time that its process used.", process.cpu_ms / 1_000)
    yield _gauge("tq_broker_resident_memory_bytes", "Memory that its process holds.", stats.rss_bytes)
    yield _gauge("tq_broker_disk_free_bytes", "Free bytes where its data is.", stats.disk_free_bytes)
    yield _gauge("tq_broker_connections", "Connections that it holds.", stats.connections)
    yield _gauge("tq_broker_connections_max", "Connections that it may hold.", process.connections_max)
    yield _counter("tq_broker_connections_opened", "Connections made to it.", process.connections_total)
    yield _counter(
        "tq_broker_connections_denied", "Connections turned away without good credentials.", process.denied_total
    )
    for name, help_, distribution in (
        ("tq_commit_duration_seconds", "Commits, until they were on disk.", process.commit_us),
        ("tq_sync_duration_seconds", "Syncs of the disk.", process.sync_us),
    ):
        family = HistogramMetricFamily(name, help_)
        _add(family, [], distribution, 1_000_000)
        yield family


def _edges(edges: Sequence[EdgeMetrics]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "tq_edge_requests", "Requests to an edge that have ended.", labels=["edge", "operation", "status"]
    )
    durations = HistogramMetricFamily(
        "tq_edge_request_duration_seconds", "How long requests to an edge took.", labels=["edge", "operation"]
    )
    in_progress = GaugeMetricFamily("tq_edge_requests_in_progress", "Requests that it is answering.", labels=["edge"])
    started = GaugeMetricFamily("tq_edge_start_time_seconds", "When its process started, since 1970.", labels=["edge"])
    memory = GaugeMetricFamily("tq_edge_resident_memory_bytes", "Memory that its process holds.", labels=["edge"])
    cpu = CounterMetricFamily("tq_edge_cpu_seconds", "Processor time that its process used.", labels=["edge"])
    for edge in edges:
        in_progress.add_metric([edge.edge], edge.in_progress)
        started.add_metric([edge.edge], edge.started_at_ms / 1_000)
        memory.add_metric([edge.edge], edge.rss_bytes)
        cpu.add_metric([edge.edge], edge.cpu_ms / 1_000)
        for asked in edge.requests:
            for answered in asked.statuses:
                requests.add_metric([edge.edge, asked.operation, answered.status], answered.count)
            _add(durations, [edge.edge, asked.operation], asked.duration_us, 1_000_000)
    yield requests
    yield durations
    yield in_progress
    yield started
    yield memory
    yield cpu


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value=value)


def _counter(name: str, help_: str, value: float) -> Metric:
    return CounterMetricFamily(name, help_, value=value)


def _add(family: HistogramMetricFamily, labels: Sequence[str], distribution: Distribution, per_second: int) -> None:
    """Add a distribution, whose unit is so small that a second has `per_second` of it."""
    buckets: list[tuple[str, float]] = []
    count = 0
    for bound, in_class in zip(distribution.bounds, distribution.counts, strict=False):
        count += in_class
        buckets.append((str(bound / per_second), count))
    buckets.append(("+Inf", count + distribution.counts[-1]))
    family.add_metric(labels, buckets, sum_value=distribution.sum / per_second)

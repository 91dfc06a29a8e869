"""What a worker shows to Prometheus; docs/metrics.md explains each name. Imported only where metrics are wanted."""

from collections.abc import Iterable, Iterator

from prometheus_client import exposition
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tq import __version__
from tq.worker.counts import RUN_US_BOUNDS
from tq.worker.tally import Totals

CONTENT_TYPE: str = exposition.CONTENT_TYPE_PLAIN_0_0_4


def render(worker: str, totals: Totals) -> bytes:
    """The text of a worker's `/metrics`, in the text format 0.0.4."""
    return exposition.generate_latest(_Families(worker, totals))


class _Families(Collector):
    def __init__(self, worker: str, totals: Totals) -> None:
        self._worker = worker
        self._totals = totals

    def collect(self) -> Iterable[Metric]:
        return families(self._worker, self._totals)


def families(worker: str, totals: Totals) -> Iterator[Metric]:
    """Every metric with its samples; always all of them."""
    yield InfoMetricFamily("tq_worker", "Which worker this is.", value={"worker": worker, "version": __version__})
    tasks = CounterMetricFamily("tq_worker_tasks", "Tasks that ended here.", labels=["task_type", "outcome"])
    durations = HistogramMetricFamily(
        "tq_worker_task_run_duration_seconds", "How long handlers ran.", labels=["task_type"]
    )
    for task_type, counts in totals.types.items():
        for outcome, count in counts.outcomes.items():
            tasks.add_metric([task_type, outcome], count)
        buckets, at_most = [], 0
        for bound_us, count in zip(RUN_US_BOUNDS, counts.run_counts, strict=False):
            at_most += count
            buckets.append((str(bound_us / 1_000_000), at_most))
        buckets.append(("+Inf", at_most + counts.run_counts[-1]))
        durations.add_metric([task_type], buckets, sum_value=counts.run_us_sum / 1_000_000)
    yield tasks
    yield durations
    for name, help_, value in (
        ("tq_worker_processes", "Processes that have loaded the application.", totals.processes),
        ("tq_worker_processes_connected", "Processes that the broker holds a connection of.", totals.connected),
        ("tq_worker_slots", "Tasks that its processes can run at once.", totals.slots),
        ("tq_worker_tasks_running", "Tasks that have started.", totals.running),
        ("tq_worker_tasks_waiting", "Tasks that were fetched and wait for a slot.", totals.waiting),
        ("tq_worker_outcomes_unconfirmed", "Tasks that ended, and the broker has not said so.", totals.unconfirmed),
        ("tq_worker_handlers_stuck", "Handlers that do not stop, and run on without a slot.", totals.stuck),
        ("tq_worker_resident_memory_bytes", "Memory that its processes hold.", totals.rss_bytes),
    ):
        yield GaugeMetricFamily(name, help_, value=value)
    for name, help_, total in (
        ("tq_worker_process_deaths", "Processes that did not end in order.", totals.deaths),
        ("tq_worker_connections_opened", "Connections made to the broker.", totals.connects),
        ("tq_worker_cpu_seconds", "Processor time that its processes used.", totals.cpu_ms / 1_000),
    ):
        yield CounterMetricFamily(name, help_, value=total)

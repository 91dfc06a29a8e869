"""What monitoring is told: the counters of the queues that are named, and of all others together."""

from itertools import islice
from operator import attrgetter

from tq.engine.ledger import Ledger
from tq.engine.queues import Queue
from tq.engine.tables import QueueRow
from tq.engine.viewing import engine_stats, queue_stats
from tq.model.commands import GetMetrics
from tq.model.metrics import (
    PROCESSING_MS_BOUNDS,
    REST_OF_QUEUES,
    Distribution,
    Metrics,
    QueueMetrics,
    WorkerCounts,
)
from tq.model.replies import MetricsReply
from tq.model.stats import QueueStats

_submitted = attrgetter("row.submitted_total")
_TOTALS = (
    "scheduled", "retrying", "in_progress", "dead", "submitted_total", "completed_total", "failed_total",
    "crashed_total", "dead_total", "cancelled_total",
)  # fmt: skip
_totals = attrgetter(*_TOTALS, "retried_total")


class Metering:
    """Answers GetMetrics. Remembers which queues it named: they stay named, whatever becomes busier later."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._named: dict[int, Queue] = {}

    def get_metrics(self, request: GetMetrics, now_ms: int) -> MetricsReply:
        """The counters as they are."""
        ledger = self._ledger
        named = self._names(request.queues)
        metrics = Metrics(
            engine=engine_stats(ledger, now_ms),
            workers=_worker_counts(ledger),
            queues=[_queue_metrics(ledger, queue, now_ms) for queue in named.values()],
            rest=_rest([queue for number, queue in ledger.queues_by_number.items() if number not in named]),
        )
        return MetricsReply(request.request_id, metrics)

    def _names(self, count: int) -> dict[int, Queue]:
        """The queues to name, in the order in which they came to be named: the busiest that there were, then later ones
        for as long as there is room."""
        named, queues = self._named, self._ledger.queues_by_number
        if len(named) < min(count, len(queues)):
            # One that is called as the rest is counted with the rest: two of one name nobody could tell apart.
            others = (
                queue for number, queue in queues.items() if number not in named and queue.row.name != REST_OF_QUEUES
            )
            busiest = sorted(others, key=_submitted, reverse=True)
            named.update((queue.number, queue) for queue in busiest[: count - len(named)])
        return named if len(named) <= count else dict(islice(named.items(), count))


def _queue_metrics(ledger: Ledger, queue: Queue, now_ms: int) -> QueueMetrics:
    return QueueMetrics(
        stats=queue_stats(ledger, queue, now_ms),
        retried_total=queue.row.retried_total,
        processing_ms=Distribution(PROCESSING_MS_BOUNDS, list(queue.processing_counts), queue.processing_ms_sum),
    )


def _rest(queues: list[Queue]) -> QueueMetrics | None:
    """Many queues as one; costs about 1 us for each."""
    if not queues:
        return None
    rows: list[QueueRow] = [queue.row for queue in queues]
    *totals, retried_total = map(sum, zip(*map(_totals, rows), strict=True))
    low, normal, high = map(sum, zip(*(queue.ready for queue in queues), strict=True))
    counts = [sum(column) for column in zip(*(queue.processing_counts for queue in queues), strict=True)]
    stats = QueueStats(
        name=REST_OF_QUEUES,
        ready_high=high,
        ready_normal=normal,
        ready_low=low,
        no_handler=0,
        oldest_ready_ms=0,
        is_paused=False,
        paused_at_ms=0,
        pause_reason="",
        paused_by="",
        **dict(zip(_TOTALS, totals, strict=True)),
    )
    processing_ms = Distribution(PROCESSING_MS_BOUNDS, counts, sum(queue.processing_ms_sum for queue in queues))
    return QueueMetrics(stats=stats, retried_total=retried_total, processing_ms=processing_ms)


def _worker_counts(ledger: Ledger) -> WorkerCounts:
    connected = [worker for worker in ledger.workers.values() if worker.session is not None]
    return WorkerCounts(
        connected=len(connected),
        draining=sum(worker.is_draining for worker in connected),
        lost=len(ledger.workers) - len(connected),
        slots=sum(worker.hello.concurrency for worker in connected),
        # Not as they last said: that is up to a heartbeat old. What they have beyond their slots was fetched ahead.
        in_use=sum(min(len(worker.leases), worker.hello.concurrency) for worker in connected),
    )

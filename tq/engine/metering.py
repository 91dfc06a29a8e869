"""What monitoring is told: the counters of the queues that are named, and of all others together."""

from itertools import islice
from operator import attrgetter

from tq.engine.ledger import Ledger
from tq.engine.queues import Queue
from tq.engine.tables import QueueRow
from tq.engine.viewing import oldest_ready_at_ms, queue_stats
from tq.model.commands import GetMetrics
from tq.model.metrics import (
    PROCESSING_MS_BOUNDS,
    REST_OF_QUEUES,
    SUMMED_OF_ROWS,
    Distribution,
    Metrics,
    QueueMetrics,
    WorkerCounts,
)
from tq.model.replies import MetricsReply
from tq.model.stats import QueueStats

_submitted = attrgetter("row.submitted_total")
_totals = attrgetter(*SUMMED_OF_ROWS, "retried_total")
PART = 200
"""Of the queues that are not named, so many are looked at for one answer: 1 ms, or 2 ms where the age of each has to
be read from the disk, because since a restart nobody has taken from it."""


class Metering:
    """Answers GetMetrics. Remembers which queues it named: they stay named, whatever becomes busier later."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._named: dict[int, Queue] = {}

    def get_metrics(self, request: GetMetrics, now_ms: int) -> MetricsReply:
        """The counters as they are."""
        ledger = self._ledger
        named = self._names(request.queues)
        others, more_after = self._part(named, request.after)
        shown = () if request.after else named.values()
        metrics = Metrics(
            queue_count=len(ledger.queues),
            waiters=len(ledger.waiters),
            workers=_worker_counts(ledger),
            queues=[_queue_metrics(ledger, queue, now_ms) for queue in shown],
            rest=_rest(ledger, others, now_ms),
        )
        return MetricsReply(request.request_id, metrics, more_after)

    def _part(self, named: dict[int, Queue], after: int) -> tuple[list[Queue], int]:
        """Queues that are not named, from a number on; and the number after which there are more, 0 if there are none.
        Once there are such, no more of them get a name: each is in one part, or in none."""
        queues = self._ledger.queues_by_number
        highest = next(reversed(queues), 0)
        last = min(after + PART, highest)
        numbers = range(after + 1, last + 1)
        found = [queues[number] for number in numbers if number in queues and number not in named]
        return found, last if last < highest else 0

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


def _rest(ledger: Ledger, queues: list[Queue], now_ms: int) -> QueueMetrics | None:
    """Many queues as one."""
    if not queues:
        return None
    rows: list[QueueRow] = [queue.row for queue in queues]
    *totals, retried_total = map(sum, zip(*map(_totals, rows), strict=True))
    low, normal, high = map(sum, zip(*(queue.ready for queue in queues), strict=True))
    counts = [sum(column) for column in zip(*(queue.processing_counts for queue in queues), strict=True)]
    # A paused one is left out: nobody could tell its age from that of one that nobody serves.
    oldest_at_ms = oldest_ready_at_ms(
        ledger, (lane for queue in queues if not queue.row.is_paused and any(queue.ready) for lane in queue.all_lanes())
    )
    stats = QueueStats(
        name=REST_OF_QUEUES,
        ready_high=high,
        ready_normal=normal,
        ready_low=low,
        no_handler=0,
        oldest_ready_ms=0 if oldest_at_ms is None else max(0, now_ms - oldest_at_ms),
        is_paused=False,
        paused_at_ms=0,
        pause_reason="",
        paused_by="",
        **dict(zip(SUMMED_OF_ROWS, totals, strict=True)),
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

"""How queues, workers and the broker itself are shown. Pure."""

from collections.abc import Iterable

from tq.cli.listing import Cell, Column, View
from tq.cli.words import counted
from tq.model.replies import StatsReply
from tq.model.stats import QueueStats, WorkerInfo
from tq.views.moments import NONE, ago, clock, rounded
from tq.views.payloads import size
from tq.views.records import queue_record, worker_record


def _queue_cells(queue: QueueStats) -> tuple[Cell, ...]:
    return (
        Cell(queue.name),
        Cell(f"{queue.ready:,}"),
        Cell(f"{queue.scheduled:,}"),
        Cell(f"{queue.retrying:,}", "yellow" if queue.retrying else ""),
        Cell(f"{queue.in_progress:,}", "cyan" if queue.in_progress else ""),
        Cell(f"{queue.dead:,}", "red" if queue.dead else ""),
        Cell(rounded(queue.oldest_ready_ms) if queue.oldest_ready_ms else NONE),
        Cell(f"{queue.completed_total:,}"),
        Cell(*_queue_status(queue)),
    )


def _queue_status(queue: QueueStats) -> tuple[str, str]:
    if queue.is_paused:
        return (f"paused: {queue.pause_reason}" if queue.pause_reason else "paused"), "yellow"
    if queue.no_handler:
        return f"no worker for {queue.no_handler:,}", "red"
    return "running", ""


QUEUES: View[QueueStats] = View(
    columns=(
        Column("QUEUE", is_elastic=True),
        Column("READY", is_number=True),
        Column("SCHEDULED", rank=4, is_number=True),
        Column("RETRYING", rank=3, is_number=True),
        Column("RUNNING", rank=1, is_number=True),
        Column("DEAD", is_number=True),
        Column("OLDEST", rank=2, is_number=True),
        Column("DONE", rank=5, is_number=True),
        Column("STATUS", is_elastic=True),
    ),
    cells=_queue_cells,
    record=queue_record,
    name=lambda queue: queue.name,
    nothing="No queues: nothing was ever submitted.",
)


def workers_view(now_ms: int) -> View[WorkerInfo]:
    """Worker processes; `now_ms` is what ages are counted from."""

    def cells(worker: WorkerInfo) -> tuple[Cell, ...]:
        return (
            Cell(worker.name),
            Cell(*worker_status(worker)),
            Cell(f"{worker.leases}/{worker.concurrency}"),
            Cell(size(worker.rss_bytes) if worker.rss_bytes else NONE),
            Cell(worker.host),
            Cell(str(worker.pid)),
            Cell(", ".join(worker.queues) or "all"),
            Cell(ago(worker.last_seen_at_ms, now_ms)),
            Cell(worker.incarnation.hex()[:8]),
        )

    columns = (
        Column("WORKER", is_elastic=True, least=16),
        Column("STATUS", is_elastic=True, least=12),
        Column("BUSY", is_number=True),
        Column("MEMORY", rank=2, is_number=True),
        Column("HOST", rank=4, is_elastic=True),
        Column("PID", rank=3, is_number=True),
        Column("QUEUES", rank=5, is_elastic=True),
        Column("SEEN", rank=1),
        Column("INCARNATION", rank=6),
    )
    return View(columns, cells, worker_record, lambda worker: worker.incarnation.hex(), "No workers.")


def worker_status(worker: WorkerInfo) -> tuple[str, str]:
    """The word for a worker, what is wrong with it, and a style."""
    if worker.note:
        return f"{worker.status}: {worker.note}", "red"
    return worker.status, {"connected": "green", "lost": "red"}.get(worker.status, "yellow")


def per_second(count_10s: int) -> str:
    """A count over ten seconds as a rate."""
    return f"{count_10s / 10:,.1f}/s" if count_10s < 1_000 else f"{count_10s // 10:,}/s"


def stats_fields(stats: StatsReply, now_ms: int) -> Iterable[tuple[str, Cell]]:
    """The broker in numbers, for people."""
    tasks, process = stats.engine, stats.process
    yield "waiting", Cell(f"{tasks.ready:,} ready, {tasks.scheduled:,} scheduled, {tasks.retrying:,} retrying")
    yield "in progress", Cell(f"{tasks.in_progress:,} on {counted(tasks.workers_connected, 'worker')}")
    yield "dead letters", Cell(f"{tasks.dead:,}", "red" if tasks.dead else "")
    yield "queues", Cell(f"{tasks.queues:,}")
    yield "submitted", Cell(f"{tasks.submitted_total:,}")
    yield "completed", Cell(f"{tasks.completed_total:,}")
    yield "last 10 s", Cell(f"in {per_second(tasks.submitted_10s)}, out {per_second(tasks.completed_10s)}")
    last_minute = f"{tasks.failed_60s:,} failed attempts, {tasks.dead_60s:,} dead"
    yield "last minute", Cell(last_minute, "red" if tasks.dead_60s else "")
    yield (
        "went wrong",
        Cell(
            f"{tasks.failed_total:,} failed attempts, {tasks.crashed_total:,} crashes, {tasks.dead_total:,} dead, "
            f"{tasks.cancelled_total:,} cancelled"
        ),
    )
    if process is None:
        return
    accepting = "accepting tasks" if process.is_accepting else f"not accepting tasks: {process.why_not_accepting}"
    yield "broker", Cell(f"{process.version}, pid {process.pid}, {accepting}", "" if process.is_accepting else "red")
    yield "up since", Cell(f"{clock(process.started_at_ms)} ({rounded(max(0, now_ms - process.started_at_ms))})")
    yield "addresses", Cell("\n".join(process.addresses))
    yield "data", Cell(f"{process.data_dir}, sync {process.sync}, {size(process.disk_free_bytes)} free")
    yield "memory", Cell(f"{size(process.rss_bytes)}, {counted(process.connections, 'connection')}")
    yield (
        "commits",
        Cell(
            f"{process.commits_total:,}, p50 {process.commit_us_p50 / 1000:.2f} ms, "
            f"p99 {process.commit_us_p99 / 1000:.2f} ms"
        ),
    )

"""How the rows of the live stream are shown: as tables for people, and as JSON. Pure, but for `draw_scope`."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tq.cli.broker_view import QUEUES, per_second
from tq.cli.failures import groups_view
from tq.cli.listing import Cell, Column, View, emit, emit_fields
from tq.cli.options import Color
from tq.cli.task_view import task_fields
from tq.cli.terminal import say
from tq.cli.words import counted
from tq.model.operations import Operation
from tq.model.watching import Event, Finding, QueueLive, ScopeKind, Severity, Totals, WorkerLive, parse_scope
from tq.views.moments import NONE, ago, rounded
from tq.views.payloads import size
from tq.views.records import row_record

if TYPE_CHECKING:
    pass

_MARKS = {Severity.OK: ("=", ""), Severity.LOOK: ("~", "yellow"), Severity.ACT: ("!", "red")}


def draw_scope(scope: str, rows: Mapping[str, Any], now_ms: int, room: int, color: Color) -> None:
    """The table of one scope, at most `room` rows of it."""
    kind = parse_scope(scope).kind
    if kind in (ScopeKind.TOTALS, ScopeKind.TASK):
        for row in rows.values():
            emit_fields(totals_fields(row) if kind is ScopeKind.TOTALS else task_fields(row, now_ms), color)
        return
    shown = sorted(rows.values(), key=_ORDERS[kind]) if kind in _ORDERS else list(rows.values())
    emit(shown[:room], _view(kind, now_ms), "table", color)
    if len(shown) > room:
        say(f"  ... and {len(shown) - room:,} more")


_ORDERS: dict[ScopeKind, Callable[[Any], Any]] = {
    ScopeKind.QUEUES: lambda queue: (-queue.severity, queue.name),
    ScopeKind.WORKERS: lambda worker: (worker.name, worker.incarnation),
    ScopeKind.GROUPS: lambda group: (-group.count, group.fingerprint),
    ScopeKind.OPS: lambda operation: -operation.started_at_ms,
    ScopeKind.EVENTS: lambda event: -event.number,
}


def _view(kind: ScopeKind, now_ms: int) -> View[Any]:
    match kind:
        case ScopeKind.QUEUES:
            return live_queues_view(now_ms)
        case ScopeKind.QUEUE:
            return QUEUES
        case ScopeKind.WORKERS:
            return live_workers_view(now_ms)
        case ScopeKind.GROUPS:
            return groups_view(now_ms)
        case ScopeKind.OPS:
            return OPERATIONS
        case ScopeKind.EVENTS:
            return events_view(now_ms)
        case ScopeKind.ATTENTION:
            return FINDINGS
        case ScopeKind.TOTALS | ScopeKind.TASK:
            raise AssertionError(f"{kind} is one thing, not a table")


def totals_fields(totals: Totals) -> Iterable[tuple[str, Cell]]:
    """All queues together, for people."""
    yield "in", Cell(f"{per_second(totals.submitted_10s)}, {totals.submitted_total:,} in all")
    yield "out", Cell(f"{per_second(totals.completed_10s)}, {totals.completed_total:,} in all")
    yield "waiting", Cell(f"{totals.ready:,} ready, {totals.scheduled:,} scheduled, {totals.retrying:,} retrying")
    lost = f", {totals.workers_lost:,} lost" if totals.workers_lost else ""
    workers = f"{totals.in_progress:,} of {totals.slots:,} slots, {counted(totals.workers, 'worker')}{lost}"
    yield "running", Cell(workers, "red" if lost else "")
    rise = f" +{totals.dead_60s:,}/min" if totals.dead_60s else ""
    yield "dead letters", Cell(f"{totals.dead:,}{rise}", "red" if rise else "")


def live_queues_view(now_ms: int) -> View[QueueLive]:
    """Queues, those that need somebody first."""

    def cells(queue: QueueLive) -> tuple[Cell, ...]:
        mark, style = _MARKS[queue.severity]
        return (
            Cell(queue.name),
            Cell(f"{mark} {queue.state}", style or ("yellow" if queue.state == "paused" else "")),
            Cell(f"{queue.ready:,}"),
            Cell(f"{queue.in_progress:,}", "cyan" if queue.in_progress else ""),
            Cell(f"{queue.submitted_10s / 10:,.1f}"),
            Cell(f"{queue.completed_10s / 10:,.1f}"),
            Cell(rounded(max(0, now_ms - queue.oldest_at_ms)) if queue.oldest_at_ms else NONE),
            Cell(f"{queue.retrying:,}", "yellow" if queue.retrying else ""),
            Cell(f"{queue.dead:,}", "red" if queue.dead else ""),
        )

    columns = (
        Column("QUEUE", is_elastic=True),
        Column("STATE"),
        Column("READY", is_number=True),
        Column("RUN", is_number=True),
        Column("IN/S", rank=4, is_number=True),
        Column("OUT/S", rank=1, is_number=True),
        Column("OLDEST", rank=2, is_number=True),
        Column("RETRY", rank=3, is_number=True),
        Column("DEAD", is_number=True),
    )
    return View(columns, cells, row_record, lambda queue: queue.name, "No queues.")


def live_workers_view(now_ms: int) -> View[WorkerLive]:
    """Worker processes."""

    def cells(worker: WorkerLive) -> tuple[Cell, ...]:
        style = {"connected": "green", "lost": "red"}.get(worker.status, "yellow")
        return (
            Cell(worker.name),
            Cell(f"{worker.status}: {worker.note}" if worker.note else worker.status, "red" if worker.note else style),
            Cell(f"{worker.leases}/{worker.slots}"),
            Cell(size(worker.rss_bytes) if worker.rss_bytes else NONE),
            Cell(worker.host),
            Cell(str(worker.pid)),
            Cell(ago(worker.seen_at_ms, now_ms)),
        )

    columns = (
        Column("WORKER", is_elastic=True, least=16),
        Column("STATUS", is_elastic=True, least=12),
        Column("BUSY", is_number=True),
        Column("MEMORY", rank=2, is_number=True),
        Column("HOST", rank=4, is_elastic=True),
        Column("PID", rank=3, is_number=True),
        Column("SEEN", rank=1),
    )
    return View(columns, cells, row_record, lambda worker: worker.incarnation, "No workers.")


def _finding_cells(finding: Finding) -> tuple[Cell, ...]:
    mark, style = _MARKS[finding.severity]
    return Cell(mark, style), Cell(finding.name, style), Cell(finding.code), Cell(finding.text)


FINDINGS: View[Finding] = View(
    columns=(
        Column(""),
        Column("ATTENTION", is_elastic=True),
        Column("CODE", rank=1),
        Column("WHAT", is_elastic=True, least=20),
    ),
    cells=_finding_cells,
    record=row_record,
    name=lambda finding: finding.scope,
    nothing="Nothing needs attention.",
)


def events_view(now_ms: int) -> View[Event]:
    """What was done, the latest first."""

    def cells(event: Event) -> tuple[Cell, ...]:
        concerned = f"{event.count:,}" if event.count else NONE
        what = (event.actor, event.action, event.target)
        return Cell(ago(event.at_ms, now_ms)), *map(Cell, what), Cell(concerned), Cell(event.reason)

    columns = (
        Column("WHEN"),
        Column("WHO", is_elastic=True),
        Column("ACTION"),
        Column("TARGET", is_elastic=True),
        Column("COUNT", rank=1, is_number=True),
        Column("REASON", rank=2, is_elastic=True),
    )
    return View(columns, cells, row_record, lambda event: str(event.number), "Nothing was done yet.")


def _operation_cells(operation: Operation) -> tuple[Cell, ...]:
    over = operation.done + operation.skipped + operation.failed
    part = f"{over * 100 // operation.total} %" if operation.total else NONE
    return (
        Cell(operation.id.hex()[:8]),
        Cell(operation.actor),
        Cell(operation.action),
        Cell(operation.target),
        Cell(f"{over:,} of {operation.total:,}"),
        Cell(part),
        Cell(operation.state, "cyan" if operation.state == "running" else ""),
    )


OPERATIONS: View[Operation] = View(
    columns=(
        Column("OP"),
        Column("WHO", rank=1, is_elastic=True),
        Column("ACTION"),
        Column("TARGET", is_elastic=True),
        Column("DONE", is_number=True),
        Column("", is_number=True),
        Column("STATE"),
    ),
    cells=_operation_cells,
    record=row_record,
    name=lambda operation: operation.id.hex(),
    nothing="No operations.",
)

"""One worker: its process, and the tasks that it has in hand."""

from collections.abc import Callable, Mapping, Sequence

from textual.app import ComposeResult

from tq.model.errors import TqError
from tq.model.ids import format_id
from tq.model.insight import HeldTask, WorkerView
from tq.model.name_filter import name_filter
from tq.model.plain import plain
from tq.tui.actions import DRAIN, Action, Target
from tq.tui.columns import Cell, Column
from tq.tui.commandline import Place
from tq.tui.figures import length, since
from tq.tui.glyphs import Glyphs, bar
from tq.tui.mirror import Changed, Mirror
from tq.tui.screens.base import Record, Selection, fetching
from tq.tui.screens.listing import ListScreen, Order
from tq.tui.shell import Command
from tq.tui.widgets.lines import Lines
from tq.views.records import task_record, worker_view_record

REFRESH_MS = 1_000

COLUMNS = (
    Column("ID", 36, rank=4),
    Column("TYPE", 14, is_elastic=True, widest=40),
    Column("QUEUE", 12, rank=1, is_elastic=True, widest=40),
    Column("TRY", 4, is_number=True),
    Column("FOR", 7, is_number=True),
    Column("LEFT", 7, is_number=True, rank=2),
    Column("PROGRESS", 18, rank=3),
    Column("NOTE", 14, rank=5, is_elastic=True),
)


def held_cells(task: HeldTask, now_ms: int, glyphs: Glyphs) -> tuple[Cell, ...]:
    """The cells of a task in hand, in the order of COLUMNS."""
    left_ms = task.deadline_ms - now_ms
    progress = task.progress
    return (
        Cell(format_id(task.id)),
        Cell(task.task_type),
        Cell(task.queue),
        Cell(str(task.attempt)),
        Cell(since(task.leased_at_ms, now_ms)),
        Cell(length(max(0, left_ms)) if task.deadline_ms else "-", "bad" if task.deadline_ms and left_ms < 0 else ""),
        Cell(f"{bar(progress.fraction, 12, glyphs)} {progress.fraction:4.0%}" if progress else "-", "accent"),
        Cell("asked to stop" if task.cancel_requested else progress.note if progress else ""),
    )


def process_lines(view: WorkerView, now_ms: int) -> list[Cell]:
    """What is known of the process."""
    info = view.info
    looks = {"lost": "bad", "draining": "accent"}
    lines = [
        Cell(f" {info.status}  pid {info.pid} on {info.host}  tq {info.version}", looks.get(info.status, "")),
        Cell(
            f" {info.leases:,} in hand of {info.concurrency:,} slots, {info.prefetched:,} ahead"
            f"   {info.rss_bytes >> 20:,} MiB   CPU {info.cpu_percent} %"
            f"   loop blocked {length(info.loop_blocked_ms)} at most"
        ),
        Cell(
            f" connected {since(info.connected_at_ms, now_ms)} ago, heard of {since(info.last_seen_at_ms, now_ms)} ago"
            f"   queues {', '.join(info.queues) or 'all'}   types {', '.join(info.task_types)}",
            "dim",
        ),
    ]
    if info.note:
        lines.append(Cell(f" ~ {info.note}", "warn"))
    return lines


class WorkerScreen(ListScreen[HeldTask]):
    """A worker process, by its incarnation."""

    mode = "workers"
    noun = "task"
    empty = "It has nothing in hand."
    target = Target.TASK
    opens = "task"
    columns = COLUMNS
    orders = (
        Order("longest", lambda row: row.leased_at_ms, "FOR"),
        Order("type", lambda row: (row.task_type, row.leased_at_ms), "TYPE"),
        Order("queue", lambda row: (row.queue, row.leased_at_ms), "QUEUE"),
    )

    def __init__(self, worker: str) -> None:
        super().__init__()
        self.worker_id = worker
        self._view: WorkerView | None = None
        self._asked_at_ms = 0

    @property
    def place(self) -> Place:
        """This process."""
        return Place("worker", self.worker_id)

    @property
    def crumb(self) -> str:
        """Where one is."""
        name = self._view.info.name if self._view is not None else self.worker_id[:8]
        return f"worker {plain(name)}{self.suffix}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """The list that it is one of: what moves there is asked about here."""
        return ("workers",)

    @property
    def command(self) -> Command:
        """The same, printed."""
        return Command("tq worker show", (self.worker_id[:12],))

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it has in hand, and the process itself."""
        return (Target.TASK, Target.WORKER)

    async def thing(self) -> Record | None:
        """The task under the cursor, else the process."""
        if self.list.cursor is not None:
            return task_record(await self.broker().get_task(self.list.cursor))
        return next(iter(await self.things()), None)

    async def things(self) -> list[Record]:
        """The process, with what it has in hand."""
        return [worker_view_record(view) for view in await self.broker().worker(self.worker_id)]

    def aim(self, action: Action, selected: Selection | None) -> Selection | None:
        """The worker is drained; all else is done to its tasks."""
        return Selection(Target.WORKER, (self.worker_id,)) if action is DRAIN else selected

    @property
    def filter_hint(self) -> str:
        """An example."""
        return "part of a type or a queue; -resize leaves out"

    def cells(self, row: HeldTask) -> Sequence[Cell]:
        """The cells of a task."""
        return held_cells(row, self.top.now_ms, self.top.look.glyphs)

    def shows(self, text: str) -> Callable[[HeldTask], bool] | None:
        """Tasks of which type or queue match."""
        return name_filter(text, lambda row: (row.task_type, row.queue))

    def above(self) -> ComposeResult:
        """The process."""
        yield Lines(self.top.look.glyphs, "process")

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """Ask again, once a second at most."""
        del mirror, changes
        self.say_count(self._left_out)
        if self.top.now_ms - self._asked_at_ms >= REFRESH_MS:
            self._asked_at_ms = self.top.now_ms
            self._ask()

    @fetching("worker")
    async def _ask(self) -> None:
        client = self.top.client
        if client is None:
            return
        try:
            views = await client.worker(self.worker_id)
        except TqError as error:
            self.query_one("#process", Lines).show([Cell(f" - gone: {error.message}", "bad")])
            self.table.take([], self.list.ids)
            return
        self._view = view = views[0]
        self.query_one("#process", Lines).show(process_lines(view, self.top.now_ms))
        held = {format_id(task.id): task for task in view.tasks}
        self.table.take(held.items(), [row_id for row_id in self.list.ids if row_id not in held])
        self.say_count(max(0, view.info.leases - len(view.tasks)))
        self.top.draw_header()
        self.say()

"""One queue: what it holds, how fast it goes, what it did in the last five minutes, and its tasks by state."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tq.model.errors import TqError
from tq.model.history import SECONDS_KEPT, HistoryPoint
from tq.model.plain import plain
from tq.model.selector import Field, literal_term
from tq.model.stats import QueueStats
from tq.model.task import TaskSummary
from tq.tui.actions import HOLD, Action, Target
from tq.tui.columns import Cell
from tq.tui.commandline import Place
from tq.tui.figures import count, drain, length, rate, since
from tq.tui.glyphs import Glyphs, sparkline
from tq.tui.mirror import Changed, Mirror
from tq.tui.past import Past
from tq.tui.screens.base import Record, Selection, fetching
from tq.tui.screens.tasks import COLUMNS, NEWEST, QUICKEST, TasksScreen
from tq.tui.shell import Command, words_of
from tq.tui.widgets.footer import Hint
from tq.tui.widgets.lines import Lines
from tq.views.records import queue_record


class Tab(NamedTuple):
    """Tasks in some states, in the order in which they are shown at first."""

    name: str
    states: str
    order: str
    is_reversed: bool = False


TABS = (
    Tab("waiting", "state:pending,failed", QUICKEST),  # in which they will run
    Tab("running", "state:in_progress", NEWEST),
    Tab("retrying", "state:failed", QUICKEST),  # when they are due
    Tab("dead", "state:dead_letter", NEWEST),
    Tab("done", "state:completed,cancelled", QUICKEST, is_reversed=True),  # the last to end first
)
WIDE = 100
"""A screen with fewer columns does not say how the ready tasks lie over the tiers."""
SPARK_LABEL = 12
SPARK_REFRESH_MS = 2_000
HISTORY_LINES, LOW_LINES = 20, 16
"""A screen with fewer has no history; one with fewer still leaves its lines to tasks, but for what is wrong."""


def stats_lines(stats: QueueStats, now_ms: int, width: int) -> list[Cell]:
    """What the queue holds and how fast it goes: as much of it as two lines have room for."""
    taken, done = stats.submitted_10s / 10, stats.completed_10s / 10
    tiers = f" (high {stats.ready_high:,}, normal {stats.ready_normal:,}, low {stats.ready_low:,})"
    held = [f"ready {stats.ready:,}{tiers if width >= WIDE else ''}", f"running {stats.in_progress:,}"]
    held += [f"dead {count(stats.dead)}", f"retry {stats.retrying:,}", f"scheduled {stats.scheduled:,}"]
    pace = [f"in {rate(taken)}/s", f"out {rate(done)}/s"]
    if stats.ready:
        pace += [f"empty in {drain(stats.ready, done, taken)}", f"oldest {length(stats.oldest_ready_ms)}"]
    pace += [f"dead +{stats.dead_60s:,}/min", f"failed {stats.failed_60s:,}/min"]
    lines = [Cell(_line(held, width)), Cell(_line(pace, width))]
    if stats.is_paused:
        by = f" by {stats.paused_by}" if stats.paused_by else ""
        why = f": {stats.pause_reason}" if stats.pause_reason else ""
        lines.append(Cell(f" # paused {since(stats.paused_at_ms, now_ms)} ago{by}{why}", "accent"))
    if stats.no_handler:
        lines.append(Cell(f" ! {stats.no_handler:,} that no connected worker can run", "bad"))
    return lines


def _line(words: Sequence[str], width: int) -> str:
    """As many of the words as there is room for, the first ones first."""
    line = ""
    for word in words:
        if len(line) + 2 + len(word) > width:
            break
        line += f" {word} "
    return line


def history_lines(points: Sequence[HistoryPoint], now_ms: int, width: int, glyphs: Glyphs) -> list[Cell]:
    """The last five minutes: what came, what was done, and what was ready at the end of each second."""
    first_ms = now_ms // 1_000 * 1_000 - SECONDS_KEPT * 1_000
    taken, done, ready = ([0.0] * SECONDS_KEPT for _ in range(3))
    by_second = {(point.at_ms - first_ms) // 1_000: point for point in points}
    level = 0.0
    for second in range(SECONDS_KEPT):
        point = by_second.get(second)
        if point is not None:
            taken[second], done[second], level = float(point.submitted), float(point.completed), float(point.ready)
        ready[second] = level
    cells = max(10, width - SPARK_LABEL - 10)
    return [
        Cell(f" {name:<{SPARK_LABEL}}{sparkline(values, cells, glyphs)} {count(int(max(values)))}", "accent")
        for name, values in (("in, 5 min", taken), ("out", done), ("ready", ready))
    ]


class QueueScreen(TasksScreen):
    """A queue and its tasks."""

    mode = "queues"
    columns = tuple(column for column in COLUMNS if column.title != "QUEUE")
    hints = (Hint("Tab", "state"), *TasksScreen.hints)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "tab(1)", "Tasks in the next state", show=False, priority=True),
        Binding("shift+tab", "tab(-1)", "Tasks in the state before", show=False, priority=True),
    ]

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self._tab = 0
        super().__init__(self._selector())
        self._sort_for_tab()
        self._past = Past()
        self._points: Sequence[HistoryPoint] | None = None
        self._drawn_at_ms = 0

    def _selector(self) -> str:
        return f"{literal_term(Field.QUEUE, self.queue).text} {TABS[self._tab].states}"

    def _sort_for_tab(self) -> None:
        tab = TABS[self._tab]
        self._order = next(order for order in self.orders if order.name == tab.order)
        self._is_reversed = tab.is_reversed
        self.list.sort(self._place_of)

    @property
    def place(self) -> Place:
        """This queue, whichever of its tasks are seen."""
        return Place("queue", self.queue)

    @property
    def crumb(self) -> str:
        """Where one is."""
        return f"queue {plain(self.queue)} / {TABS[self._tab].name}"

    def cells(self, row: TaskSummary) -> Sequence[Cell]:
        """The cells of a task, without its queue, which stands above."""
        cells = super().cells(row)
        return [cell for cell, column in zip(cells, COLUMNS, strict=True) if column in self.columns]

    @property
    def scopes(self) -> tuple[str, ...]:
        """The queue, and the list that its state is held in for the key H."""
        return (f"queue:{self.queue}", "queues")

    @property
    def command(self) -> Command:
        """The same, printed."""
        return Command("tq task list", words_of(self._selector()))

    async def thing(self) -> Record | None:
        """The task under the cursor, else the queue."""
        stats = self._stats
        return await super().thing() or (queue_record(stats) if stats is not None else None)

    @property
    def _stats(self) -> QueueStats | None:
        stats = next(iter(self.top.mirror.rows(self.scopes[0]).values()), None)
        return stats if isinstance(stats, QueueStats) else None

    @property
    def targets(self) -> tuple[Target, ...]:
        """Its tasks, and the queue itself."""
        return (*super().targets, Target.QUEUE)

    def aim(self, action: Action, selected: Selection | None) -> Selection | None:
        """The queue is held or resumed; all else is done to its tasks."""
        return Selection(Target.QUEUE, (self.queue,)) if action is HOLD else selected

    def above(self) -> ComposeResult:
        """What it holds, and what it did."""
        yield Lines(self.top.look.glyphs, "stats")
        yield Lines(self.top.look.glyphs, "history")

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """The figures live; the tasks are as of the moment of the search."""
        super().draw(mirror, changes)
        stats = self._stats
        if stats is not None:
            lines = stats_lines(stats, self.top.now_ms, self.size.width)
            is_low = self.size.height < LOW_LINES
            self.query_one("#stats", Lines).show([lines[0], *lines[2:]] if is_low else lines)
        self._draw_history()
        if self.top.now_ms - self._drawn_at_ms > SPARK_REFRESH_MS:
            self._drawn_at_ms = self.top.now_ms
            self._look_back()

    @fetching("history")
    async def _look_back(self) -> None:
        client = self.top.client
        if client is None or self.size.height < HISTORY_LINES:
            return
        try:
            await self._past.follow(client.history, [self.queue], self.top.now_ms)
        except TqError as error:
            self.top.report(error)
            return
        self._points = self._past.points(self.queue)
        self._draw_history()

    def _draw_history(self) -> None:
        """As far as there is room for it."""
        width, height = self.size
        points, lines = self._points, list[Cell]()
        if points is not None and height >= HISTORY_LINES:
            lines = history_lines(points, self.top.now_ms, width, self.top.look.glyphs)
        self.query_one("#history", Lines).show(lines)

    def action_tab(self, steps: int) -> None:
        """The tasks in another state."""
        self._tab = (self._tab + steps) % len(TABS)
        self._sort_for_tab()
        self.apply_filter(self._selector())
        self.top.draw_header()

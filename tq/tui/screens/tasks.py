"""Tasks of a selector, found by the broker page by page."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import msgspec
from textual.binding import Binding, BindingType

from tq.model.commands import Order as Sort
from tq.model.errors import TqError
from tq.model.ids import format_id
from tq.model.replies import TaskPage
from tq.model.selector import parse
from tq.model.task import State, TaskSummary
from tq.tui.actions import Target
from tq.tui.columns import Cell, Column
from tq.tui.commandline import Place
from tq.tui.figures import since
from tq.tui.glyphs import Glyphs
from tq.tui.mirror import Changed, Mirror
from tq.tui.screens.base import Record, Selection, fetching
from tq.tui.screens.listing import ListScreen, Order, count_lines
from tq.tui.shell import Command, words_of
from tq.tui.widgets.footer import Hint
from tq.tui.widgets.lines import Lines
from tq.views.errors import summary_error
from tq.views.records import task_record

PAGE = 200
"""Tasks fetched at once; more when the cursor comes near the end."""
REQUESTS_MAX = 200
"""After so many answers in a row a search rests, however few tasks they had: the broker looks at a bounded number of
tasks for each, and what is rare may lie far behind. It goes on with `m`."""

NEWEST, OLDEST, QUICKEST = "newest", "oldest", "quickest"
BROKER_ORDERS = {NEWEST: (Sort.AGE, False), OLDEST: (Sort.AGE, True), QUICKEST: (Sort.ANY, False)}
"""How the broker is asked for pages in an order of this screen, and whether from its end. In any other, only what was
fetched can be sorted: by queue, type or state the broker would have to read all there is for the first page."""

SEARCHING = "None found yet."
NOT_RECORDED = "A recording holds no tasks."

COLUMNS: tuple[Column, ...] = (
    Column("ID", 36, rank=4),
    Column("STATE", 13),
    Column("TYPE", 12, is_elastic=True, widest=40),
    Column("QUEUE", 18, rank=1, is_elastic=True, widest=40),
    Column("TRY", 3, is_number=True, rank=3),
    Column("AGE", 6, is_number=True),
    Column("WORKER", 12, rank=5),
    Column("ERROR", 20, rank=2, is_elastic=True),
)


def state_cell(state: State, glyphs: Glyphs) -> Cell:
    """A state as a glyph and its word."""
    match state:
        case State.COMPLETED:
            return Cell(f"{glyphs.fine} completed", "good")
        case State.DEAD_LETTER:
            return Cell(f"{glyphs.broken} dead_letter", "bad")
        case State.FAILED:
            return Cell(f"{glyphs.slow} failed", "warn")
        case State.IN_PROGRESS:
            return Cell(f"{glyphs.cursor} in_progress", "accent")
        case State.PENDING:
            return Cell("  pending")
        case State.CANCELLED:
            return Cell(f"{glyphs.gone} cancelled", "dim")


def short_error(task: TaskSummary) -> str:
    """What it failed with last: the last part of the type, as selectors take it, and what it said."""
    return summary_error(msgspec.structs.replace(task, error_type=task.error_type.rpartition(".")[2]))


def task_cells(task: TaskSummary, now_ms: int, glyphs: Glyphs) -> tuple[Cell, ...]:
    """The cells of a task, in the order of COLUMNS."""
    return (
        Cell(format_id(task.id)),
        state_cell(task.state, glyphs),
        Cell(task.task_type),
        Cell(task.queue),
        Cell(str(task.attempt)),
        Cell(since(task.ended_at_ms or task.submitted_at_ms, now_ms)),
        Cell(task.worker or "-"),
        Cell(short_error(task)),
    )


class TasksScreen(ListScreen[TaskSummary]):
    """Search: the filter is the selector. The rows are as of one moment, in the broker's order, and more are fetched
    when the cursor comes near their end; `r` looks again."""

    mode = "tasks"
    noun = "task"
    empty = "No task matches. Type / and a selector, such as queue:mail* state:failed"
    target = Target.TASK
    opens = "task"
    columns = COLUMNS
    orders = (
        Order(NEWEST, column="AGE"),
        Order(OLDEST),
        Order(QUICKEST),
        Order("queue", lambda row: (row.queue, row.id), "QUEUE"),
        Order("type", lambda row: (row.task_type, row.id), "TYPE"),
        Order("state", lambda row: (row.state.value, row.id), "STATE"),
    )
    hints = (*ListScreen.hints, Hint("A", "all"), Hint("r", "again"), Hint("m", "more"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "search", "Look again", show=False),
        Binding("m", "more", "Search on, where it rests", show=False),
        Binding("A", "all", "All that match, not only those fetched", show=False),
    ]

    def __init__(self, selector: str = "") -> None:
        super().__init__()
        self._filter = selector
        self._cursor = b""
        self._as_of = 0
        self._total = 0
        self._is_exact = True
        self._examined = 0
        self._is_searching = False
        self._is_all = False
        self._places: dict[bytes, int] = {}
        self.list.sort(self._place_of)

    def _place_of(self, task: TaskSummary) -> int:
        """As the broker had them."""
        return self._places.get(task.id, 0)

    @property
    def crumb(self) -> str:
        """Where one is."""
        return f"tasks{self.suffix}"

    @property
    def command(self) -> Command:
        """The same, printed."""
        return Command("tq task list", words_of(self._filter))

    @property
    def filter_hint(self) -> str:
        """An example."""
        return "queue:mail* type:send_* state:dead_letter err:*timeout* age:>2h tag:x"

    def cells(self, row: TaskSummary) -> Sequence[Cell]:
        """The cells of a task."""
        return task_cells(row, self.top.now_ms, self.top.look.glyphs)

    def shows(self, text: str) -> Callable[[TaskSummary], bool] | None:
        """All that was found.

        Raises:
            SelectorInvalid: the selector makes no sense; says at which character.
        """
        parse(text)
        return None

    def apply_filter(self, text: str) -> None:
        """Search for something else."""
        self._is_all = False
        super().apply_filter(text)
        self.action_search()

    @property
    def targets(self) -> tuple[Target, ...]:
        """Dead letters and others."""
        return (Target.DEAD, Target.TASK)

    def selection(self) -> Selection | None:
        """All that match, if that was asked for; else the marked tasks, or the one under the cursor."""
        if self._is_all:
            is_dead = "state:dead_letter" in self._filter.split()
            return Selection(Target.DEAD if is_dead else Target.TASK, (), self._filter)
        found = super().selection()
        if found is None:
            return None
        rows = [self.list.row(row_id) for row_id in found.ids]
        is_dead = all(row is not None and row.state is State.DEAD_LETTER for row in rows)
        return Selection(Target.DEAD if is_dead else Target.TASK, found.ids)

    def release(self, used: Selection) -> None:
        """Not all that match are selected any more, either."""
        self._is_all = False
        super().release(used)

    async def thing(self) -> Record | None:
        """The task under the cursor, in full; `things` has the lines of the listing."""
        return task_record(await self.broker().get_task(self.list.cursor)) if self.list.cursor is not None else None

    def action_all(self) -> None:
        """Select all that match, or no longer. Every task there is cannot be selected: a filter says what is meant."""
        if not self._filter and not self._is_all:
            self.notify("filter first: all tasks of the broker are not selected by one key", markup=False)
            return
        self._is_all = not self._is_all
        self.say_count()
        self.say()

    def action_unmark(self) -> None:
        """Nothing is selected but the row under the cursor."""
        self._is_all = False
        super().action_unmark()

    def on_mount(self) -> None:
        """Search."""
        self.action_search()

    def _source(self) -> tuple[Sort, bool]:
        sort, is_descending = BROKER_ORDERS.get(self._order.name, BROKER_ORDERS[NEWEST])
        return sort, is_descending is not (self._is_reversed and self._order.name in BROKER_ORDERS)

    def _sort_by(self, order: Order, *, is_reversed: bool) -> None:
        """The broker sorts, as far as it can: of a part of the tasks the first in another order are not among those
        that were fetched."""
        source = self._source()
        super()._sort_by(order, is_reversed=is_reversed)
        if order.name in BROKER_ORDERS:
            self.list.sort(self._place_of)
            self.table.redraw()
        if self._source() != source:
            self.action_search()

    def action_search(self) -> None:
        """From the beginning, as of now."""
        self._cursor, self._as_of, self._examined = b"", 0, 0
        self._places.clear()
        self.list.replace({})
        self.table.redraw()
        self._fetch()

    def action_more(self) -> None:
        """On from where the search rests."""
        if self._cursor and not self._is_searching:
            self._fetch()

    @fetching("search")
    async def _fetch(self) -> None:
        """The next PAGE tasks, in as many answers as that takes: one may have fewer than it was asked for, even none,
        and yet not be the last."""
        client = self.top.client
        if client is None:
            return
        enough = len(self._places) + PAGE
        self._is_searching = True
        try:
            for _ in range(REQUESTS_MAX):
                self.say_count()
                wanted = enough - len(self._places)
                page = await client.list_tasks(self._filter, *self._source(), wanted, self._cursor, self._as_of)
                self._take_page(page)
                if not self._cursor or len(self._places) >= enough:
                    break
        except TqError as error:
            self.top.report(error)
        finally:
            self._is_searching = False
        self.say_count()
        self.say()

    def _take_page(self, page: TaskPage) -> None:
        if not self._as_of:
            self._total, self._is_exact = page.total, page.is_total_exact
        self._cursor, self._as_of = page.cursor, page.as_of
        self._examined += page.examined
        for task in page.tasks:
            self._places.setdefault(task.id, len(self._places))
        if self._is_exact and len(self._places) >= self._total:
            self._cursor = b""  # what is left to look at has none of them
        self.table.take([(format_id(task.id), task) for task in page.tasks])
        self.say_count()
        self.say()

    def say_count(self, left_out: int = 0) -> None:
        """How many were found, of how many, and whether there may be more."""
        del left_out
        total = f"{self._total:,}{'' if self._is_exact else ' or more'}"
        more = ""
        if self._is_searching or self._cursor:
            looked = f", {self._examined:,} looked at" if self._examined > PAGE else ""
            more = f"  searching{looked} ..." if self._is_searching else f"  more below{looked} (m)"
        marked = f"  {len(self.list.marked):,} marked (*)" if self.list.marked else ""
        marked = f"  ALL {total} selected" if self._is_all else marked
        order = f"{self._order.name}{' reversed' if self._is_reversed else ''}"
        only = " (of those fetched)" if self._cursor and self._order.name not in BROKER_ORDERS else ""
        text = f"{len(self.list):,} of {total} tasks{more}{marked}  sort: {order}{only}"
        self.query_one("#count", Lines).show(count_lines(text, self.size))
        found_none = NOT_RECORDED if self.top.client is None else self.empty
        self.table.empty = SEARCHING if self._is_searching or self._cursor else found_none

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """Nothing of the stream: rows are as of the moment of the search."""
        del mirror, changes
        self.say_count()
        self.table.tell_time()  # the first frame brings the broker's clock, which may be after the rows

    def on_vtable_moved(self) -> None:
        """Fetch more when the end comes near. Textual calls the handler of ListScreen as well."""
        place = self.list.place(self.list.cursor)
        if self._cursor and not self._is_searching and place is not None and place > len(self.list) - PAGE // 4:
            self._fetch()


class FoundScreen(TasksScreen):
    """The tasks of a selector, on top of the failure groups."""

    mode = "dead"

    @property
    def crumb(self) -> str:
        """Where one is; that they are dead letters goes without saying."""
        return f"dead{self.suffix}".replace("/ state:dead_letter ", "/ ", 1)

    @property
    def place(self) -> Place:
        """These tasks."""
        return Place("found", self.filter_text)

"""A screen that is mostly one live table: sort, filter, freeze, follow, mark, copy are the same on all of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size

from tq.model.plain import plain
from tq.tui.actions import Target
from tq.tui.columns import Cell, Column
from tq.tui.commandline import Place
from tq.tui.mirror import Changed, Mirror
from tq.tui.rows import Id, Rows
from tq.tui.screens.base import Record, Selection, TopScreen
from tq.tui.widgets.footer import Hint
from tq.tui.widgets.lines import Lines
from tq.tui.widgets.prompt import FILTER
from tq.tui.widgets.table import VTable
from tq.views.records import row_record

R = TypeVar("R")
WAITING = ""
"""What stands in a table of which nothing is known yet, not even that it is empty: the line above says what is waited
for."""


def sorted_already(_: object) -> int:
    """The key of rows that whoever sends them has sorted."""
    return 0


class Order(NamedTuple):
    """One way to sort. `column`: the title under which a click asks for it; empty: none. Ties go by id, so that rows
    that are equal stand still."""

    name: str
    key: Callable[[Any], Any] = sorted_already
    column: str = ""


LOWEST_LINES = 10
"""A screen with fewer shows rows and little else."""


def count_lines(text: str, size: Size) -> list[Cell]:
    """The line under the table, to the right; none on a screen that is too low for it."""
    return [Cell(text.rjust(size.width - 2), "dim")] if size.height >= LOWEST_LINES else []


class ListScreen(TopScreen, Generic[R]):
    """A table of the rows of one scope of the stream, or of pages that the screen fetches and hands to `table`.

    A subclass gives `columns`, `orders` (the first holds at first), `noun` ("queue"), `empty`, and `cells`.
    """

    columns: ClassVar[tuple[Column, ...]]
    orders: ClassVar[tuple[Order, ...]]
    noun: ClassVar[str]
    empty: ClassVar[str]
    target: ClassVar[Target | None] = None
    opens: ClassVar[str] = ""
    """The screen that Enter opens for a row, by its name in tq/tui/places.py; empty: none."""
    hints: ClassVar[tuple[Hint, ...]] = (
        Hint("Ent", "open"),
        Hint("Spc", "mark"),
        Hint("/", "filter"),
        Hint("s", "sort"),
        Hint("z", "freeze"),
        Hint("a", "mark all seen"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort(1)", "Sort by the next column", show=False),
        Binding("S", "reverse", "The other way round", show=False),
        Binding("z", "freeze", "Hold the rows where they are", show=False),
        Binding("f", "follow", "Follow the row", show=False),
        Binding("w", "turn_columns", "The columns that found no room", show=False),
        Binding("y", "copy_id", "Copy the name or id", show=False),
        Binding("ctrl+backslash", "unmark", "No marks", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._order = self.orders[0]
        self._is_reversed = False
        self._filter = ""
        self._left_out = 0
        self.list: Rows[R] = Rows(self._order.key)

    # -- what a subclass says ---------------------------------------------------------------------------------

    def cells(self, row: R) -> Sequence[Cell]:
        """The cells of a row, one for each of `columns`."""
        raise NotImplementedError

    def shows(self, text: str) -> Callable[[R], bool] | None:
        """Which rows a typed filter shows; None: all.

        Raises:
            InvalidArgument: it cannot be understood.
        """
        raise NotImplementedError

    async def records(self, ids: Sequence[Id]) -> list[Record]:
        """Rows as the command of the screen prints them with `-o json`; those that are no more are left out.

        Raises:
            TqError: the broker refused, or there is none to ask.
        """
        return [row_record(row) for row in map(self.list.row, ids) if row is not None]

    def above(self) -> ComposeResult:
        """Widgets over the table."""
        yield from ()

    def below(self) -> ComposeResult:
        """Widgets under it."""
        yield from ()

    def label(self, row_id: Id) -> str:
        """What `y` copies for a row."""
        return row_id

    async def thing(self) -> Record | None:
        """The row under the cursor."""
        return next(iter(await self.records([self.list.cursor])), None) if self.list.cursor is not None else None

    async def things(self) -> object:
        """All rows that are shown, in their order."""
        return await self.records(self.list.ids)

    # -- what is the same everywhere --------------------------------------------------------------------------

    @property
    def filter_text(self) -> str:
        """The filter that is on."""
        return self._filter

    @property
    def targets(self) -> tuple[Target, ...]:
        """What can be selected here."""
        return () if self.target is None else (self.target,)

    @property
    def suffix(self) -> str:
        """What the crumb says of filter and freeze."""
        return f"{f' / {self._filter}' if self._filter else ''}{'  FROZEN' if self.list.is_frozen else ''}"

    @property
    def table(self) -> VTable[R]:
        """The table."""
        return self.query_one("#table", VTable)

    def body(self) -> ComposeResult:
        """The table between what is above and below it."""
        yield from self.above()
        yield VTable(self.columns, self.cells, self.list, self.top.look.glyphs, empty=WAITING, widget_id="table")
        yield Lines(self.top.look.glyphs, "count")
        yield from self.below()

    def hints_now(self) -> Sequence[Hint]:
        """Where columns found no room, the key for them comes right after the one for a filter."""
        own = super().hints_now()
        more = len(self.columns) - len(self.table.titles)
        if not more:
            return own
        place = next(place for place, hint in enumerate(own, start=1) if hint.key == FILTER)
        return [*own[:place], Hint("w", f"+{more} column{'' if more == 1 else 's'}"), *own[place:]]

    def take(self, mirror: Mirror, changes: Mapping[str, Changed], scope: str) -> None:
        """Bring the table to what the stream says of a scope."""
        change = changes.get(scope)
        if change is not None:
            gone = [row_id for row_id in self.list.ids if row_id not in change.rows] if change.is_whole else []
            self._say_empty(is_known=scope in mirror.scopes)
            self.table.take(change.rows.items(), gone or change.gone)
        self.say_count(mirror.left_out(scope))

    def _say_empty(self, *, is_known: bool) -> None:
        """What a table without rows says; that a filter leaves none does not mean that there is none."""
        nothing = f"No {self.noun} matches the filter." if self._filter else self.empty
        empty = nothing if is_known else WAITING
        if self.table.empty != empty:
            self.table.empty = empty
            self.table.refresh()

    def tell_time(self) -> None:
        """The ages in the table too."""
        super().tell_time()
        self.table.tell_time()

    def say_count(self, left_out: int = 0) -> None:
        """How many are shown, of how many, in which order."""
        self._left_out = left_out
        marked = len(self.list.marked)
        total = self.list.total + left_out
        nouns = f"{total:,} {self.noun}{'' if total == 1 else 's'}"
        if left_out:  # a filter sees no more than these
            nouns = f"the first {self.list.total:,} of {nouns}"
        is_all = left_out and len(self.list) == self.list.total
        text = nouns if is_all else f"{len(self.list):,} of {nouns}"
        text += f"  {marked:,} marked (*)" if marked else ""
        text += f"  sort: {self._order.name}{' reversed' if self._is_reversed else ''}"
        self.query_one("#count", Lines).show(count_lines(text, self.size))

    def apply_filter(self, text: str) -> None:
        """Show what matches."""
        is_shown = self.shows(text)
        self._filter = text
        self.list.filter(is_shown)
        self._say_empty(is_known=self.table.empty != WAITING)
        self.redraw()

    def redraw(self) -> None:
        """The order or the filter changed."""
        self.table.redraw()
        self.say_count(self._left_out)
        self.top.draw_header()
        self.say()

    def selection(self) -> Selection | None:
        """The marked rows, else the one under the cursor."""
        if self.target is None:
            return None
        ids = tuple(self.list.marked) or ((self.list.cursor,) if self.list.cursor is not None else ())
        return Selection(self.target, ids) if ids else None

    def release(self, used: Selection) -> None:
        """Its marks go; others, made meanwhile, stay."""
        self.list.unmark(used.ids)
        self.redraw()

    def _sort_by(self, order: Order, *, is_reversed: bool) -> None:
        self._order, self._is_reversed = order, is_reversed
        self.list.sort(order.key, is_descending=is_reversed)
        self.redraw()

    def action_sort(self, steps: int) -> None:
        """By the next of the orders."""
        place = (self.orders.index(self._order) + steps) % len(self.orders)
        self._sort_by(self.orders[place], is_reversed=False)

    def action_reverse(self) -> None:
        """The other way round."""
        self._sort_by(self._order, is_reversed=not self._is_reversed)

    def on_vtable_fitted(self) -> None:
        """The footer says how many columns found no room."""
        with self.drawing():
            self.say()

    def on_vtable_sorted(self, message: VTable.Sorted) -> None:
        """A title was clicked: by that column; again: the other way round."""
        title = self.columns[message.column].title
        order = next((order for order in self.orders if order.column == title), None)
        if order is not None:
            self._sort_by(order, is_reversed=order is self._order and not self._is_reversed)

    def action_freeze(self) -> None:
        """Hold the rows, or let them go."""
        (self.list.thaw if self.list.is_frozen else self.list.freeze)()
        self.redraw()

    def action_follow(self) -> None:
        """Keep the row under the cursor where it is on the screen."""
        self.table.follows_cursor = not self.table.follows_cursor
        state = "on" if self.table.follows_cursor else "off"
        self.notify(f"follow the row: {state}", markup=False, timeout=2)

    def action_turn_columns(self) -> None:
        """The columns that found no room in this width, and back."""
        self.table.turn_columns()
        self.say()

    def action_copy_id(self) -> None:
        """Copy what the row is called."""
        if self.list.cursor is not None:
            self.top.copy(plain(self.label(self.list.cursor)))

    def action_unmark(self) -> None:
        """No row is marked."""
        self.list.clear_marks()
        self.redraw()

    def on_vtable_chosen(self, message: VTable.Chosen) -> None:
        """Open the row."""
        if self.opens:
            self.top.open(Place(self.opens, message.row_id))

    def on_vtable_moved(self) -> None:
        """What can be done may be something else now."""
        self.say_count(self._left_out)
        self.say()

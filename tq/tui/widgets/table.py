"""A virtual table: draws the lines that are seen, and only those that changed.

Textual's own DataTable takes ten times as long for a frame (120x40: 55 ms against 5 ms, however many rows there are)
and two seconds to mount ten thousand rows. Here rows live in `Rows`, by id, and this widget draws a window of them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tq.tui.columns import GAP, LEAD, Cell, Column, Fit, aligned, pages
from tq.tui.glyphs import Glyphs
from tq.tui.rows import Id, Rows

R = TypeVar("R")
Cells = Callable[[R], Sequence[Cell]]

MORE_COLUMNS = "w+"
"""Stands before the titles where there are more: the key, and that there are."""
MEANINGS = ("good", "warn", "bad", "dim", "strong", "accent")
"""What a cell can mean; each is a component class `vtable--<meaning>` with a colour of the theme."""


class VTable(ScrollView, Generic[R], can_focus=True):
    """Rows under a line of titles.

    Args:
        columns: all there are; those that fit are shown.
        cells: the cells of a row, one for each column.
        rows: what is shown; this widget moves its cursor.
        empty: said where there is no row.
    """

    DEFAULT_CSS = """
    VTable {
        height: 1fr; background: $background;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden;
    }
    VTable .vtable--title { color: $text-muted; text-style: bold; background: $surface; }
    VTable .vtable--row { color: $foreground; }
    VTable .vtable--cursor { background: $primary 30%; text-style: bold; }
    VTable:blur .vtable--cursor { background: $surface; text-style: none; }
    VTable .vtable--gone { color: $text-disabled; text-style: strike; }
    VTable .vtable--good { color: $success; }
    VTable .vtable--warn { color: $warning; }
    VTable .vtable--bad { color: $error; text-style: bold; }
    VTable .vtable--dim { color: $text-muted; }
    VTable .vtable--strong { text-style: bold; }
    VTable .vtable--accent { color: $accent; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "vtable--title", "vtable--row", "vtable--cursor", "vtable--gone", *(f"vtable--{name}" for name in MEANINGS),
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("ctrl+u", "half_page(-1)", "Half a page up", show=False),
        Binding("ctrl+d", "half_page(1)", "Half a page down", show=False),
        Binding("home,g", "first", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("a", "mark_seen", "Mark the rows on the screen", show=False),
        Binding("v", "mark_range", "Mark a range", show=False),
        Binding("enter,right,l", "choose", "Open", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another row, or others are marked: what is selected is not the same."""

        def __init__(self, table: "VTable[Any]", row_id: Id | None) -> None:
            super().__init__()
            self.table = table
            self.row_id = row_id

        @property
        def control(self) -> "VTable[Any]":
            """The table."""
            return self.table

    class Chosen(Message):
        """A row is to be opened: Enter, or a click on the row that the cursor stood on."""

        def __init__(self, table: "VTable[Any]", row_id: Id) -> None:
            super().__init__()
            self.table = table
            self.row_id = row_id

        @property
        def control(self) -> "VTable[Any]":
            """The table."""
            return self.table

    class Fitted(Message):
        """Other columns are shown: the table has another width."""

    class Sorted(Message):
        """A title was clicked."""

        def __init__(self, table: "VTable[Any]", column: int) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> "VTable[Any]":
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Cells[R],
        rows: Rows[R],
        glyphs: Glyphs,
        *,
        empty: str = "Nothing here.",
        widget_id: str | None = None,
    ) -> None:
        super().__init__(id=widget_id)
        self.columns = tuple(columns)
        self.rows = rows
        self.follows_cursor = False
        """Whether the cursor's row stays where it is on the screen when rows move, instead of the top row."""
        self._cells = cells
        self._glyphs = glyphs
        self.empty = empty
        """What is said where there is no row."""
        self._pages: list[list[Fit]] = [[]]
        """The columns, as many at a time as there is room for."""
        self._page = 0
        self._lines: dict[Id, tuple[R, bool, bool, bool, Strip]] = {}
        self._range_from: Id | None = None

    # -- changes ----------------------------------------------------------------------------------------------

    def take(self, changed: Iterable[tuple[Id, R]], gone: Iterable[Id] = ()) -> None:
        """Rows that are new or different, and ids of those that are no more; draws what that changes."""
        before = self.rows.ids
        cursor = self.rows.cursor
        touched = self.rows.apply(changed, gone)
        if self.rows.ids == before:
            self._repaint(touched)
        else:
            self._rearranged()
        if self.rows.cursor != cursor:
            self.post_message(self.Moved(self, self.rows.cursor))

    def redraw(self) -> None:
        """Everything anew: the order, the filter, the theme or the meaning of the cells changed."""
        self._lines.clear()
        self._rearranged()

    def tell_time(self) -> None:
        """A moment has gone by, and some cells count from now: what looks different is drawn again."""
        drawn, self._lines = self._lines, {}
        seen = [(row_id, row) for row_id in self.seen if (row := self.rows.row(row_id)) is not None]
        self._repaint([one for one, row in seen if one in drawn and drawn[one][-1] != self._line(one, row)])

    @property
    def _fits(self) -> list[Fit]:
        return self._pages[self._page]

    @property
    def titles(self) -> list[str]:
        """Those of the columns that are shown."""
        return [self.columns[one.place].title for one in self._fits]

    def turn_columns(self) -> None:
        """To the columns that found no room; after the last of them, to the first ones again."""
        self._page = (self._page + 1) % len(self._pages)
        self.redraw()

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _height(self) -> int:
        """Lines for rows: all but the titles."""
        return max(1, self.scrollable_content_region.height - 1)

    def _rearranged(self) -> None:
        kept = self._lines
        self._lines = {row_id: kept[row_id] for row_id in self.seen if row_id in kept}
        self.virtual_size = Size(self._width, len(self.rows) + 1)
        self._keep_in_view()
        self.refresh()

    def _keep_in_view(self) -> None:
        """After rows moved: the top row stays on top, or the cursor's row on its line."""
        if self.follows_cursor and (place := self.rows.place(self.rows.cursor)) is not None:
            self._put_on_top(place - self._height // 2)
        elif (place := self.rows.place(self.rows.top)) is not None:
            self._put_on_top(place)

    def _put_on_top(self, first: int) -> None:
        first = min(max(first, 0), max(0, len(self.rows) - self._height))
        self.scroll_to(y=first, animate=False, immediate=True)
        row = self.rows.at(first)
        # On the very first row nothing is held: what sorts before it should be seen.
        self.rows.top = row[0] if row is not None and first > 0 else None

    def _repaint(self, touched: Iterable[Id]) -> None:
        top = int(self.scroll_offset.y)
        lines = [
            place - top + 1
            for row_id in touched
            if (place := self.rows.place(row_id)) is not None and top <= place < top + self._height
        ]
        if lines:
            self.refresh(*(Region(0, line, self._width, 1) for line in lines))

    @property
    def seen(self) -> list[Id]:
        """The ids of the rows on the screen now."""
        top = int(self.scroll_offset.y)
        return self.rows.ids[top : top + self._height]

    # -- Textual ----------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Other columns fit now."""
        found = pages(self.columns, self._width)
        if found != self._pages:
            self._pages, self._page = found, min(self._page, len(found) - 1)
            self.post_message(self.Fitted())
        self._lines.clear()
        self.virtual_size = Size(self._width, len(self.rows) + 1)
        self._show_cursor()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Remember by id what is on top."""
        super().watch_scroll_y(old_value, new_value)
        row = self.rows.at(int(new_value))
        self.rows.top = row[0] if row is not None and new_value > 0 else None

    def notify_style_update(self) -> None:
        """The theme changed."""
        super().notify_style_update()
        self._lines.clear()

    def render_line(self, y: int) -> Strip:
        """Line `y` of what is seen."""
        if y == 0:
            return self._titles()
        row = self.rows.at(y - 1 + int(self.scroll_offset.y))
        if row is not None:
            return self._line(*row)
        if y == 1 and not len(self.rows):
            text = aligned(f"   {self.empty}", self._width, is_number=False)
            return Strip([Segment(text, self._look("dim"))])
        return Strip.blank(self._width, self.rich_style)

    def _look(self, meaning: str) -> Style:
        return self.get_component_rich_style(f"vtable--{meaning}")

    def _titles(self) -> Strip:
        texts = [
            aligned(self.columns[index].title, width, is_number=self.columns[index].is_number)
            for index, width in self._fits
        ]
        sign = MORE_COLUMNS if len(self._pages) > 1 else ""
        line = sign.ljust(LEAD) + (" " * GAP).join(texts)
        return Strip([Segment(aligned(line, self._width, is_number=False), self._look("title"))])

    def _line(self, row_id: Id, row: R) -> Strip:
        key = (row, row_id == self.rows.cursor, row_id in self.rows.marks, row_id in self.rows.gone)
        known = self._lines.get(row_id)
        if known is not None and known[0] is row and known[1:4] == key[1:4]:
            return known[4]
        strip = self._draw(*key)
        self._lines[row_id] = (*key, strip)
        return strip

    def _draw(self, row: R, is_cursor: bool, is_marked: bool, is_gone: bool) -> Strip:
        ground = self.get_component_rich_style("vtable--row")
        if is_cursor:
            ground += self.get_component_rich_style("vtable--cursor")
        lead = f" {self._glyphs.cursor if is_cursor else ' '}{self._glyphs.mark if is_marked else ' '}"
        segments = [Segment(lead, ground + (self._look("accent") if is_marked else Style()))]
        cells = self._cells(row)
        for number, (index, width) in enumerate(self._fits):
            cell = cells[index]
            style = ground
            if is_gone:
                style = ground + self._look("gone")
            elif cell.style:
                # The colour of the meaning, on the ground of the row.
                style = ground + self._look(cell.style).without_color + Style(color=self._look(cell.style).color)
            text = aligned(cell.text, width, is_number=self.columns[index].is_number)
            segments.append(Segment((" " * GAP if number else "") + text, style))
        return Strip(segments).adjust_cell_length(self._width, ground)

    # -- keys and mouse ---------------------------------------------------------------------------------------

    def _moved(self, before: Id | None) -> None:
        self._show_cursor()
        self._repaint({row_id for row_id in (before, self.rows.cursor) if row_id is not None})
        if self.rows.cursor != before:
            self.post_message(self.Moved(self, self.rows.cursor))

    def _show_cursor(self) -> None:
        place = self.rows.place(self.rows.cursor)
        if place is None:
            return
        top = int(self.scroll_offset.y)
        if place < top:
            self._put_on_top(place)
        elif place >= top + self._height:
            self._put_on_top(place - self._height + 1)

    def action_move(self, steps: int) -> None:
        """The cursor up or down."""
        before = self.rows.cursor
        self.rows.move_by(steps)
        self._moved(before)

    def move_to(self, row_id: Id) -> None:
        """The cursor to a row, if it is shown."""
        place = self.rows.place(row_id)
        if place is not None:
            before = self.rows.cursor
            self.rows.move_to(place)
            self._moved(before)

    def action_page(self, pages: int) -> None:
        """A screenful up or down."""
        self.action_move(pages * max(1, self._height - 1))

    def action_half_page(self, pages: int) -> None:
        """Half a screenful up or down."""
        self.action_move(pages * max(1, self._height // 2))

    def action_first(self) -> None:
        """The cursor to the first row."""
        self.action_move(-len(self.rows))

    def action_last(self) -> None:
        """The cursor to the last row."""
        self.action_move(len(self.rows))

    def action_mark(self) -> None:
        """Mark the row, and go on to the next."""
        before = self.rows.cursor
        if before is None:
            return
        self.rows.toggle_mark(before)
        self._range_from = before
        self.rows.move_by(1)
        self._moved(before)

    def action_mark_range(self) -> None:
        """Mark from the row that was marked last to this one."""
        cursor = self.rows.cursor
        if cursor is not None:
            self.rows.mark_between(self._range_from or cursor, cursor)
            self._range_from = cursor
            self.refresh()
            self.post_message(self.Moved(self, cursor))

    def action_mark_seen(self) -> None:
        """Mark the rows that are on the screen, not those that nobody sees. Again: none of them."""
        self.rows.toggle_marks(self.seen)
        self.refresh()
        self.post_message(self.Moved(self, self.rows.cursor))

    def action_choose(self) -> None:
        """Open the row."""
        if self.rows.cursor is not None:
            self.post_message(self.Chosen(self, self.rows.cursor))

    def on_click(self, event: events.Click) -> None:
        """A first click moves the cursor, a second opens."""
        if event.y == 0:
            self._click_title(event.x)
            return
        row = self.rows.at(event.y - 1 + int(self.scroll_offset.y))
        if row is None:
            return
        before = self.rows.cursor
        if row[0] == before:
            self.post_message(self.Chosen(self, row[0]))
            return
        self.rows.cursor = row[0]
        self._moved(before)

    def _click_title(self, x: int) -> None:
        left = LEAD
        for index, width in self._fits:
            if left <= x < left + width:
                self.post_message(self.Sorted(self, index))
                return
            left += width + GAP

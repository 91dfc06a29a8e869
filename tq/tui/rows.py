"""The rows of a live table, by id and never by index: what the cursor stands on, what is marked, what is on top.

Pure: no Textual, no clock. Rows come, change, move and go under the eyes of somebody who is about to press a key; this
is what makes sure that the key hits the row that they were looking at (k9s #334, btop #846 and htop #1719 show what
happens otherwise).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

R = TypeVar("R")
Id = str
SortKey = Callable[[R], Any]


class Rows(Generic[R]):
    """Rows in an order, with a cursor, marks and the row that is on top of what is seen.

    Ties of the sort key are broken by id, so that rows that are equal do not change places. A row that goes takes its
    mark along; a cursor or a top on it moves to its nearest neighbour.

    Args:
        sort_key: what rows are ordered by, ascending.
        is_shown: which rows are seen at all.
    """

    def __init__(self, sort_key: SortKey[R], is_shown: Callable[[R], bool] | None = None) -> None:
        self._sort_key = sort_key
        self._is_descending = False
        self._is_shown = is_shown
        self._all: dict[Id, R] = {}
        self._order: list[Id] = []
        self._places: dict[Id, int] = {}
        self.cursor: Id | None = None
        self.top: Id | None = None
        self.marks: set[Id] = set()
        self.is_frozen = False
        self.gone: set[Id] = set()
        """While frozen: rows that are no more, and still have their place."""

    # -- looking --------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, row_id: object) -> bool:
        return row_id in self._places

    @property
    def total(self) -> int:
        """How many rows there are, those that are not shown included."""
        return len(self._all)

    @property
    def ids(self) -> list[Id]:
        """The ids of the rows that are shown, in order."""
        return list(self._order)

    def at(self, place: int) -> tuple[Id, R] | None:
        """The row in a place, None beyond the ends."""
        if not 0 <= place < len(self._order):
            return None
        row_id = self._order[place]
        return row_id, self._all[row_id]

    def row(self, row_id: Id) -> R | None:
        """The row of an id, shown or not."""
        return self._all.get(row_id)

    def place(self, row_id: Id | None) -> int | None:
        """Where a row is shown, None if it is not."""
        return None if row_id is None else self._places.get(row_id)

    @property
    def cursor_row(self) -> R | None:
        """The row that the cursor stands on."""
        return None if self.cursor is None else self._all.get(self.cursor)

    @property
    def marked(self) -> list[Id]:
        """The marked rows that are shown, in order."""
        return [row_id for row_id in self._order if row_id in self.marks]

    # -- what the stream says ---------------------------------------------------------------------------------

    def replace(self, rows: Mapping[Id, R]) -> None:
        """These are all the rows there are now."""
        gone = [row_id for row_id in self._all if row_id not in rows]
        self.apply(rows.items(), gone)

    def apply(self, changed: Iterable[tuple[Id, R]], gone: Iterable[Id] = ()) -> set[Id]:
        """Take in rows that are new or different, and let others go; the rows that look different now.

        While frozen, cells change, but no row comes, moves or leaves.
        """
        fresh = dict(changed)
        touched = set(fresh)
        for row_id in gone:
            if row_id not in self._all or row_id in fresh:
                continue
            touched.add(row_id)
            if self.is_frozen and row_id in self._places:
                self.gone.add(row_id)
            else:
                del self._all[row_id]
                self.marks.discard(row_id)
        self.gone -= fresh.keys()
        self._all.update(fresh)
        if not self.is_frozen:
            self._arrange()
        return touched

    # -- what the user says -----------------------------------------------------------------------------------

    def sort(self, sort_key: SortKey[R], *, is_descending: bool = False) -> None:
        """Order the rows by something else."""
        self._sort_key, self._is_descending = sort_key, is_descending
        if not self.is_frozen:
            self._arrange()

    def filter(self, is_shown: Callable[[R], bool] | None) -> None:
        """Show these rows only. Marks on others are gone: nobody would see what they hit."""
        self._is_shown = is_shown
        self._arrange()
        self.marks &= self._places.keys()

    def freeze(self) -> None:
        """Hold order and membership as they are."""
        self.is_frozen = True

    def thaw(self) -> None:
        """Let rows come, move and go again."""
        self.is_frozen = False
        for row_id in self.gone:
            self._all.pop(row_id, None)
            self.marks.discard(row_id)
        self.gone.clear()
        self._arrange()

    def move_to(self, place: int) -> None:
        """The cursor to a place, or as near to it as there is a row."""
        if self._order:
            self.cursor = self._order[min(max(place, 0), len(self._order) - 1)]

    def move_by(self, steps: int) -> None:
        """The cursor down so many rows, up if negative."""
        self.move_to((self.place(self.cursor) or 0) + steps)

    def toggle_mark(self, row_id: Id) -> None:
        """Mark a row, or take its mark away."""
        if row_id in self._places:
            self.marks ^= {row_id}

    def mark_between(self, first: Id, last: Id) -> None:
        """Mark all rows from one to another, both included."""
        places = self.place(first), self.place(last)
        if places[0] is not None and places[1] is not None:
            low, high = min(places[0], places[1]), max(places[0], places[1])
            self.marks |= set(self._order[low : high + 1])

    def toggle_marks(self, ids: Iterable[Id]) -> None:
        """Mark all of these that are shown; if they all are marked already, none of them any more."""
        there = {row_id for row_id in ids if row_id in self._places}
        if there <= self.marks:
            self.marks -= there
        else:
            self.marks |= there

    def unmark(self, ids: Iterable[Id]) -> None:
        """These are marked no longer."""
        self.marks -= set(ids)

    def clear_marks(self) -> None:
        """No row is marked."""
        self.marks.clear()

    # -- order ------------------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        before, places = self._order, self._places
        shown = self._is_shown
        key = self._sort_key
        rows = self._all
        order = list(rows) if shown is None else [row_id for row_id, row in rows.items() if shown(row)]
        order.sort()
        order.sort(key=lambda row_id: key(rows[row_id]), reverse=self._is_descending)
        self._order = order
        self._places = {row_id: place for place, row_id in enumerate(order)}
        self.cursor = self._kept(self.cursor, before, places) or (order[0] if order else None)
        self.top = self._kept(self.top, before, places)

    def _kept(self, row_id: Id | None, before: list[Id], places: dict[Id, int]) -> Id | None:
        """The row itself if it is still shown, else the nearest of its former neighbours that is."""
        if row_id is None or row_id in self._places:
            return row_id
        place = places.get(row_id)
        if place is None:
            return None
        for distance in range(1, len(before) + 1):
            for neighbour in (place + distance, place - distance):
                if 0 <= neighbour < len(before) and before[neighbour] in self._places:
                    return before[neighbour]
        return None

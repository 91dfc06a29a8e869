"""How a row becomes a line: which columns fit, how wide each is, and where the text in it is cut. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from tq.model.plain import preview

GAP = 1
"""Blank cells between two columns."""
LEAD = 3
"""Cells before the first column: the cursor, the mark, a blank."""


class Column(NamedTuple):
    """One column. `width` in cells of the terminal; an elastic one gets what is left as well, up to `widest`, so that
    what belongs together stays together on a wide screen; 0: all of it.

    `rank`: 0 stays on every screen; of the others, the one with the highest rank goes first when it is narrow. `least`:
    before it goes, it does with so many cells; 0: it does not.
    """

    title: str
    width: int
    is_number: bool = False
    rank: int = 0
    is_elastic: bool = False
    widest: int = 0
    least: int = 0


class Cell(NamedTuple):
    """What stands in a column: text from anywhere, made safe when drawn; and what it means ("good", "warn", "bad",
    "dim", "strong", "accent", or "" for nothing in particular), which the theme gives a colour."""

    text: str
    style: str = ""


class Fit(NamedTuple):
    """A column that is shown: its place among all columns, and its width."""

    place: int
    width: int


def fit(columns: Sequence[Column], width: int) -> list[Fit]:
    """The columns that fit into `width` cells, in order, elastic ones widened to fill it as far as they may."""
    shown = list(range(len(columns)))
    while _taken(columns, shown) > width:
        droppable = [index for index in shown if columns[index].rank]
        if not droppable:
            break
        first = max(droppable, key=lambda index: (columns[index].rank, index))
        can_give = columns[first].width - columns[first].least if columns[first].least else 0
        if can_give and _taken(columns, shown) - can_give <= width:
            break
        shown.remove(first)
    return _widened(columns, shown, width)


def pages(columns: Sequence[Column], width: int) -> list[list[Fit]]:
    """All columns, `width` cells at a time: first those of `fit`, then what that leaves out, from left to right; what a
    row is called, the first elastic column that always stays, is on every page."""
    first = fit(columns, width)
    left = [index for index in range(len(columns)) if index not in {one.place for one in first}]
    name = next((index for index, column in enumerate(columns) if column.is_elastic and not column.rank), 0)
    found = [first]
    while left:
        shown = [name, left.pop(0)]
        while left and _taken(columns, [*shown, left[0]]) <= width:
            shown.append(left.pop(0))
        found.append(_widened(columns, sorted(shown), width))
    return found


def _taken(columns: Sequence[Column], shown: Sequence[int]) -> int:
    return LEAD + sum(columns[index].width for index in shown) + GAP * (len(shown) - 1)


def _widened(columns: Sequence[Column], shown: Sequence[int], width: int) -> list[Fit]:
    """These columns over the whole width: elastic ones take what is left, or give what is missing."""
    spare = width - _taken(columns, shown)
    elastic = [index for index in shown if columns[index].is_elastic]
    widths = {index: columns[index].width for index in shown}
    while spare > 0 and elastic:
        for index in elastic[:spare]:
            widths[index] += 1
            spare -= 1
        elastic = [index for index in elastic if not 0 < columns[index].widest <= widths[index]]
    if spare < 0 and elastic:
        giving = next((index for index in shown if columns[index].least), elastic[0])
        widths[giving] = max(1, widths[giving] + spare)
    return [Fit(index, widths[index]) for index in shown]


def aligned(text: str, width: int, *, is_number: bool) -> str:
    """Text from anywhere in exactly `width` cells of one line: cut with an ellipsis, numbers to the right."""
    shown = preview(text, width)
    length = cell_len(shown)
    if length > width:  # wide characters
        return set_cell_size(shown, width)
    return " " * (width - length) + shown if is_number else shown + " " * (width - length)

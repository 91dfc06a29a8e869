"""One way for every listing to reach stdout: as a table, as JSON, as JSON lines, or as names alone."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from tq.cli.options import Color, Output
from tq.cli.terminal import out_console
from tq.model.plain import plain, safe_json

T = TypeVar("T")
Record = Mapping[str, object]
_GAP = 2


class Cell(NamedTuple):
    """A field of a table: text that is made plain when it is drawn, and a style of rich."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """A column of a table.

    `rank`: 0 is always shown; of the others the highest goes first when the terminal is too narrow. An elastic column
    is cut to what is left, down to `least` characters.
    """

    title: str
    rank: int = 0
    is_number: bool = False
    is_elastic: bool = False
    least: int = 8


@dataclass(frozen=True)
class View(Generic[T]):
    """How one kind of thing is shown. `record` is its JSON, `name` what other verbs take."""

    columns: Sequence[Column]
    cells: Callable[[T], Sequence[Cell]]
    record: Callable[[T], Record]
    name: Callable[[T], str]
    nothing: str  # said on stderr when a table would be empty


def emit(things: Iterable[T], view: View[T], output: Output, color: Color = "auto") -> int:
    """Write a listing to stdout, and return how many there were. Lines of jsonl and names appear as they arrive."""
    match output:
        case "table":
            rows = [view.cells(thing) for thing in things]
            if rows:
                _print_table(view.columns, rows, color)
            else:
                sys.stderr.write(view.nothing + "\n")
            return len(rows)
        case "json":
            records = [view.record(thing) for thing in things]
            write_json(records)
            return len(records)
        case "jsonl":
            return _write_lines(encode_json(view.record(thing)) for thing in things)
        case "name":
            return _write_lines(plain(view.name(thing)) for thing in things)


def _write_lines(lines: Iterable[str]) -> int:
    count = 0
    for line in lines:
        sys.stdout.write(line + "\n")
        count += 1
    return count


def write_json(value: object) -> None:
    """One JSON document, indented, to stdout."""
    from tq.views.documents import document

    sys.stdout.write(document(value) + "\n")


def encode_json(value: object) -> str:
    """One JSON document on one line."""
    import msgspec

    return safe_json(msgspec.json.encode(value).decode())


def fit(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Which columns are shown, as (index, width), so that they and the gaps between them need at most `width`.

    Args:
        widths: what each column needs for its longest cell and its title.
        width: of the terminal, in cells. Columns of rank 0 are shown even where they do not fit.
    """
    shown = list(range(len(columns)))

    def least(index: int) -> int:
        return min(widths[index], columns[index].least) if columns[index].is_elastic else widths[index]

    def needed() -> int:
        return sum(least(index) for index in shown) + _GAP * (len(shown) - 1)

    while needed() > width and any(columns[index].rank for index in shown):
        shown.remove(max(shown, key=lambda index: (columns[index].rank, index)))
    spare = max(0, width - needed())
    result = []
    for index in shown:
        grown = min(widths[index], least(index) + spare)
        spare -= grown - least(index)
        result.append((index, grown))
    return result


def _print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], color: Color) -> None:
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    console = out_console(color)
    texts = [[plain(cell.text) for cell in row] for row in rows]
    widths = [
        max(cell_len(column.title), max(cell_len(row[index]) for row in texts)) for index, column in enumerate(columns)
    ]
    shown = fit(columns, widths, console.width)
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold", expand=False)
    for index, column_width in shown:
        column = columns[index]
        table.add_column(
            column.title,
            width=column_width,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if column.is_number else "left",
        )
    for row, line in zip(rows, texts, strict=True):
        table.add_row(*(Text(line[index], style=row[index].style, overflow="ellipsis") for index, _ in shown))
    console.print(table)


def emit_one(record: Record, fields: Iterable[tuple[str, Cell]], output: Output, name: str, color: Color) -> None:
    """Write one thing to stdout: its fields one under the other (taken only then), or its JSON, or its name."""
    match output:
        case "table":
            emit_fields(fields, color)
        case "json":
            write_json(record)
        case "jsonl":
            sys.stdout.write(encode_json(record) + "\n")
        case "name":
            sys.stdout.write(plain(name) + "\n")


def emit_fields(fields: Iterable[tuple[str, Cell]], color: Color) -> None:
    """Write fields one under the other.

    Values keep their line breaks; a long line is wrapped on a terminal, under its own value.
    """
    from rich.table import Table
    from rich.text import Text

    console = out_console(color)
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for title, cell in fields:
        grid.add_row(Text(title), Text(plain(cell.text, keep_lines=True), style=cell.style))
    console.print(grid)

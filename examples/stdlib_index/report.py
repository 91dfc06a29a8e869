"""What the driver prints: the ranking, the throughput, and the dead letters by what went wrong."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stdlib_index.facts import PackageFacts

_PLACE = re.compile(r"\s*\([^()]*line \d+\)$")
_QUOTED = re.compile(r"'[^']*'|\b\d+\b|0x[0-9a-f]+")
SHOWN_MAX = 12
EXAMPLES_MAX = 3


class Dead(NamedTuple):
    """A file that could not be indexed."""

    task_id: str
    file: str
    error: str


class Group(NamedTuple):
    """Dead letters that failed for the same reason."""

    error: str
    members: list[Dead]


def group_by_error(dead: Iterable[Dead]) -> list[Group]:
    """The largest group first. Errors are the same if they differ only in places, numbers and quoted names."""
    groups: dict[str, list[Dead]] = defaultdict(list)
    for one in dead:
        groups[_QUOTED.sub("...", _PLACE.sub("", one.error))].append(one)
    named = [Group(_PLACE.sub("", members[0].error), members) for members in groups.values()]
    return sorted(named, key=lambda group: (-len(group.members), group.error))


def ranking(packages: Sequence[PackageFacts]) -> Table:
    """The largest packages, and all together."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in ("PACKAGE", "FILES", "LINES", "FUNCTIONS", "CLASSES", "DOCSTRINGS"):
        table.add_column(title, justify="left" if title == "PACKAGE" else "right", no_wrap=True)
    for package in packages[:SHOWN_MAX]:
        table.add_row(Text(package.package), *_numbers(package), Text(f"{package.docstring_cover:.0%}"))
    if len(packages) > SHOWN_MAX:
        table.add_row(Text(f"and {len(packages) - SHOWN_MAX} more", style="dim"))
    files, lines = sum(one.files for one in packages), sum(one.lines for one in packages)
    functions, classes = sum(one.functions for one in packages), sum(one.classes for one in packages)
    together = (Text(f"{number:,}", style="bold") for number in (files, lines, functions, classes))
    table.add_row(Text("all", style="bold"), *together)
    return table


def _numbers(package: PackageFacts) -> Iterable[Text]:
    return (Text(f"{number:,}") for number in (package.files, package.lines, package.functions, package.classes))


def print_report(
    console: Console,
    packages: Sequence[PackageFacts],
    dead: Sequence[Dead],
    *,
    tasks: int,
    seconds: float,
    address: str | None,
) -> None:
    """Print everything to `console`.

    Args:
        address: of the broker, where the commands that are shown would not find it by themselves.
    """
    console.print(ranking(packages))
    console.print()
    console.print(f"{tasks:,} tasks in {seconds:.1f} s: {tasks / seconds:,.0f} tasks/s, each on disk before it ran.")
    console.print()
    if not dead:
        console.print("No dead letters: every file of this Python parses.")
        return
    console.print(f"Files that do not parse: {len(dead)}. Each was tried 3 times and is now a dead letter:")
    for group in group_by_error(dead):
        console.print(Text(f"  {len(group.members)}  ", style="red") + Text(group.error), soft_wrap=True)
        names = [one.file for one in group.members[:EXAMPLES_MAX]]
        more = f" and {len(group.members) - EXAMPLES_MAX} more" if len(group.members) > EXAMPLES_MAX else ""
        console.print(Text(f"     {', '.join(names)}{more}", style="dim"))
    console.print()
    console.print("To look at them while the broker runs, in another terminal:")
    if address:
        console.print(f"  export TQ_URL={address}")
    console.print("  tq dead list")
    console.print(f"  tq dead show {dead[0].task_id}")
    console.print("  tq dead retry --all")

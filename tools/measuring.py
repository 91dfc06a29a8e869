"""What the measures of the dashboard share: rows of a table, and how they are said."""

import os
import sys

from tq.bench.plan import Figure


def figure(name: str, value: float, unit: str, target: float) -> Figure:
    """A row of the table; target 0: none."""
    return Figure(name=name, value=value, unit=unit, target=target)


def environment() -> dict[str, str]:
    """That of this process, without what steers tq or its colours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TQ_", "NO_COLOR"))}


def say(text: str) -> None:
    """A line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(runs: list[list[Figure]]) -> None:
    """The table, as docs/performance.md has it: the best of all runs, and from where to where they went."""
    say("\n| what | target | measured | spread | unit | met |\n|---|---|---|---|---|---|")
    for rows in zip(*runs, strict=True):
        best, worst = min(row.value for row in rows), max(row.value for row in rows)
        row = rows[0]
        met = ("yes" if best <= row.target else "**no**") if row.target else "-"
        spread = f"{best:,.3g} to {worst:,.3g}" if len(rows) > 1 else "-"
        say(
            f"| {row.name} | {f'{row.target:g}' if row.target else '-'} | {best:,.3g} | {spread} | {row.unit} | {met} |"
        )

"""`tq dead groups`: the dead letters by what killed them."""

from typing import Annotated

import typer

from tq.cli.listing import Cell, Column, View, emit
from tq.cli.options import ColorOption, ConfigFile, OutputOption, Url
from tq.cli.reach import reach
from tq.cli.selection import complete_selector, read_selector
from tq.cli.terminal import say
from tq.cli.words import counted
from tq.model.commands import BATCH_MAX
from tq.model.groups import FailureGroup, GroupOrder, parse_for_groups
from tq.views.errors import error_line
from tq.views.moments import NONE, ago, now_ms, rounded
from tq.views.records import group_record

_GROUP_DIGITS = 8
"""Of a fingerprint, as a table shows it: among a thousand groups two share them once in 10,000 brokers."""


def groups(
    selector: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SELECTOR]...",
            autocompletion=complete_selector,
            help="queue: err: group: age: (since the latest death), and text in the error.",
        ),
    ] = None,
    order: Annotated[
        GroupOrder, typer.Option("--sort", help="The most, the latest, the newest or the fastest first.")
    ] = GroupOrder.COUNT,
    is_reverse: Annotated[bool, typer.Option("--reverse", "-r", help="The other way round.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=BATCH_MAX, help="How many at most.")
    ] = 100,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """List dead letters by what killed them.

    \b
    tq dead groups
    tq dead groups queue:mail* 'age:<10m' --sort rate
    tq dead list group:8f31c0de

    \b
    One group is one error: the type, the message without numbers, ids and quoted text, and the file and function where
    it was raised. What differs is shown as *. -o name prints fingerprints, to be used after group:.
    """
    chosen = read_selector(selector, read=parse_for_groups)
    with reach(url, config) as client:
        page = client.failure_groups(chosen.text, order=order, descending=not is_reverse, limit=limit)
    shown = emit(page.groups, groups_view(now_ms()), output, color)
    if output == "table" and shown:
        more = f"; {page.total - shown:,} more with --limit" if page.total > shown else ""
        say(f"{counted(page.dead_total, 'dead letter')} in {counted(page.total, 'group')}{more}")


def groups_view(now_ms: int) -> View[FailureGroup]:
    """Failure groups."""

    def cells(group: FailureGroup) -> tuple[Cell, ...]:
        rate = group.deaths_per_minute
        return (
            Cell(group.fingerprint[:_GROUP_DIGITS]),
            Cell(f"{group.count:,}"),
            Cell(ago(group.last_died_at_ms, now_ms)),
            Cell(rounded(max(0, now_ms - group.first_died_at_ms))),
            Cell(f"+{rate:g}" if rate else NONE, "red" if rate else ""),
            Cell(error_line(group.error_type, group.message), "red"),
            Cell(group.place or NONE),
            Cell(_queues(group)),
            Cell(f"{group.retried_total:,}" if group.retried_total else NONE),
        )

    columns = (
        Column("GROUP"),
        Column("COUNT", is_number=True),
        Column("LAST", rank=1),
        Column("SINCE", rank=5),
        Column("/MIN", rank=2, is_number=True),
        Column("ERROR", is_elastic=True, least=24),
        Column("WHERE", rank=3, is_elastic=True, least=12),
        Column("QUEUE", rank=4, is_elastic=True),
        Column("RETRIED", rank=6, is_number=True),
    )
    return View(columns, cells, group_record, lambda group: group.fingerprint, "No dead letters.")


def _queues(group: FailureGroup) -> str:
    first = group.queues[0].queue
    return first if group.queues_total == 1 else f"{first} +{group.queues_total - 1}"

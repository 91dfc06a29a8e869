"""`tq resubmit`: new tasks from all ended ones that a selector means."""

from typing import Annotated

import typer

from tq.cli.bulk import IdsOrSelector, OfAll, Plan, Rate, carry_out, choose
from tq.cli.options import ConfigFile, DryRun, Reason, Url, Yes
from tq.cli.reach import complete_queue, reach
from tq.model.durations import duration_ms
from tq.model.operations import RATE, Action, Overrides
from tq.model.priorities import parse_priority


def resubmit_many(
    tasks: IdsOrSelector = None,
    is_all: OfAll = False,
    queue: Annotated[
        str | None,
        typer.Option("--queue", "-q", metavar="QUEUE", autocompletion=complete_queue, help="Into another queue."),
    ] = None,
    priority: Annotated[
        str | None, typer.Option("--priority", "-p", metavar="PRIORITY", help="0 to 255, or high, normal, low.")
    ] = None,
    delay: Annotated[
        str, typer.Option("--delay", metavar="DURATION", help='Not before that long from now, such as "10m".')
    ] = "0",
    is_dry_run: DryRun = False,
    is_agreed: Yes = False,
    rate: Rate = RATE,
    reason: Reason = "",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Submit new tasks made from ended ones; the old ones stay, and each names its successor.

    \b
    tq resubmit queue:mail err:ConnectTimeout --queue mail-slow --delay 10m
    tq resubmit 'state:completed type:report age:<1d' --dry-run

    \b
    It cannot be undone; the new tasks can be cancelled. To correct a payload: tq task resubmit ID --edit.
    """
    chosen = choose(tasks, None, is_all=is_all, noun="ended task")
    level = None if priority is None else parse_priority(priority)
    overrides = Overrides(queue, level, duration_ms(delay, "--delay"))
    with reach(url, config) as client:
        plan = Plan(Action.RESUBMIT, rate, reason, overrides=overrides)
        carry_out(client, chosen, plan, is_dry_run=is_dry_run, is_agreed=is_agreed)

"""`tq purge`: into the trash, or for good, whatever a selector means."""

from typing import Annotated

import typer

from tq.cli.bulk import IdsOrSelector, OfAll, OfQueue, Plan, Rate, carry_out, choose
from tq.cli.options import ConfigFile, DryRun, Reason, Url, Yes
from tq.cli.reach import reach
from tq.model.operations import RATE, Action


def purge(
    tasks: IdsOrSelector = None,
    queue: OfQueue = None,
    is_all: OfAll = False,
    is_hard: Annotated[
        bool, typer.Option("--hard", help="Remove the records of all that does not run, for good. Cannot be undone.")
    ] = False,
    confirmation: Annotated[
        int | None,
        typer.Option("--confirm", metavar="N", help="With --hard: the number of tasks, instead of typing it."),
    ] = None,
    is_dry_run: DryRun = False,
    is_agreed: Yes = False,
    rate: Rate = RATE,
    reason: Reason = "",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Put waiting tasks and dead letters into the trash; what runs goes on.

    \b
    tq purge queue:mail type:newsletter --dry-run
    tq purge 'state:dead_letter age:>7d' --reason "too old to matter"
    tq purge state:cancelled --hard

    \b
    They are kept as cancelled for persistence.cancelled_retention_hours; until then tq undo takes it back.
    --hard takes ended tasks too, leaves no trash, and wants the number of tasks typed.
    """
    chosen = choose(tasks, queue, is_all=is_all)
    plan = Plan(Action.PURGE, rate, reason, is_hard)
    with reach(url, config) as client:
        carry_out(client, chosen, plan, is_dry_run=is_dry_run, is_agreed=is_agreed, confirmation=confirmation)

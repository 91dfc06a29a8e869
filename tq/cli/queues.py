"""`tq queue`: look at queues, pause, resume and purge them."""

from typing import TYPE_CHECKING, Annotated

import typer

from tq.cli.bulk import Chosen, Plan, Rate, carry_out
from tq.cli.groups import NounGroup
from tq.cli.listing import emit
from tq.cli.options import ColorOption, ConfigFile, DryRun, OutputOption, Reason, Url, Yes
from tq.cli.reach import complete_queue, reach
from tq.cli.terminal import say
from tq.model.errors import QueueNotFound
from tq.model.operations import RATE, Action
from tq.model.selector import Field, Selector, StateTerm, literal_term
from tq.model.stats import QueueStats
from tq.model.task import State

if TYPE_CHECKING:
    from tq.client.blocking import Client

app = typer.Typer(cls=NounGroup, no_args_is_help=True)

QueueName = Annotated[str, typer.Argument(metavar="QUEUE", autocompletion=complete_queue, help="The queue's name.")]


@app.command("list")
def list_(
    output: OutputOption = "table", url: Url = None, config: ConfigFile = None, color: ColorOption = "auto"
) -> None:
    """List all queues with what they hold."""
    from tq.cli.broker_view import QUEUES

    with reach(url, config) as client:
        queues = client.queues()
    emit(queues, QUEUES, output, color)


@app.command("pause")
def pause(queue: QueueName, reason: Reason = "", url: Url = None, config: ConfigFile = None) -> None:
    """Start nothing more from a queue; what runs goes on, and submits are still taken."""
    with reach(url, config) as client:
        affected = client.pause_queue(queue, reason=reason)
    say(f"Paused {queue}." if affected.count else f"{queue} was paused already.")


@app.command("resume")
def resume(queue: QueueName, url: Url = None, config: ConfigFile = None) -> None:
    """Let a paused queue run again."""
    with reach(url, config) as client:
        affected = client.resume_queue(queue)
    say(f"Resumed {queue}." if affected.count else f"{queue} was not paused.")


@app.command("purge")
def purge(
    queue: QueueName,
    is_dry_run: DryRun = False,
    is_agreed: Yes = False,
    rate: Rate = RATE,
    reason: Reason = "",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Cancel the waiting tasks of a queue; what runs goes on, and dead letters stay.

    \b
    They are kept as cancelled for a while (persistence.cancelled_retention_hours); until then tq undo takes it back.
    Tasks that are submitted meanwhile are not counted and stay. tq purge takes a selector.
    """
    waiting = StateTerm((State.PENDING, State.FAILED))
    chosen = Chosen((), Selector((literal_term(Field.QUEUE, queue), waiting)), "waiting task", f" of {queue}")
    with reach(url, config) as client:
        find_queue(client, queue)  # one that is nearly named so is what was meant
        carry_out(client, chosen, Plan(Action.PURGE, rate, reason), is_dry_run=is_dry_run, is_agreed=is_agreed)


def find_queue(client: "Client", name: str) -> QueueStats:
    """What is known of one queue.

    Raises:
        QueueNotFound: nothing was ever submitted to it; the hint names the nearest.
    """
    queues = {queue.name: queue for queue in client.queues()}
    if name not in queues:
        from difflib import get_close_matches

        near = get_close_matches(name, queues, n=1)
        hint = f"did you mean {near[0]}?" if near else "see the queues there are: tq queue list"
        raise QueueNotFound(f"there is no queue {name!r}", hint=hint)
    return queues[name]

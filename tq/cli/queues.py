"""`tq queue`: look at queues, pause, resume and purge them."""

from typing import TYPE_CHECKING, Annotated

import typer

from tq.cli.bulk import SAMPLE, progress, until_none_left
from tq.cli.groups import NounGroup
from tq.cli.listing import emit
from tq.cli.options import ColorOption, ConfigFile, DryRun, OutputOption, Reason, Url, Yes
from tq.cli.reach import complete_queue, reach
from tq.cli.selection import Listing, read_selector
from tq.cli.terminal import confirm, say, say_line
from tq.cli.words import counted
from tq.model.commands import Order
from tq.model.errors import QueueNotFound
from tq.model.stats import QueueStats
from tq.model.task import State
from tq.views.moments import now_ms

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
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Cancel the waiting tasks of a queue; what runs goes on.

    \b
    They are kept as cancelled for a while (persistence.cancelled_retention_hours), and each can be put back with
    tq dead resubmit ID. Tasks that are submitted meanwhile are not counted and stay.
    """
    with reach(url, config) as client:
        total = find_queue(client, queue).waiting
        if total:
            show_sample(client, State.PENDING, queue, total)
        waiting = counted(total, "waiting task")
        if is_dry_run:
            say(f"Would cancel {waiting} of {queue}.")
            return
        if not total:
            say(f"Nothing waits in {queue}.")
            return
        confirm(f"Cancel {waiting} of {queue}?", is_agreed=is_agreed)
        with progress("Purging", total) as advance:
            tally = until_none_left(total, lambda limit: client.purge_queue(queue, limit=limit), advance)
    say(f"Cancelled {counted(tally.done, 'task')} of {queue}.")


def show_sample(client: "Client", state: State, queue: str | None, total: int) -> None:
    """Say which tasks something is about to be done to: some of them, and how many more."""
    from tq.cli.task_view import sample_line

    shown = 0
    chosen = read_selector(None, state=state, queue=queue)
    for task in Listing(client, chosen, Order.ANY, limit=min(SAMPLE, total)):
        say_line(sample_line(task, now_ms()))
        shown += 1
    if total > shown:
        say(f"  ... and {total - shown:,} more")


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

"""`tq dead`: what failed for good. Look at it, run it again, correct it, or let it go."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol

import typer

from tq.cli.bulk import Advance, Tally, by_ids, progress, unseen, until_none_left
from tq.cli.exits import of_bulk
from tq.cli.groups import NounGroup
from tq.cli.listing import emit, emit_one
from tq.cli.options import ColorOption, ConfigFile, DryRun, OutputOption, Url, Yes
from tq.cli.queues import find_queue, show_sample
from tq.cli.reach import complete_queue, reach, read_ids
from tq.cli.selection import Listing, Reverse, Selecting, SelectorCommand, Sort, read_selector
from tq.cli.tasks import All, Limit, Queue, TaskId, TaskType, conclude
from tq.cli.terminal import confirm, say
from tq.cli.words import counted
from tq.model.commands import Order
from tq.model.errors import InvalidArgument, WrongState
from tq.model.ids import format_id
from tq.model.replies import Affected
from tq.model.task import State
from tq.views.moments import now_ms

if TYPE_CHECKING:
    from tq.client.blocking import Client

app = typer.Typer(cls=NounGroup, no_args_is_help=True)

TaskIds = Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Ids; - reads them from stdin.")]
OfQueue = Annotated[
    str | None,
    typer.Option(
        "--queue", "-q", metavar="QUEUE", autocompletion=complete_queue, help="All dead letters of this queue."
    ),
]
OfAll = Annotated[bool, typer.Option("--all", help="All dead letters of all queues.")]


@app.command("list", cls=SelectorCommand)
def list_(
    selector: Selecting = None,
    queue: Queue = None,
    task_type: TaskType = None,
    sort: Sort = "age",
    is_reversed: Reverse = False,
    limit: Limit = 100,
    is_all: All = False,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """List dead letters: all, or those of a selector; the youngest first.

    \b
    tq dead list queue:mail err:ConnectTimeout
    tq dead list 'err:*"connection refused"* age:>2h -tag:canary' --sort queue
    tq dead list --type welcome -o name | tq dead retry - --yes

    \b
    Fields: queue type err group age attempts worker tag key id. docs/selectors.md has the whole grammar.
    """
    from tq.cli.task_view import dead_view

    chosen = read_selector(selector, state=State.DEAD_LETTER, queue=queue, task_type=task_type)
    with reach(url, config) as client:
        found = Listing(
            client, chosen, Order(sort or Order.ANY), is_descending=is_reversed, limit=None if is_all else limit
        )
        shown = emit(found, dead_view(now_ms()), output, color)
    conclude(found, shown, output)


@app.command("show")
def show(
    task_id: TaskId,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Show a dead letter in full, with the traceback of each attempt."""
    from tq.cli.task_view import task_fields, task_record

    with reach(url, config) as client:
        task = client.get_task(task_id)
    if task.state is not State.DEAD_LETTER:
        raise WrongState(
            f"task {task_id} is {task.state.value}, not a dead letter", hint=f"look at it: tq task get {task_id}"
        )
    fields = task_fields(task, now_ms(), with_tracebacks=True)
    emit_one(task_record(task), fields, output, format_id(task.id), color)


@app.command("retry")
def retry(
    task_ids: TaskIds = None,
    queue: OfQueue = None,
    is_all: OfAll = False,
    is_dry_run: DryRun = False,
    is_agreed: Yes = False,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Run dead letters again, with fresh attempts: these ids, those of a queue, or all.

    \b
    tq dead retry 0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b
    tq dead retry --queue mail --dry-run

    \b
    Exits 5 if none of the ids is a dead letter, 7 if some are not.
    """
    ids = _named_ids(task_ids or (), queue, is_all=is_all)
    with reach(url, config) as client:
        selection = _select(client, ids, queue)
        _preview(client, selection, "retry", client.retry_dead, is_dry_run=is_dry_run)
        if not selection.ids:
            confirm(f"Retry {selection}?", is_agreed=is_agreed or not selection.total)
        with progress("Retrying", selection.total) as advance:
            tally = _change(selection, client.retry_dead, advance)
    _conclude("Retried", tally)


@app.command("purge")
def purge(
    task_ids: TaskIds = None,
    queue: OfQueue = None,
    is_all: OfAll = False,
    is_dry_run: DryRun = False,
    is_agreed: Yes = False,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Let dead letters go: they become cancelled, and are removed after a while.

    \b
    tq dead purge --queue mail --dry-run
    tq dead purge --all

    \b
    They are kept for persistence.cancelled_retention_hours; until then tq dead resubmit ID puts one back.
    Exits 5 if none of the ids is a dead letter, 7 if some are not.
    """
    ids = _named_ids(task_ids or (), queue, is_all=is_all)
    with reach(url, config) as client:
        selection = _select(client, ids, queue)
        _preview(client, selection, "purge", client.purge_dead, is_dry_run=is_dry_run)
        confirm(f"Purge {selection}?", is_agreed=is_agreed or not selection.total)
        with progress("Purging", selection.total) as advance:
            tally = _change(selection, client.purge_dead, advance)
    _conclude("Purged", tally)


class _Selection(NamedTuple):
    """What was named: ids, or all dead letters of a queue (None: of all queues). `total` is how many that is."""

    ids: Sequence[str]
    queue: str | None
    total: int

    def __str__(self) -> str:
        of_queue = f" of {self.queue}" if self.queue else ""
        return f"{counted(self.total, 'dead letter')}{of_queue}"


class _Step(Protocol):
    """`retry_dead` and `purge_dead` of the client."""

    def __call__(
        self, *task_ids: str, queue: str | None = None, limit: int = ..., dry_run: bool = False
    ) -> Affected: ...


def _named_ids(arguments: Sequence[str], queue: str | None, *, is_all: bool) -> Sequence[str]:
    """The ids that were given; none where a queue or all were asked for.

    Raises:
        InvalidArgument: nothing was named, or more than one of these.
    """
    if bool(arguments) + (queue is not None) + is_all != 1:
        raise InvalidArgument("name what to do it to: ids, or --queue QUEUE, or --all", hint="see them: tq dead list")
    return read_ids(arguments)


def _select(client: "Client", ids: Sequence[str], queue: str | None) -> _Selection:
    if ids:
        return _Selection(ids, None, len(ids))
    if queue is not None:
        return _Selection((), queue, find_queue(client, queue).dead)
    return _Selection((), None, client.stats().engine.dead)


def _preview(client: "Client", selection: _Selection, verb: str, step: _Step, *, is_dry_run: bool) -> None:
    """Show a sample; after a dry run's count, end."""
    if selection.ids and is_dry_run:
        tally = by_ids(selection.ids, lambda batch: step(*batch, dry_run=True), unseen)
        say(f"Would {verb} {tally.done:,} of {len(selection.ids):,} tasks.")
        raise typer.Exit
    if not selection.ids and selection.total:
        show_sample(client, State.DEAD_LETTER, selection.queue, selection.total)
    if is_dry_run:
        say(f"Would {verb} {selection}.")
        raise typer.Exit


def _change(selection: _Selection, step: _Step, advance: Advance) -> Tally:
    if selection.ids:
        return by_ids(selection.ids, lambda batch: step(*batch), advance)
    return until_none_left(selection.total, lambda limit: step(queue=selection.queue, limit=limit), advance)


def _conclude(done: str, tally: Tally) -> None:
    skipped = f"; skipped {tally.skipped:,} that are no dead letters" if tally.skipped else ""
    say(f"{done} {counted(tally.done, 'dead letter')}{skipped}.")
    raise typer.Exit(of_bulk(tally.done, tally.skipped))

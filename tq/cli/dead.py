"""`tq dead`: what failed for good. Look at it, run it again, correct it, or let it go."""

from collections.abc import Sequence

import typer

from tq.cli.bulk import Chosen, IdsOrSelector, OfAll, OfQueue, Plan, Rate, carry_out, choose
from tq.cli.groups import NounGroup
from tq.cli.listing import emit, emit_one
from tq.cli.options import ColorOption, ConfigFile, DryRun, OutputOption, Reason, Url, Yes
from tq.cli.reach import reach
from tq.cli.selection import Listing, Reverse, Selecting, SelectorCommand, Sort, read_selector
from tq.cli.tasks import All, Limit, Queue, TaskId, TaskType, conclude
from tq.model.commands import Order
from tq.model.errors import WrongState
from tq.model.ids import format_id
from tq.model.operations import RATE, Action
from tq.model.task import State
from tq.views.moments import now_ms

app = typer.Typer(cls=NounGroup, no_args_is_help=True)


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
    from tq.cli.task_view import task_fields
    from tq.views.records import task_record

    with reach(url, config) as client:
        task = client.get_task(task_id)
    if task.state is not State.DEAD_LETTER:
        raise WrongState(
            f"task {task_id} is {task.state.value}, not a dead letter", hint=f"look at it: tq task get {task_id}"
        )
    fields = task_fields(task, now_ms(), with_tracebacks=True)
    emit_one(task_record(task), fields, output, format_id(task.id), color)


@app.command("retry", cls=SelectorCommand)
def retry(
    tasks: IdsOrSelector = None,
    queue: OfQueue = None,
    is_all: OfAll = False,
    is_dry_run: DryRun = False,
    is_agreed: Yes = False,
    rate: Rate = RATE,
    reason: Reason = "",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Run dead letters again, with fresh attempts: these ids, those of a selector, or all.

    \b
    tq dead retry 0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b
    tq dead retry queue:mail err:ConnectTimeout --dry-run
    tq dead retry group:8f31 --rate 50 --reason "provider is back"

    \b
    What dies meanwhile is left alone. tq undo takes it back for tasks that have not started.
    Exits 5 if none of the ids is a dead letter, 7 if some are not.
    """
    chosen = _choose(tasks, queue, is_all=is_all)
    with reach(url, config) as client:
        plan = Plan(Action.RETRY, rate, reason)
        carry_out(client, chosen, plan, is_dry_run=is_dry_run, is_agreed=is_agreed or bool(chosen.ids))


@app.command("purge", cls=SelectorCommand)
def purge(
    tasks: IdsOrSelector = None,
    queue: OfQueue = None,
    is_all: OfAll = False,
    is_dry_run: DryRun = False,
    is_agreed: Yes = False,
    rate: Rate = RATE,
    reason: Reason = "",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Let dead letters go: they become cancelled, and are removed after a while.

    \b
    tq dead purge --queue mail --dry-run
    tq dead purge err:ValueError 'age:>7d' --reason "fixed in 2.4"

    \b
    They are kept for persistence.cancelled_retention_hours; until then tq undo takes it back.
    Exits 5 if none of the ids is a dead letter, 7 if some are not.
    """
    chosen = _choose(tasks, queue, is_all=is_all)
    with reach(url, config) as client:
        carry_out(client, chosen, Plan(Action.PURGE, rate, reason), is_dry_run=is_dry_run, is_agreed=is_agreed)


def _choose(tasks: Sequence[str] | None, queue: str | None, *, is_all: bool) -> Chosen:
    return choose(tasks, queue, is_all=is_all, noun="dead letter", states=[State.DEAD_LETTER])

"""`tq task`: look at tasks, wait for them, cancel them."""

from typing import Annotated

import typer

from tq.cli.bulk import IdsOrSelector, OfAll, OfQueue, Plan, Rate, carry_out, choose
from tq.cli.groups import NounGroup
from tq.cli.listing import emit, emit_one
from tq.cli.options import ColorOption, ConfigFile, DryRun, Output, OutputOption, Reason, Url, Yes
from tq.cli.reach import complete_queue, reach
from tq.cli.results import show_outcome
from tq.cli.selection import Listing, Reverse, Selecting, SelectorCommand, Sort, read_selector
from tq.cli.terminal import say
from tq.model.commands import Order
from tq.model.durations import duration_ms
from tq.model.errors import WrongState
from tq.model.ids import format_id, parse_id
from tq.model.operations import RATE, Action
from tq.model.task import Outcome, State
from tq.views.moments import now_ms

app = typer.Typer(cls=NounGroup, no_args_is_help=True)


def _checked_id(text: str) -> str:
    """Wrong ids are wrong before a broker is asked."""
    parse_id(text)
    return text


TaskId = Annotated[str, typer.Argument(metavar="ID", callback=_checked_id, help="The task's id.")]
Limit = Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="How many at most.")]
All = Annotated[bool, typer.Option("--all", help="All of them, whatever --limit says.")]
Queue = Annotated[
    str | None,
    typer.Option("--queue", "-q", metavar="QUEUE", autocompletion=complete_queue, help="Short for queue:QUEUE."),
]
TaskType = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Short for type:TYPE.")]


@app.command("get")
def get(
    task_id: TaskId,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Show all that the broker knows of a task."""
    from tq.cli.task_view import task_fields
    from tq.views.records import task_record

    with reach(url, config) as client:
        task = client.get_task(task_id)
    emit_one(task_record(task), task_fields(task, now_ms()), output, format_id(task.id), color)


@app.command("list", cls=SelectorCommand)
def list_(
    selector: Selecting = None,
    state: Annotated[State | None, typer.Option("--state", "-s", help="Short for state:STATE.")] = None,
    queue: Queue = None,
    task_type: TaskType = None,
    sort: Sort = None,
    is_reversed: Reverse = False,
    limit: Limit = 100,
    is_all: All = False,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """List tasks: all, or those of a selector.

    \b
    tq task list state:in_progress worker:ip-10*
    tq task list 'queue:mail* state:failed,dead_letter err:*timeout* age:>2h -tag:canary'
    tq task list --queue mail --all -o jsonl | jq .error_type

    \b
    Fields: queue type state err group age attempts worker tag key id. docs/selectors.md has the whole grammar.
    """
    from tq.cli.task_view import tasks_view

    chosen = read_selector(selector, state=state, queue=queue, task_type=task_type)
    with reach(url, config) as client:
        found = Listing(
            client, chosen, Order(sort or Order.ANY), is_descending=is_reversed, limit=None if is_all else limit
        )
        shown = emit(found, tasks_view(now_ms()), output, color)
    conclude(found, shown, output)


def conclude(found: Listing, shown: int, output: Output) -> None:
    """Say on stderr what a table has not shown."""
    conclusion = found.conclusion(shown)
    if output == "table" and conclusion is not None:
        say(conclusion)


@app.command("wait")
def wait(
    task_id: TaskId,
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout", "-t", metavar="DURATION", help='How long at most, such as "30s"; without it, for ever.'
        ),
    ] = None,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Wait until a task has ended, print its result, and exit by its outcome.

    \b
    Exits 0 if it completed, 1 if it failed for good or was cancelled, 8 if it had not ended in time.
    """
    seconds = None if timeout is None else duration_ms(timeout, "--timeout") / 1000
    with reach(url, config) as client:
        outcome = client.wait(task_id, seconds)
    raise typer.Exit(show_outcome(outcome, output))


@app.command("result")
def result(
    task_id: TaskId,
    is_raw: Annotated[bool, typer.Option("--raw", help="The bytes as they are.")] = False,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Print the result of a task that has ended.

    \b
    Exits 0 if it completed, 1 if it failed for good or was cancelled, 5 if it has not ended yet.
    """
    with reach(url, config) as client:
        task = client.get_task(task_id)
    if not task.state.is_final:
        raise WrongState(
            f"task {task_id} is {task.state.value}: it has no result yet", hint=f"wait for it: tq task wait {task_id}"
        )
    outcome = Outcome(
        id=task.id,
        state=task.state,
        result=task.result,
        content_type=task.result_content_type,
        reason=task.reason,
        error=task.history[-1] if task.history and task.state is State.DEAD_LETTER else None,
    )
    raise typer.Exit(show_outcome(outcome, output, is_raw=is_raw))


@app.command("cancel", cls=SelectorCommand)
def cancel(
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
    """Cancel tasks: those that wait at once, those that run are asked to stop and never retried.

    \b
    tq task cancel 0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b
    tq task cancel queue:mail type:newsletter --reason "sent twice"

    \b
    tq undo takes it back for tasks that waited. Exits 5 if none of the ids could be cancelled, 7 if some could not:
    they had ended, or there is no such task.
    """
    chosen = choose(tasks, queue, is_all=is_all)
    with reach(url, config) as client:
        plan = Plan(Action.CANCEL, rate, reason)
        carry_out(client, chosen, plan, is_dry_run=is_dry_run, is_agreed=is_agreed or len(chosen.ids) == 1)

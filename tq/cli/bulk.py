"""One thing done to many tasks: which, a preview, a question, the operation, and what came of it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer

from tq.cli.exits import Exit, of_bulk
from tq.cli.operation_view import SHORT
from tq.cli.reach import complete_queue, read_ids
from tq.cli.selection import complete_selector, read_selector
from tq.cli.terminal import can_ask, confirm, say, say_line
from tq.cli.words import counted
from tq.model.commands import BATCH_MAX
from tq.model.errors import InvalidArgument
from tq.model.ids import parse_id
from tq.model.operations import RATE, RATE_MAX, Action, Operation, OperationState, Overrides
from tq.model.replies import Prepared
from tq.model.selector import Selector, StateTerm
from tq.model.task import State
from tq.views.moments import now_ms, rounded

if TYPE_CHECKING:
    from tq.client.blocking import Client

LOOK_SECONDS = 0.5
"""How long one look at a running operation waits for its end."""
QUEUES_SHOWN_MAX = 5

IdsOrSelector = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID...|SELECTOR...]",
        autocompletion=complete_selector,
        help="Ids (- reads them from stdin), or a selector: queue:mail* err:Timeout 'age:>2h'.",
    ),
]
OfQueue = Annotated[
    str | None,
    typer.Option("--queue", "-q", metavar="QUEUE", autocompletion=complete_queue, help="Short for queue:QUEUE."),
]
OfAll = Annotated[bool, typer.Option("--all", help="All that there are: what an empty selector would mean.")]
Rate = Annotated[int, typer.Option("--rate", metavar="N", min=1, max=RATE_MAX, help="Tasks a second.")]

_DONE = {
    Action.RETRY: "Retried",
    Action.PURGE: "Purged",
    Action.CANCEL: "Cancelled",
    Action.RESUBMIT: "Resubmitted",
    Action.UNDO: "Put back",
}
_DOING = {
    Action.RETRY: "Retrying",
    Action.PURGE: "Purging",
    Action.CANCEL: "Cancelling",
    Action.RESUBMIT: "Resubmitting",
    Action.UNDO: "Putting back",
}


class Chosen(NamedTuple):
    """Ids, or a selector where there are none. `noun` is what the tasks are called, `place` how a question goes on."""

    ids: Sequence[str]
    selector: Selector
    noun: str
    place: str = ""


class Plan(NamedTuple):
    """What is to be done, and how."""

    action: Action
    rate: int = RATE
    reason: str = ""
    is_hard: bool = False
    overrides: Overrides = Overrides()


def choose(
    arguments: Sequence[str] | None,
    queue: str | None,
    *,
    is_all: bool,
    noun: str = "task",
    states: Sequence[State] = (),
) -> Chosen:
    """What the arguments and options of a verb name.

    Args:
        states: those that the verb is about.

    Raises:
        InvalidArgument: nothing, or ids and something else.
        SelectorInvalid: the selector makes no sense.
        typer.Exit: ids were to come from stdin, and there were none.
    """
    given = list(arguments or ())
    place = f" of {queue}" if queue is not None else ""
    are_ids = any(_is_id(argument) for argument in given)
    if are_ids and (queue is not None or is_all):
        raise InvalidArgument("ids say already which tasks: leave --queue and --all out")
    if not given and queue is None and not is_all:
        raise InvalidArgument(
            "name what to do it to: ids, a selector, --queue QUEUE, or --all",
            hint="see them: tq task list, tq dead list",
        )
    if is_all and (given or queue is not None):
        raise InvalidArgument("--all means all that there are: leave it out, or the rest")
    if are_ids:
        return Chosen(read_ids(given), Selector(), noun)
    selector = read_selector(given, queue=queue)
    wanted = StateTerm(tuple(states))
    if states and wanted not in selector.terms:
        selector = Selector((*selector.terms, wanted))
    return Chosen((), selector, noun, place if not given else "")


def _is_id(argument: str) -> bool:
    if argument == "-":
        return True
    try:
        parse_id(argument)
    except InvalidArgument:
        return False
    return True


def carry_out(
    client: "Client", chosen: Chosen, plan: Plan, *, is_dry_run: bool, is_agreed: bool, confirmation: int | None = None
) -> NoReturn:
    """Preview, ask, do it, and say what came of it.

    Args:
        is_agreed: no question is needed.
        confirmation: of a hard purge, the count that was given instead of typing it.

    Raises:
        typer.Exit: always: 0 done, 5 to none of those named, 7 to some; 1 the answer was no, or it was stopped.
        InvalidArgument: there is nobody to ask.
    """
    previews = [_prepare(client, plan, chosen, ids) for ids in _portions(chosen.ids)]
    total = sum(preview.count for preview in previews)
    named = len(chosen.ids) or total
    _show(previews, plan, is_brief=bool(chosen.ids) and is_agreed and not is_dry_run)
    what = f"{plan.action} {counted(total, chosen.noun)}{chosen.place}"
    if is_dry_run:
        left_out = (
            f"; {named - total:,} are not there, or not to be {_DONE[plan.action].lower()}" if named > total else ""
        )
        say(f"Would {what}{left_out}.")
        raise typer.Exit
    if not total:
        say(f"Nothing to {plan.action}{chosen.place}." + (f" {_left_out(named)}" if named else ""))
        raise typer.Exit(of_bulk(0, named))
    question = f"{what[0].upper()}{what[1:]}"
    if plan.is_hard:
        _confirm_count(question, total, confirmation)
    else:
        confirm(f"{question}?", is_agreed=is_agreed)
    started = (client.commit(preview.token, plan.reason, plan.rate) for preview in previews if preview.count)
    _conclude([follow(client, operation) for operation in started], chosen, skipped=named - total)


def _left_out(count: int) -> str:
    return f"{count:,} of those named are not there, or not in a state for it."


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in parts of about the same size, as few as hold them: a single id alone is judged more strictly."""
    size = -(-len(ids) // max(1, -(-len(ids) // BATCH_MAX)))
    yield from (ids[start : start + size] for start in range(0, len(ids), size)) if ids else [()]


def _prepare(client: "Client", plan: Plan, chosen: Chosen, ids: Sequence[str]) -> Prepared:
    selector = "" if ids else chosen.selector.text
    return client.prepare(plan.action, selector, ids, plan.is_hard, plan.overrides)


def _show(previews: Sequence[Prepared], plan: Plan, *, is_brief: bool) -> None:
    """Say which tasks something is about to be done to: some of them, where they are, and what to know before."""
    from tq.cli.task_view import sample_line

    total = sum(preview.count for preview in previews)
    first = previews[0]
    if not is_brief:
        for task in first.sample:
            say_line(sample_line(task, now_ms()))
        if first.sample and total > len(first.sample):
            say(f"  ... and {total - len(first.sample):,} more")
        if len(first.queues) > 1:
            shown = ", ".join(f"{each.queue} {each.count:,}" for each in first.queues[:QUEUES_SHOWN_MAX])
            more = ", ..." if len(first.queues) > QUEUES_SHOWN_MAX else ""
            say(f"By queue: {shown}{more}")
        if total > plan.rate:
            say(f"At {plan.rate:,} a second this takes {rounded(total * 1_000 // plan.rate)}.")
    if total:
        for warning in first.warnings:
            say(f"Note: {warning}.")


def _confirm_count(question: str, total: int, confirmation: int | None) -> None:
    """What cannot be undone needs the number of tasks, typed or given beforehand.

    Raises:
        InvalidArgument: it was not given, and there is nobody to ask; or another one was.
        typer.Exit: another one was typed.
    """
    if confirmation is not None:
        if confirmation != total:
            raise InvalidArgument(f"--confirm says {confirmation:,}, there are {total:,}", hint="look again: --dry-run")
        return
    if not can_ask():
        raise InvalidArgument(
            f"{question} for good? There is no terminal to ask on",
            hint=f"add --confirm {total} to do it, or --dry-run to see what it would do",
        )
    typed = typer.prompt(f"{question} for good? Type {total} to do it", default="", show_default=False, err=True)
    if typed.strip().replace(",", "") != str(total):
        say("Nothing was done.")
        raise typer.Exit(Exit.FAILED)


def follow(client: "Client", operation: Operation) -> Operation:
    """Wait until an operation has ended, with a progress bar on a terminal.

    Raises:
        typer.Exit: Ctrl-C: the operation goes on, and how to look at it was said.
    """
    name = operation.id.hex()[:SHORT]
    try:
        operation = client.operation(operation.id, wait=LOOK_SECONDS)
        if operation.state is OperationState.RUNNING:
            with _progress(operation) as show_progress:
                while operation.state is OperationState.RUNNING:
                    operation = client.operation(operation.id, wait=LOOK_SECONDS)
                    show_progress(operation.done + operation.skipped + operation.failed)
    except KeyboardInterrupt:
        say(f"Operation {name} goes on in the broker. Look: tq op show {name}; stop it: tq op cancel {name}")
        raise typer.Exit(Exit.INTERRUPTED) from None
    return operation


@contextmanager
def _progress(operation: Operation) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda _completed: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from tq.cli.terminal import err_console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err_console(), transient=True) as bar:
        task = bar.add_task(_DOING[operation.action], total=operation.total)
        yield lambda completed: bar.update(task, completed=completed)


def conclusion(operation: Operation, noun: str, place: str = "") -> str:
    """What came of an operation, in a sentence."""
    done = "Removed" if operation.is_hard else _DONE[operation.action]
    parts = [f"{done} {counted(operation.done, noun)}{place}"]
    if operation.skipped:
        parts.append(f"skipped {operation.skipped:,} that had moved on")
    if operation.failed:
        parts.append(f"{operation.failed:,} failed: {operation.error}")
    if operation.state is OperationState.CANCELLED:
        parts.append(
            f"stopped before the other {operation.total - operation.done - operation.skipped - operation.failed:,}"
        )
    return "; ".join(parts) + "."


def _conclude(ended: Sequence[Operation], chosen: Chosen, *, skipped: int) -> NoReturn:
    done = sum(operation.done for operation in ended)
    failed = sum(operation.failed for operation in ended)
    if skipped:
        say(_left_out(skipped))
    for operation in ended:
        undo = f" To take it back: tq undo {operation.id.hex()[:SHORT]}" if operation.undo_until_ms else ""
        say(conclusion(operation, chosen.noun, chosen.place) + undo)
    if any(operation.state is OperationState.CANCELLED for operation in ended):
        raise typer.Exit(Exit.FAILED)
    if chosen.ids:
        skipped += sum(operation.skipped for operation in ended)
        raise typer.Exit(of_bulk(done, skipped + failed))
    raise typer.Exit(of_bulk(done, failed))

"""`tq op` and `tq undo`: what the broker does, or did, to many tasks at once."""

from typing import Annotated

import typer

from tq.cli.bulk import Rate, conclusion, follow
from tq.cli.exits import Exit, of_bulk
from tq.cli.groups import NounGroup
from tq.cli.listing import emit, emit_one
from tq.cli.operation_view import SHORT, operation_fields, operations_view
from tq.cli.options import ColorOption, ConfigFile, OutputOption, Reason, Url, Yes
from tq.cli.reach import reach
from tq.cli.terminal import can_ask, confirm, say
from tq.cli.words import counted
from tq.model.operations import UNDO_RATE, Operation, OperationState
from tq.views.moments import ago, now_ms
from tq.views.records import operation_record

app = typer.Typer(cls=NounGroup, no_args_is_help=True)

OperationName = Annotated[
    str, typer.Argument(metavar="OPERATION", help="Its id, or a beginning of it that fits no other.")
]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, max=1_000, help="How many at most.")] = 20,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """List operations: what was done to many tasks, by whom and why; the latest first."""
    with reach(url, config) as client:
        operations = client.operations(limit)
    emit(operations, operations_view(now_ms()), output, color)


@app.command("show")
def show(
    operation: OperationName,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Show an operation: how far it is, and whether it can be undone."""
    with reach(url, config) as client:
        found = client.operation(operation)
    emit_one(operation_record(found), operation_fields(found, now_ms()), output, found.id.hex(), color)


@app.command("cancel")
def cancel(operation: OperationName, reason: Reason = "", url: Url = None, config: ConfigFile = None) -> None:
    """Stop an operation where it is. What it has done stays done: tq op undo takes it back."""
    with reach(url, config) as client:
        stopped = client.cancel_operation(operation, reason)
    say(conclusion(stopped, "task"))
    if stopped.undo_until_ms:
        say(f"Take it back: tq undo {stopped.id.hex()[:SHORT]}")


@app.command("undo")
def undo(
    operation: OperationName,
    reason: Reason = "",
    rate: Rate = UNDO_RATE,
    is_agreed: Yes = False,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Take an operation back: put each task exactly to where it was.

    \b
    tq op list
    tq undo 8f31c2aa --reason "wrong queue"

    \b
    A retry, purge or cancel can be undone until its tasks leave the trash (persistence.cancelled_retention_hours).
    Tasks that started, or that anything else has moved since, stay where they are. An operation that still runs is
    stopped first. On a terminal it asks, with what the operation was; elsewhere nothing needs to be agreed to. Exits 7
    if some tasks stay, 5 if all do.
    """
    with reach(url, config) as client:
        if not is_agreed and can_ask():
            _ask(client.operation(operation))
        ended = follow(client, client.undo(operation, reason, rate))
    say(conclusion(ended, "task"))
    if ended.state is OperationState.CANCELLED:
        raise typer.Exit(Exit.FAILED)
    raise typer.Exit(of_bulk(ended.done, ended.skipped))


def _ask(found: Operation) -> None:
    """Whether this is the one to take back: a beginning of an id is easily mistyped. What cannot be undone is for the
    broker to refuse.

    Raises:
        typer.Exit: the answer was no.
    """
    if found.undo_until_ms and found.undone_by is None:
        what = f"{found.action} of {counted(found.done, 'task')} ({found.target}), {ago(found.started_at_ms, now_ms())}"
        confirm(f"Take back operation {found.id.hex()[:SHORT]}, a {what}, by {found.actor}?", is_agreed=False)

"""How operations are shown. Pure."""

from collections.abc import Iterator

from tq.cli.listing import Cell, Column, View
from tq.model.operations import Operation, OperationState
from tq.views.moments import NONE, ago, clock, rounded
from tq.views.records import operation_record

SHORT = 8
"""Digits of an id that tables show: enough to be the only one."""


def operations_view(now_ms: int) -> View[Operation]:
    """A listing of operations."""
    return View(
        columns=(
            Column("OPERATION"),
            Column("ACTION"),
            Column("STATE"),
            Column("DONE", is_number=True),
            Column("OF", is_number=True),
            Column("SKIPPED", rank=3, is_number=True),
            Column("FAILED", rank=4, is_number=True),
            Column("STARTED", rank=1),
            Column("BY", rank=2, is_elastic=True),
            Column("TASKS", is_elastic=True),
            Column("REASON", rank=5, is_elastic=True),
        ),
        cells=lambda operation: _cells(operation, now_ms),
        record=operation_record,
        name=lambda operation: operation.id.hex(),
        nothing="No operations.",
    )


def _cells(operation: Operation, now_ms: int) -> tuple[Cell, ...]:
    return (
        Cell(operation.id.hex()[:SHORT]),
        Cell(_action(operation)),
        Cell(*_state(operation)),
        Cell(f"{operation.done:,}"),
        Cell(f"{operation.total:,}"),
        Cell(f"{operation.skipped:,}"),
        Cell(f"{operation.failed:,}", "red" if operation.failed else ""),
        Cell(ago(operation.started_at_ms, now_ms)),
        Cell(operation.actor),
        Cell(operation.target or "all"),
        Cell(operation.reason or NONE),
    )


def _action(operation: Operation) -> str:
    return f"{operation.action.value} --hard" if operation.is_hard else operation.action.value


def _state(operation: Operation) -> tuple[str, str]:
    if operation.undone_by is not None:
        return "undone", "dim"
    match operation.state:
        case OperationState.RUNNING:
            return "running", "cyan"
        case OperationState.CANCELLED:
            return "cancelled", "yellow"
        case OperationState.DONE:
            return "done", ""


def operation_fields(operation: Operation, now_ms: int) -> Iterator[tuple[str, Cell]]:
    """One operation, field by field."""
    yield "operation", Cell(operation.id.hex())
    yield "action", Cell(_action(operation))
    yield "state", Cell(*_state(operation))
    yield "tasks", Cell(operation.target or "all")
    yield "done", Cell(f"{operation.done:,} of {operation.total:,}")
    yield "skipped", Cell(f"{operation.skipped:,}" + (" that had moved on, or ran" if operation.skipped else ""))
    if operation.failed:
        yield "failed", Cell(f"{operation.failed:,}: {operation.error}", "red")
    if operation.queues:
        yield "queues", Cell(", ".join(f"{each.queue} {each.count:,}" for each in operation.queues))
    yield "by", Cell(f"{operation.actor}, {operation.origin}" if operation.origin else operation.actor)
    yield "reason", Cell(operation.reason or NONE)
    yield "rate", Cell(f"{operation.rate:,} a second")
    yield "started", Cell(f"{clock(operation.started_at_ms)} ({ago(operation.started_at_ms, now_ms)})")
    if operation.state is OperationState.RUNNING:
        yield "left", Cell(f"about {rounded(operation.remaining_ms)}")
    else:
        yield "ended", Cell(f"{clock(operation.ended_at_ms)} ({ago(operation.ended_at_ms, now_ms)})")
    yield from _undo_fields(operation, now_ms)


def _undo_fields(operation: Operation, now_ms: int) -> Iterator[tuple[str, Cell]]:
    if operation.undo_of is not None:
        yield "undo of", Cell(operation.undo_of.hex())
    elif operation.undone_by is not None:
        yield "undone by", Cell(operation.undone_by.hex())
    elif operation.undo_until_ms:
        yield (
            "undo",
            Cell(f"tq undo {operation.id.hex()[:SHORT]}, {ago(operation.undo_until_ms, now_ms)} at the latest"),
        )
    elif operation.done and operation.state is not OperationState.RUNNING:
        yield "undo", Cell("cannot be undone")

"""What was done to many tasks, and how far it is; below, all that operators did, and workers that came and went."""

from collections.abc import Callable, Mapping, Sequence

from textual.app import ComposeResult

from tq.model.name_filter import name_filter
from tq.model.operations import Operation, OperationState
from tq.tui.actions import Target
from tq.tui.columns import Cell, Column
from tq.tui.figures import clock, count, length, share, since
from tq.tui.glyphs import Glyphs, bar
from tq.tui.mirror import Changed, Mirror
from tq.tui.screens.listing import ListScreen, Order
from tq.tui.screens.queues import LOW_LINES, event_line, shown_target
from tq.tui.shell import Command
from tq.tui.widgets.lines import Lines

COLUMNS = (
    Column("OPERATION", 9, rank=7),
    Column("STARTED", 9, rank=2),
    Column("WHO", 12, rank=3),
    Column("ACTION", 9),
    Column("WHAT", 24, is_elastic=True),
    Column("DONE", 19, is_number=True),
    Column("", 12, rank=8),
    Column("SKIPPED", 7, is_number=True, rank=6),
    Column("FAILED", 6, is_number=True, rank=5),
    Column("STATE", 13),
    Column("UNDO", 6, is_number=True, rank=4),
)


def state_cell(operation: Operation, glyphs: Glyphs) -> Cell:
    """How far it is, in words."""
    match operation.state:
        case OperationState.RUNNING:
            return Cell(f"{glyphs.cursor} {length(operation.remaining_ms)} left", "accent")
        case OperationState.CANCELLED:
            return Cell(f"{glyphs.gone} stopped", "warn")
        case OperationState.DONE:
            is_undone = operation.undone_by is not None
            return Cell(f"{glyphs.gone} undone", "dim") if is_undone else Cell(f"{glyphs.fine} done", "good")


def undo_cell(operation: Operation, now_ms: int) -> Cell:
    """For how long it can be taken back."""
    left_ms = operation.undo_until_ms - now_ms
    can = left_ms > 0 and operation.undone_by is None
    return Cell(length(left_ms) if can else "-", "dim")


def operation_cells(operation: Operation, now_ms: int, glyphs: Glyphs) -> tuple[Cell, ...]:
    """The cells of an operation, in the order of COLUMNS."""
    handled = operation.done + operation.skipped + operation.failed
    fraction = handled / operation.total if operation.total else 1.0
    return (
        Cell(operation.id.hex()[:8]),
        Cell(clock(operation.started_at_ms, is_utc=True)),
        Cell(operation.actor),
        Cell(f"{operation.action}{' hard' if operation.is_hard else ''}", "strong"),
        Cell(f"{shown_target(operation)}{f'   {operation.reason}' if operation.reason else ''}"),
        Cell(f"{count(operation.done)}/{count(operation.total)} {share(operation.done, operation.total)}"),
        Cell(bar(fraction, 12, glyphs), "accent"),
        Cell(count(operation.skipped) if operation.skipped else "-", "dim"),
        Cell(count(operation.failed) if operation.failed else "-", "bad" if operation.failed else "dim"),
        state_cell(operation, glyphs),
        undo_cell(operation, now_ms),
    )


class ActivityScreen(ListScreen[Operation]):
    """The list of operations, over what was done lately."""

    mode = "activity"
    noun = "operation"
    empty = "Nothing was done to many tasks lately."
    target = Target.OPERATION
    columns = COLUMNS
    hints = tuple(hint for hint in ListScreen.hints if hint.key != "Ent")
    orders = (
        Order("latest", lambda row: -row.started_at_ms, "STARTED"),
        Order("action", lambda row: (row.action, -row.started_at_ms), "ACTION"),
        Order("who", lambda row: (row.actor, -row.started_at_ms), "WHO"),
    )

    @property
    def crumb(self) -> str:
        """Where one is."""
        return f"activity{self.suffix}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """Operations, and all else that was done."""
        return ("ops", "events")

    @property
    def command(self) -> Command:
        """The same, printed."""
        return Command("tq op list")

    @property
    def filter_hint(self) -> str:
        """An example."""
        return "part of an action, a name or a selector; -retry leaves out"

    def cells(self, row: Operation) -> Sequence[Cell]:
        """The cells of an operation."""
        return operation_cells(row, self.top.now_ms, self.top.look.glyphs)

    def shows(self, text: str) -> Callable[[Operation], bool] | None:
        """Operations of which a name matches."""
        return name_filter(text, lambda row: (str(row.action), row.actor, row.target, row.reason))

    def below(self) -> ComposeResult:
        """What was done lately."""
        yield Lines(self.top.look.glyphs, "events")

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """Only what changed."""
        self.take(mirror, changes, "ops")
        events = sorted(mirror.rows("events").values(), key=lambda event: -event.number)
        shown = [event_line(event) for event in events[: self.size.height // 3 if self.size.height >= LOW_LINES else 0]]
        newest = f", the last {since(events[0].at_ms, self.top.now_ms)} ago" if events else ""
        self.query_one("#events", Lines).show(shown, f"WHAT WAS DONE{newest}" if shown else "")

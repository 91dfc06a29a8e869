"""Dead letters by what killed them: a row for each error, however many tasks have it."""

from collections.abc import Callable, Mapping, Sequence

from tq.model.groups import FailureGroup
from tq.model.selector import Field, parse
from tq.tui.actions import Target
from tq.tui.columns import Cell, Column
from tq.tui.commandline import Place
from tq.tui.figures import count, since
from tq.tui.mirror import Changed, Mirror
from tq.tui.rows import Id
from tq.tui.screens.base import Selection
from tq.tui.screens.listing import ListScreen, Order
from tq.tui.shell import Command, words_of
from tq.tui.widgets.table import VTable

COLUMNS = (
    Column("COUNT", 7, is_number=True),
    Column("LAST", 6, is_number=True),
    Column("FIRST", 6, is_number=True, rank=3),
    Column("/MIN", 6, is_number=True, rank=2),
    Column("ERROR", 36, is_elastic=True),
    Column("WHERE", 22, rank=4, is_elastic=True, widest=48),
    Column("QUEUE", 18, rank=1, is_elastic=True, widest=48),
    Column("RETRIED", 7, is_number=True, rank=5),
)


def error_of(group: FailureGroup) -> str:
    """An error on one line: the last part of its type, as selectors take it, and what it says, with * for what
    differs."""
    error_type = group.error_type.rpartition(".")[2] or group.error_type
    return f"{error_type}: {group.message}" if group.message else error_type


def group_cells(group: FailureGroup, now_ms: int) -> tuple[Cell, ...]:
    """The cells of a failure group, in the order of COLUMNS."""
    rising = group.deaths_per_minute
    first = group.queues[0].queue if group.queues else "-"
    others = group.queues_total - 1
    return (
        Cell(count(group.count), "strong"),
        Cell(since(group.last_died_at_ms, now_ms)),
        Cell(since(group.first_died_at_ms, now_ms)),
        Cell(f"+{rising:.0f}" if rising >= 1 else "-", "bad" if rising >= 1 else "dim"),
        Cell(error_of(group), "bad" if rising >= 1 else ""),
        Cell(group.place or "-"),
        Cell(f"{first} +{others}" if others > 0 else first),
        Cell(count(group.retried_total) if group.retried_total else "-", "dim"),
    )


class DeadScreen(ListScreen[FailureGroup]):
    """The list of failure groups."""

    mode = "dead"
    noun = "error"
    empty = "No dead letters. Nothing has failed for good."
    target = Target.GROUP
    columns = COLUMNS
    orders = (
        Order("count", lambda row: -row.count, "COUNT"),
        Order("last", lambda row: -row.last_died_at_ms, "LAST"),
        Order("rate", lambda row: -row.deaths_per_minute, "/MIN"),
        Order("first", lambda row: row.first_died_at_ms, "FIRST"),
        Order("error", lambda row: (row.error_type, row.message), "ERROR"),
        Order("retried", lambda row: -row.retried_total, "RETRIED"),
    )

    @property
    def crumb(self) -> str:
        """Where one is, and how many tasks that is."""
        return f"dead by error{self.suffix}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """The groups of the filter."""
        return (f"groups:{self._filter}" if self._filter else "groups",)

    @property
    def command(self) -> Command:
        """The same, printed."""
        return Command("tq dead groups", words_of(self._filter))

    @property
    def filter_hint(self) -> str:
        """An example."""
        return "queue:mail* err:*timeout* age:<2h -err:CardDeclined"

    def selector_of(self, row_id: Id) -> str:
        """The dead letters of a group, those that the filter leaves."""
        queues = [term.text for term in parse(self._filter).terms_of(Field.QUEUE)]
        return " ".join(["state:dead_letter", f"group:{row_id}", *queues])

    def cells(self, row: FailureGroup) -> Sequence[Cell]:
        """The cells of a group."""
        return group_cells(row, self.top.now_ms)

    def shows(self, text: str) -> Callable[[FailureGroup], bool] | None:
        """All that the broker sends: it filters, for it knows all of them.

        Raises:
            SelectorInvalid: the filter makes no sense.
        """
        parse(text)
        return None

    def apply_filter(self, text: str) -> None:
        """Watch the groups of another selector."""
        super().apply_filter(text)
        self.list.replace({})
        self.redraw()
        self.top.rewatch()

    def selection(self) -> Selection | None:
        """The dead letters of the marked groups, else of the one under the cursor."""
        found = super().selection()
        return None if found is None else Selection(Target.GROUP, found.ids, self.selector_of(",".join(found.ids)))

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """Only what changed."""
        self.take(mirror, changes, self.scopes[0])

    def on_vtable_chosen(self, message: VTable.Chosen) -> None:
        """The tasks of the group."""
        self.top.open(Place("found", self.selector_of(message.row_id)))

"""Every worker process: what it runs, what it holds, when it was last heard of."""

from collections.abc import Callable, Mapping, Sequence

from tq.model.name_filter import name_filter
from tq.model.watching import ScopeKind, WorkerLive, parse_scope
from tq.tui.actions import Target
from tq.tui.columns import Cell, Column
from tq.tui.figures import length, since
from tq.tui.glyphs import Glyphs, bar
from tq.tui.mirror import Changed, Mirror
from tq.tui.rows import Id
from tq.tui.screens.base import Record
from tq.tui.screens.listing import ListScreen, Order
from tq.tui.shell import Command
from tq.views.records import worker_record

SILENT_MS = 30_000
"""A worker that was not heard of for this long is shown as such; the broker gives it up at three missed heartbeats."""

COLUMNS = (
    Column("WORKER", 16, is_elastic=True, widest=40),
    Column("STATUS", 10),
    Column("BUSY", 9, is_number=True),
    Column("LOAD", 10, rank=5),
    Column("AHEAD", 6, is_number=True, rank=4),
    Column("MEMORY", 8, is_number=True, rank=3),
    Column("HOST", 15, rank=6),
    Column("PID", 7, is_number=True, rank=7),
    Column("SEEN", 7, is_number=True, rank=2),
    Column("NOTE", 24, rank=1, is_elastic=True, least=14),
)


def status_cell(row: WorkerLive, now_ms: int, glyphs: Glyphs) -> Cell:
    """The status as a glyph and a word."""
    if row.status == "lost":
        return Cell(f"{glyphs.broken} lost", "bad")
    if row.status == "draining":
        return Cell(f"{glyphs.paused} draining", "accent")
    if row.note:
        return Cell(f"{glyphs.slow} look", "warn")
    if now_ms - row.seen_at_ms > SILENT_MS:
        return Cell(f"{glyphs.slow} silent", "warn")
    return Cell(f"{glyphs.fine} ok", "good")


def note_cell(row: WorkerLive, now_ms: int) -> Cell:
    """What is wrong with it: what it said itself, else for how long it has said nothing."""
    silent_ms = now_ms - row.seen_at_ms
    if not row.note and (row.status == "lost" or silent_ms > SILENT_MS):
        return Cell(f"silent for {length(max(0, silent_ms))}", "warn")
    return Cell(row.note, "warn")


def worker_cells(row: WorkerLive, now_ms: int, glyphs: Glyphs) -> tuple[Cell, ...]:
    """The cells of a worker, in the order of COLUMNS."""
    return (
        Cell(row.name),
        status_cell(row, now_ms, glyphs),
        Cell(f"{row.leases:,}/{row.slots:,}"),
        Cell(bar(row.leases / row.slots if row.slots else 0.0, 10, glyphs), "accent"),
        Cell(str(row.prefetched) if row.prefetched else "-", "dim"),
        Cell(f"{row.rss_bytes >> 20:,} MiB" if row.rss_bytes else "-"),
        Cell(row.host),
        Cell(str(row.pid)),
        Cell(since(row.seen_at_ms, now_ms)),
        note_cell(row, now_ms),
    )


def _attention(row: WorkerLive) -> tuple[int, str]:
    return {"lost": 0, "draining": 2}.get(row.status, 1 if row.note else 3), row.name


class WorkersScreen(ListScreen[WorkerLive]):
    """The list of workers."""

    mode = "workers"
    noun = "worker"
    empty = "No worker is connected. Start one: tq worker module:app"
    target = Target.WORKER
    opens = "worker"
    columns = COLUMNS
    orders = (
        Order("attention", _attention, "STATUS"),
        Order("name", lambda row: row.name, "WORKER"),
        Order("busy", lambda row: (-row.leases, row.name), "BUSY"),
        Order("memory", lambda row: (-row.rss_bytes, row.name), "MEMORY"),
        Order("silent", lambda row: row.seen_at_ms, "SEEN"),
    )

    @property
    def crumb(self) -> str:
        """Where one is."""
        return f"workers{self.suffix}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """Those that are shown: the broker sends 200 of all that match, in the order that is wanted."""
        return (parse_scope(f"{ScopeKind.WORKERS}:{self._order.name}:{self._filter}").text,)

    @property
    def command(self) -> Command:
        """The same, printed."""
        return Command("tq worker list")

    @property
    def filter_hint(self) -> str:
        """An example."""
        return "part of a name or host, or ip-10*; -old* leaves out"

    def cells(self, row: WorkerLive) -> Sequence[Cell]:
        """The cells of a worker."""
        return worker_cells(row, self.top.now_ms, self.top.look.glyphs)

    def shows(self, text: str) -> Callable[[WorkerLive], bool] | None:
        """Workers whose names or hosts match."""
        return name_filter(text, lambda row: (row.name, row.host))

    async def records(self, ids: Sequence[Id]) -> list[Record]:
        """As the broker has them now: the stream has less of each. A recording has only that."""
        if self.top.client is None:
            return await super().records(ids)
        known = {worker.incarnation.hex(): worker_record(worker) for worker in await self.top.client.workers()}
        return [known[one] for one in ids if one in known]

    def apply_filter(self, text: str) -> None:
        """Of those that are known, what matches at once; then the broker looks at all of them."""
        super().apply_filter(text)
        self.list.replace({row_id: row for row_id in self.list.ids if (row := self.list.row(row_id)) is not None})
        self.say_count()
        self.top.rewatch()

    def label(self, row_id: Id) -> str:
        """The name, which is what commands take."""
        row = self.list.row(row_id)
        return row.name if row is not None else row_id

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """Only what changed."""
        self.take(mirror, changes, self.scopes[0])

    def _sort_by(self, order: Order, *, is_reversed: bool) -> None:
        """In the order in which the broker chooses the workers too."""
        super()._sort_by(order, is_reversed=is_reversed)
        self.top.rewatch()

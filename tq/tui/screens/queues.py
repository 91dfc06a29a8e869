"""Home: every queue, the broken ones first; the totals above, what needs attention below."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tq.model.errors import TqError
from tq.model.history import SECONDS_KEPT, HistoryPoint
from tq.model.plain import plain
from tq.model.watching import Event, Finding, QueueLive, ScopeKind, Severity, Totals
from tq.tui.actions import Target
from tq.tui.columns import Cell, Column
from tq.tui.figures import clock, count, drain, rate, since
from tq.tui.glyphs import Glyphs, sparkline
from tq.tui.mirror import Changed, Mirror
from tq.tui.names import name_filter
from tq.tui.screens.listing import ListScreen, Order
from tq.tui.widgets.footer import Hint
from tq.tui.widgets.lines import Lines

COLUMNS = (
    Column("QUEUE", 18, is_elastic=True),
    Column("STATE", 11),
    Column("READY", 8, is_number=True),
    Column("RUN", 6, is_number=True),
    Column("IN/s", 7, is_number=True, rank=3),
    Column("OUT/s", 7, is_number=True, rank=1),
    Column("ETA", 6, is_number=True, rank=4),
    Column("OLDEST", 7, is_number=True, rank=5),
    Column("RETRY", 7, is_number=True, rank=2),
    Column("DEAD", 7, is_number=True),
    Column("LAST 5 MIN", 15, rank=6),
)
SPARK_CELLS = 15
SPARK_REFRESH_MS = 10_000
SPARK_QUEUES_MAX = 60
"""Queues whose history is fetched at once: 60 of 300 points are what one request may ask for."""


def state_cell(row: QueueLive, glyphs: Glyphs) -> Cell:
    """The state as a glyph and a word; the colour says the same."""
    if row.state == "paused":
        return Cell(f"{glyphs.paused} paused", "accent")
    if row.severity >= Severity.ACT:
        return Cell(f"{glyphs.broken} {row.state}", "bad")
    if row.severity >= Severity.LOOK:
        return Cell(f"{glyphs.slow} {row.state}", "warn")
    return Cell(f"{glyphs.fine} {row.state}", "good")


def queue_cells(row: QueueLive, now_ms: int, glyphs: Glyphs, spark: str = "") -> tuple[Cell, ...]:
    """The cells of a queue, in the order of COLUMNS. `spark`: what it got done in the last five minutes, drawn."""
    taken, done = row.submitted_10s / 10, row.completed_10s / 10
    eta = drain(row.ready, done, taken)
    return (
        Cell(row.name, "strong" if row.severity else ""),
        state_cell(row, glyphs),
        Cell(count(row.ready)),
        Cell(count(row.in_progress)),
        Cell(rate(taken), "" if taken else "dim"),
        Cell(rate(done), "" if done else "dim"),
        Cell(eta, "bad" if eta == "never" else ""),
        Cell(since(row.oldest_at_ms, now_ms) if row.ready else "-"),
        Cell(count(row.retrying), "warn" if row.retrying else "dim"),
        Cell(count(row.dead), "bad" if row.dead_60s else "" if row.dead else "dim"),
        Cell(spark, "accent"),
    )


def spark_of(points: Sequence[HistoryPoint], now_ms: int, glyphs: Glyphs) -> str:
    """What a queue got done in the last five minutes, drawn in SPARK_CELLS."""
    done = [0.0] * SECONDS_KEPT
    first_ms = now_ms // 1_000 * 1_000 - SECONDS_KEPT * 1_000
    for point in points:
        second = (point.at_ms - first_ms) // 1_000
        if 0 <= second < SECONDS_KEPT:
            done[second] = float(point.completed)
    return sparkline(done, SPARK_CELLS, glyphs)


def detail_lines(row: QueueLive | None) -> list[Cell]:
    """What the table has no column for, of the queue under the cursor."""
    if row is None:
        return []
    facts = [f"{row.scheduled:,} scheduled"]
    if row.no_handler:
        facts.append(f"{row.no_handler:,} without a handler")
    facts += [f"{row.failed_60s:,} failed in the last minute", f"{row.dead_60s:,} died"]
    return [Cell(f" {row.name}   {'   '.join(facts)}   Enter opens it", "dim")]


def totals_lines(totals: Totals | None, width: int) -> list[str]:
    """What all queues and workers do together, in two lines, or in one where it is narrow."""
    if totals is None:
        return [" waiting for the broker ..."]
    rates = f"in {rate(totals.submitted_10s / 10)}/s  out {rate(totals.completed_10s / 10)}/s"
    load = f"ready {totals.ready:,}  running {totals.in_progress:,}"
    lost = f" ({totals.workers_lost} lost)" if totals.workers_lost else ""
    workers = f"workers {totals.workers:,}{lost}  slots {totals.in_progress:,}/{totals.slots:,}"
    rising = f" +{totals.dead_60s:,}/min !" if totals.dead_60s else ""
    dead = f"dead {count(totals.dead)}{rising}"
    waiting = f"scheduled {totals.scheduled:,}  retry {totals.retrying:,}"
    if width < 100:
        return [f" {rates}  {load}", f" {workers}  {dead}"]
    return [f" {rates}   {load}   {waiting}", f" {workers}   {dead}"]


def finding_line(finding: Finding, glyphs: Glyphs) -> Cell:
    """One line of what needs attention."""
    is_bad = finding.severity >= Severity.ACT
    glyph = glyphs.broken if is_bad else glyphs.slow
    return Cell(f" {glyph} {finding.name}  {finding.text}", "bad" if is_bad else "warn")


def event_line(event: Event) -> Cell:
    """One line of what was done."""
    reason = f"  {event.reason}" if event.reason else ""
    number = f" {event.count:,}" if event.count else ""
    return Cell(f" {clock(event.at_ms, is_utc=True)} {event.actor}  {event.action} {event.target}{number}{reason}")


class QueuesScreen(ListScreen[QueueLive]):
    """The list of queues."""

    mode = "queues"
    noun = "queue"
    empty = "No queue yet. A first task makes one: tq submit --type TYPE"
    target = Target.QUEUE
    opens = "queue"
    columns = COLUMNS
    orders = (
        Order("attention", lambda row: -row.severity, "STATE"),
        Order("name", lambda row: row.name, "QUEUE"),
        Order("ready", lambda row: -row.ready, "READY"),
        Order("running", lambda row: -row.in_progress, "RUN"),
        Order("out", lambda row: -row.completed_10s, "OUT/s"),
        Order("dead", lambda row: -row.dead, "DEAD"),
    )

    hints = (*ListScreen.hints, Hint("a", "attention"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "attend", "To what needs attention, one after the other", show=False)
    ]

    def __init__(self) -> None:
        super().__init__()
        self._attended = -1
        self._sparks: dict[str, str] = {}
        self._looked_back_at_ms = 0

    @property
    def crumb(self) -> str:
        """Where one is."""
        return f"queues{self.suffix}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """Queues, and what was done."""
        return ("queues", "events")

    @property
    def command(self) -> str:
        """The same, printed."""
        return "tq queue list"

    @property
    def filter_hint(self) -> str:
        """An example."""
        return "part of a name, or mail*; -tenant* leaves out"

    def cells(self, row: QueueLive) -> tuple[Cell, ...]:
        """The cells of a queue."""
        return queue_cells(row, self.top.now_ms, self.top.look.glyphs, self._sparks.get(row.name, ""))

    def shows(self, text: str) -> Callable[[QueueLive], bool] | None:
        """Queues whose names match."""
        return name_filter(text, lambda row: (row.name,))

    def above(self) -> ComposeResult:
        """The totals."""
        yield Lines(self.top.look.glyphs, "totals")

    def below(self) -> ComposeResult:
        """The queue under the cursor, what needs attention, and what was done."""
        yield Lines(self.top.look.glyphs, "detail")
        yield Lines(self.top.look.glyphs, "attention")
        yield Lines(self.top.look.glyphs, "activity")

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """Only what changed."""
        width, height = self.size
        totals = next(iter(mirror.rows("totals").values()), None)
        self.query_one("#totals", Lines).show([Cell(line) for line in totals_lines(totals, width)])
        self.take(mirror, changes, "queues")
        self._say_attention(max(1, height // 10), has_heading=height >= 20)
        events = sorted(mirror.rows("events").values(), key=lambda event: -event.at_ms)[: height // 14]
        self.query_one("#activity", Lines).show([event_line(event) for event in events], "ACTIVITY" if events else "")
        self.query_one("#detail", Lines).show(detail_lines(self.list.cursor_row) if height >= 30 else [])
        if width >= 120 and self.top.now_ms - self._looked_back_at_ms > SPARK_REFRESH_MS:
            self._looked_back_at_ms = self.top.now_ms
            self._look_back()

    def action_attend(self) -> None:
        """The cursor to the next queue that needs attention; a worker is on the screen of workers."""
        findings = self.top.findings
        if not findings:
            self.notify("nothing needs attention", markup=False, timeout=2)
            return
        self._attended = (self._attended + 1) % len(findings)
        finding = findings[self._attended]
        place = self.list.place(finding.name)
        if finding.scope.startswith(ScopeKind.WORKERS):
            self.top.action_mode("workers")
        elif place is not None:
            self.table.move_to(finding.name)
        else:
            self.notify(plain(finding.text), title=plain(finding.name), markup=False)

    @work(exclusive=True, group="history")
    async def _look_back(self) -> None:
        """Fetch what the queues that are seen did, now and then: the stream does not carry it."""
        client, seen = self.top.client, self.table.seen[:SPARK_QUEUES_MAX]
        if client is None or not seen:
            return
        try:
            histories = await client.history(*seen)
        except TqError:  # refused, or gone: the header says so, and the column stays as it is
            return
        now_ms, glyphs = self.top.now_ms, self.top.look.glyphs
        self._sparks.update((name, spark_of(points, now_ms, glyphs)) for name, points in histories.items())
        self.table.redraw()

    def on_vtable_moved(self) -> None:
        """The detail is of another queue. Textual calls the handler of ListScreen as well."""
        self.query_one("#detail", Lines).show(detail_lines(self.list.cursor_row) if self.size.height >= 30 else [])

    def _say_attention(self, room: int, *, has_heading: bool) -> None:
        findings = self.top.findings
        lines = [finding_line(finding, self.top.look.glyphs) for finding in findings[:room]]
        if len(findings) > room:
            lines.append(Cell(f"   and {len(findings) - room} more: tq watch attention", "dim"))
        heading = f"NEEDS ATTENTION ({len(findings)})" if findings and has_heading else ""
        self.query_one("#attention", Lines).show(lines, heading)

"""Home: every queue, the broken ones first; the totals above, what needs attention below."""

from collections.abc import Callable, Mapping

from textual.app import ComposeResult

from tq.model.watching import Event, Finding, QueueLive, Severity, Totals
from tq.tui.actions import Target
from tq.tui.columns import Cell, Column
from tq.tui.figures import clock, count, drain, rate, since
from tq.tui.glyphs import Glyphs
from tq.tui.mirror import Changed, Mirror
from tq.tui.names import name_filter
from tq.tui.screens.listing import ListScreen, Order
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
)


def state_cell(row: QueueLive, glyphs: Glyphs) -> Cell:
    """The state as a glyph and a word; the colour says the same."""
    if row.state == "paused":
        return Cell(f"{glyphs.paused} paused", "accent")
    if row.severity >= Severity.ACT:
        return Cell(f"{glyphs.broken} {row.state}", "bad")
    if row.severity >= Severity.LOOK:
        return Cell(f"{glyphs.slow} {row.state}", "warn")
    return Cell(f"{glyphs.fine} {row.state}", "good")


def queue_cells(row: QueueLive, now_ms: int, glyphs: Glyphs) -> tuple[Cell, ...]:
    """The cells of a queue, in the order of COLUMNS."""
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
    )


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
        return queue_cells(row, self.top.now_ms, self.top.look.glyphs)

    def shows(self, text: str) -> Callable[[QueueLive], bool] | None:
        """Queues whose names match."""
        return name_filter(text, lambda row: (row.name,))

    def above(self) -> ComposeResult:
        """The totals."""
        yield Lines(self.top.look.glyphs, "totals")

    def below(self) -> ComposeResult:
        """What needs attention, and what was done."""
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

    def _say_attention(self, room: int, *, has_heading: bool) -> None:
        findings = self.top.findings
        lines = [finding_line(finding, self.top.look.glyphs) for finding in findings[:room]]
        if len(findings) > room:
            lines.append(Cell(f"   and {len(findings) - room} more: tq attention", "dim"))
        heading = f"NEEDS ATTENTION ({len(findings)})" if findings and has_heading else ""
        self.query_one("#attention", Lines).show(lines, heading)

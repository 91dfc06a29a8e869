"""Home: every queue, the broken ones first; the totals above, what needs attention below."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tq.model.errors import TqError
from tq.model.history import SECONDS_KEPT, HistoryPoint
from tq.model.name_filter import name_filter
from tq.model.operations import Action, Operation, OperationState
from tq.model.plain import plain
from tq.model.watching import Event, Finding, QueueLive, ScopeKind, Severity, Totals
from tq.tui.actions import Target
from tq.tui.columns import Cell, Column
from tq.tui.figures import clock, count, drain, length, rate, share, since
from tq.tui.glyphs import Glyphs, sparkline
from tq.tui.mirror import Changed, Mirror
from tq.tui.past import Past
from tq.tui.pulse import Pulse
from tq.tui.rows import Id
from tq.tui.screens.base import Record, fetching
from tq.tui.screens.listing import LOWEST_LINES, ListScreen, Order
from tq.tui.shell import Command
from tq.tui.widgets.footer import Hint
from tq.tui.widgets.lines import Lines
from tq.views.records import queue_record

SPARK_TITLE = "LAST 5 MIN"
COLUMNS = (
    Column("QUEUE", 18, is_elastic=True, widest=64),
    Column("STATE", 11),
    Column("READY", 8, is_number=True),
    Column("RUN", 6, is_number=True, rank=2),
    Column("IN/s", 7, is_number=True, rank=5),
    Column("OUT/s", 7, is_number=True, rank=3),
    Column("ETA", 6, is_number=True, rank=6),
    Column("OLDEST", 7, is_number=True, rank=7),
    Column("RETRY", 7, is_number=True, rank=4),
    Column("DEAD", 7, is_number=True, rank=1),
    Column(SPARK_TITLE, 15, rank=8),
)
LOW_LINES = 16
"""A screen with fewer shows one line for the totals, one of what needs attention, and queues."""
WIDE = 110
"""A screen with fewer columns shows nothing of the past of all queues together."""
PULSE_CELLS = 24
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


def totals_lines(totals: Totals | None, pulse: Pulse, width: int, height: int, glyphs: Glyphs) -> list[str]:
    """What all queues and workers do together: in two lines, with how it went where it is wide, or in one where the
    screen is low."""
    if totals is None:
        return [" waiting for the broker ..."]
    taken, done = rate(totals.submitted_10s / 10), rate(totals.completed_10s / 10)
    lost = f" ({totals.workers_lost:,} lost)" if totals.workers_lost else ""
    rising = f" +{totals.dead_60s:,}/min !" if totals.dead_60s else ""
    dead = f"dead {count(totals.dead)}{rising}"
    slots = f"slots {totals.in_progress:,}/{totals.slots:,} {share(totals.in_progress, totals.slots)}"
    workers = f"workers {totals.workers:,}{lost}"
    if height < LOW_LINES:
        return [f" in {taken}/s  out {done}/s  ready {count(totals.ready)}  {dead}{lost and f'  workers{lost}'}"]
    if width < WIDE:
        ready = f"ready {totals.ready:,}  running {totals.in_progress:,}"
        return [f" in {taken}/s  out {done}/s  {ready}", f" {workers}  {slots}  {dead}"]
    past = [sparkline(values, PULSE_CELLS, glyphs) for values in (pulse.taken, pulse.done)]
    waiting = f"retry {totals.retrying:,}  scheduled {totals.scheduled:,}"
    return [
        f" in  {taken:>6}/s {past[0]}  ready   {totals.ready:>9,}  {workers:<22}  {dead}",
        f" out {done:>6}/s {past[1]}  running {totals.in_progress:>9,}  {slots:<22}  {waiting}",
    ]


def finding_line(finding: Finding, glyphs: Glyphs) -> Cell:
    """One line of what needs attention."""
    is_bad = finding.severity >= Severity.ACT
    glyph = glyphs.broken if is_bad else glyphs.slow
    return Cell(f" {glyph} {finding.name}  {finding.text}", "bad" if is_bad else "warn")


def running_line(operation: Operation) -> Cell:
    """One line of an operation that runs."""
    share_done = share(operation.done, operation.total)
    progress = f"{operation.done:,} of {operation.total:,}  {share_done}  {length(operation.remaining_ms)} left"
    what = shown_target(operation)
    return Cell(
        f" {clock(operation.started_at_ms, is_utc=True)} {operation.actor}  {operation.action} {what}  {progress}"
    )


def shown_target(operation: Operation) -> str:
    """The selector of an operation, without what its action says already."""
    if operation.action is Action.RETRY:
        return operation.target.removeprefix("state:dead_letter").strip() or "all dead letters"
    return operation.target or "all tasks"


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

    hints = (*ListScreen.hints, Hint("!", "attention"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("exclamation_mark", "attend", "To what needs attention, one after the other", show=False)
    ]

    def __init__(self) -> None:
        super().__init__()
        self._attended = -1
        self._past = Past()
        self._sparks: dict[str, str] = {}
        self._looked_back_at_ms = 0

    @property
    def crumb(self) -> str:
        """Where one is."""
        return f"queues{self.suffix}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """Queues, what runs on many of them, and what was done."""
        return ("queues", "events", "ops")

    @property
    def command(self) -> Command:
        """The same, printed."""
        return Command("tq queue list")

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

    async def records(self, ids: Sequence[Id]) -> list[Record]:
        """As the broker has them now: the stream has less of each. A recording has only that."""
        if self.top.client is None:
            return await super().records(ids)
        known = {queue.name: queue_record(queue) for queue in await self.top.client.queues()}
        return [known[one] for one in ids if one in known]

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
        glyphs = self.top.look.glyphs
        totals = next(iter(mirror.rows("totals").values()), None)
        lines = totals_lines(totals, mirror.pulse, width, height, glyphs)
        self.query_one("#totals", Lines).show([Cell(line) for line in lines])
        self.take(mirror, changes, "queues")
        self._say_attention(mirror)
        self._say_activity(mirror)
        self.query_one("#detail", Lines).show(detail_lines(self.list.cursor_row) if height >= 30 else [])
        if SPARK_TITLE in self.table.titles and self.top.now_ms - self._looked_back_at_ms > SPARK_REFRESH_MS:
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

    @fetching("history")
    async def _look_back(self) -> None:
        """Fetch what the queues that are seen did, now and then: the stream does not carry it."""
        client, seen = self.top.client, self.table.seen[:SPARK_QUEUES_MAX]
        if client is None or not seen:
            return
        try:
            await self._past.follow(client.history, seen, self.top.now_ms)
        except TqError:  # refused, or gone: the header says so, and the column stays as it is
            return
        now_ms, glyphs = self.top.now_ms, self.top.look.glyphs
        self._sparks.update((name, spark_of(self._past.points(name), now_ms, glyphs)) for name in seen)
        self.table.redraw()

    def on_vtable_moved(self) -> None:
        """The detail is of another queue. Textual calls the handler of ListScreen as well."""
        self.query_one("#detail", Lines).show(detail_lines(self.list.cursor_row) if self.size.height >= 30 else [])

    def _say_attention(self, mirror: Mirror) -> None:
        """The most urgent findings, and of how many."""
        height, findings = self.size.height, self.top.findings
        room = 0 if height < LOWEST_LINES else max(1, height // 8)
        shown = findings[:room]
        lines = [finding_line(finding, self.top.look.glyphs) for finding in shown]
        total = len(findings) + mirror.left_out("attention")
        more = f"{len(shown)} of {total:,}, ! goes through them" if total > len(shown) else f"{total}"
        has_heading = bool(shown) and height >= LOW_LINES
        if shown and not has_heading and total > 1:
            lines[0] = lines[0]._replace(text=f"{lines[0].text[:2]} 1 of {total:,}: {lines[0].text[3:]}")
        self.query_one("#attention", Lines).show(lines, f"NEEDS ATTENTION ({more})" if has_heading else "")

    def _say_activity(self, mirror: Mirror) -> None:
        """What is being done to many tasks, the latest first; then what was done. Workers that come and go are left
        out: in a deploy there would be nothing else."""
        height = self.size.height
        running = [one for one in mirror.rows("ops").values() if one.state is OperationState.RUNNING]
        running.sort(key=lambda one: -one.started_at_ms)
        ids = {one.id.hex() for one in running}
        events = [
            one
            for one in mirror.rows("events").values()
            if one.operation not in ids and not one.action.startswith("worker_")
        ]
        events.sort(key=lambda one: -one.number)
        lines = [*map(running_line, running), *map(event_line, events)][: height // 12 if height >= LOW_LINES else 0]
        self.query_one("#activity", Lines).show(lines, "ACTIVITY" if lines and height >= 30 else "")

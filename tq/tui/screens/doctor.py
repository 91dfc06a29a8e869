"""`:doctor`: everything about the connection, the stream and this terminal that helps when something looks wrong."""

import locale
import platform
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

import textual
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tq import __version__
from tq.model.plain import plain
from tq.model.replies import StatsReply
from tq.protocol.codec import PROTOCOL_VERSION
from tq.tui.commandline import Place
from tq.tui.feed import Facts, Greeting
from tq.tui.figures import clock, length, since
from tq.tui.mirror import Changed, Mirror
from tq.tui.screens.base import Record, TopScreen
from tq.tui.shell import Command
from tq.tui.widgets.footer import Hint
from tq.views.records import stats_record

REQUESTS = 5
"""Asked one after the other for the round trip."""
RATE_SECONDS = 10.0
"""Frames and bytes a second are those of this long."""
SKEW_MS = 2_000
"""A difference of two clocks that is worth a word."""

Line = tuple[str, str]


class Traffic(NamedTuple):
    """What had come by a moment."""

    at: float
    frames: int
    received_bytes: int


def traffic_line(seen: Iterable[Traffic]) -> str:
    """Frames and bytes a second between the first and the last of these."""
    points = list(seen)
    seconds = points[-1].at - points[0].at if points else 0.0
    if seconds < 1:
        return "measuring ..."
    frames = (points[-1].frames - points[0].frames) / seconds
    received = (points[-1].received_bytes - points[0].received_bytes) / seconds
    return f"{frames:.1f} frames/s, {received / 1_000:.1f} KB/s, over {seconds:.0f} s"


def round_trip_line(times_ms: Iterable[float], trouble: str) -> str:
    """Of some requests, one after the other."""
    times = sorted(times_ms)
    if trouble:
        return plain(trouble)
    if not times:
        return "measuring ..."
    middle = (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2
    return f"{middle:.1f} ms ({len(times)} requests: {times[0]:.1f} to {times[-1]:.1f} ms)"


def skew_line(broker_ms: int, here_ms: int) -> str:
    """How two clocks differ; ages on the screen are by the broker's, so nothing is wrong with them."""
    ahead = broker_ms - here_ms
    if not broker_ms or abs(ahead) < SKEW_MS:
        return "agrees with this machine's" if broker_ms else "not known yet"
    return f"{length(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} this machine's; ages here are by the broker's"


def broker_lines(greeting: Greeting | None, stats: StatsReply | None, now_ms: int) -> list[Line]:
    """Who is on the other side."""
    if greeting is None:
        return [("address", "connecting ...")]
    lines = [
        ("address", greeting.address),
        ("version", f"tq {greeting.version}; this is tq {__version__}, protocol {PROTOCOL_VERSION}"),
        ("boot id", greeting.boot_id),
        ("role", f"{greeting.role.value} {greeting.actor}".strip()),
    ]
    if stats is not None and stats.process is not None:
        process = stats.process
        lines += [
            ("up", f"{since(process.started_at_ms, now_ms)}, pid {process.pid}, {process.connections:,} connections"),
            ("listens at", ", ".join(process.addresses)),
            ("data", f"{process.data_dir}  {process.disk_free_bytes >> 20:,} MiB free"),
            ("commit", f"p50 {process.commit_us_p50:,} us, p99 {process.commit_us_p99:,} us, sync {process.sync}"),
            ("memory", f"{process.rss_bytes >> 20:,} MiB"),
            ("takes tasks", "yes" if process.is_accepting else f"no: {process.why_not_accepting}"),
        ]
    return lines


class DoctorScreen(TopScreen):
    """One page of facts."""

    hints = (Hint("r", "measure again"), Hint("y", "copy all"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("r", "measure", "Measure again", show=False),
        Binding("y", "copy_all", "Copy all", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._times_ms: list[float] = []
        self._traffic: deque[Traffic] = deque()

    @property
    def place(self) -> Place:
        """It is always the same."""
        return Place("doctor")

    @property
    def crumb(self) -> str:
        """Where one is."""
        return "doctor"

    @property
    def command(self) -> Command:
        """The broker's part of it, printed."""
        return Command("tq stats")

    async def thing(self) -> Record:
        """The broker in numbers."""
        return stats_record(await self.broker().stats())

    def body(self) -> ComposeResult:
        """One text."""
        with VerticalScroll(id="page", can_focus=False):
            yield Static("", id="text", markup=False)

    def on_mount(self) -> None:
        """Measure."""
        self.action_measure()

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """All of it: it is short."""
        del mirror, changes
        facts, now = self.top.feed.facts(), time.monotonic()
        self._traffic.append(Traffic(now, facts.frames, facts.received_bytes))
        while now - self._traffic[0].at > RATE_SECONDS and len(self._traffic) > 2:
            self._traffic.popleft()
        self._show(facts)

    def _show(self, facts: Facts) -> None:
        text = Text()
        for title, lines in self._sections(facts):
            text.append(f"\n {title}\n", "bold")
            for name, value in lines:
                text.append(f"   {name:<16}", "dim")
                text.append(f"{plain(value)}\n")
        self.query_one("#text", Static).update(text)

    def _sections(self, facts: Facts) -> list[tuple[str, list[Line]]]:
        top, link = self.top, self.top.link
        now_ms = top.now_ms
        return [
            ("Broker", broker_lines(top.greeting, link.stats, now_ms)),
            ("Connection", self._connection_lines(facts, now_ms)),
            ("Terminal", self._terminal_lines()),
        ]

    def _connection_lines(self, facts: Facts, now_ms: int) -> list[Line]:
        top = self.top
        status = top.status()
        trip = round_trip_line(self._times_ms, top.link.trouble)
        rows = ", ".join(f"{scope} {len(top.mirror.rows(scope)):,}" for scope in top.mirror.scopes)
        lines = [
            ("round trip", trip if top.client is not None else "none: this is a recording"),
            ("stream", f"{status.freshness} {status.remark}".strip()),
            ("last frame", f"{length(status.lag_ms)} ago, of {clock(top.mirror.at_ms, is_utc=True)}"),
            ("change", f"{facts.seq:,}; {facts.frames:,} frames so far"),
            ("traffic", traffic_line(self._traffic)),
            ("rows", rows),
        ]
        if top.client is not None:
            lines.append(("broker's clock", skew_line(now_ms, round(time.time() * 1_000))))
        return lines

    def _terminal_lines(self) -> list[Line]:
        top, size = self.top, self.top.size
        glyphs = "ASCII" if top.look.glyphs.line == "-" else "Unicode"
        return [
            ("size", f"{size.width} x {size.height}"),
            ("theme", top.theme),
            ("colours", top.console.color_system or "none"),
            ("encoding", f"{locale.getpreferredencoding(do_setlocale=False)}; drawn in {glyphs}"),
            ("programs", f"textual {textual.__version__}, Python {platform.python_version()}, {platform.system()}"),
        ]

    @work(exclusive=True, group="measure", exit_on_error=False)
    async def action_measure(self) -> None:
        """Some requests, one after the other."""
        client = self.top.client
        if client is None:
            return
        self._times_ms = []
        for _ in range(REQUESTS):
            await self.top.link.measure(client)
            if self.top.link.trouble:
                break
            self._times_ms.append(self.top.link.ms)
        self._show(self.top.feed.facts())
        self.top.draw_header()

    def action_scroll(self, lines: int) -> None:
        """Up or down."""
        self.query_one("#page", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_copy_all(self) -> None:
        """Copy the page, for a report."""
        sections = self._sections(self.top.feed.facts())
        pages = (
            f"{title}\n" + "\n".join(f"  {name}: {plain(value)}" for name, value in lines) for title, lines in sections
        )
        self.top.copy("\n".join(pages))

"""`tq top --replay`: the dashboard over a recording. Everything can be looked at, nothing can be done."""

import time
from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from tq.tui.actions import Action, Target
from tq.tui.app import Look, TopApp
from tq.tui.commandline import HOME, Place
from tq.tui.glyphs import Glyphs, bar
from tq.tui.replay import ReplayFeed
from tq.tui.screens.base import TopScreen
from tq.tui.screens.task import TaskScreen
from tq.tui.screens.tasks import TasksScreen
from tq.tui.widgets.header import LOST, REPLAY, Status

SCRUB_MS = 10_000
BAR_CELLS = 10
WHY_NOT = "a recording cannot be changed"


def position_text(feed: ReplayFeed, glyphs: Glyphs) -> str:
    """Where in the recording one is, such as `1:05/10:00 ###....... x2`."""
    state = f"x{feed.speed:g}" if feed.is_playing else "stopped"
    gauge = bar(feed.position_ms / feed.length_ms if feed.length_ms else 1.0, BAR_CELLS, glyphs)
    return f"{_minutes(feed.position_ms)}/{_minutes(feed.length_ms)} {gauge} {state}"


def _minutes(ms: float) -> str:
    seconds = int(ms // 1_000)
    hours = f"{seconds // 3_600}:{seconds // 60 % 60:02}" if seconds >= 3_600 else f"{seconds // 60}"
    return f"{hours}:{seconds % 60:02}"


class ReplayApp(TopApp):
    """The dashboard over a recording: other keys for time, and none that act."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Stop, or go on", show=False, priority=True),
        Binding("left_square_bracket", "scrub(-1)", "Ten seconds back", show=False),
        Binding("right_square_bracket", "scrub(1)", "Ten seconds on", show=False),
        Binding("comma", "step(-1)", "To the frame before", show=False),
        Binding("full_stop", "step(1)", "To the next frame", show=False),
    ]
    moving_keys = ()  # there they go through time
    time_keys: ClassVar[tuple[tuple[str, str], ...]] = (
        ("Space", "stop, or go on; at the end: from the beginning"),
        ("[ ]", "ten seconds back, or on"),
        (", .", "stop, and to the frame before, or the next one"),
        ("+ -", "faster or slower, from 0.25x to 16x"),
    )

    def __init__(
        self,
        feed: ReplayFeed,
        look: Look,
        clock: Callable[[], float] = time.monotonic,
        *,
        start: Place = HOME,
    ) -> None:
        """See TopApp."""
        super().__init__(feed, look, None, clock, start=start)
        self._replay = feed
        self._told: set[type[TopScreen]] = set()

    @property
    def now_ms(self) -> int:
        """The broker's clock, then."""
        return self._replay.now_ms

    @property
    def is_locked(self) -> bool:
        """A recording does not get old."""
        return False

    def status(self) -> Status:
        """Where in the recording one is, instead of how fresh it is."""
        text = position_text(self._replay, self.look.glyphs) + (f" {LOST}" if self.lost else "")
        return super().status()._replace(freshness=REPLAY, remark=text)

    def missing(self, screen: TopScreen) -> set[str]:
        """What was not recorded never comes: only the first frame does."""
        return set() if self.mirror.heard_at is not None else super().missing(screen)

    def why_not(self, action: Action, target: Target | None) -> str:
        """Nothing can be done, and it is said why."""
        del action, target
        return WHY_NOT

    def enter(self, screen: TopScreen) -> None:
        """Say it where a screen shows what only a broker can be asked for."""
        super().enter(screen)
        if isinstance(screen, TasksScreen | TaskScreen) and type(screen) not in self._told:
            self._told.add(type(screen))
            self.notify("only a broker could be asked for this: it is in no recording", markup=False, timeout=6)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Typed text keeps its spaces."""
        if action == "pause" and isinstance(self.focused, Input):
            return False
        return super().check_action(action, parameters)

    def action_pause(self) -> None:
        """Stop, or go on."""
        self._replay.toggle()
        self.draw_header()

    def action_scrub(self, steps: int) -> None:
        """Back or on by SCRUB_MS."""
        self._replay.seek(self._replay.position_ms + steps * SCRUB_MS)
        self.draw_header()

    def action_step(self, steps: int) -> None:
        """To the next frame, or the one before."""
        self._replay.step(steps)
        self.draw_header()

    def action_faster(self, steps: int) -> None:
        """Through the speeds."""
        self._replay.faster(steps)
        self.draw_header()

"""`tq top`: the application around the screens. It holds the stream, the mirror and the keys that work everywhere.

The broker decides everything; the dashboard shows what the broker says and asks for what the user wants.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from tq.client.async_client import AsyncClient
from tq.model.errors import TqError
from tq.model.identity import Role
from tq.model.plain import plain
from tq.model.watching import Finding, Totals
from tq.tui import palette
from tq.tui.acting import Acting
from tq.tui.actions import ACTIONS, UNDO, Action, Target, why_not
from tq.tui.asking import Asking
from tq.tui.commandline import HOME, Place
from tq.tui.ending import end_on_signals
from tq.tui.feed import Connected, Disconnected, Feed, Frame, Greeting, Noted, Refused
from tq.tui.figures import count
from tq.tui.filters import last_filters
from tq.tui.glyphs import ASCII, Glyphs
from tq.tui.link import Link
from tq.tui.mirror import Changed, Mirror
from tq.tui.places import MODES
from tq.tui.screens.base import TopScreen
from tq.tui.screens.help import HelpScreen
from tq.tui.taking import copy_json
from tq.tui.theme import ASCII_CSS, DARK, OWN
from tq.tui.travelling import Travelling
from tq.tui.widgets.fields import InOrder
from tq.tui.widgets.footer import Footer
from tq.tui.widgets.header import LIVE, LOST, PAUSED, STALE, Header, Status, Tab
from tq.tui.widgets.prompt import Prompt

ALWAYS = ("totals", "attention")
"""Scopes that every screen shows something of."""
RATES_HZ = (0.5, 1.0, 2.0, 5.0, 10.0)
BLURRED_HZ = 0.5
CLOCK_SECONDS, BLURRED_CLOCK_SECONDS = 1.0, 2.0


class Look(NamedTuple):
    """How it is drawn."""

    glyphs: Glyphs
    theme: str = DARK.name
    hz: float = 2.0
    is_utc: bool = True


class TopApp(App[None]):
    """The dashboard over one feed."""

    TITLE = "tq top"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    moving_keys: ClassVar[tuple[tuple[str, str], ...]] = (("[ ]", "back and on through the places that were visited"),)
    """For the help: what goes from place to place."""
    time_keys: ClassVar[tuple[tuple[str, str], ...]] = (
        ("Z", "pause the stream"),
        ("+ -", "more or fewer frames a second"),
    )
    """For the help: what can be done with time."""
    CSS = (
        """
    TopScreen { background: $background; }
    """
        + ASCII_CSS
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"mode('{mode}')", mode, show=False) for number, mode in enumerate(MODES, start=1)),
        Binding("colon", "ask(':')", "Command", show=False, priority=True),
        Binding("slash", "ask('/')", "Filter", show=False, priority=True),
        Binding("escape,left,h", "climb", "Back", show=False),
        Binding("left_square_bracket", "turn(-1)", "Back to where one was before", show=False),
        Binding("right_square_bracket", "turn(1)", "On again", show=False),
        Binding("question_mark", "help", "Help", show=False),
        Binding("Z", "pause", "Pause the stream", show=False),
        Binding("plus", "faster(1)", "Faster", show=False),
        Binding("minus", "faster(-1)", "Slower", show=False),
        Binding("t", "utc", "Local time or UTC", show=False),
        Binding("c", "copy_command", "Copy as a command", show=False),
        Binding("Y", "copy_json", "Copy as JSON", show=False),
        Binding("o", "ask('o')", "Save as JSON", show=False, priority=True),
        Binding("q", "leave", "Quit", show=False),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "To the shell; fg comes back", show=False, priority=True),
        *(Binding(action.key, f"act('{action.id}')", action.label, show=False) for action in ACTIONS),
    ]

    def __init__(
        self,
        feed: Feed,
        look: Look,
        client: AsyncClient | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        start: Place = HOME,
        is_local: bool = True,
        reach: Sequence[str] = (),
    ) -> None:
        """
        Args:
            client: for what is asked and done; closed at the end. None: there is only the stream, as in a recording.
            clock: seconds, for how long ago a frame came.
            start: what is shown first.
            is_local: whether who looks sits at this machine: an editor may be started. Not behind a door.
            reach: the options of tq that name this broker, for commands that are copied; none: it is the default one.
        """
        super().__init__()
        self.feed = feed
        self.client = client
        self.look = look
        self.mirror = Mirror()
        self.greeting: Greeting | None = None
        self.is_local = is_local
        self.reach = tuple(reach)
        self.acting = Acting(self)
        self.travelling = Travelling(self)
        self.asking = Asking(self)
        self.link = Link(clock)
        self._clock = clock
        self._hz = look.hz
        self._is_paused = False
        self._is_blurred = False
        self.lost = ""
        """Why there is no connection; empty if there is one, or none yet."""
        self.refused: TqError | None = None
        """What ended it all, if something did."""
        self.has_started = False
        """Whether the first screen is there."""
        self._start = start
        self._is_utc = look.is_utc
        self._timer: Timer | None = None
        for theme in OWN:
            self.register_theme(theme)
        self.theme = look.theme

    # -- start and end ------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Show the queues at once, empty, and begin to listen."""
        self.set_class(self.look.glyphs is ASCII, "-ascii")
        for mode, screen in MODES.items():
            self.add_mode(mode, screen)
        self.switch_mode("queues")
        self.call_after_refresh(self._go_to_start)
        self.run_worker(self._listen(), name="feed", exclusive=True)
        self._tick_every(CLOCK_SECONDS)
        # What the shell, or an editor, has left on the terminal would stay under what is drawn.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        end_on_signals(self)

    async def _go_to_start(self) -> None:
        if self._start != HOME:
            await self.go(self._start)
        self.has_started = True

    async def _listen(self) -> None:
        async for told in self.feed.told():
            match told:
                case Frame():
                    self.show(self.mirror.apply(told.changes, told.at_ms, self._clock()))
                case Connected():
                    self.greeting, self.lost = told.greeting, ""
                    self.draw_header()
                case Disconnected():
                    self.lost = told.reason
                    self.draw_header()
                case Noted(text):
                    self.notify(text, severity="warning", markup=False, timeout=8)
                case Refused():
                    self.refused = told.error
                    self.exit(return_code=1)

    async def on_unmount(self) -> None:
        """Let go of the stream."""
        await self.feed.close()
        if self.client is not None:
            await self.client.close()

    # -- what is shown ------------------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        """What the broker lets this session do."""
        return self.greeting.role if self.greeting is not None else Role.NONE

    @property
    def here(self) -> TopScreen | None:
        """The screen of the dashboard that is seen, dialogs over it left aside."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, TopScreen)), None)

    @property
    def now_ms(self) -> int:
        """The broker's clock, as far as it is known."""
        if not self.mirror.at_ms:
            return 0
        return self.mirror.at_ms + round(self.mirror.silence(self._clock()) * 1_000)

    @property
    def is_utc(self) -> bool:
        """Whether moments are drawn in UTC, not in the time of this machine."""
        return self._is_utc

    @property
    def is_locked(self) -> bool:
        """Whether what is shown is too old to act on more than one thing."""
        return bool(self.lost) or self.mirror.is_stale(self._clock(), self._hz)

    def missing(self, screen: TopScreen) -> set[str]:
        """Scopes of a screen of which nothing came yet."""
        return {*ALWAYS, *screen.scopes} - set(self.mirror.scopes)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What becomes of each line at last."""
        return [*super().get_line_filters(), *last_filters(self.look.glyphs, no_color=self.no_color)]

    def enter(self, screen: TopScreen) -> None:
        """A screen came on top."""
        self.travelling.arrived()
        self.rewatch()
        self.mirror.forget((*ALWAYS, *screen.scopes, *self.feed.facts().kept))
        known = {scope: dict(self.mirror.rows(scope)) for scope in (*ALWAYS, *screen.scopes)}
        screen.draw(self.mirror, {scope: Changed(True, rows, []) for scope, rows in known.items()})
        screen.say()
        self.draw_header()

    def rewatch(self) -> None:
        """What the screen needs has changed, or how often."""
        hz = 0.0 if self._is_paused else min(self._hz, BLURRED_HZ) if self._is_blurred else self._hz
        self.feed.watch((*ALWAYS, *(self.here.scopes if self.here is not None else ())), hz)

    def show(self, changes: Mapping[str, Changed]) -> None:
        """Draw what has changed; nothing in the stream may have, but the size of the screen."""
        screen = self.here
        if screen is not None and screen.is_mounted:
            with self.batch_update(), screen.drawing():
                screen.draw(self.mirror, changes)
                screen.say()
                self.draw_header()

    def _tick_every(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_interval(seconds, self._tell_time, pause=self._is_paused)

    def _tell_time(self) -> None:
        if not self._is_paused:
            if self.client is not None and not self._is_blurred and self.link.is_due(self._clock()):
                self._measure_link(self.client)
            self.draw_header()
        if (screen := self.here) is not None and screen.is_mounted:
            with screen.drawing():
                screen.tell_time()

    @work(exclusive=True, group="link", exit_on_error=False)
    async def _measure_link(self, client: AsyncClient) -> None:
        await self.link.measure(client)
        self.draw_header()

    def draw_header(self) -> None:
        """Draw the two lines on top."""
        screen = self.here
        if screen is None or not screen.is_mounted:
            return
        with screen.drawing():
            screen.query_one(Header).show(self.status(), self._tabs(), screen.mode, screen.crumb)

    def status(self) -> Status:
        """What the first line says."""
        greeting = self.greeting
        return Status(
            address=greeting.address if greeting is not None else self.lost or "connecting ...",
            badge=greeting.badge if greeting is not None else "",
            role=greeting.role.value if greeting is not None else "",
            actor=greeting.actor if greeting is not None else "",
            freshness=self._freshness(),
            lag_ms=round(self.mirror.silence(self._clock()) * 1_000),
            link_ms=self.link.ms,
            hz=self._hz,
            now_ms=self.now_ms,
            is_utc=self._is_utc,
            remark=self.feed.facts().remark or (self.lost if greeting is not None else ""),
        )

    def _freshness(self) -> str:
        if self.lost:
            return LOST
        if self._is_paused:
            return PAUSED
        return STALE if self.mirror.is_stale(self._clock(), self._hz) else LIVE

    def why_not(self, action: Action, target: Target | None) -> str:
        """Why an action cannot be done to such a thing now; empty if it can."""
        return why_not(action, self.role, target)

    def _tabs(self) -> tuple[Tab, ...]:
        totals = next(iter(self.mirror.rows("totals").values()), None)
        dead = count(totals.dead) if isinstance(totals, Totals) and totals.dead else ""
        return tuple(
            Tab(str(number), mode, mode.capitalize(), dead if mode == "dead" else "")
            for number, mode in enumerate(MODES, start=1)
        )

    @property
    def findings(self) -> list[Finding]:
        """What somebody should look at, the most urgent first."""
        return list(self.mirror.rows("attention").values())

    # -- keys that work everywhere ------------------------------------------------------------------------------

    def action_mode(self, mode: str) -> None:
        """To another of the five places."""
        self.switch_mode(mode)

    @work(exclusive=True, group="action")
    async def action_act(self, action_id: str) -> None:
        """Retry, purge, hold, ...: what tq/tui/actions.py says, to what is selected here."""
        screen = self.here
        action = next(one for one in ACTIONS if one.id == action_id)
        if screen is None or self.screen is not screen or (action not in screen.refusals() and action is not UNDO):
            return
        selection = screen.aim(action, screen.selection())
        refusal = self.acting.refusal(action, selection)
        if refusal:
            self.notify(refusal, title=f"{action.key} {action.label}", severity="warning", markup=False, timeout=4)
            return
        try:
            await self.acting.act(action, selection)
        except TqError as error:
            self.report(error)

    def action_help(self) -> None:
        """What can be pressed here."""
        if self.here is not None and self.screen is self.here:
            self.push_screen(HelpScreen(self.here))

    def action_climb(self) -> None:
        """One screen up."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self.here is not None and self.here.filter_text:
            self.filter("")

    async def action_turn(self, steps: int) -> None:
        """Back, or on, through the places that were visited."""
        await self.travelling.turn(steps)

    def action_pause(self) -> None:
        """Stop the stream, or let it go on."""
        self._is_paused = not self._is_paused
        if self._timer is not None:
            (self._timer.pause if self._is_paused else self._timer.resume)()
        self.rewatch()
        self.draw_header()

    def action_faster(self, steps: int) -> None:
        """More or fewer frames a second."""
        place = min(range(len(RATES_HZ)), key=lambda index: abs(RATES_HZ[index] - self._hz))
        self._hz = RATES_HZ[min(max(place + steps, 0), len(RATES_HZ) - 1)]
        self.rewatch()
        self.draw_header()

    def action_utc(self) -> None:
        """Moments in the time of this machine, or in UTC."""
        self._is_utc = not self._is_utc
        self.draw_header()

    def action_copy_command(self) -> None:
        """Copy the command that prints what this screen shows."""
        if self.here is not None:
            self.copy(self.here.command.text(self.reach))

    @work(exclusive=True, group="copy")
    async def action_copy_json(self) -> None:
        """Copy what the cursor is on, or what this screen is about, as JSON."""
        if self.here is not None and self.screen is self.here:
            try:
                await copy_json(self, self.here)
            except TqError as error:
                self.report(error)

    def copy(self, text: str) -> None:
        """Put text on the clipboard of the terminal (OSC 52), and say so."""
        self.copy_to_clipboard(text)
        self.notify(text, title="Copied", markup=False, timeout=4)

    def action_leave(self) -> None:
        """Up, or out from the top."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.leave()

    async def action_quit(self) -> None:
        """Out, from anywhere."""
        self.leave()

    def action_suspend_process(self) -> None:
        """To the shell that started it. Behind a door there is none, and nobody who could say `fg`."""
        if self.is_local:
            super().action_suspend_process()

    def leave(self) -> None:
        """End the dashboard."""
        self.exit()

    def on_app_blur(self) -> None:
        """Nobody looks: slower."""
        self._is_blurred = True
        self._tick_every(BLURRED_CLOCK_SECONDS)
        self.rewatch()

    def on_app_focus(self) -> None:
        """Somebody looks again."""
        self._is_blurred = False
        self._tick_every(CLOCK_SECONDS)
        self.rewatch()

    def on_footer_pressed(self, message: Footer.Pressed) -> None:
        """A hint was clicked: as if its key were pressed."""
        self.simulate_key(_KEYS.get(message.key, message.key))

    # -- command line and filter --------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`:`, `/` and `o` come before all other keys, so that what is typed right behind them is in the line already;
        but where text is typed, and in dialogs, they are characters. There Ctrl-C copies, as in an editor."""
        if action == "quit" and isinstance(self.focused, Input | InOrder):
            return False
        if action == "ask" and (self.screen is not self.here or isinstance(self.focused, Input | InOrder)):
            return False
        return super().check_action(action, parameters)

    def action_ask(self, kind: str) -> None:
        """Open the line at the bottom."""
        self.asking.open(kind)

    def on_prompt_left(self) -> None:
        """Nothing was asked for."""
        self.asking.close()

    async def on_prompt_taken(self, message: Prompt.Taken) -> None:
        """Do what was typed."""
        await self.asking.take(message.kind, message.text)

    def filter(self, text: str) -> None:
        """Show on this screen only what matches.

        Raises:
            InvalidArgument: it cannot be understood.
        """
        if self.here is not None:
            self.here.apply_filter(text.strip())
            self.travelling.arrived()
            self.draw_header()

    def report(self, error: TqError) -> None:
        """Say what went wrong, and what to do."""
        hint, message = (plain(text, keep_lines=True) for text in (error.hint or "", error.message))
        self.notify(hint, title=message, severity="error", markup=False, timeout=8)

    async def go(self, place: Place) -> None:
        """To a place of the command line; see Travelling.go."""
        await self.travelling.go(place)

    def open(self, place: Place) -> None:
        """A screen on top of this one; see Travelling.open."""
        self.travelling.open(place)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette offers."""
        return palette.commands(self, screen)


_KEYS = {":": "colon", "?": "question_mark", "/": "slash", "!": "exclamation_mark", "Ent": "enter", "Spc": "space"}

"""What all screens have in common: a place in the dashboard, scopes of the stream, and one plain command that says the
same."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, ClassVar, Concatenate, NamedTuple, ParamSpec, TypeVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

from tq.client.async_client import AsyncClient
from tq.model.errors import InvalidArgument
from tq.tui.actions import ACTIONS, UNDO, Action, Target
from tq.tui.commandline import Place
from tq.tui.mirror import Changed, Mirror
from tq.tui.shell import Command
from tq.tui.widgets.footer import Footer, Hint
from tq.tui.widgets.header import Header
from tq.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from tq.tui.app import TopApp

Record = Mapping[str, object]
"""What tq/views/records.py makes of a thing."""
S = TypeVar("S", bound="TopScreen")
P = ParamSpec("P")


def fetching(
    group: str,
) -> Callable[[Callable[Concatenate[S, P], Awaitable[None]]], Callable[Concatenate[S, P], Worker[None]]]:
    """A method of a screen that asks the broker, as a worker of Textual's: of each group the latest one goes on alone.
    An answer that comes when the screen is being left is of no use; see `TopScreen.drawing`."""

    def decorate(method: Callable[Concatenate[S, P], Awaitable[None]]) -> Callable[Concatenate[S, P], Worker[None]]:
        @work(exclusive=True, group=group)
        @wraps(method)
        async def fetch(self: S, *args: P.args, **kwargs: P.kwargs) -> None:
            with self.drawing():
                await method(self, *args, **kwargs)

        return fetch

    return decorate


class Selection(NamedTuple):
    """What an action would be done to: things of one kind by id, or all that a selector matches."""

    target: Target
    ids: tuple[str, ...] = ()
    selector: str = ""

    @property
    def is_one(self) -> bool:
        """Whether it is a single thing, named."""
        return len(self.ids) == 1 and not self.selector


class TopScreen(Screen[None]):
    """A screen of the dashboard.

    A subclass names its `mode` and `crumb`, watches `scopes`, yields its body from `body`, draws a frame in `draw`, and
    says what is selected. It asks and acts through the app alone.
    """

    AUTO_FOCUS = "VTable"  # or nothing: keys are for the screen then, never for the hidden prompt
    mode: ClassVar[str] = ""
    """The tab that it belongs to."""
    BINDINGS: ClassVar[list[BindingType]] = []
    hints: ClassVar[tuple[Hint, ...]] = ()
    """Keys of this screen alone, for the footer and the help."""

    has_begun = False
    """Whether it was on top once, and so has asked for what it shows."""

    @property
    def top(self) -> "TopApp":
        """The application."""
        return cast("TopApp", self.app)

    @property
    def crumb(self) -> str:
        """Where one is, in a few words."""
        raise NotImplementedError

    @property
    def place(self) -> Place:
        """What opens this screen again, as it is filtered now."""
        return Place(self.mode, self.filter_text)

    @property
    def scopes(self) -> Sequence[str]:
        """What of the stream this screen needs, besides the totals."""
        return ()

    @property
    def command(self) -> Command:
        """The command that prints the same."""
        raise NotImplementedError

    @property
    def filter_text(self) -> str:
        """The filter that is on; empty if none."""
        return ""

    @property
    def filter_hint(self) -> str:
        """What a filter of this screen looks like; empty: it has none. It is what `/` asks for."""
        return ""

    def body(self) -> ComposeResult:
        """The widgets between header and footer."""
        raise NotImplementedError

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """A frame came, or the screen is seen again (all that is watched counts as changed)."""

    def apply_filter(self, text: str) -> None:
        """Show only what matches.

        Raises:
            InvalidArgument: it cannot be understood.
        """

    def release(self, used: Selection) -> None:
        """An action has begun on what was selected: it is not to be hit by the next one as well."""

    async def thing(self) -> Record | None:
        """What the cursor is on, else what the screen is about, as the command prints it with `-o json`; None: nothing.

        Raises:
            TqError: the broker refused, or there is none to ask.
        """
        raise NotImplementedError

    async def things(self) -> object:
        """All that is shown, as the command prints it with `-o json`.

        Raises:
            TqError: as for `thing`.
        """
        return await self.thing()

    @property
    def why_not_saved(self) -> str:
        """Why no file can be written; empty if one can. Behind a door it would be one of the server's."""
        return "" if self.top.is_local else "files: only where tq top itself runs"

    def broker(self) -> AsyncClient:
        """Who is asked for what the stream has not.

        Raises:
            InvalidArgument: nobody, in a recording.
        """
        if self.top.client is None:
            raise InvalidArgument("only a broker could be asked for this: it is in no recording")
        return self.top.client

    def selection(self) -> Selection | None:
        """What an action would be done to now; None: nothing."""
        return None

    def compose(self) -> ComposeResult:
        """Header, body, prompt and footer."""
        yield Header()
        yield from self.body()
        yield Prompt(self.top.asking.complete)
        yield Footer()

    @property
    def is_whole(self) -> bool:
        """Whether all its widgets are there: mounted, and none of them has begun to go."""
        return self.is_mounted and self.display  # Textual says no to `display` as soon as a node is to be removed

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Around what draws because something came: frames and answers do, too, when the screen is being left and its
        widgets go one by one. Then there is nothing to draw on and nobody to see it; at any other time a widget that
        is missing is a defect."""
        try:
            yield
        except NoMatches:
            if self.is_whole:
                raise

    def on_screen_resume(self) -> None:
        """The screen is on top: watch what it needs, and show what is known."""
        self.top.enter(self)
        self.has_begun = True

    def on_resize(self) -> None:
        """Other lines fit now; the next frame may be far, in a lost connection or a recording that stands still."""
        if self.has_begun:
            self.top.show({})

    def say(self, hints: Sequence[Hint] = ()) -> None:
        """Draw the footer: how to go in and to mark, what can be done here and now, then the other ways to look; while
        something is typed, the keys that mean something there."""
        acting = [Hint(action.key, action.label, why) for action, why in self.refusals().items()]
        own = self.hints_now()
        save = Hint("o", "save", self.why_not_saved)
        shown = [*own[:2], *acting, *own[2:], *hints, Hint(":", "cmd"), Hint("Y", "JSON"), save, Hint("?", "help")]
        self.query_one(Footer).show(self.query_one(Prompt).hints or shown)

    def tell_time(self) -> None:
        """A moment has gone by: ages are others, and what is shown may have become too old to act on."""
        self.say()

    def hints_now(self) -> Sequence[Hint]:
        """The keys of this screen alone, those that lead nowhere now with the reason."""
        return self.hints

    def refusals(self) -> dict[Action, str]:
        """What can be done here, and why it cannot be done now; empty if it can."""
        acting, selected = self.top.acting, self.selection()
        return {
            action: acting.refusal(action, self.aim(action, selected))
            for action in ACTIONS
            if set(action.targets) & set(self.targets) or (action is UNDO and acting.last_operation)
        }

    def aim(self, action: Action, selected: Selection | None) -> Selection | None:
        """What an action would be done to, where that is not simply what is selected: a queue is held while one looks
        at its tasks."""
        del action
        return selected

    @property
    def targets(self) -> tuple[Target, ...]:
        """The kinds of thing that can be selected here."""
        return ()


def only(widget: Widget, *, is_shown: bool) -> None:
    """Show a widget or not, without a layout if that is how it is already."""
    if widget.display is not is_shown:
        widget.display = is_shown

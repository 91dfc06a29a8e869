"""`?`: the keys of the screen under it, those that work everywhere, and what can be typed after `:`."""

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tq.tui.actions import UNDO, Action, Tier
from tq.tui.commandline import WORDS
from tq.tui.screens.base import TopScreen
from tq.tui.widgets.footer import Hint

if TYPE_CHECKING:
    from tq.tui.app import TopApp

MOVING = (
    ("arrows, h j k l", "move"),
    ("g G, PgUp PgDn", "first, last, a screenful; ctrl+u ctrl+d half of one"),
    ("Enter, right", "open what the cursor is on"),
    ("Esc, left", "one screen up"),
    ("q, ctrl+c", "one screen up, or out; out from anywhere"),
    ("1 to 5", "Queues, Workers, Dead, Tasks, Activity"),
    ("/", "filter; an empty one shows all again"),
    (":", "go somewhere by name; Tab completes"),
    ("ctrl+p", "search everything that can be done"),
)
LOOKING = (
    ("s S", "sort by the next column; the other way round"),
    ("z", "freeze the rows: cells go on, nothing moves"),
    ("f", "follow the row under the cursor"),
    ("w", "the columns that found no room in this width, and back"),
    ("t", "local time or UTC"),
)
TAKING = (
    ("y", "copy the name or id"),
    ("Y", "copy the JSON of the row, or of what the screen is about"),
    ("c", "copy the command that prints the same"),
)
PICKING = (
    ("Space", "mark; marks stay through refresh and filter, and go with their task"),
    ("a", "mark the rows that are on the screen; again: none of them"),
    ("v", "mark a range"),
    ("ctrl+\\", "no marks"),
)


class HelpScreen(ModalScreen[None]):
    """Everything that can be pressed, for the screen that it was opened from."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 84; max-width: 96%; height: auto; max-height: 92%;
        background: $surface; border: round $primary; padding: 0 2;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "Close", show=False),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, under: TopScreen) -> None:
        super().__init__()
        self._under = under

    def compose(self) -> ComposeResult:
        """One text, in sections."""
        with VerticalScroll():
            yield Static(help_text(self._under, cast("TopApp", self.app)))

    def action_scroll(self, lines: int) -> None:
        """Up or down."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def help_text(under: TopScreen, top: "TopApp") -> Text:
    """The whole page. Text, never markup."""
    mine = under.refusals()
    text = Text()
    _section(text, f"Keys of this screen: {under.crumb}", [_own(hint) for hint in under.hints_now()])
    _section(text, "Act (upper case: Shift means I am sure)", [_act(one, why) for one, why in mine.items()])
    _section(text, "Move", (*MOVING, *top.moving_keys))
    _section(text, "Look", (*LOOKING, *top.time_keys))
    _section(text, "Pick", PICKING)
    save = Hint("o", "save the JSON of all that is shown to a new file", under.why_not_saved)
    _section(text, "Take", (*TAKING, _own(save)))
    _section(text, "After :", [(" ".join((word.names[0], word.takes.upper())), word.help) for word in WORDS])
    text.append(f"\nThe same in a shell: {under.command.text(top.reach)}\n", "bold")
    return text


def _own(hint: Hint) -> tuple[str, str]:
    return hint.key, f"{hint.label}{f'   ({hint.why_not})' if hint.why_not else ''}"


def _act(action: Action, why: str) -> tuple[str, str]:
    how = {
        Tier.AT_ONCE: "at once" + (f", {UNDO.key} takes it back" if action.undone_by == UNDO.id else ""),
        Tier.ASK: "asks first, with count and sample",
        Tier.TYPE: "the name or the number must be typed",
    }[action.one]
    return action.key, f"{action.label}: {how}{f'   ({why})' if why else ''}"


def _section(text: Text, title: str, lines: "list[tuple[str, str]] | tuple[tuple[str, str], ...]") -> None:
    if not lines:
        return
    text.append(f"\n{title}\n", "bold underline")
    for key, meaning in lines:
        text.append(f"  {key:<18}", "bold")
        text.append(f"{meaning}\n")

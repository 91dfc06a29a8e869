"""The dialogs before something happens to more than one task, or something goes.

The focus is on Cancel, and Enter cancels. Only `y` goes on, which is never the key that opened the dialog, and only
while no field is being typed in; where something goes for good, a word must have been typed too. Text that is pasted
can fill a field and do nothing else.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label

from tq.model.plain import plain
from tq.tui.columns import Cell
from tq.tui.glyphs import Glyphs
from tq.tui.widgets.fields import Field
from tq.tui.widgets.lines import Lines

REASON_CHARS_MAX = 500
SMALL_LINES, WIDE_CELLS = 20, 74
"""A terminal lower than this has no blank lines in its dialogs; one narrower, short names of keys."""


class Question(NamedTuple):
    """What is asked. `facts`: the weightiest first, for on a small screen the last ones are left out; `word`: what must
    be typed, empty if nothing; `rate`: the number of tasks a second that is proposed, 0 if that cannot be chosen;
    `needs_reason`: whether one must be given."""

    title: str
    facts: Sequence[Cell]
    verb: str
    command: str
    word: str = ""
    rate: int = 0
    needs_reason: bool = False


class Answer(NamedTuple):
    """What was decided."""

    reason: str
    rate: int


class Confirm(ModalScreen[Answer | None]):
    """Asks; None: cancelled.

    Args:
        why_not: why it cannot go on now, whatever was typed; empty if it can.
    """

    DEFAULT_CSS = """
    Confirm { align: center middle; }
    Confirm > Vertical {
        width: 100; max-width: 98%; height: auto; max-height: 100%;
        background: $surface; border: round $warning; padding: 0 1;
    }
    Confirm .title { text-style: bold; width: 1fr; }
    Confirm Lines { background: $surface; margin: 1 0; }
    Confirm.-small Lines { margin: 0; }
    Confirm Horizontal { height: auto; }
    Confirm Horizontal Label { width: 22; padding: 0 1 0 0; }
    Confirm Input { height: 1; border: none; padding: 0 1; background: $background; width: 1fr; }
    Confirm Input:focus { border: none; height: 1; background: $boost; }
    Confirm .refusal { color: $error; height: auto; width: 1fr; display: none; }
    Confirm Button { height: 1; min-width: 12; border: none; margin: 0 2 0 0; }
    Confirm Button:focus { text-style: bold reverse; }
    Confirm .keys { width: 1fr; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("y", "go_on", "Go on", show=False),
        Binding("c", "copy", "Copy as a command", show=False),
    ]

    def __init__(self, question: Question, glyphs: Glyphs, why_not: Callable[[], str] = str) -> None:
        super().__init__()
        self._question = question
        self._glyphs = glyphs
        self._why_not = why_not

    def compose(self) -> ComposeResult:
        """Title, facts, fields, Cancel."""
        asked = self._question
        with Vertical():
            yield Label(plain(asked.title), classes="title", markup=False)
            yield Lines(self._glyphs, "facts")
            if asked.word:
                with Horizontal():
                    yield Label(f"type {plain(asked.word)}", markup=False)
                    yield Field(id="word", placeholder="to be sure")
            if asked.rate:
                with Horizontal():
                    yield Label("tasks a second", markup=False)
                    yield Field(str(asked.rate), id="rate", type="integer", select_on_focus=False)
            with Horizontal():
                yield Label("reason" if asked.needs_reason else "reason (may be empty)", markup=False)
                yield Field(id="reason", max_length=REASON_CHARS_MAX, placeholder="for the audit")
            yield Label("", classes="refusal", markup=False)
            with Horizontal():
                yield Button("Cancel", id="cancel", compact=True)
                yield Label("", classes="keys", markup=False)

    def on_mount(self) -> None:
        """The focus is where nothing happens."""
        self.query_one("#cancel", Button).focus()

    def on_resize(self) -> None:
        """As many of the facts as there is room for; everything else is always there."""
        width, height = self.size
        is_small = height < SMALL_LINES
        self.set_class(is_small, "-small")
        fields = 1 + bool(self._question.word) + bool(self._question.rate)
        around = 2 + 1 + fields + 1 + 1 + (0 if is_small else 2)  # border, title, refusal, Cancel, margins
        self.query_one("#facts", Lines).show(_fitting(self._question.facts, max(1, height - around)))
        copy, fill = (" as command", "Tab fields   ") if width >= WIDE_CELLS else ("", "Tab   ")
        self.query_one(".keys", Label).update(f"y {self._question.verb}   c copy{copy}   {fill}Esc cancel")

    def _typed(self, name: str) -> str:
        fields = self.query(f"#{name}").results(Input)
        return next((field.value.strip() for field in fields), "")

    def refusal(self) -> str:
        """Why it does not go on as things stand; empty if it does."""
        asked = self._question
        if why_not := self._why_not():
            return why_not
        if asked.word and self._typed("word") != asked.word:
            return f"type {plain(asked.word)} into the field, exactly"
        if asked.rate and (not self._typed("rate").isdecimal() or int(self._typed("rate")) < 1):
            return "the rate is a whole number of tasks a second, at least 1"
        if asked.needs_reason and not self._typed("reason"):
            return "say why: it goes into the audit"
        return ""

    def action_go_on(self) -> None:
        """Yes, if all is filled in."""
        refusal = self.refusal()
        if refusal:
            label = self.query_one(".refusal", Label)
            label.update(refusal)
            label.display = True
            return
        rate = self._typed("rate")
        self.dismiss(Answer(self._typed("reason"), int(rate) if rate else 0))

    def action_cancel(self) -> None:
        """No."""
        self.dismiss(None)

    def action_copy(self) -> None:
        """The command that asks the same."""
        self.app.copy_to_clipboard(self._question.command)
        self.notify(plain(self._question.command), title="Copied", markup=False, timeout=4)

    def on_button_pressed(self) -> None:
        """Enter on Cancel."""
        self.dismiss(None)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter in a field goes to the next one, never on."""
        message.stop()
        self.focus_next()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted outside of a field is for nobody."""
        event.stop()


def _fitting(facts: Sequence[Cell], lines: int) -> list[Cell]:
    """The first of the facts, and how many more there are, if they do not all fit."""
    if len(facts) <= lines:
        return list(facts)
    return [*facts[: lines - 1], Cell(f"  ... {len(facts) - lines + 1:,} lines more", "dim")]

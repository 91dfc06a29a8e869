"""The line at the bottom that takes a filter (`/`), a command (`:`), or the name of a file (`o`)."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.suggester import Suggester

from tq.tui.widgets.fields import Field
from tq.tui.widgets.footer import Hint

Complete = Callable[[str], list[str]]

FILTER, PLACE, FILE = "/", ":", "o"
"""What can be asked for, by the key that asks."""
LEAVE = Hint("Esc", "leave")
HINTS = {
    FILTER: (Hint("Ent", "show what matches"), LEAVE),
    PLACE: (Hint("Ent", "go there"), Hint("Tab", "complete"), LEAVE),
    FILE: (Hint("Ent", "save what is shown as JSON to this file"), LEAVE),
}
"""The keys that mean something while it is typed."""


class _Completing(Suggester):
    def __init__(self, complete: Complete) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        """The best whole line that begins with `value`."""
        found = self._complete(value)
        return found[0] if found and found[0] != value else None


class Prompt(Field):
    """Typed text, taken with Enter and left with Escape. Hidden while nobody asks for it."""

    DEFAULT_CSS = """
    Prompt { height: 1; border: none; padding: 0 1; background: $surface; display: none; }
    Prompt:focus { border: none; height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False),
        Binding("tab", "complete", "Complete", show=False, priority=True),
    ]

    class Taken(Message):
        """Enter was pressed. `kind` is FILTER, PLACE or FILE."""

        def __init__(self, kind: str, text: str) -> None:
            super().__init__()
            self.kind = kind
            self.text = text

    class Left(Message):
        """Escape was pressed."""

    def __init__(self, complete: Complete) -> None:
        super().__init__(select_on_focus=False)
        self.kind = PLACE
        self._complete = complete

    def open(self, kind: str, text: str, hint: str) -> None:
        """Ask for a line. `hint` is shown while it is empty."""
        self.kind = kind
        self.placeholder = hint
        self.suggester = _Completing(self._complete) if kind == PLACE else None
        self.value = text
        self.cursor_position = len(text)
        self.display = True
        self.screen.set_focus(self)  # at once: the next key may be there already

    @property
    def hints(self) -> Sequence[Hint]:
        """The keys that mean something while it asks; none, then it does not."""
        return HINTS[self.kind] if self.display else ()

    def close(self) -> None:
        """Ask no more."""
        self.display = False
        self.value = ""

    def action_complete(self) -> None:
        """Take the completion."""
        if self.kind == PLACE and (found := self._complete(self.value)):
            self.value = found[0]
            self.cursor_position = len(self.value)

    def action_leave(self) -> None:
        """Give up."""
        self.post_message(self.Left())

    async def action_submit(self) -> None:
        """Take what was typed."""
        self.post_message(self.Taken(self.kind, self.value))

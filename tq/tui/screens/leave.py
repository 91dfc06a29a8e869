"""The question at the end of `tq up`: the dashboard goes, but what of the broker and its workers?

The focus is on Back, so that Enter changes nothing, and neither of the keys that go on is the one that asked.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from tq.model.plain import plain
from tq.tui.leaving import Leaving


class Leave(ModalScreen[Leaving | None]):
    """Asks; None: back to the dashboard. `log_path` is where broker and workers write their log."""

    DEFAULT_CSS = """
    Leave { align: center middle; }
    Leave > Vertical {
        width: 76; max-width: 98%; height: auto; max-height: 96%;
        background: $surface; border: round $accent; padding: 0 1;
    }
    Leave Label { width: 1fr; }
    Leave .title { text-style: bold; margin: 0 0 1 0; }
    Leave Horizontal { height: auto; margin: 1 0 0 0; }
    Leave Button { height: 1; min-width: 8; border: none; margin: 0 2 0 0; }
    Leave Button:focus { text-style: bold reverse; }
    Leave .log { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "decide('')", "Back", show=False),
        Binding("s", "decide('stop')", "Stop", show=False),
        Binding("k", "decide('keep')", "Keep running", show=False),
        Binding("right", "app.focus_next", show=False),
        Binding("left", "app.focus_previous", show=False),
    ]

    def __init__(self, log_path: str) -> None:
        super().__init__()
        self._log_path = log_path

    def compose(self) -> ComposeResult:
        """The question, what the keys do, and the keys as buttons."""
        with Vertical():
            yield Label("Stop the broker and its workers?", classes="title", markup=False)
            yield Label("s    stop: what runs is finished first", markup=False)
            yield Label("k    keep them running, without the dashboard, until Ctrl-C", markup=False)
            yield Label("Esc  back to the dashboard", markup=False)
            with Horizontal():
                yield Button("Back", id="back", compact=True)
                yield Button("Stop", id="stop", compact=True)
                yield Button("Keep running", id="keep", compact=True)
            yield Label(f"log: {plain(self._log_path)}", classes="log", markup=False)

    def on_mount(self) -> None:
        """The focus is where nothing happens."""
        self.query_one("#back", Button).focus()

    def action_decide(self, answer: str) -> None:
        """A key was pressed."""
        self.dismiss(Leaving(answer) if answer else None)

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """A button was."""
        self.action_decide("" if message.button.id == "back" else message.button.id or "")

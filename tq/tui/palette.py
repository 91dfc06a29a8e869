"""What the palette (ctrl+p) offers: what can be done here, places, themes.

Nothing of it writes a file where the application runs (Textual's own "Screenshot" does, and behind a door that is the
server).
"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.screen import Screen

from tq.tui.places import MODES
from tq.tui.screens.base import TopScreen
from tq.tui.theme import NAMES

if TYPE_CHECKING:
    from tq.tui.app import TopApp


def commands(top: "TopApp", screen: Screen[Any]) -> Iterator[SystemCommand]:
    """Each line of the palette over a screen; what cannot be done says why, as in the footer."""
    for action, why in screen.refusals().items() if isinstance(screen, TopScreen) else ():
        how = f"key {action.key}{f'   ({why})' if why else ''}"
        yield SystemCommand(action.label.capitalize(), how, partial(top.action_act, action.id))
    for number, mode in enumerate(MODES, start=1):
        yield SystemCommand(mode.capitalize(), f"key {number}", partial(top.action_mode, mode))
    for name in NAMES:
        yield SystemCommand(f"Theme {name}", "how it looks", partial(setattr, top, "theme", name))
    yield SystemCommand("Quit", "key q", top.leave)

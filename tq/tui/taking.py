"""What can be taken away from a screen as JSON: what the cursor is on to the clipboard, all that is shown to a file.

It is what the command of the screen prints with `-o json`: the same records, of the same answers to the same role.
"""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tq.model.errors import InvalidArgument
from tq.tui.commandline import Place
from tq.tui.new_file import write_new
from tq.tui.places import MODES
from tq.tui.screens.base import TopScreen
from tq.views.documents import document
from tq.views.payloads import size

if TYPE_CHECKING:
    from tq.tui.app import TopApp

COPIED_BYTES_MAX = 750_000
"""tmux drops escape sequences beyond 1 MiB, which base64 reaches at three quarters of that."""
ABOUT_CHARS_MAX = 40
"""Of what a screen is about, in the name of a file."""
TAKEN = "what is there stays as it is: name another"


async def copy_json(top: "TopApp", screen: TopScreen) -> None:
    """Put the JSON of what the cursor is on, or of what the screen is about, on the clipboard.

    Raises:
        TqError: the broker refused, there is nothing, or too much.
    """
    record = await screen.thing()
    if record is None:
        raise InvalidArgument("there is nothing here to copy")
    text = document(record)
    length = len(text.encode())
    if length > COPIED_BYTES_MAX:
        raise InvalidArgument(
            f"{size(length)} of JSON are too much for the clipboard of a terminal",
            hint=f"{screen.command.text(top.reach)} -o json",
        )
    top.copy_to_clipboard(text)
    top.notify(f"{size(length)} of JSON", title="Copied", markup=False, timeout=4)


async def save_json(top: "TopApp", screen: TopScreen, name: str) -> None:
    """Write the JSON of all that the screen shows to a new file.

    Raises:
        TqError: the broker refused, or the file cannot be made.
    """
    path = _path(name)
    written = await asyncio.to_thread(write_new, path, f"{document(await screen.things())}\n", hint=TAKEN)
    top.notify(f"{path.absolute()}  {size(written)}", title="Saved", markup=False, timeout=6)


def _path(name: str) -> Path:
    if not name:
        raise InvalidArgument("the file needs a name")
    try:
        return Path(name).expanduser()
    except RuntimeError as cause:
        raise InvalidArgument(f"{name!r} is no name of a file: {cause}") from None


def default_name(place: Place, now_ms: int) -> str:
    """A name for a file of what a place shows now, in the current directory."""
    about = "" if place.screen in MODES else re.sub(r"[^A-Za-z0-9._]+", "-", place.argument)[:ABOUT_CHARS_MAX]
    moment = datetime.fromtimestamp(now_ms / 1_000, UTC)
    return "-".join(filter(None, ("tq", place.screen, about.strip("-"), f"{moment:%Y%m%dT%H%M%SZ}"))) + ".json"

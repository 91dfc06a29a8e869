"""Where the terminal has no Unicode, nothing on the screen is more than ASCII: tables, dialogs, notes, the palette."""

from textual.command import CommandPalette

from tests.client.real import RealBroker
from tests.tui.dumps import lines
from tests.tui.live import Seat, dashboard, dead_letters
from tq.tui.commandline import Place
from tq.tui.screens.confirm import Confirm
from tq.tui.screens.edit import Edit
from tq.tui.screens.leave import Leave

QUEUE = "letters"


def _beyond_ascii(seat: Seat) -> list[str]:
    return [line for line in lines(seat.app) if not line.isascii()]


async def test_nothing_is_drawn_that_is_more_than_ascii(broker: RealBroker) -> None:
    errors = [(f"Error{number}", "it broke") for number in range(40)]
    [task_id, *_] = await dead_letters(broker.address, QUEUE, errors, payload=b"{}", content_type="application/json")

    async with dashboard(broker.address, size=(80, 16)) as seat:
        for mode in "12345":
            await seat.press(mode)
            await seat.until(lambda: seat.app.here is not None and not seat.app.missing(seat.app.here), "the rows")
            assert _beyond_ascii(seat) == []
        seat.app.open(Place("task", task_id))
        await seat.until(lambda: any("failed for good" in line for line in lines(seat.app)), "the task")
        assert _beyond_ascii(seat) == []
        await seat.press("question_mark")
        assert _beyond_ascii(seat) == []
        await seat.press("escape", "P")
        await seat.until(lambda: isinstance(seat.app.screen, Confirm), "the question")
        await seat.press("y")  # refused: nothing was typed
        assert _beyond_ascii(seat) == []
        await seat.press("escape", "E")
        await seat.until(lambda: isinstance(seat.app.screen, Edit), "the form")
        assert _beyond_ascii(seat) == []
        await seat.press("escape", "y")
        await seat.until(lambda: seat.said, "the note")
        assert _beyond_ascii(seat) == []
        seat.app.notify("a", severity="error")
        seat.app.notify("b", severity="warning")
        seat.app.push_screen(Leave("/var/log/up.log"))
        await seat.press()
        assert _beyond_ascii(seat) == []
        await seat.press("escape", "ctrl+p", "t")
        await seat.until(lambda: isinstance(seat.app.screen, CommandPalette), "the palette")
        await seat.until(lambda: any("Theme" in line for line in lines(seat.app)), "what it found")
        assert _beyond_ascii(seat) == []

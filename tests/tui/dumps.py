"""What is on the screen, as text."""

from textual.pilot import Pilot

from tq.tui.app import TopApp


def lines(app: TopApp) -> list[str]:
    """The lines of the terminal, trailing blanks cut."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def text(app: TopApp) -> str:
    """All of it."""
    return "\n".join(lines(app))


async def settled(pilot: "Pilot[None]") -> None:
    """All that was pushed is drawn: feed, messages, layout."""
    for _ in range(3):
        await pilot.pause()

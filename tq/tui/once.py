"""`tq top --once`: one frame of a screen as text, drawn without a terminal."""

import asyncio

from textual.pilot import Pilot

from tq.model.errors import ConnectFailed
from tq.tui.app import TopApp

_POLL_SECONDS = 0.01


async def draw_once(app: TopApp, size: tuple[int, int], *, seconds: float) -> str:
    """The screen that the application begins with, once all that it shows is there.

    Args:
        size: columns and lines.
        seconds: to wait for it, at most.

    Raises:
        ConnectFailed: there is no broker, or it tells nothing in time.
        TqError: what the broker refused.
    """
    async with app.run_test(size=size) as pilot:
        await all_there(app, pilot, seconds=seconds)
        return as_text(app)


async def all_there(app: TopApp, pilot: "Pilot[None]", *, seconds: float) -> None:
    """Wait until all that the screen shows is there and drawn; see `draw_once`."""
    try:
        async with asyncio.timeout(seconds):
            while app.is_running and not is_all_there(app):
                await pilot.pause(_POLL_SECONDS)
    except TimeoutError:
        raise ConnectFailed(f"nothing to draw came within {seconds:g} s", hint="is the broker busy?") from None
    await pilot.pause()


def as_text(app: TopApp) -> str:
    """What is on the screen, blanks at the ends of lines left out."""
    # Textual has no public way to the characters that it has drawn but a picture; this is what that is made of.
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def is_all_there(app: TopApp) -> bool:
    """Whether the screen that is seen has asked for all that it shows, and has got it.

    Raises:
        ConnectFailed: there is no broker.
        TqError: what the broker refused.
    """
    if app.refused is not None:
        raise app.refused
    if app.lost and app.client is not None:
        raise ConnectFailed(app.lost, hint="start one with `tq up`, or check the address")
    screen = app.here
    if screen is None or app.greeting is None or not (app.has_started and screen.has_begun):
        return False
    busy = [worker for worker in app.workers if worker.name != "feed" and not worker.is_finished]
    return not app.missing(screen) and not busy

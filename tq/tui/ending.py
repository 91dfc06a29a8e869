"""The signals that end the dashboard: as a key would, or at once if its terminal is gone."""

import asyncio
import os
import signal
import sys
import termios
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tq.tui.app import TopApp

LET_GO_SECONDS = 1.0


def end_on_signals(top: "TopApp") -> None:
    """From now on they end it. Left to themselves they would leave the terminal as it is now: raw, its cursor hidden,
    its mouse reported."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, partial(_end, top, number))


def _end(top: "TopApp", number: int) -> None:
    if number == signal.SIGHUP and not _has_terminal():
        top.run_worker(_let_go(top, 128 + number), name="let go", exit_on_error=False)
    else:
        top.exit(None, 128 + number)


def _has_terminal() -> bool:
    try:
        termios.tcgetattr(sys.__stderr__ or 2)
    except (OSError, ValueError, termios.error):
        return False
    return True


async def _let_go(top: "TopApp", code: int) -> None:
    """There is no terminal to give back, and Textual's driver would wait for ever for somebody to write to it."""
    with suppress(Exception):
        async with asyncio.timeout(LET_GO_SECONDS):
            await top.feed.close()
    os._exit(code)

"""The dashboard of `tq up`: `tq top` in a process of its own on this terminal, over the broker of this process.

A process of its own, so that whatever happens to it happens to nothing else, and a broker that is busy does not keep a
key waiting.
"""

import asyncio
import contextlib
import signal
import sys
import termios
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

from tq.cli.terminal import is_attended
from tq.model.errors import ConfigInvalid
from tq.tui.leaving import Leaving, leaving_of

LOG_NAME: Final = "up.log"
LOG_BYTES_MAX: Final = 10 << 20
"""A log that is larger when it is opened gives way to a new one; the old one is kept as up.log.1."""
TAIL_LINES: Final = 12
TAIL_BYTES_MAX: Final = 16 << 10
END_SECONDS: Final = 3.0
"""How long the dashboard may take to end once it is told to."""

# What a dashboard that was killed leaves behind: synchronized output, in-band sizes, pasting, focus, mouse, the keys of
# Kitty, colours, a hidden cursor, the alternate screen. (Textual undoes them itself, if it still can.)
RESTORE: Final = (
    "\x1b[?2026l\x1b[?2048l\x1b[?2004l\x1b[?1004l\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1000l\x1b[<u\x1b[0m\x1b[?25h"
    "\x1b[?1049l"
)


def can_show(environment: Mapping[str, str]) -> bool:
    """Whether a dashboard can be shown here."""
    return is_attended() and environment.get("TERM", "dumb") != "dumb"


def open_log(directory: Path) -> TextIO:
    """Where broker and workers write their log while the terminal is the dashboard's; `name` is the path of it.

    Raises:
        ConfigInvalid: it cannot be written.
    """
    path = directory / LOG_NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        path.touch(0o600)
        return path.open("a", encoding="utf-8")
    except OSError as cause:
        raise ConfigInvalid(
            f"the log {path} cannot be written: {cause.strerror}", hint="choose another --data-dir, or --no-top"
        ) from None


def tail(path: Path) -> str:
    """The last lines of a log; empty if there are none."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES_MAX))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


class Dashboard:
    """One `tq top`: `show` it, and perhaps `end` it meanwhile."""

    def __init__(self, address: str, log_path: Path) -> None:
        self._command = (sys.executable, "-m", "tq.cli.main", "top", address, "--log-of-up", str(log_path))
        self._process: Process | None = None

    async def show(self) -> Leaving | None:
        """Give it the terminal until it ends, then have the terminal back as it was. None: it went down by itself."""
        before = termios.tcgetattr(sys.stdin)
        try:
            self._process = await asyncio.create_subprocess_exec(*self._command)
            leaving = leaving_of(await self._process.wait())
        finally:
            # With all that was typed, or that the mouse did, and nobody read.
            termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, before)
        if leaving is None:
            sys.stderr.write(RESTORE)
            sys.stderr.flush()
        return leaving

    async def end(self) -> None:
        """Take the terminal away from it; `show` then returns."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await process.wait()
                    return

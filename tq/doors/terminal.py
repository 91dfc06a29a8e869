"""A program on a pseudo-terminal of its own, whose other end somebody far away looks at."""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import Final

READ_BYTES: Final = 1 << 16
UNSENT_BYTES_MAX: Final = 1 << 16
"""Keys that the program has not read yet. Above it no more are taken from whoever types, or pastes."""

SIDE_MAX: Final = 1_000
"""Columns, and lines: a program draws what it is told the size of."""

HANGUP_SECONDS: Final = 5.0
"""How long a program may take to end once its terminal is gone."""

# The leader of a new session gets the first terminal that it opens as its own.
_OPEN: Final = ("/bin/sh", "-c", 'exec "$@" <>"$0" >&0 2>&0')


class Terminal:
    """Runs one program with `run`.

    Args:
        size: columns and lines; 0 is 80 or 24.
        on_output: called with what the program writes, unless it is held.
        on_end: called once, with the exit code; negative: the signal that ended it.
        on_room: called when keys may be typed again after `type` said that they may not.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        on_output: Callable[[bytes], None],
        on_end: Callable[[int], None],
        on_room: Callable[[], None],
    ) -> None:
        self._on_output = on_output
        self._on_end = on_end
        self._on_room = on_room
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()
        self._is_open = True
        self._is_held = False
        self._process: asyncio.subprocess.Process | None = None
        self._master, self._slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.resize(size)

    async def run(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run the program until it ends, by itself or after `hang_up`.

        Raises:
            OSError: it cannot be started.
        """
        try:
            name = os.ttyname(self._slave)
            self._process = await asyncio.create_subprocess_exec(
                *_OPEN, name, *command, stdin=self._slave, env=dict(environment), start_new_session=True
            )
        except BaseException:
            self._close()
            raise
        finally:
            os.close(self._slave)
        if not self._is_open:  # hung up meanwhile
            self.hang_up()
        elif not self._is_held:
            self._loop.add_reader(self._master, self._read)
        try:
            code = await self._process.wait()
        except asyncio.CancelledError:
            self.hang_up()
            await self._end_by_force()
            raise
        while self._is_open and self._read():  # its last words
            pass
        self._close()
        self._on_end(code)

    def type(self, data: bytes) -> bool:
        """Press keys. False: the program does not read them; press no more until `on_room` is called."""
        if self._is_open:
            self._unsent += data
            self._write()
        return len(self._unsent) <= UNSENT_BYTES_MAX

    def resize(self, size: tuple[int, int]) -> None:
        """Columns and lines, as of now; the program is told by SIGWINCH."""
        if self._is_open:
            columns, lines = (
                min(SIDE_MAX, max(0, wanted)) or usual for wanted, usual in zip(size, (80, 24), strict=True)
            )
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def hold(self, *, is_held: bool) -> None:
        """Whether to read no output: whoever looks is slower than the program, which then waits."""
        self._is_held = is_held
        if self._is_open and self._process is not None:
            if is_held:
                self._loop.remove_reader(self._master)
            else:
                self._loop.add_reader(self._master, self._read)

    def hang_up(self) -> None:
        """Nobody looks any more: take the terminal away, as a modem did. What is still there later is killed."""
        self._close()
        if self._process is not None:
            self._signal(signal.SIGHUP)
            self._loop.call_later(HANGUP_SECONDS, self._signal, signal.SIGKILL)

    async def _end_by_force(self) -> None:
        assert self._process is not None
        try:
            async with asyncio.timeout(HANGUP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        # The whole group, for it may have started others; a number that is not ours any more is never signalled.
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _read(self) -> bool:
        """Whether there was something."""
        try:
            data = os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # EIO: nobody has the other end open
            self._close()
            return False
        self._on_output(data)
        return True

    def _write(self) -> None:
        was_full = len(self._unsent) > UNSENT_BYTES_MAX
        try:
            sent = os.write(self._master, self._unsent) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(self._unsent)
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._master, self._write)
        else:
            self._loop.remove_writer(self._master)
        if was_full and len(self._unsent) <= UNSENT_BYTES_MAX:
            self._on_room()

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._unsent.clear()
            self._loop.remove_reader(self._master)
            self._loop.remove_writer(self._master)
            os.close(self._master)

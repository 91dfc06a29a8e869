"""A terminal whose other end is read by a program, for measures of the dashboard as somebody in front of it has it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

COLUMNS, LINES = 120, 40
GIVE_UP_SECONDS = 60.0


class Screen:
    """A program on a pseudo-terminal. A context manager.

    Args:
        command: the program and its arguments.
        environment: what it has beside the kind of terminal.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.started = time.perf_counter()
        self.bytes = 0
        self._seen = b""
        pid, self._fd = pty.fork()
        if pid == 0:
            colours = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execvpe(command[0], list(command), {**environment, **colours})  # noqa: S606 - our own executable
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.process = psutil.Process(pid)

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
            self.read(1.0)
            self.process.kill()
        os.close(self._fd)
        with suppress(ChildProcessError):
            os.waitpid(self.process.pid, 0)

    def press(self, key: bytes) -> None:
        """Type; what was seen before is forgotten."""
        self._seen = b""
        os.write(self._fd, key)

    def read(self, seconds: float) -> None:
        """Read on for so long."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0 and self._read(left) is not None:
            pass

    def _read(self, seconds: float) -> bytes | None:
        """What comes next: nothing within that time, None at the end."""
        if not select.select([self._fd], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            return None
        self.bytes += len(data)
        self._seen = (self._seen + data)[-(1 << 18) :]
        return data or None

    def until(self, pattern: bytes) -> float:
        """The moment at which what has come since the last key matches."""
        end = time.perf_counter() + GIVE_UP_SECONDS
        while not re.search(pattern, self._seen):
            if time.perf_counter() > end or self._read(1.0) is None:
                raise SystemExit(f"the dashboard never showed {pattern!r}; last it showed:\n{self._seen[-2_000:]!r}")
        return time.perf_counter()

    def first_byte(self) -> float:
        """The moment at which anything comes."""
        while (data := self._read(5.0)) == b"":
            pass
        if data is None:
            raise SystemExit("the dashboard has ended")
        return time.perf_counter()

    def cpu_seconds(self) -> float:
        """CPU time of the process until now, all threads."""
        return cpu_seconds(self.process.pid)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, by the scheduler: in ns, where `ps` counts in hundredths of a second."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

"""The real `tq` executable, as processes: short ones, daemons, and ones that think they are on a terminal."""

import contextlib
import fcntl
import io
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from unittest import mock

from tq.cli.main import main

TQ = (sys.executable, "-m", "tq.cli.main")
SECONDS_MAX = 60.0


def environment(**changes: str) -> dict[str, str]:
    """That of this process, without what would steer tq or colour its output."""
    left_out = ("TQ_", "COLUMNS", "LINES", "NO_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    no_edges = {"TQ_API_REST_ENABLED": "false", "TQ_API_GRPC_ENABLED": "false"}
    return {**kept, **no_edges, "TERM": "xterm", "PYTHONUNBUFFERED": "1", **changes}


def run_tq(
    *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run to the end, without a terminal."""
    done = subprocess.run(
        [*TQ, *arguments], input=stdin, capture_output=True, env=env or environment(), cwd=cwd, timeout=SECONDS_MAX
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode()
    )


def call_tq(
    *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """The same in this process, a tenth of the time: for what does not hang on a process of its own."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: object = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, env or environment(), clear=True))
        stack.enter_context(mock.patch.multiple(sys, argv=["tq", *arguments], stdout=out, stderr=err))
        stack.enter_context(mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")))
        stack.enter_context(contextlib.chdir(cwd or "."))
        try:
            main()
        except SystemExit as end:
            code = end.code
    written = [stream.buffer.getvalue().decode(errors="surrogateescape") for stream in (out, err)]
    return subprocess.CompletedProcess(arguments, int(code or 0) if isinstance(code, int | None) else 1, *written)


class Daemon:
    """A process whose stderr is read line by line as it comes."""

    def __init__(
        self, arguments: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env or environment(),
            cwd=cwd,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._has_ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line.decode(errors="replace"))
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    @property
    def log(self) -> str:
        """All that was written to stderr so far."""
        with self._changed:
            return "".join(self._lines)

    def wait_for(self, text: str, *, count: int = 1) -> str:
        """The line of stderr in which `text` appears for the count-th time, as soon as it does."""

        def found() -> list[str]:
            return [line for line in self._lines if text in line]

        with self._changed:
            self._changed.wait_for(lambda: len(found()) >= count or self._has_ended, SECONDS_MAX)
            lines = found()
            assert len(lines) >= count, f"{text!r} did not appear {count} times in:\n{''.join(self._lines)}"
            return lines[count - 1]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, wait, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._reader.join(SECONDS_MAX)
        return code

    def kill(self) -> None:
        """End whatever is left of its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS_MAX)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@contextlib.contextmanager
def daemon(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, program: Sequence[str] = TQ
) -> Iterator[Daemon]:
    """A daemon that is ended, hard if need be, at the end of the block."""
    running = Daemon([*program, *arguments], env=env, cwd=cwd)
    try:
        yield running
    finally:
        running.kill()


# The leader of a new session gets the first terminal that it opens as its own: Ctrl-C there then reaches it.
_ON_TERMINAL = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
for descriptor in (0, 1, 2):
    os.dup2(terminal, descriptor)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Terminal:
    """A process on a pseudo-terminal of its own: what it writes can be read, and what is typed it reads."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        program: Sequence[str] = TQ,
    ) -> None:
        self.seen = ""
        self._fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, os.ttyname(slave), *program, *arguments],
            env=env or environment(),
            cwd=cwd,
            start_new_session=True,
            pass_fds=[slave],  # open there from the start: a terminal that nobody has open looks like one that ended
        )
        os.close(slave)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._fd, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """As when its window is dragged."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def modes(self) -> list[object]:
        """How the terminal is set: raw or not, echoing or not, and so on."""
        return list(termios.tcgetattr(self._fd))

    def interrupt(self) -> None:
        """Press Ctrl-C, once more each second until it ends.

        A signal that comes just before input() begins to wait is seen only after the wait: it looks for a signal first,
        and then waits. A person's second press is the way out of that.
        """
        deadline = monotonic() + SECONDS_MAX
        while self.process.poll() is None and monotonic() < deadline:
            self.type("\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)

    def read_until(self, text: str) -> str:
        """All output so far, once `text` is part of it."""
        deadline = monotonic() + SECONDS_MAX
        while text not in self.seen:
            assert self._read(deadline), f"{text!r} did not appear in:\n{self.seen}"
        return self.seen

    def press_until(self, key: str, text: str) -> str:
        """Press a key, once more each second until `text` is part of the output: a dialog that is just closing takes
        what is pressed in that moment, as it should."""
        deadline = monotonic() + SECONDS_MAX
        while text not in self.seen:
            assert monotonic() < deadline, f"{text!r} did not appear in:\n{self.seen}"
            self.type(key)
            again_at = monotonic() + 1
            while text not in self.seen and monotonic() < again_at:
                self._read(again_at)
        return self.seen

    def end(self) -> int:
        """Wait for the end and return the exit code; `seen` then has all output."""
        deadline = monotonic() + SECONDS_MAX
        while self._read(deadline):
            pass
        return self.process.wait(SECONDS_MAX)

    def kill(self) -> None:
        """End what is left, and close."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS_MAX)
        os.close(self._fd)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # the other end is closed
            return False
        self.seen += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


@contextlib.contextmanager
def on_terminal(
    *arguments: str,
    columns: int = 80,
    lines: int = 24,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    program: Sequence[str] = TQ,
) -> Iterator[Terminal]:
    """A process on a terminal, ended at the end of the block."""
    running = Terminal(arguments, columns=columns, lines=lines, env=env, cwd=cwd, program=program)
    try:
        yield running
    finally:
        running.kill()

"""A real terminal that can be read: tmux, with a server of its own for each test, and a shell in it."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import psutil

from tests.cli.processes import SECONDS_MAX, TQ, environment

MISSING = "" if shutil.which("tmux") else "there is no tmux here"
"""Why its tests are skipped; empty if they are not."""
POLL_SECONDS = 0.05
"""tmux tells nobody that its screen has changed: it is asked."""
PROMPT = "ready$"
TOP = " ".join(map(shlex.quote, TQ)) + " top"
"""The dashboard, as it is typed."""


class Tmux:
    """One window with a shell, in which jobs can be stopped and continued."""

    def __init__(self, directory: Path, columns: int, lines: int) -> None:
        self._socket = str(directory / "tmux")
        env = environment(LANG="C.UTF-8", PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        size = ("-x", str(columns), "-y", str(lines))
        self._ask("-f", "/dev/null", "new-session", "-d", *size, "-c", str(directory), "sh", env=env)
        self._ask("set", "-g", "window-size", "manual")
        self.run(f"PS1=''{PROMPT}")  # on the way here, a shell may have left that of the environment out
        self.until(lambda: any(PROMPT in line and "PS1" not in line for line in self.lines), "the prompt")

    def _ask(self, *words: str, env: dict[str, str] | None = None) -> str:
        command = ["tmux", "-S", self._socket, *words]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=SECONDS_MAX, check=True).stdout

    @property
    def lines(self) -> list[str]:
        """What is on the screen, blanks at the ends left out."""
        return [line.rstrip() for line in self._ask("capture-pane", "-p").split("\n")[:-1]]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)

    def fact(self, name: str) -> str:
        """What tmux knows of the terminal, such as `alternate_on`."""
        return self._ask("display-message", "-p", f"#{{{name}}}").strip()

    def type(self, text: str) -> None:
        """Press the keys of a text."""
        self._ask("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys by their names in tmux, such as C-c."""
        self._ask("send-keys", *keys)

    def run(self, line: str) -> None:
        """Have the shell do something."""
        self.type(line)
        self.press("Enter")

    def resize(self, columns: int, lines: int) -> None:
        """As when its window is dragged."""
        self._ask("resize-window", "-x", str(columns), "-y", str(lines))

    def close(self) -> None:
        """Close the window while something runs in it."""
        self._ask("kill-pane")

    @property
    def is_there(self) -> bool:
        """Whether its server still runs: it ends with its last window."""
        command = ["tmux", "-S", self._socket, "has-session"]
        return subprocess.run(command, capture_output=True, check=False, timeout=SECONDS_MAX).returncode == 0

    @property
    def jobs(self) -> list[psutil.Process]:
        """What the shell has started and is still there."""
        return psutil.Process(int(self.fact("pane_pid"))).children(recursive=True)

    def until(self, is_so: Callable[[], object], what: str = "") -> None:
        """Wait until something is on the screen."""
        deadline = monotonic() + SECONDS_MAX
        while not is_so():
            assert monotonic() < deadline, f"{what or 'it'} did not come; there is:\n{self.text}"
            sleep(POLL_SECONDS)

    def until_seen(self, *parts: str) -> None:
        """Wait until each of these is on the screen at once."""
        self.until(lambda: all(part in self.text for part in parts), f"{parts}")

    def kill(self) -> None:
        """End it all, as a connection that breaks does; what ran in it has to go with it."""
        jobs = self.jobs
        self._ask("kill-server")
        left = psutil.wait_procs(jobs, timeout=SECONDS_MAX)[1]
        assert left == [], "what ran in a terminal outlives it"


@contextmanager
def tmux(directory: Path, columns: int = 120, lines: int = 40) -> Iterator[Tmux]:
    """A terminal, closed at the end of the block."""
    terminal = Tmux(directory, columns, lines)
    try:
        yield terminal
    finally:
        if terminal.is_there:
            terminal.kill()

"""`tq top` on a real terminal: its size, its signals, its shell, and a broker that is killed while one looks."""

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.cli import tmux as real
from tests.cli.processes import Daemon, daemon, environment, on_terminal
from tests.cli.tmux import PROMPT, TOP, Tmux
from tq.client.blocking import Client
from tq.client.task import Task

pytestmark = pytest.mark.skipif(bool(real.MISSING), reason=real.MISSING)

QUEUES = ("mail", "orders.charge", "reports.nightly")
SCREEN, LEFT = "\x1b[?1049h", "\x1b[?1049l"
"""Into the alternate screen, and out of it."""


def address(tmp_path: Path) -> str:
    return f"unix://{tmp_path}/data/tq.sock"


@contextmanager
def started(tmp_path: Path) -> Iterator[Daemon]:
    """A broker of this test alone."""
    with daemon("broker", "--port", "0", "--data-dir", str(tmp_path / "data"), "--log-format", "json") as running:
        running.wait_for("broker_started")
        yield running


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Daemon]:
    with started(tmp_path) as running:
        with Client(address(tmp_path)) as client:
            client.submit_tasks([Task("send", queue=queue) for queue in QUEUES])
        yield running


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Tmux]:
    with real.tmux(tmp_path) as opened:
        yield opened


def look(terminal: Tmux, tmp_path: Path) -> None:
    """Open the dashboard in the shell, and wait for what it shows."""
    terminal.run(f"clear; stty -g > before; {TOP} {shlex.quote(address(tmp_path))}; echo ended $?; stty -g > after")
    terminal.until_seen("LIVE", *QUEUES)


def is_given_back(terminal: Tmux) -> bool:
    """Whether the terminal is as a shell expects it: no alternate screen, no mouse, the cursor seen."""
    return [terminal.fact(name) for name in ("alternate_on", "mouse_any_flag", "cursor_flag")] == ["0", "0", "1"]


def fits(terminal: Tmux, lines: int) -> bool:
    """Whether the dashboard fills that many lines, from its header to its footer."""
    shown = terminal.lines
    return (
        len(shown) == lines and shown[0].startswith(" tq") and shown[-1].endswith("? help") and "mail" in terminal.text
    )


@pytest.mark.usefixtures("broker")
def test_it_fits_whatever_size_its_window_is_dragged_to(terminal: Tmux, tmp_path: Path) -> None:
    look(terminal, tmp_path)
    for step in range(30):  # nobody waits for a screen while a window is dragged
        terminal.resize(60 + 4 * step, 12 + step)

    for columns, lines in ((60, 12), (200, 50), (80, 24), (40, 8), (120, 40)):
        terminal.resize(columns, lines)
        terminal.until(partial(fits, terminal, lines), f"a screen of {columns}x{lines}")
        assert terminal.fact("alternate_on") == "1"


def test_a_broker_that_is_killed_is_said_to_be_lost_and_is_there_again_without_a_key(
    broker: Daemon, terminal: Tmux, tmp_path: Path
) -> None:
    look(terminal, tmp_path)
    broker.end(signal.SIGKILL)
    terminal.until(lambda: "LOST" in terminal.lines[0])
    assert "mail" in terminal.text, "what was known stays to be read"
    terminal.type("P")
    terminal.until_seen("too old to act on")

    with started(tmp_path):
        terminal.until(lambda: "LIVE" in terminal.lines[0])
        terminal.until_seen(*QUEUES)
        terminal.type("P")
        terminal.until_seen("Purge 1 task?")


@pytest.mark.usefixtures("broker")
def test_ctrl_z_goes_to_the_shell_and_fg_comes_back_to_the_whole_screen(terminal: Tmux, tmp_path: Path) -> None:
    look(terminal, tmp_path)
    terminal.press("C-z")
    terminal.until(lambda: is_given_back(terminal), "the shell")
    terminal.run("echo $((6 * 7))")
    terminal.until_seen("\n42\n")
    terminal.run("fg")

    terminal.until(lambda: fits(terminal, 40), "the dashboard")
    terminal.until_seen("LIVE", *QUEUES)
    terminal.type("q")
    terminal.until(lambda: is_given_back(terminal) and terminal.text.rstrip("\n").endswith(PROMPT))


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize(
    ("way", "code"), [("q", 0), ("C-c", 0), ("C-q", 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_however_it_ends_the_terminal_is_as_it_was(
    terminal: Tmux, tmp_path: Path, way: str | signal.Signals, code: int
) -> None:
    look(terminal, tmp_path)
    if isinstance(way, signal.Signals):
        next(job for job in terminal.jobs if "top" in job.cmdline()).send_signal(way)
    else:
        terminal.press(way)
    terminal.until_seen(f"ended {code}", PROMPT)

    assert is_given_back(terminal)
    terminal.until(lambda: (tmp_path / "after").is_file())
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


@pytest.mark.usefixtures("broker")
def test_ctrl_c_copies_where_text_is_typed(terminal: Tmux, tmp_path: Path) -> None:
    look(terminal, tmp_path)
    terminal.type("/mai")
    terminal.until(lambda: terminal.lines[-2] == " mai")
    terminal.press("C-c")
    terminal.type("l")

    terminal.until(lambda: terminal.lines[-2] == " mail")


@pytest.mark.usefixtures("broker")
def test_when_its_window_is_closed_it_is_gone(terminal: Tmux, tmp_path: Path) -> None:
    look(terminal, tmp_path)
    jobs = terminal.jobs
    terminal.close()

    assert jobs
    assert psutil.wait_procs(jobs, timeout=30)[1] == []


def test_a_defect_gives_the_terminal_back_and_is_said(tmp_path: Path) -> None:
    crashing = tmp_path / "crashing.py"
    crashing.write_text(
        "from tests.tui.fakes import FakeFeed\n"
        "from tq.tui.app import Look, TopApp\n"
        "from tq.tui.glyphs import ASCII\n"
        "class Crashing(TopApp):\n"
        "    def action_help(self):\n"
        "        raise RuntimeError('a defect')\n"
        "Crashing(FakeFeed(), Look(ASCII)).run()\n"
    )
    env = environment(PYTHONPATH=str(Path(__file__).parents[2]))
    with on_terminal(program=(sys.executable, str(crashing)), columns=80, lines=24, env=env) as terminal:
        before = terminal.modes
        terminal.read_until("queues")
        terminal.type("?")
        terminal.read_until("a defect")
        after = terminal.modes
        terminal.end()

    assert after == before
    assert LEFT in terminal.seen
    assert terminal.seen.rindex("a defect") > terminal.seen.index(LEFT)


@pytest.mark.parametrize("term", ["dumb", None])
def test_a_terminal_that_cannot_move_its_cursor_is_refused_in_words(term: str | None) -> None:
    env = environment(TERM=term or "")
    if term is None:
        del env["TERM"]
    with on_terminal("top", "127.0.0.1:1", env=env) as terminal:
        code = terminal.end()

    assert code == 2
    assert "a terminal that can move its cursor" in terminal.seen
    assert "tq top --once" in terminal.seen
    assert SCREEN not in terminal.seen

"""`tq up` on a terminal: the dashboard over its own broker, and what becomes of everything when the dashboard ends."""

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.processes import Terminal, environment, on_terminal
from tq.client.blocking import Client
from tq.client.task import Task
from tq.model.task import State

ROOT = Path(__file__).parents[2]
APP = "tests.cli.handlers:app"
SCREEN, LEFT = "\x1b[?1049h", "\x1b[?1049l"
"""Into the alternate screen, and out of it."""
WORKER = "workers 1 "
"""What the first screen says as soon as there is one."""


@contextlib.contextmanager
def _up(tmp_path: Path, *arguments: str, **variables: str) -> Iterator[Terminal]:
    flags = ("--port", "0", "--data-dir", str(tmp_path / "data"), "--log-format", "json")
    with on_terminal("up", *arguments, *flags, columns=120, lines=40, cwd=ROOT, env=environment(**variables)) as board:
        yield board


def _dashboard_of(terminal: Terminal) -> psutil.Process:
    children = psutil.Process(terminal.process.pid).children()
    return next(child for child in children if "--log-of-up" in child.cmdline())


def _log(tmp_path: Path) -> str:
    return (tmp_path / "data" / "up.log").read_text()


def _runs_a_task(tmp_path: Path) -> bool:
    with Client(f"unix://{tmp_path}/data/tq.sock") as client:
        task = Task("add", b'{"a": 1, "b": 2}', content_type="application/json")
        return client.wait(client.submit_task(task), 60).state is State.COMPLETED


def test_it_opens_and_quitting_asks_and_stop_drains(tmp_path: Path) -> None:
    with _up(tmp_path, APP) as terminal:
        terminal.read_until(WORKER)  # on the screen: nothing is logged on the terminal
        terminal.type("q")
        asked = terminal.read_until("Stop the broker and its workers?")
        terminal.type("s")
        code = terminal.end()

    assert code == 0
    assert SCREEN in asked
    assert "up.log" in asked
    after = terminal.seen.rpartition(LEFT)[2]
    assert "Stopping: what runs is finished first" in after
    events = [json.loads(line)["message"] for line in _log(tmp_path).splitlines()]
    assert events.index("worker_ended") < events.index("broker_stopping") < events.index("broker_stopped")
    assert (tmp_path / "data" / "up.log").stat().st_mode & 0o077 == 0


def test_keep_leaves_them_running_without_the_dashboard_until_ctrl_c(tmp_path: Path) -> None:
    with _up(tmp_path, APP) as terminal:
        before = terminal.modes
        terminal.read_until(WORKER)
        terminal.type("q")
        terminal.read_until("Stop the broker and its workers?")
        terminal.type("k")
        terminal.read_until("Running without the dashboard until Ctrl-C")
        terminal.read_until("tq top unix://")
        is_running, after = _runs_a_task(tmp_path), terminal.modes
        terminal.type("\x03")
        code = terminal.end()

    assert is_running
    assert after == before
    assert code == 0
    assert "unexpectedly" not in terminal.seen


def test_back_is_where_enter_leads_and_ctrl_c_in_the_dashboard_stops_everything(tmp_path: Path) -> None:
    with _up(tmp_path, APP) as terminal:
        terminal.read_until(WORKER)
        terminal.type(":quit\r")
        terminal.read_until("Stop the broker and its workers?")
        terminal.type("\r")
        terminal.press_until("2", "> workers")
        assert _runs_a_task(tmp_path)
        terminal.type("\x03")
        code = terminal.end()

    assert code == 0
    assert LEFT in terminal.seen
    assert '"broker_stopped"' in _log(tmp_path)


def test_ctrl_z_does_not_put_the_broker_to_sleep(tmp_path: Path) -> None:
    with _up(tmp_path, APP) as terminal:
        terminal.read_until(WORKER)
        terminal.type("\x1a")
        terminal.read_until("cannot wait in the background")
        is_running = _runs_a_task(tmp_path)
        terminal.type("\x03")
        code = terminal.end()

    assert (is_running, code) == (True, 0)


def test_sigterm_gives_the_terminal_back_and_drains(tmp_path: Path) -> None:
    with _up(tmp_path, APP) as terminal:
        before = terminal.modes
        terminal.read_until(WORKER)
        terminal.process.send_signal(signal.SIGTERM)
        terminal.read_until("Stopping")
        after = terminal.modes
        code = terminal.end()

    assert (code, after) == (0, before)
    assert LEFT in terminal.seen.partition("Stopping")[0]
    assert '"broker_stopped"' in _log(tmp_path)


def test_a_dashboard_that_is_killed_leaves_the_terminal_usable_and_the_broker_up(tmp_path: Path) -> None:
    with _up(tmp_path, APP) as terminal:
        before = terminal.modes
        terminal.read_until(WORKER)
        _dashboard_of(terminal).kill()
        terminal.read_until("has ended unexpectedly")
        terminal.read_until("tq top unix://")
        is_running, after = _runs_a_task(tmp_path), terminal.modes
        terminal.type("\x03")
        code = terminal.end()

    assert (is_running, after, code) == (True, before, 0)
    given_back = terminal.seen.partition("has ended unexpectedly")[0]
    for sequence in (LEFT, "\x1b[?25h", "\x1b[?1000l", "\x1b[?2004l"):
        assert sequence in given_back


def test_an_application_that_is_not_there_is_said_after_the_dashboard_has_gone(tmp_path: Path) -> None:
    with _up(tmp_path, "no_such_module:app") as terminal:
        code = terminal.end()

    assert code == 1
    assert "Something failed. The end of" in terminal.seen
    assert "no_such_module" in terminal.seen


def test_when_it_is_killed_the_dashboard_ends_too(tmp_path: Path) -> None:
    with _up(tmp_path, APP) as terminal:
        terminal.read_until(WORKER)
        children = psutil.Process(terminal.process.pid).children(recursive=True)
        terminal.process.kill()
        _, alive = psutil.wait_procs(children, timeout=60)

    assert len(children) >= 2
    assert alive == []


@pytest.mark.parametrize("way", ["--no-top", "dumb"])
def test_without_it_the_log_is_on_the_terminal(tmp_path: Path, way: str) -> None:
    arguments, variables = ([way], {}) if way == "--no-top" else ([], {"TERM": way})
    with _up(tmp_path, *arguments, **variables) as terminal:
        terminal.read_until('"no_application"')
        terminal.type("\x03")
        code = terminal.end()

    assert code == 0
    assert SCREEN not in terminal.seen
    assert not (tmp_path / "data" / "up.log").exists()


def test_the_log_of_a_broker_that_keeps_nothing_is_gone_with_it(tmp_path: Path) -> None:
    with on_terminal(
        *("up", "--ephemeral", "--port", "0"),
        columns=120,
        lines=40,
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path)),
    ) as terminal:
        terminal.read_until("QUEUE")
        kept = [path.name[:6] for path in tmp_path.iterdir()]
        terminal.type("\x03")
        code = terminal.end()

    assert code == 0
    assert kept == ["tq-up-"]
    assert list(tmp_path.iterdir()) == []

"""`tq up`: everything in one command, and an orderly end for all of it."""

import contextlib
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.processes import Daemon, daemon, environment, on_terminal, run_tq
from tq.client.blocking import Client
from tq.client.task import Task
from tq.model.task import State
from tq.worker.supervisor import SAME_SIGNAL_SECONDS

ROOT = Path(__file__).parents[2]
APP = "tests.cli.handlers:app"


def _facts(process: Daemon, event: str) -> dict[str, object]:
    facts = json.loads(process.wait_for(f'"{event}"'))
    assert isinstance(facts, dict)
    return facts


@contextlib.contextmanager
def _up(tmp_path: Path, *arguments: str) -> Iterator[tuple[Daemon, Client]]:
    flags = ("--port", "0", "--data-dir", str(tmp_path / "data"), "--log-format", "json")
    with daemon("up", *arguments, *flags, cwd=ROOT) as process:
        process.wait_for("broker_started")
        with Client(f"unix://{tmp_path}/data/tq.sock") as client:
            yield process, client


def test_a_task_runs_and_a_signal_ends_everything_in_order(tmp_path: Path) -> None:
    with _up(tmp_path, APP) as (process, client):
        task = Task("add", b'{"a": 1, "b": 2}', content_type="application/json")
        outcome = client.wait(client.submit_task(task), 60)
        code = process.end()

    assert outcome.state is State.COMPLETED
    assert code == 0
    events = process.log
    assert events.index("worker_ended") < events.index("broker_stopping") < events.index("broker_stopped")


def test_what_runs_is_finished_before_the_broker_stops(tmp_path: Path) -> None:
    started, released = tmp_path / "started", tmp_path / "released"
    payload = json.dumps({"started": str(started), "released": str(released)}).encode()

    with _up(tmp_path, APP) as (process, client):
        task_id = client.submit_task(Task("hold", payload, content_type="application/json"))
        while client.get_task(task_id).state is not State.IN_PROGRESS or not started.exists():
            assert process.process.poll() is None
        process.process.send_signal(signal.SIGTERM)
        process.wait_for("Stopping")
        released.touch()
        state = client.wait(task_id, 60).state
        code = process.end(signal.SIGCONT)

    assert (state, code) == (State.COMPLETED, 0)


def test_without_an_application_tasks_wait_and_that_is_said(tmp_path: Path) -> None:
    with _up(tmp_path) as (process, client):
        hint = _facts(process, "no_application")
        task_id = client.submit_task(Task("add"))
        state = client.get_task(task_id).state
        code = process.end(signal.SIGINT)

    assert hint["run"] == "tq worker module:app"
    assert (state, code) == (State.PENDING, 0)


def test_a_busy_port_is_replaced_by_the_next_free_one_and_both_are_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with daemon(
            *("up", "--port", str(port), "--data-dir", str(tmp_path / "data"), "--log-format", "json"), cwd=ROOT
        ) as process:
            moved = _facts(process, "port_taken")
            assert process.end() == 0

    assert moved["wanted"] == port
    assert isinstance(moved["port"], int)
    assert moved["port"] > port


def test_a_busy_port_is_an_error_for_a_broker_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_tq("broker", "--port", str(port), "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "Traceback" not in done.stderr  # the loop's first turn must not look for the store that was closed again


def test_a_data_directory_in_use_exits_5(tmp_path: Path) -> None:
    with _up(tmp_path):
        done = run_tq("broker", "--port", "0", "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 5
    assert "pid" in done.stderr


def test_an_application_that_is_not_there_ends_everything_with_1(tmp_path: Path) -> None:
    with _up(tmp_path, "no_such_module:app") as (process, _):
        code = process.process.wait(60)
        log = process.log if process.end(signal.SIGCONT) == code else ""

    assert code == 1
    assert "no_such_module" in log
    assert "broker_stopped" in log


def test_settings_reach_the_workers(tmp_path: Path) -> None:
    with _up(tmp_path, APP, "--processes", "2", "--concurrency", "3", "--queues", "a:2,b") as (process, client):
        process.wait_for("worker_connected", count=2)
        workers = client.workers()
        assert process.end() == 0

    assert [(worker.concurrency, worker.queues) for worker in workers] == [(3, ("a", "b"))] * 2


def test_ephemeral_keeps_nothing(tmp_path: Path) -> None:
    with daemon("up", "--ephemeral", "--port", "0", "--log-format", "json", cwd=tmp_path) as process:
        facts = _facts(process, "broker_started")
        assert process.end() == 0

    assert facts["data_dir"] is None
    assert list(tmp_path.iterdir()) == []


def test_when_it_is_killed_its_workers_end_too(tmp_path: Path) -> None:
    with _up(tmp_path, APP) as (process, _):
        process.wait_for("worker_connected")
        children = psutil.Process(process.process.pid).children(recursive=True)
        process.process.kill()
        _, alive = psutil.wait_procs(children, timeout=60)

    assert children
    assert alive == []


def test_ctrl_c_on_a_terminal_drains_and_exits_0(tmp_path: Path) -> None:
    flags = ("--port", "0", "--data-dir", str(tmp_path / "data"))
    with on_terminal("up", APP, "--no-top", *flags, columns=160, cwd=ROOT) as terminal:
        terminal.read_until("worker_connected")
        terminal.type("\x03")
        code = terminal.end()

    assert code == 0
    assert "Stopping: what runs is finished first" in terminal.seen
    assert "broker_stopped" in terminal.seen
    assert "Traceback" not in terminal.seen


@pytest.mark.parametrize("flag", ["--host", "--sync"])
def test_a_wrong_setting_is_named(tmp_path: Path, flag: str) -> None:
    wrong = {"--host": "0.0.0.0", "--sync": "sometimes"}[flag]

    done = run_tq("up", flag, wrong, "--port", "0", "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 2
    assert wrong in done.stderr


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    done = run_tq("up", env=environment(TQ_BROKER_PORT="high"), cwd=tmp_path)

    assert done.returncode == 2
    assert "TQ_BROKER_PORT" in done.stderr


def test_a_second_signal_hands_back_what_runs_and_no_attempt_is_used(tmp_path: Path) -> None:
    started = tmp_path / "started"
    payload = json.dumps({"started": str(started), "released": str(tmp_path / "never")}).encode()
    with _up(tmp_path, APP) as (process, client):
        task_id = client.submit_task(Task("hold", payload, content_type="application/json"))
        while not started.exists():
            assert process.process.poll() is None
        process.process.send_signal(signal.SIGTERM)
        process.wait_for("Stopping")
        process.process.send_signal(signal.SIGTERM)  # so soon it is the first one once more, as timeout(1) sends it
        with pytest.raises(subprocess.TimeoutExpired):
            process.process.wait(2 * SAME_SIGNAL_SECONDS)
        code = process.end(signal.SIGTERM)

    with _up(tmp_path) as (_, client):
        task = client.get_task(task_id)

    assert (task.state, task.attempt, task.crashes) == (State.PENDING, 0, 0)
    assert code == 0

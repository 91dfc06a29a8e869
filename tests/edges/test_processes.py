"""The edges are processes that come and go with their broker, and that it does not depend on."""

import re
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
import pytest

from tests.cli.processes import TQ, daemon, environment, run_tq
from tests.edges.real import EDGES_ON, edge_broker, http, wait_until_gone
from tq.client.blocking import Client
from tq.client.task import Task
from tq.model.edges import EdgeStart
from tq.model.settings import Settings


def test_a_broker_serves_rest_and_names_its_address(tmp_path: Path) -> None:
    with edge_broker(tmp_path) as broker, http(broker) as rest:
        assert rest.get("/health").json()["status"] == "ok"
        task_id = rest.post("/tasks", json={"task_type": "mail"}).json()["id"]
        with Client(broker.address) as native:
            assert native.get_task(task_id).task_type == "mail"
            process = native.stats().process
        assert process is not None
        assert broker.rest in process.addresses
        assert broker.process.end() == 0


def test_prometheus_reads_the_broker_and_what_its_edge_was_asked_for(tmp_path: Path) -> None:
    with edge_broker(tmp_path, TQ_API_METRICS_QUEUES_MAX="1") as broker, http(broker) as rest:
        for queue in ("a", "a", "b"):
            assert rest.post("/tasks", json={"task_type": "mail", "queue": queue}).status_code < 300
        assert rest.get("/nothing").status_code == 404
        asked = 'tq_edge_requests_total{edge="rest",operation="submit_task",status="201"} 3.0'
        deadline = time.monotonic() + 30
        while asked not in (text := httpx.get(f"{broker.rest}/metrics").text):  # an edge reports once a second
            assert time.monotonic() < deadline, text
            time.sleep(0.05)

        assert 'tq_edge_requests_total{edge="rest",operation="none",status="404"} 1.0' in text
        assert 'tq_tasks_total{queue="a"} 2.0' in text
        assert 'tq_tasks_total{queue="_other"} 1.0' in text
        assert broker.process.end() == 0


@pytest.mark.parametrize("flags", [("--ephemeral",), ("--socket", "none")])
def test_an_edge_reaches_a_broker_that_has_no_socket_for_others(tmp_path: Path, flags: tuple[str, ...]) -> None:
    with TemporaryDirectory(dir="/tmp") as short:
        with edge_broker(tmp_path, *flags, TMPDIR=short) as broker, http(broker) as rest:
            assert rest.get("/health").json()["status"] == "ok"
            assert not [each for each in broker.event("broker_started")["addresses"] if each.startswith("unix")]
            assert broker.process.end() == 0
        assert list(Path(short).iterdir()) == []


def test_an_edge_ends_when_its_broker_is_killed(tmp_path: Path) -> None:
    with edge_broker(tmp_path) as broker:
        edge = broker.edge_pid()
        broker.kill(broker.pid)
        wait_until_gone(edge)

        assert not psutil.pid_exists(edge)


def test_an_edge_that_is_killed_is_started_again_on_the_same_port_and_native_clients_do_not_notice(
    tmp_path: Path,
) -> None:
    with edge_broker(tmp_path) as broker, Client(broker.address) as native:
        first = broker.edge_pid()
        before = native.submit_task(Task("before"))
        broker.kill(first)
        native.submit_task(Task("meanwhile"))
        with http(broker) as rest:  # waits in the broker's socket until the next edge is up
            assert rest.get(f"/tasks/{before}").json()["task_type"] == "before"

        died = broker.event("edge_died")
        assert (died["exit_code"], died["edge"]) == (-signal.SIGKILL, "rest")
        assert broker.edge_pid(2) != first
        assert broker.process.end() == 0


def test_a_busy_port_of_an_edge_is_an_error_before_there_is_a_data_directory(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        flags = ("broker", "--port", "0", "--rest-port", port, "--data-dir", str(tmp_path / "data"))
        done = run_tq(*flags, env=environment(**EDGES_ON))

    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "--rest-port" in done.stderr
    assert not (tmp_path / "data").exists()


def test_tq_up_takes_the_next_free_port_and_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = (
            "up",
            "--port",
            "0",
            "--rest-port",
            str(port),
            "--data-dir",
            str(tmp_path / "d"),
            "--log-format",
            "json",
        )
        with daemon(*flags, env=environment(**EDGES_ON)) as process:
            assert f'"wanted": {port}' in process.wait_for('"port_taken"')
            process.wait_for('"edge_started"')
            assert process.end() == 0


def test_no_rest_is_no_edge(tmp_path: Path) -> None:
    flags = ("broker", "--port", "0", "--no-rest", "--data-dir", str(tmp_path / "d"), "--log-format", "json")
    with daemon(*flags, env=environment(**EDGES_ON)) as process:
        assert "http://" not in process.wait_for('"broker_started"')
        assert psutil.Process(process.process.pid).children() == []
        assert process.end() == 0


def test_what_an_edge_has_taken_is_answered_when_the_broker_is_told_to_stop(tmp_path: Path) -> None:
    """64 waits for results are under way: all are answered, then the edge ends, and then the broker."""
    with edge_broker(tmp_path) as broker, Client(broker.address) as native, http(broker) as rest:
        ids = [native.submit_task(Task("never")) for _ in range(64)]
        with (
            httpx.Client(base_url=rest.base_url, timeout=30, limits=httpx.Limits(max_connections=64)) as many,
            ThreadPoolExecutor(64) as threads,
        ):
            answers = [threads.submit(many.get, f"/tasks/{each}/result", params={"timeout": "60s"}) for each in ids]
            while native.stats().engine.waiters < 64:
                pass
            broker.process.process.send_signal(signal.SIGTERM)
            codes = {(answer.result().status_code, answer.result().json()["code"]) for answer in answers}
        assert broker.process.process.wait(30) == 0
        order = re.findall(r'"(edge_stopped|broker_stopping)"', broker.process.log)

    assert codes == {(503, "SHUTTING_DOWN")}
    assert order == ["edge_stopped", "broker_stopping"]


def test_the_key_is_neither_in_the_arguments_nor_in_the_environment_nor_in_a_log(tmp_path: Path) -> None:
    with edge_broker(tmp_path, "--log-level", "debug", TQ_TOKEN="tq_0123456789ab_" + "s" * 43) as broker:
        edge = psutil.Process(broker.edge_pid())
        assert edge.cmdline()[-2:] == ["edge", "rest"]
        assert not [name for name in edge.environ() if name.startswith("TQ_")]
        assert broker.process.end() == 0
    key = b"k" * 32
    start = EdgeStart(edge="rest", key=key, broker="unix:///s", sockets=(), settings=Settings())
    assert "kkk" not in repr(start)


def test_an_edge_that_is_started_by_hand_says_who_starts_it() -> None:
    done = subprocess.run([*TQ, "edge", "rest"], input=b"hello\n", capture_output=True, env=environment(), timeout=60)

    assert done.returncode == 2
    assert b"tq broker and tq up start the edges by themselves" in done.stderr

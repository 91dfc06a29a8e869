"""What a worker shows to Prometheus: the page, the port, and a real worker behind it."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.worker.rig import a_broker, a_worker
from tq.model.errors import ConfigInvalid
from tq.worker import metrics_server
from tq.worker.counts import Meter
from tq.worker.metrics import CONTENT_TYPE, families, render
from tq.worker.metrics_server import CONNECTIONS_MAX, HEAD_BYTES_MAX, MetricsServer, bind
from tq.worker.tally import Totals

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


def totals() -> Totals:
    meter = Meter()
    meter.count('a"b', "completed", 0.5)
    meter.count('a"b', "failed", 400)
    return Totals(processes=2, slots=8, running=3, types=meter.take_changed(), deaths=1, cpu_ms=1_500)


def samples(body: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


class TestThePage:
    def test_it_shows_tasks_by_type_and_outcome_and_how_long_they_ran(self) -> None:
        shown = samples(render("w", totals()))
        mail = ("task_type", 'a"b')

        assert shown["tq_worker_tasks_total", frozenset({mail, ("outcome", "completed")})] == 1
        assert shown["tq_worker_tasks_total", frozenset({mail, ("outcome", "failed")})] == 1
        duration = "tq_worker_task_run_duration_seconds"
        assert shown[f"{duration}_bucket", frozenset({mail, ("le", "0.25")})] == 0
        assert shown[f"{duration}_bucket", frozenset({mail, ("le", "0.5")})] == 1
        assert shown[f"{duration}_bucket", frozenset({mail, ("le", "+Inf")})] == 2
        assert shown[f"{duration}_sum", frozenset({mail})] == 400.5
        assert shown["tq_worker_slots", frozenset()] == 8
        assert shown["tq_worker_cpu_seconds_total", frozenset()] == 1.5
        assert shown["tq_worker_process_deaths_total", frozenset()] == 1

    def test_the_documentation_explains_every_metric_with_its_kind_and_its_labels_and_no_others(self) -> None:
        documented = {
            name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
            for name, kind, labels in re.findall(r"^\| `(tq_worker_\w+)` \| (\w+) \| ([^|]*) \|", PAGE, re.MULTILINE)
        }

        shown = {}
        for family in families("w", totals()):
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            labels = {label for sample in family.samples for label in sample.labels if label != "le"}
            shown[family.name + suffix] = ({"info": "gauge"}.get(family.type, family.type), tuple(sorted(labels)))
        assert documented == shown


@pytest.fixture
async def server() -> AsyncIterator[MetricsServer]:
    with bind("127.0.0.1", 0) as sock:
        server = MetricsServer(sock, lambda: b"tq_up 1\n", CONTENT_TYPE)
        await server.start()
        yield server
        server.close()


async def ask(server: MetricsServer, request: bytes) -> bytes:
    """All that is answered, until the other side closes."""
    port = int(server.address.rsplit(":", 1)[1].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def ask_or_nothing(server: MetricsServer, request: bytes) -> bytes:
    """The same; nothing if the connection was ended without a word."""
    with contextlib.suppress(ConnectionError):
        return await ask(server, request)
    return b""


class TestThePort:
    async def test_it_answers_with_the_page_and_closes(self, server: MetricsServer) -> None:
        head, _, body = (await ask(server, GET)).partition(b"\r\n\r\n")

        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert f"Content-Type: {CONTENT_TYPE}".encode() in head
        assert b"Content-Length: 8\r\n" in head
        assert body == b"tq_up 1\n"

    async def test_head_is_the_same_without_the_page(self, server: MetricsServer) -> None:
        answer = await ask(server, GET.replace(b"GET", b"HEAD"))

        assert answer.endswith(b"Connection: close\r\n\r\n")
        assert b"Content-Length: 8\r\n" in answer

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (b"GET /metrics?name[]=x HTTP/1.0\r\n\r\n", 200),
            (b"GET / HTTP/1.1\r\n\r\n", 404),
            (b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 405),
            (b"GET /metrics\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
            (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (HEAD_BYTES_MAX + 1) + b"\r\n\r\n", 431),
        ],
    )
    async def test_anything_else_is_answered_with_what_is_wrong(
        self, server: MetricsServer, request_: bytes, status: int
    ) -> None:
        assert (await ask(server, request_)).startswith(f"HTTP/1.1 {status} ".encode())

    async def test_who_sends_no_request_is_told_so_and_does_not_stay(
        self, server: MetricsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(metrics_server, "REQUEST_SECONDS", 0.05)

        assert (await ask(server, b"GET /metr")).startswith(b"HTTP/1.1 408 ")

    async def test_only_so_many_are_served_at_once(self, server: MetricsServer) -> None:
        port = int(server.address.rsplit(":", 1)[1].partition("/")[0])
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]

        assert await ask_or_nothing(server, GET) == b""

        for _, writer in idle:
            writer.write(GET)
        answers = await asyncio.gather(*(reader.read() for reader, _ in idle))
        for _, writer in idle:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in idle))
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        async with asyncio.timeout(10):
            while not (await ask_or_nothing(server, GET)).startswith(b"HTTP/1.1 200"):
                await asyncio.sleep(0.01)  # until it has noticed that the others are gone

    def test_a_port_that_is_taken_is_said_with_what_to_do(self) -> None:
        with bind("127.0.0.1", 0) as sock, pytest.raises(ConfigInvalid, match="for metrics") as raised:
            bind("127.0.0.1", sock.getsockname()[1])

        assert "--metrics-port" in raised.value.hint


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


async def test_a_worker_shows_what_all_its_processes_did_those_that_are_gone_included() -> None:
    async with a_broker() as broker, a_worker(broker.address, metrics_port=free_port()) as worker:
        address = (await worker.logged("metrics_served"))["address"]
        port = int(re.findall(r":(\d+)/metrics", address)[0])

        async def shown(name: str, **labels: str) -> float:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            body = (await reader.read()).partition(b"\r\n\r\n")[2]
            writer.close()
            return samples(body).get((name, frozenset(labels.items())), 0)

        async def until(expected: float, name: str, **labels: str) -> None:
            async with asyncio.timeout(20):
                while await shown(name, **labels) != expected:
                    await asyncio.sleep(0.05)  # a report is up to a second old

        await broker.worker()
        await broker.result(broker.deliver("echo", value="x"))
        await broker.failure(broker.deliver("fails"))
        waiting = broker.deliver("waits")
        await broker.progress(waiting)
        await until(1, "tq_worker_tasks_running")
        await until(1, "tq_worker_tasks_total", task_type="echo", outcome="completed")
        await until(1, "tq_worker_tasks_total", task_type="fails", outcome="failed")
        assert await shown("tq_worker_processes_connected") == 1
        assert await shown("tq_worker_slots") == 4
        assert await shown("tq_worker_resident_memory_bytes") > 10 << 20

        broker.deliver("kills_its_process")
        await broker.worker(2)
        await until(1, "tq_worker_process_deaths_total")
        await until(2, "tq_worker_connections_opened_total")
        assert await shown("tq_worker_tasks_total", task_type="echo", outcome="completed") == 1
        await broker.result(broker.deliver("echo", value="x"))
        await until(2, "tq_worker_tasks_total", task_type="echo", outcome="completed")


async def test_a_worker_whose_port_is_taken_does_not_start() -> None:
    with bind("127.0.0.1", 0) as sock:
        async with (
            a_broker() as broker,
            a_worker(broker.address, metrics_port=sock.getsockname()[1]) as worker,
        ):
            assert await worker.ended() == 2

    assert "CONFIG_INVALID" in worker.lines[-1]
    assert not broker.hellos

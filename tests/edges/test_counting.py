"""What edges were asked for: counted in them, told to the broker, and shown with its metrics; by nobody else."""

import asyncio
import time
from pathlib import Path

import pytest
from litestar import Litestar, get
from litestar.params import FromPath
from litestar.types import HTTPReceiveMessage, HTTPScope, Message
from litestar.types.asgi_types import HTTPRequestEvent
from msgspec.json import encode

from tests.edges.test_gateway import LOCAL, gateway_to
from tests.server.edges import edges
from tq.edges import counting as module
from tq.edges.counting import OTHERS, Counting
from tq.edges.rest.counted import counted
from tq.model.errors import AccessDenied
from tq.model.metrics import EDGE_OPERATIONS_MAX, EDGE_STATUSES_MAX


def told(counting: Counting) -> dict[str, dict[str, int]]:
    return {
        asked.operation: {answered.status: answered.count for answered in asked.statuses}
        for asked in counting.report().requests
    }


def ask(counting: Counting, operation: str, status: str) -> None:
    counting.ended(operation, status, counting.began())


def test_requests_are_counted_by_operation_and_status_and_timed() -> None:
    counting = Counting()
    ask(counting, "submit", "200")
    ask(counting, "submit", "200")
    ask(counting, "submit", "400")
    counting.began()

    report = counting.report()

    assert told(counting) == {"submit": {"200": 2, "400": 1}}
    assert report.in_progress == 1
    assert abs(report.started_at_ms - time.time() * 1_000) < 60_000
    assert report.rss_bytes > 10 << 20
    assert report.cpu_ms > 0
    assert sum(report.requests[0].duration_us.counts) == 3


def test_what_is_told_apart_is_bounded() -> None:
    counting = Counting()
    for number in range(EDGE_OPERATIONS_MAX + 50):
        ask(counting, f"operation {number}", "200")
    for number in range(EDGE_STATUSES_MAX + 50):
        ask(counting, "operation 0", f"status {number}")

    assert len(told(counting)) == EDGE_OPERATIONS_MAX
    assert told(counting)[OTHERS] == {"200": 51}
    assert len(told(counting)["operation 0"]) == EDGE_STATUSES_MAX
    assert sum(told(counting)["operation 0"].values()) == EDGE_STATUSES_MAX + 51


async def test_the_broker_shows_what_its_edge_has_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.01)
    counting = Counting()
    ask(counting, "submit", "200")
    async with edges(tmp_path / "s") as broker, gateway_to(broker) as gateway:
        telling = asyncio.create_task(counting.tell(gateway.own))
        async with asyncio.timeout(10):
            while not (shown := (await gateway.own.metrics()).edges):
                await asyncio.sleep(0.01)
            ask(counting, "submit", "200")
            while (shown := (await gateway.own.metrics()).edges)[0].requests[0].statuses[0].count < 2:
                await asyncio.sleep(0.01)
        telling.cancel()

    assert [(edge.edge, edge.in_progress) for edge in shown] == [("rest", 0)]
    assert encode(shown[0].requests) == encode(counting.report().requests)


async def test_a_client_cannot_pose_as_an_edge(tmp_path: Path) -> None:
    async with edges(tmp_path / "s") as broker, gateway_to(broker) as gateway:
        async with gateway.client(LOCAL) as client:
            with pytest.raises(AccessDenied, match="no edge of this broker"):
                await client.request(Counting().report())

        assert (await gateway.own.metrics()).edges == []


class TestRest:
    """Around a framework that routes, refuses and fails."""

    @staticmethod
    async def asked(path: str, *, leaves: bool = False) -> dict[str, dict[str, int]]:
        @get("/tasks/{number:int}")
        async def get_task(number: FromPath[int]) -> dict[str, int]:
            if number == 0:
                raise RuntimeError
            return {"number": number}

        counting = Counting()
        app = counted(Litestar([get_task], openapi_config=None, logging_config=None), counting)
        scope: HTTPScope = {  # type: ignore[typeddict-item]
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [], "root_path": "", "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2), "extensions": {}, "state": {},
        }  # fmt: skip

        async def receive() -> HTTPReceiveMessage:
            return HTTPRequestEvent(type="http.request", body=b"", more_body=False)

        async def send(message: Message) -> None:
            if leaves:
                raise OSError

        try:
            await app(scope, receive, send)
        except Exception:
            assert leaves
        assert counting.report().in_progress == 0
        return told(counting)

    async def test_a_request_is_counted_under_its_route_and_not_under_its_address(self) -> None:
        assert await self.asked("/tasks/7") == {"get_task": {"200": 1}}

    async def test_what_is_refused_and_what_fails_is_counted_with_its_status(self) -> None:
        assert await self.asked("/nothing/at/all") == {"none": {"404": 1}}
        assert await self.asked("/tasks/0") == {"get_task": {"500": 1}}

    async def test_a_caller_who_leaves_is_counted_once(self) -> None:
        counts = await self.asked("/tasks/7", leaves=True)

        assert sum(sum(statuses.values()) for statuses in counts.values()) == 1

"""How fast the REST edge is: one submit a request and many, on connections that are kept. The broker, its edge and this
process, which is the client, share the machine."""

import asyncio
import base64
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from tq.bench.load import noop_task, percentile_ms
from tq.bench.plan import Figure, Plan
from tq.client.async_client import AsyncClient
from tq.model.errors import TqError

SETTINGS = {"TQ_API_REST_ENABLED": "true", "TQ_API_REST_PORT": "0"}
CONNECTIONS = 32
BULK = 1_000
BULK_CONNECTIONS = 2
_END_OF_HEAD = b"\r\n\r\n"


async def measure(plan: Plan) -> list[Figure]:
    """Submits over REST; nothing runs them."""
    singles, bulk = plan.count(20_000), plan.count(200_000)
    async with plan.rig(SETTINGS) as rig, rig.client() as client:
        address = await _address(client)
        await _submit(address, "/api/v1/tasks", _single_bodies(plan.count(2_000)), CONNECTIONS)
        single_seconds, latencies = await _submit(address, "/api/v1/tasks", _single_bodies(singles), CONNECTIONS)
        before = (await client.stats()).engine.submitted_total
        bulk_seconds, _ = await _submit(address, "/api/v1/tasks/bulk", _bulk_bodies(bulk), BULK_CONNECTIONS)
        taken = (await client.stats()).engine.submitted_total - before
        if taken != bulk:
            raise TqError(f"{taken} of {bulk} tasks were taken")
    return [
        Figure(
            name=f"REST: submit, one a request, {CONNECTIONS} connections",
            value=singles / single_seconds,
            unit="tasks/s",
            target=1_500,
            more_is_better=True,
        ),
        Figure(name="  of these, p99", value=percentile_ms(latencies, 99), unit="ms"),
        Figure(
            name=f"REST: submit, {BULK:,} a request",
            value=bulk / bulk_seconds,
            unit="tasks/s",
            target=10_000,
            more_is_better=True,
        ),
    ]


async def _address(client: AsyncClient) -> tuple[str, int]:
    """Host and port of the edge."""
    process = (await client.stats()).process
    assert process is not None, "a broker process says where it listens"
    (url,) = [each for each in process.addresses if each.startswith("http://")]
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def _single_bodies(count: int) -> Iterator[bytes]:
    return (msgspec.json.encode(_record(number)) for number in range(count))


def _bulk_bodies(count: int) -> Iterator[bytes]:
    for first in range(0, count, BULK):
        records = [_record(number) for number in range(first, min(first + BULK, count))]
        yield msgspec.json.encode({"tasks": records})


def _record(number: int) -> dict[str, object]:
    task = noop_task(number)
    return {
        "task_type": task.task_type,
        "payload": base64.b64encode(task.payload).decode(),
        "queue": task.queue,
        "max_retries": task.max_retries,
        "content_type": task.content_type,
    }


async def _submit(
    address: tuple[str, int], path: str, bodies: Iterator[bytes], connections: int
) -> tuple[float, list[int]]:
    """POST all bodies, one after the other on each connection; the seconds that all took, and the ns of each.

    Raises:
        TqError: an answer was not 201.
    """
    latencies: list[int] = []
    head = f"POST {path} HTTP/1.1\r\nHost: {address[0]}\r\nContent-Type: application/json\r\nContent-Length: "

    async def produce() -> None:
        reader, writer = await asyncio.open_connection(*address)
        try:
            for body in bodies:
                started = time.perf_counter_ns()
                writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
                await _answer(reader)
                latencies.append(time.perf_counter_ns() - started)
        finally:
            writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(produce() for _ in range(connections)))
    return time.perf_counter() - started, latencies


async def _answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(_END_OF_HEAD)).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 201"):
        status = head.partition(b"\r\n")[0].decode()
        raise TqError(f"the edge answered {status}: {body[:200].decode()}")

"""Large tasks, and clients that ask for more than they read: the broker's memory and the others do not pay for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.crash.broker import Broker, a_broker
from tq.client.async_client import AsyncClient
from tq.client.connection import Connection
from tq.client.ids import new_id
from tq.client.task import Task
from tq.model.commands import Fetch, GetTask, Hello, WorkerHello
from tq.model.ids import parse_id
from tq.model.replies import Deliver, Push
from tq.protocol.codec import encode_frame

MIB = 1 << 20
RSS_BYTES_MAX = 300 * MIB
PATIENCE_SECONDS = 60.0


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with a_broker() as broker:
        await broker.start()
        yield broker


async def test_a_worker_gets_more_than_a_write_buffer_of_large_tasks(broker: Broker) -> None:
    """Its credit is for 96 MiB, and a connection may hold 64 MiB that were not read."""
    came: list[bytes] = []
    all_came = asyncio.Event()

    def on_push(push: Push) -> None:
        assert isinstance(push, Deliver)
        came.extend(delivery.stored().spec.id for delivery in push.deliveries)
        if len(came) >= 96:
            all_came.set()

    async with AsyncClient(broker.address) as client:
        ids = await client.submit_tasks(Task("t", bytes(MIB)) for _ in range(96))
        hello = Hello(0, 1, worker=WorkerHello("w", new_id(), "h", 1, ["t"]))
        worker = await Connection.open(broker.address, hello, on_push=on_push, timeout=10)
        worker.send(Fetch(worker.next_id(), 96))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await all_came.wait()
        await worker.close()

    assert came == [parse_id(task_id) for task_id in ids]
    assert "connection_cut_off" not in broker.counts
    assert broker.rss_bytes() < RSS_BYTES_MAX


async def test_ten_thousand_reads_of_a_large_task_that_nobody_reads_keep_nobody_waiting(broker: Broker) -> None:
    async with AsyncClient(broker.address) as client:
        large = parse_id(await client.submit_task(Task("t", bytes(MIB))))
        _, writer = await asyncio.open_unix_connection(broker.address.removeprefix("unix://"), limit=1)
        reads = b"".join(encode_frame(GetTask(number, large)) for number in range(1, 10_000))
        writer.write(encode_frame(Hello(0, 1)) + reads)
        await writer.drain()

        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(50):
                await client.submit_task(Task("t"))

        assert broker.rss_bytes() < RSS_BYTES_MAX
        writer.transport.abort()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await client.stats()).process.connections > 1:  # type: ignore[union-attr]
                await asyncio.sleep(0.01)  # it has noticed, and does not go on reading for nobody

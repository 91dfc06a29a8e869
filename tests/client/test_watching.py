"""The live stream as a program sees it, over a real broker: followed, resumed, caught up with."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.real import RealBroker, real_broker
from tq.client.async_client import AsyncClient
from tq.client.blocking import Client
from tq.client.task import Task
from tq.client.watching import Stream, Update
from tq.model.errors import ConnectionLost, InvalidArgument


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("data")) as running:
        yield running


async def until_ready(stream: Stream, queue: str, count: int) -> Update:
    async with asyncio.timeout(20):
        async for update in stream:
            row = stream.rows("queues").get(queue)
            if row is not None and row.ready == count:
                return update
    raise AssertionError


async def test_a_stream_begins_whole_and_goes_on_with_changes(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client:
        await client.submit_task(Task("a", queue="first"))
        async with client.watch("queues", "totals", hz=10) as stream:
            first = await anext(stream)
            assert {change.scope: change.is_whole for change in first.changes} == {"queues": True, "totals": True}
            await client.submit_task(Task("a", queue="first"))
            last = await until_ready(stream, "first", 2)
            assert [change.is_whole for change in last.changes] == [False] * len(last.changes)
            assert stream.rows("totals")["totals"].ready >= 2


async def test_a_slow_reader_gets_the_latest_only(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client, client.watch("queues", hz=10) as stream:
        await anext(stream)
        for _ in range(20):
            await client.submit_task(Task("a", queue="slow"))
        frames = 0
        while stream.rows("queues").get("slow") is None or stream.rows("queues")["slow"].ready < 20:
            await anext(stream)
            frames += 1
        assert frames <= 3


async def test_a_wait_that_is_given_up_loses_nothing(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client, client.watch("queues", hz=10) as stream:
        await anext(stream)
        await client.submit_task(Task("a", queue="given-up"))
        for _ in range(200):
            try:
                async with asyncio.timeout(0.001):
                    await anext(stream)
            except TimeoutError:
                pass
            if "given-up" in stream.rows("queues"):
                break
        await until_ready(stream, "given-up", 1)


async def test_a_stream_turns_to_other_scopes_over_the_same_connection(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client:
        await client.submit_task(Task("a", queue="turned"))
        async with client.watch("totals", hz=10) as stream:
            await anext(stream)
            first = stream.welcome
            stream.turn_to("queue:turned", "events", hz=5)
            async with asyncio.timeout(20):
                while not stream.rows("queue:turned"):
                    await anext(stream)
            assert stream.welcome is first is not None
            assert stream.rows("totals") == {}
            assert stream.address == broker.address


async def test_a_stream_that_waits_turns_at_once(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client, client.watch("totals", hz=10) as stream:
        await anext(stream)
        stream.turn_to("totals", hz=0)
        waiting = asyncio.ensure_future(anext(stream))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done  # paused: nothing comes
        stream.turn_to("totals", hz=10)
        update = await asyncio.wait_for(waiting, 20)
        assert update.now_ms
        with pytest.raises(InvalidArgument):
            stream.turn_to(hz=1)


async def test_a_stream_outlives_a_restart_of_the_broker(tmp_path: Path) -> None:
    with real_broker(tmp_path / "data") as broker:
        async with AsyncClient(broker.address) as client, client.watch("queues", hz=10) as stream:
            await client.submit_task(Task("a", queue="kept"))
            before = await until_ready(stream, "kept", 1)

            await broker.kill_and_start()

            await client.submit_task(Task("a", queue="kept"))
            after = await until_ready(stream, "kept", 2)
            assert after.boot_id != before.boot_id


async def test_what_is_no_scope_is_refused_before_anything_is_sent() -> None:
    client = AsyncClient("127.0.0.1:1")
    for scopes, hz in ((("everything",), 2.0), ((), 2.0), (("totals",), 0.0), (("totals",), 11.0)):
        with pytest.raises(InvalidArgument):
            client.watch(*scopes, hz=hz)


async def test_a_closed_stream_ends(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client:
        stream = client.watch("totals")
        await anext(stream)
        await stream.close()
        with pytest.raises(ConnectionLost):
            await anext(stream)


def test_history_and_attention_are_there_for_plain_code_too(broker: RealBroker) -> None:
    with Client(broker.address) as client:
        client.submit_tasks([Task("nobody", queue="plain") for _ in range(3)])
        with client.watch("queue:plain", "attention", hz=10) as stream:
            for _ in stream:
                row = stream.rows("queue:plain").get("plain")
                if row is not None and row.submitted_10s == 3:
                    break
        assert sum(point.submitted for point in client.history("plain")["plain"]) == 3
        assert client.history("plain", by_minute=True)["plain"][-1].ready == 3
        assert isinstance(client.attention(), list)
        assert client.stats().engine.submitted_10s >= 3

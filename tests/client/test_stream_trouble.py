"""The live stream over a connection that loses, repeats and overtakes, and a broker that is restarted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from tests.client.scripted import Peer, ScriptedBroker, scripted_broker
from tq.client.async_client import AsyncClient
from tq.client.watching import Stream, Update
from tq.model.commands import Watch, WatchCredit
from tq.model.replies import Affected, WatchFrame
from tq.model.watching import QUEUE_ROWS_MAX, QueueLive, ScopePart

encode = msgspec.msgpack.Encoder().encode


def row(name: str, ready: int) -> QueueLive:
    return QueueLive(name, "ok", 0, ready, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def frame(
    seq: int, *rows: QueueLive, is_whole: bool = False, gone: tuple[str, ...] = (), boot: str = "b1"
) -> WatchFrame:
    part = ScopePart("queues", is_whole, [msgspec.Raw(encode(one)) for one in rows], list(gone))
    return WatchFrame(boot, seq, 1_000 + seq, [msgspec.Raw(encode(part))])


def ready_of(stream: Stream) -> dict[str, int]:
    return {name: queue.ready for name, queue in stream.rows("queues").items()}


@asynccontextmanager
async def streaming() -> AsyncIterator[tuple[ScriptedBroker, Stream]]:
    async with (
        scripted_broker() as broker,
        AsyncClient(broker.address, reconnect_timeout=5.0) as client,
        client.watch("queues") as stream,
    ):
        yield broker, stream


async def watched(broker: ScriptedBroker) -> tuple[Peer, Watch]:
    """Take the Watch of a stream, and say yes."""
    peer, request = await broker.next(Watch)
    peer.send(Affected(request.request_id, 1))
    return peer, request


async def following(broker: ScriptedBroker, stream: Stream, *frames: WatchFrame) -> tuple[Peer, list[Update]]:
    """Watch, and take a whole frame with `mail` and then these."""
    first = asyncio.create_task(anext(stream))
    peer, _ = await watched(broker)
    peer.send(frame(1, row("mail", 1), is_whole=True), *frames)
    updates = [await first]
    updates += [await anext(stream) for _ in frames]
    return peer, updates


async def test_a_frame_that_comes_twice_is_told_once() -> None:
    async with streaming() as (broker, stream):
        peer, _ = await following(broker, stream)
        peer.send(frame(1, row("mail", 1), is_whole=True), frame(2, row("mail", 2)))

        update = await asyncio.wait_for(anext(stream), 10)

        assert update.seq == 2
        assert ready_of(stream) == {"mail": 2}


async def test_after_a_frame_that_was_overtaken_all_is_asked_for_anew() -> None:
    async with streaming() as (broker, stream):
        peer, _ = await following(broker, stream, frame(3, row("mail", 3)))
        await broker.next(WatchCredit)
        coming = asyncio.create_task(anext(stream))
        await broker.next(WatchCredit)
        peer.send(frame(2, row("orders", 2)))  # should have been before

        peer, again = await watched(broker)
        peer.send(frame(4, row("mail", 3), row("orders", 2), is_whole=True))
        await asyncio.wait_for(coming, 10)

        assert (again.boot_id, again.seq) == ("", 0)
        assert ready_of(stream) == {"mail": 3, "orders": 2}


async def test_what_was_lost_with_the_connection_is_asked_for_from_the_last_frame_on() -> None:
    async with streaming() as (broker, stream):
        peer, _ = await following(broker, stream, frame(2, row("mail", 2)))
        coming = asyncio.create_task(anext(stream))
        await broker.next(WatchCredit)
        await broker.next(WatchCredit)
        peer.reset()  # with frame 3 on its way

        peer, again = await watched(broker)
        peer.send(frame(4, row("orders", 4), gone=("mail",)))
        update = await asyncio.wait_for(coming, 10)

        assert (again.boot_id, again.seq) == ("b1", 2)
        assert not update.changes[0].is_whole
        assert ready_of(stream) == {"orders": 4}


async def test_another_boot_of_the_broker_begins_anew_however_low_its_numbers() -> None:
    async with streaming() as (broker, stream):
        peer, _ = await following(broker, stream, frame(900, row("mail", 2)))
        coming = asyncio.create_task(anext(stream))
        peer.reset()

        while True:
            peer, request = await broker.inbox.get()
            if isinstance(request, Watch):
                break
        peer.send(Affected(request.request_id, 1), frame(1, row("new", 1), is_whole=True, boot="b2"))
        await asyncio.wait_for(coming, 10)

        assert ready_of(stream) == {"new": 1}


async def test_the_largest_frame_that_a_broker_sends_arrives_whole() -> None:
    names = [f"{'n' * 200}-{number}" for number in range(QUEUE_ROWS_MAX)]
    async with streaming() as (broker, stream):
        peer, _ = await following(broker, stream)
        peer.send(frame(2, *(row(name, 7) for name in names), is_whole=True))

        await asyncio.wait_for(anext(stream), 10)

        assert list(stream.rows("queues")) == names
        assert stream.received_bytes > 200 * QUEUE_ROWS_MAX


async def test_no_frame_is_asked_for_before_the_one_before_was_taken() -> None:
    async with streaming() as (broker, stream):
        await following(broker, stream)
        assert broker.inbox.empty()  # a slow reader: it has a frame, and owes the credit for the next

        coming = asyncio.create_task(anext(stream))
        await broker.next(WatchCredit)
        coming.cancel()

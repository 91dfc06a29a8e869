"""Real sockets, and everything that can come in over them."""

import asyncio
import socket
import struct

import pytest

from tests.server.bench import ID
from tests.server.fakes import GatedStore
from tests.server.wire import LIMITS, Wire, live_broker
from tq.model.commands import Fetch, GetStats, GetTask, Hello, ListWorkers, Request, Submit, Wait, WorkerHello
from tq.model.replies import Deliver, ErrorReply, FromBroker, StatsReply, Submitted, TaskReply, Welcome, WorkerPage
from tq.model.task import TaskSpec
from tq.protocol.codec import encode_frame
from tq.protocol.frames import HEADER
from tq.server.connection import HELLO_BYTES_MAX, WRITE_HIGH_WATER_BYTES

WORKER = Hello(0, 1, worker=WorkerHello("w", ID, "host", 1, ["send"]))


def submit(request_id: int, payload: bytes = b"") -> Submit:
    return Submit(request_id, [TaskSpec(request_id.to_bytes(16, "big"), "send", payload)])


def code(message: FromBroker) -> str:
    assert isinstance(message, ErrorReply), message
    return message.code


async def refusal(wire: Wire) -> ErrorReply:
    """The last words of the broker before it ends the connection."""
    message = await wire.receive()
    assert isinstance(message, ErrorReply), message
    assert message.request_id == 0
    assert await wire.is_ended()
    return message


async def test_requests_may_arrive_byte_by_byte() -> None:
    async with live_broker() as broker:
        wire = await broker.connect()
        for byte in (
            encode_frame(Hello(0, 1)) + encode_frame(submit(1)) + encode_frame(GetTask(2, (1).to_bytes(16, "big")))
        ):
            wire.send_bytes(bytes([byte]))
            await asyncio.sleep(0)
        answers = [await wire.receive() for _ in range(3)]

    assert [type(answer) for answer in answers] == [Welcome, Submitted, TaskReply]


async def test_hundreds_of_requests_in_one_write_are_answered_in_order() -> None:
    async with live_broker() as broker:
        wire = await broker.connect()

        wire.send(Hello(0, 1), *map(submit, range(1, 501)))
        answers = [await wire.receive() for _ in range(501)]

    assert isinstance(answers[0], Welcome)
    assert answers[1:] == [Submitted(number) for number in range(1, 501)]


async def test_a_frame_larger_than_a_hello_may_follow_it_in_the_same_write() -> None:
    """The bound of the first frame is that frame's alone."""
    async with live_broker() as broker:
        wire = await broker.connect()

        wire.send(Hello(0, 1), submit(1, b"x" * (2 * HELLO_BYTES_MAX)))
        answers = [await wire.receive() for _ in range(2)]

    assert answers[1] == Submitted(1)


@pytest.mark.parametrize(
    "garbage",
    [
        HEADER.pack(3) + b"\xc1\xc1\xc1",
        HEADER.pack(0),
        HEADER.pack(2) + b"\x91\x07",
        encode_frame(Submit(1, [])),  # below the bound of the field
        HEADER.pack(LIMITS.frame_bytes_max + 1),
    ],
    ids=["not_messagepack", "empty", "no_such_message", "out_of_bounds", "oversized"],
)
async def test_malformed_bytes_end_their_own_connection_with_a_coded_error(garbage: bytes) -> None:
    async with live_broker() as broker:
        wire, other = await broker.client(), await broker.client()

        wire.send_bytes(garbage)
        message = await refusal(wire)
        answer = await other.ask(submit(1))

    assert message.code == (
        "PAYLOAD_TOO_LARGE" if len(garbage) == HEADER.size and any(garbage) else "PROTOCOL_VIOLATION"
    )
    assert answer == Submitted(1)
    assert broker.log.find("connection_refused")["code"] == message.code


async def test_what_came_before_malformed_bytes_is_done_and_answered_first() -> None:
    store = GatedStore()
    async with live_broker(store) as broker:
        wire = await broker.client()

        wire.send_bytes(encode_frame(submit(1)) + HEADER.pack(1) + b"\xc1" + encode_frame(submit(2)))
        await store.sync_begun()
        store.end_sync()
        answer = await wire.receive()
        message = await refusal(wire)
        store.open_gate()

    assert answer == Submitted(1)
    assert message.code == "PROTOCOL_VIOLATION"
    assert len(store.applied) == 1


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "PROTOCOL_VIOLATION"),
        (HEADER.pack(HELLO_BYTES_MAX + 1), "PROTOCOL_VIOLATION"),
        (HEADER.pack(1) + b"\xc1", "PROTOCOL_VIOLATION"),
        (encode_frame(GetStats(1)), "PROTOCOL_VIOLATION"),
        (encode_frame(Hello(0, 999)), "VERSION_UNSUPPORTED"),
    ],
    ids=["http", "oversized", "garbage", "no_hello", "version"],
)
async def test_a_stranger_is_turned_away_with_the_reason(first: bytes, expected: str) -> None:
    async with live_broker() as broker:
        wire = await broker.connect()

        wire.send_bytes(first)
        message = await refusal(wire)

    assert message.code == expected


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with live_broker(hello=0.02) as broker:
        wire = await broker.connect()

        message = await refusal(wire)

    assert "Hello" in message.message


async def test_a_connection_that_has_greeted_may_be_silent() -> None:
    async with live_broker(hello=0.02) as broker:
        wire, stranger = await broker.client(), await broker.connect()
        await refusal(stranger)

        answer = await wire.ask(submit(1))

    assert answer == Submitted(1)


async def test_the_last_words_arrive_although_the_other_side_was_still_sending() -> None:
    """A socket that is closed with unread bytes resets the connection, and the reason would be lost with it."""
    async with live_broker() as broker:
        wire = await broker.client()

        wire.send_bytes((HEADER.pack(1) + b"\xc1") * (1 << 18))
        message = await wire.receive()
        rest = await wire.reader.read()  # a reset would raise

    assert code(message) == "PROTOCOL_VIOLATION"
    assert rest == b""


async def test_a_refused_connection_that_does_not_go_is_cut_off() -> None:
    async with live_broker(ending=0.02) as broker:
        wire = await broker.client()

        wire.send_bytes(HEADER.pack(1) + b"\xc1")
        await refusal(wire)  # this side stays open
        await broker.connections.wait_until_gone()


async def test_too_many_connections_are_refused_and_a_place_that_becomes_free_is_given_away() -> None:
    async with live_broker(connections_max=2) as broker:
        first, second = await broker.client(), await broker.client()
        message = await refusal(await broker.connect())

        closed = broker.log.names().count("connection_closed")
        first.writer.close()
        await broker.log.until("connection_closed", closed + 1)
        third = await broker.client()
        answers = [await wire.ask(submit(number)) for number, wire in enumerate((second, third), 1)]

    assert message.code == "TOO_MANY_CONNECTIONS"
    assert answers == [Submitted(1), Submitted(2)]


async def test_a_flood_of_refused_connections_is_not_held_for_their_farewell() -> None:
    async with live_broker(connections_max=1) as broker:
        await broker.client()
        for _ in range(100):
            await broker.connect()
        await broker.log.until("connection_refused", 100)
        held = len(broker.connections.ending)

    assert held <= 65


async def test_requests_above_the_limit_of_unanswered_ones_are_refused_and_the_others_are_not() -> None:
    store = GatedStore()
    async with live_broker(store, outstanding_max=3) as broker:
        wire = await broker.client()

        wire.send(*map(submit, range(1, 6)))
        await store.sync_begun()
        store.open_gate()
        answers = [await wire.receive() for _ in range(5)]
        again = await wire.ask(submit(6))

    assert answers[:3] == [Submitted(1), Submitted(2), Submitted(3)]
    assert [code(answer) for answer in answers[3:]] == ["TOO_MANY_REQUESTS"] * 2
    assert again == Submitted(6)


def big_reads(count: int) -> list[Request]:
    return [GetTask(number, (1).to_bytes(16, "big")) for number in range(2, 2 + count)]


async def test_a_slow_reader_is_not_read_until_it_has_caught_up() -> None:
    """It is pushed back, not served into memory without end."""
    async with live_broker() as broker:
        wire = await broker.connect(receive_buffer=4096)
        await wire.greet()
        await wire.ask(submit(1, b"x" * (1 << 20)))

        wire.send(*big_reads(40))
        await broker.log.until("connection_pushed_back")
        wire.send(*big_reads(4))
        answers = [await wire.receive() for _ in range(44)]

    assert all(isinstance(answer, TaskReply) for answer in answers)
    assert "connection_cut_off" not in broker.log.names()


async def test_a_reader_slower_than_its_buffer_allows_is_cut_off() -> None:
    async with live_broker(write_buffer_bytes_max=2 * WRITE_HIGH_WATER_BYTES) as broker:
        wire = await broker.connect(receive_buffer=4096)
        await wire.greet()
        await wire.ask(submit(1, b"x" * (1 << 20)))

        wire.send(*big_reads(20))
        wire.send(*big_reads(20))
        event = await broker.log.until("connection_cut_off")
        await broker.connections.wait_until_gone()

    assert event["why"] == "slow_reader"


async def test_a_reader_that_has_stopped_reading_is_cut_off_after_a_while() -> None:
    async with live_broker() as broker:
        wire = await broker.connect(receive_buffer=4096)
        await wire.greet()
        await wire.ask(submit(1, b"x" * (1 << 20)))
        wire.send(*big_reads(40))
        await broker.log.until("connection_pushed_back")

        now = asyncio.get_running_loop().time()
        broker.connections.check(now + LIMITS.stuck_write - 1)
        early = broker.log.names()
        broker.connections.check(now + LIMITS.stuck_write + 1)

    assert "connection_cut_off" not in early
    assert broker.log.find("connection_cut_off")["why"] == "slow_reader"


@pytest.mark.parametrize("is_worker", [True, False])
async def test_a_worker_without_heartbeats_is_cut_off_and_a_silent_client_is_not(is_worker: bool) -> None:
    async with live_broker() as broker:
        wire = await broker.client(WORKER if is_worker else None)

        broker.connections.check(asyncio.get_running_loop().time() + LIMITS.worker_silence + 1)
        if is_worker:
            assert await wire.is_ended()
        else:
            assert await wire.ask(submit(1)) == Submitted(1)

    assert ("connection_cut_off" in broker.log.names()) is is_worker
    assert ("worker_disconnected" in broker.log.names()) is is_worker


async def test_a_worker_that_the_broker_does_not_read_is_not_called_silent() -> None:
    """While the disk hangs nobody is read, heartbeats included."""
    async with live_broker() as broker:
        wire = await broker.client(WORKER)
        (connection,) = broker.connections.admitted
        later = asyncio.get_running_loop().time() + LIMITS.worker_silence + 1

        connection.pause()
        broker.connections.check(later)
        connection.resume()
        broker.connections.check(later + 1)
        answer = await wire.ask(submit(1))

    assert answer == Submitted(1)


async def test_a_connection_that_was_not_read_is_read_to_its_end_once_it_is_ended() -> None:
    async with live_broker(ending=1_000) as broker:
        wire = await broker.client()
        (connection,) = broker.connections.admitted

        connection.pause()
        connection.end()
        wire.writer.close()
        await broker.connections.wait_until_gone()


async def test_a_connection_that_stops_in_the_middle_of_a_frame_is_cut_off() -> None:
    """Half-open: the other host is gone, and only a timer can tell."""
    async with live_broker() as broker:
        wire = await broker.client()
        wire.send_bytes(encode_frame(submit(1)) + b"\x00\x00")
        await wire.receive()

        now = asyncio.get_running_loop().time()
        broker.connections.check(now + LIMITS.half_frame - 1)
        early = broker.log.names()
        broker.connections.check(now + LIMITS.half_frame + 1)
        assert await wire.is_ended()

    assert "connection_cut_off" not in early
    assert broker.log.find("connection_cut_off")["why"] == "half_frame"


async def test_the_kernel_is_asked_to_find_out_about_vanished_hosts() -> None:
    async with live_broker() as broker:
        await broker.client()
        (connection,) = broker.connections.admitted
        sock = connection._transport.get_extra_info("socket")

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


async def test_a_connection_that_is_reset_in_the_middle_of_its_requests_hurts_nobody() -> None:
    store = GatedStore()
    async with live_broker(store) as broker:
        wire, other = await broker.client(), await broker.client()
        wire.send(submit(1))
        await store.sync_begun()

        wire.writer.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        wire.writer.transport.abort()
        await broker.log.until("connection_closed")
        store.open_gate()
        answer = await other.ask(GetTask(2, (1).to_bytes(16, "big")))

    assert isinstance(answer, TaskReply)


async def test_a_client_that_goes_away_takes_its_waits_with_it() -> None:
    async with live_broker() as broker:
        wire, other = await broker.client(), await broker.client()
        await wire.ask(submit(1))
        wire.send(Wait(2, (1).to_bytes(16, "big"), 60_000))
        waiting = await other.ask(GetStats(1))

        wire.writer.close()
        await broker.log.until("connection_closed")
        gone = await other.ask(GetStats(2))

    assert isinstance(waiting, StatsReply)
    assert isinstance(gone, StatsReply)
    assert (waiting.engine.waiters, gone.engine.waiters) == (1, 0)


async def test_a_worker_is_pushed_its_tasks_and_may_ask_and_be_answered_meanwhile() -> None:
    async with live_broker() as broker:
        client, worker = await broker.client(), await broker.client(WORKER)
        await client.ask(submit(1))

        worker.send(Fetch(0, 1), ListWorkers(9))
        came = {type(await worker.receive()) for _ in range(2)}

    assert came == {Deliver, WorkerPage}

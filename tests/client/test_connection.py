import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.client.scripted import LIMITS, ScriptedBroker, free_port, scripted_broker, welcome
from tq.client import connection as module
from tq.client.connection import Connection
from tq.model.commands import Backup, Fetch, GetStats, GetTask, Hello, Submit, Unwait, Wait
from tq.model.errors import (
    AccessDenied,
    ConnectFailed,
    ConnectionLost,
    InvalidArgument,
    PayloadTooLarge,
    ProtocolViolation,
    TaskNotFound,
    TooManyConnections,
    TooManyRequests,
    TqError,
    VersionUnsupported,
)
from tq.model.replies import Affected, Drain, ErrorReply, Push, Stopping, Submitted
from tq.model.task import TaskSpec
from tq.protocol.codec import encode_frame

HELLO = Hello(0, 1, client="test")
ID = b"x" * 16


async def open_to(broker: ScriptedBroker, pushes: list[Push] | None = None) -> Connection:
    on_push = (lambda push: None) if pushes is None else pushes.append
    return await Connection.open(broker.address, HELLO, on_push=on_push, timeout=10)


@asynccontextmanager
async def connected(limit: int = 1_000) -> AsyncIterator[tuple[ScriptedBroker, Connection]]:
    async with scripted_broker() as broker:
        broker.greeting = lambda peer, hello: peer.send(
            welcome(hello.request_id, limits=replace(LIMITS, outstanding_requests_max=limit))
        )
        connection = await open_to(broker)
        try:
            yield broker, connection
        finally:
            await connection.close()


def submit(connection: Connection, payload: bytes = b"") -> Submit:
    return Submit(connection.next_id(), [TaskSpec(ID, "send_email", payload)])


async def test_the_greeting_is_sent_and_the_welcome_is_kept() -> None:
    async with connected() as (broker, connection):
        assert broker.hellos == [HELLO]
        assert connection.welcome == welcome()
        assert connection.address == broker.address


async def test_a_unix_socket_serves_as_well(tmp_path: Path) -> None:
    async with scripted_broker(tmp_path / "tq.sock") as broker:
        connection = await open_to(broker)
        stats = connection.request(GetTask(connection.next_id(), ID))
        peer, request = await broker.next(GetTask)
        peer.send(Affected(request.request_id, 1))

        assert await stats == Affected(1, 1)
        await connection.close()


async def test_replies_find_their_requests_in_any_order() -> None:
    async with connected() as (broker, connection):
        futures = [connection.request(GetTask(connection.next_id(), ID)) for _ in range(3)]
        received = [await broker.next(GetTask) for _ in range(3)]
        for peer, request in reversed(received):
            peer.send(Affected(request.request_id, request.request_id * 10))

        assert await asyncio.gather(*futures) == [Affected(1, 10), Affected(2, 20), Affected(3, 30)]


async def test_a_reply_may_arrive_byte_by_byte() -> None:
    async with connected() as (broker, connection):
        future = connection.request(GetTask(connection.next_id(), ID))
        peer, request = await broker.next(GetTask)
        for byte in encode_frame(Affected(request.request_id, 7)):
            peer.send_bytes(bytes([byte]))
            await asyncio.sleep(0)

        assert await future == Affected(1, 7)


async def test_the_requests_of_one_turn_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected() as (_, connection):
        writes: list[bytes] = []
        monkeypatch.setattr(connection, "_transport", Recorder(writes))

        requests = [submit(connection) for _ in range(50)]
        futures = [connection.request(request) for request in requests]
        assert writes == []
        await asyncio.sleep(0)

        assert writes == [b"".join(encode_frame(request) for request in requests)]
        monkeypatch.undo()
        await connection.close()
        assert [type(future.exception()) for future in futures] == [ConnectionLost] * 50


class Recorder:
    """A transport that keeps what is written."""

    def __init__(self, writes: list[bytes]) -> None:
        self.write = writes.append


async def test_many_bytes_leave_before_the_turn_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that pile up in a turn must be bounded by the transport's buffer, which knows when to push back."""
    async with connected() as (_, connection):
        writes: list[bytes] = []
        monkeypatch.setattr(connection, "_transport", Recorder(writes))

        connection.request(submit(connection, bytes(300_000)))

        assert len(writes) == 1
        monkeypatch.undo()


async def test_an_error_reply_raises_the_error_that_it_names() -> None:
    async with connected() as (broker, connection):
        future = connection.request(GetTask(connection.next_id(), ID))
        peer, request = await broker.next(GetTask)
        peer.send(ErrorReply(request.request_id, "TASK_NOT_FOUND", "no task x", "look again"))

        with pytest.raises(TaskNotFound) as caught:
            await future
        assert (caught.value.message, caught.value.hint) == ("no task x", "look again")
        assert not connection.is_ended


async def test_pushes_arrive_in_order_between_replies() -> None:
    pushes: list[Push] = []
    async with scripted_broker() as broker:
        connection = await open_to(broker, pushes)
        connection.send(Fetch(connection.next_id(), 5))
        future = connection.request(GetTask(connection.next_id(), ID))
        await broker.next(Fetch)
        peer, request = await broker.next(GetTask)
        peer.send(Drain(), Affected(request.request_id, 1), Stopping())
        await future

        assert pushes == [Drain(), Stopping()]
        await connection.close()


async def test_cancelling_the_wait_for_a_reply_leaves_the_connection_whole() -> None:
    async with connected() as (broker, connection):
        forgotten = connection.request(GetTask(connection.next_id(), ID))
        forgotten_too = connection.request(GetTask(connection.next_id(), ID))
        kept = connection.request(GetTask(connection.next_id(), ID))
        forgotten.cancel()
        forgotten_too.cancel()
        peer, first = await broker.next(GetTask)
        peer.send(Affected(first.request_id, 1))
        _, second = await broker.next(GetTask)
        peer.send(ErrorReply(second.request_id, "TASK_NOT_FOUND", "no"))
        _, third = await broker.next(GetTask)
        peer.send(Affected(third.request_id, 3))

        assert await kept == Affected(3, 3)


async def test_the_kernel_is_asked_to_find_out_about_hosts_that_vanish() -> None:
    async with connected() as (_, connection):
        assert connection._transport is not None
        sock = connection._transport.get_extra_info("socket")

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30


class TestLimits:
    async def test_a_request_above_the_brokers_limit_is_refused_here(self) -> None:
        async with connected(limit=2) as (_, connection):
            assert connection.has_room
            connection.request(submit(connection))
            assert connection.has_room
            connection.request(Wait(connection.next_id(), ID, 1))

            with pytest.raises(TooManyRequests, match="2 requests"):
                connection.request(submit(connection))

    async def test_drain_waits_for_an_answer_and_lets_as_many_go_on(self) -> None:
        async with connected(limit=2) as (broker, connection):
            answers = [connection.request(submit(connection)) for _ in range(2)]
            drains = [asyncio.create_task(connection.drain()) for _ in range(3)]
            peer, first = await broker.next(Submit)
            assert not any(drain.done() for drain in drains)

            peer.send(Submitted(first.request_id))
            await asyncio.wait(drains, return_when=asyncio.FIRST_COMPLETED)

            assert [drain.done() for drain in drains] == [True, False, False]
            _, second = await broker.next(Submit)
            peer.send(Submitted(second.request_id))
            await asyncio.gather(*answers, *drains)

    async def test_a_place_given_to_a_cancelled_drain_goes_to_the_next(self) -> None:
        async with connected(limit=1) as (broker, connection):
            answer = connection.request(submit(connection))
            first, second = (asyncio.create_task(connection.drain()) for _ in range(2))
            peer, request = await broker.next(Submit)
            answer.add_done_callback(lambda _: first.cancel())
            peer.send(Submitted(request.request_id))

            await second
            await asyncio.wait([first])

    async def test_drain_waits_while_the_broker_does_not_read(self) -> None:
        async with connected() as (broker, connection):
            [peer] = broker.peers
            peer.pause_reading()
            sent = 0
            while connection.has_room:
                connection.request(submit(connection, bytes(1 << 20)))
                sent += 1
                await asyncio.sleep(0)
            drain = asyncio.create_task(connection.drain())
            await asyncio.sleep(0)
            assert not drain.done()
            assert sent < 100

            peer.resume_reading()
            await drain

            assert connection.has_room

    async def test_a_frame_above_the_brokers_limit_is_refused_and_the_connection_lives(self) -> None:
        async with connected() as (broker, connection):
            with pytest.raises(PayloadTooLarge, match=r"a Submit of \d+ bytes is above the limit of 8388608"):
                connection.request(submit(connection, bytes(9 << 20)))

            answer = connection.request(submit(connection))
            peer, request = await broker.next(Submit)
            peer.send(Submitted(request.request_id))
            await answer


class TestOpening:
    async def test_nobody_at_the_port_is_connect_failed_with_the_address_and_the_next_command(self) -> None:
        port = free_port()

        with pytest.raises(ConnectFailed) as caught:
            await Connection.open(f"127.0.0.1:{port}", HELLO, on_push=lambda _: None, timeout=10)

        assert caught.value.message == f"no broker answers at tcp://127.0.0.1:{port}: Connection refused"
        assert "`tq up`" in caught.value.hint

    async def test_no_socket_at_the_path_is_connect_failed(self, tmp_path: Path) -> None:
        with pytest.raises(ConnectFailed, match="No such file or directory"):
            await Connection.open(f"unix://{tmp_path}/none.sock", HELLO, on_push=lambda _: None, timeout=10)

    async def test_an_unknown_host_is_connect_failed(self) -> None:
        with pytest.raises(ConnectFailed, match=r"no broker answers at tcp://no-such-host.invalid:1"):
            await Connection.open("no-such-host.invalid:1", HELLO, on_push=lambda _: None, timeout=10)

    async def test_a_name_with_several_addresses_gives_one_reason(self) -> None:
        port = free_port()

        with pytest.raises(ConnectFailed) as caught:
            await Connection.open(f"localhost:{port}", HELLO, on_push=lambda _: None, timeout=10)

        assert caught.value.message == f"no broker answers at tcp://localhost:{port}: Connection refused"

    async def test_a_wrong_address_is_an_invalid_argument(self) -> None:
        with pytest.raises(InvalidArgument):
            await Connection.open("localhost", HELLO, on_push=lambda _: None, timeout=10)

    async def test_a_mute_broker_is_given_up_after_the_timeout(self) -> None:
        async with scripted_broker() as broker:
            broker.greeting = None
            with pytest.raises(ConnectFailed, match=r"no answer within 0\.05 s"):
                await Connection.open(broker.address, HELLO, on_push=lambda _: None, timeout=0.05)

            await broker.peers[0].ended

    async def test_a_cancelled_opening_leaves_no_connection_behind(self) -> None:
        async with scripted_broker() as broker:
            broker.greeting = None
            opening = asyncio.create_task(open_to(broker))
            await broker.next(Hello)

            opening.cancel()
            await asyncio.wait([opening])

            assert opening.cancelled()
            await broker.peers[0].ended

    async def test_a_connection_that_ends_during_the_greeting_is_connect_failed(self) -> None:
        async with scripted_broker() as broker:
            broker.greeting = lambda peer, hello: peer.close()
            with pytest.raises(ConnectFailed, match="the connection ended during the greeting"):
                await open_to(broker)

    @pytest.mark.parametrize(
        ("code", "error"), [("TOO_MANY_CONNECTIONS", TooManyConnections), ("ACCESS_DENIED", AccessDenied)]
    )
    async def test_a_refusal_is_raised_as_what_it_is(self, code: str, error: type[TqError]) -> None:
        async with scripted_broker() as broker:
            broker.greeting = lambda peer, hello: peer.send(ErrorReply(0, code, "no"))
            with pytest.raises(error, match="no"):
                await open_to(broker)

            await broker.peers[0].ended

    async def test_another_version_of_the_protocol_is_refused(self) -> None:
        async with scripted_broker() as broker:
            broker.greeting = lambda peer, hello: peer.send(welcome(protocol_version=2))
            with pytest.raises(VersionUnsupported, match="speaks version 2 of the protocol, this client 1"):
                await open_to(broker)

    async def test_an_answer_that_is_no_welcome_is_a_violation(self) -> None:
        async with scripted_broker() as broker:
            broker.greeting = lambda peer, hello: peer.send(Affected(0, 1))
            with pytest.raises(ProtocolViolation, match="answered the greeting with Affected"):
                await open_to(broker)

    async def test_a_server_of_another_protocol_is_recognized(self) -> None:
        async with scripted_broker() as broker:
            broker.greeting = lambda peer, hello: peer.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            with pytest.raises(PayloadTooLarge, match="does not speak the protocol of tq"):
                await open_to(broker)


class TestEnding:
    async def test_the_brokers_end_fails_what_waits_and_says_so_in_closed(self) -> None:
        async with connected(limit=2) as (broker, connection):
            answer = connection.request(submit(connection))
            wait = connection.request(Wait(connection.next_id(), ID, 1))
            drain = asyncio.create_task(connection.drain())
            peer, _ = await broker.next(Submit)
            peer.close()

            for waiting in (answer, wait, drain):
                with pytest.raises(ConnectionLost, match=f"the connection to {connection.address} ended"):
                    await waiting
            assert isinstance(await connection.closed, ConnectionLost)
            assert connection.is_ended
            with pytest.raises(ConnectionLost):
                connection.request(GetTask(connection.next_id(), ID))
            with pytest.raises(ConnectionLost):
                connection.send(Fetch(connection.next_id(), 1))

    async def test_a_reset_is_told_as_such(self) -> None:
        async with connected() as (broker, connection):
            answer = connection.request(submit(connection))
            peer, _ = await broker.next(Submit)
            peer.reset()

            with pytest.raises(ConnectionLost, match="Connection reset by peer"):
                await answer

    async def test_an_answer_that_nobody_waits_for_any_more_makes_no_noise(self) -> None:
        async with connected() as (broker, connection):
            connection.request(submit(connection))
            peer, _ = await broker.next(Submit)
            peer.close()
            await connection.closed
            gc.collect()  # a future with an exception that nobody fetched would be reported here, as an error

    @pytest.mark.parametrize(
        ("sent", "error", "message"),
        [
            (b"\x00\x00\x00\x01\xc1", ProtocolViolation, "not a reply"),
            (b"\x00\x00\x00\x02\x91\x07", ProtocolViolation, "not a reply"),
            (b"\xff\xff\xff\xff", PayloadTooLarge, "a frame of 4294967295 bytes"),
            (encode_frame(Affected(99, 1)), ProtocolViolation, "a reply to no request, 99"),
        ],
    )
    async def test_bytes_that_are_not_the_protocol_end_the_connection(
        self, sent: bytes, error: type[TqError], message: str
    ) -> None:
        async with connected() as (broker, connection):
            answer = connection.request(submit(connection))
            peer, _ = await broker.next(Submit)
            peer.send_bytes(sent)

            with pytest.raises(error, match=message):
                await answer
            assert isinstance(await connection.closed, error)
            await peer.ended

    @pytest.mark.parametrize("request_id", [0, 99])
    async def test_an_error_that_belongs_to_no_request_ends_the_connection(self, request_id: int) -> None:
        async with connected() as (broker, connection):
            answer = connection.request(submit(connection))
            peer, _ = await broker.next(Submit)
            peer.send(ErrorReply(request_id, "ACCESS_DENIED", "the token was revoked", "ask for a new one"))

            with pytest.raises(AccessDenied) as caught:
                await answer
            assert caught.value.hint == "ask for a new one"

    async def test_close_sends_what_is_unsent_and_tells_who_waits(self) -> None:
        async with connected() as (broker, connection):
            answer = connection.request(submit(connection))
            await connection.close()

            await broker.next(Submit)
            assert await connection.closed is None
            with pytest.raises(ConnectionLost, match="was closed by this side"):
                await answer
            await connection.close()

    async def test_close_does_not_wait_for_ever_for_a_broker_that_does_not_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_CLOSE_SECONDS_MAX", 0.05)
        async with connected() as (broker, connection):
            broker.peers[0].pause_reading()
            while connection.has_room:
                connection.request(submit(connection, bytes(1 << 20)))
                await asyncio.sleep(0)

            await connection.close()

            assert await connection.closed is None

    async def test_a_broker_that_owes_an_answer_and_says_nothing_is_given_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "SILENCE_SECONDS_MAX", 0.06)
        async with connected() as (_, connection):
            with pytest.raises(ConnectionLost, match="owes an answer and was silent"):
                await connection.request(submit(connection))

    async def test_silence_means_nothing_while_only_slow_answers_are_due(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "SILENCE_SECONDS_MAX", 0.01)
        async with connected() as (broker, connection):
            wait = connection.request(Wait(connection.next_id(), ID, 1_000))
            backup = connection.request(Backup(connection.next_id(), "/b"))
            for _ in range(3):  # each is long enough to give the broker up
                await asyncio.wait([wait, backup], timeout=0.02)
            assert not connection.is_ended

            peer, waiting = await broker.next(Wait)
            peer.send(Affected(waiting.request_id, 1), Affected(waiting.request_id + 1, 1))
            await asyncio.gather(wait, backup)


async def test_a_wait_that_is_cancelled_is_taken_back_and_its_answer_misses_nobody() -> None:
    async with connected(limit=1) as (broker, connection):
        wait = connection.request(Wait(connection.next_id(), ID, 60_000))
        peer, waiting = await broker.next(Wait)
        wait.cancel()

        _, taken_back = await broker.next(Unwait)
        assert taken_back == Unwait(0, waiting.request_id)
        assert not connection.has_room  # until the broker has answered
        peer.send(ErrorReply(waiting.request_id, "TIMED_OUT", "not waited for"))
        await connection.drain()
        assert not connection.is_ended


async def test_a_wait_that_was_answered_is_not_taken_back() -> None:
    async with connected() as (broker, connection):
        wait = connection.request(Wait(connection.next_id(), ID, 60_000))
        peer, waiting = await broker.next(Wait)
        peer.send(Affected(waiting.request_id, 1))
        await wait
        wait.cancel()
        connection.request(GetStats(connection.next_id()))

        await broker.next(GetStats)  # and nothing before it


async def test_a_thousand_pipelined_requests_are_all_answered() -> None:
    async with connected() as (broker, connection):
        broker.answer = lambda peer, request: peer.send(Submitted(request.request_id))

        answers = await asyncio.gather(*(connection.request(submit(connection)) for _ in range(1_000)))

        assert [answer.request_id for answer in answers if isinstance(answer, Submitted)] == list(range(1, 1_001))
        assert connection.request(GetStats(connection.next_id())) is not None

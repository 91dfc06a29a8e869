"""How a client comes back after losses, and what it asks again."""

import asyncio
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.client.scripted import LIMITS, Peer, free_port, operation, scripted_broker, welcome
from tq.client import connection as connection_module
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.commands import CancelOperation, ListQueues, Request, Submit, Wait
from tq.model.errors import (
    AccessDenied,
    ConnectFailed,
    ConnectionLost,
    InvalidArgument,
    OutcomeUnknown,
    TimedOut,
    TooManyConnections,
)
from tq.model.ids import format_id
from tq.model.operations import OperationState
from tq.model.replies import ErrorReply, OperationReply, OutcomeReply, QueuePage, Submitted
from tq.model.task import Outcome, State

ID = b"\x01" * 16


def accept(peer: Peer, request: Request) -> None:
    peer.send(QueuePage(request.request_id, []) if isinstance(request, ListQueues) else Submitted(request.request_id))


async def test_a_client_connects_when_it_is_first_used() -> None:
    async with scripted_broker() as broker:
        client = AsyncClient(broker.address, name="shop", token="secret")
        assert broker.peers == []
        broker.answer = accept

        await client.queues()

        assert [(hello.client, hello.token) for hello in broker.hellos] == [("shop", "secret")]
        await client.close()


async def test_calls_at_the_same_moment_share_one_connection() -> None:
    async with scripted_broker() as broker:
        broker.answer = accept
        async with AsyncClient(broker.address) as client:
            await asyncio.gather(*(client.submit_task(Task("send_email")) for _ in range(50)))

        assert len(broker.peers) == 1


async def test_a_client_that_never_was_connected_fails_at_once() -> None:
    """A wrong address must show now, not after half a minute of patience."""
    port = free_port()
    before = time.monotonic()

    with pytest.raises(ConnectFailed, match=f"no broker answers at tcp://127.0.0.1:{port}"):
        await AsyncClient(f"127.0.0.1:{port}").queues()

    assert time.monotonic() - before < 5


async def test_a_submit_whose_connection_is_lost_is_repeated_with_the_same_id() -> None:
    async with scripted_broker() as broker, AsyncClient(broker.address) as client:
        submitting = asyncio.create_task(client.submit_task(Task("send_email")))
        peer, first = await broker.next(Submit)
        peer.reset()
        peer, second = await broker.next(Submit)
        peer.send(Submitted(second.request_id))

        assert await submitting == format_id(first.tasks[0].id)
        assert second.tasks == first.tasks


async def test_everything_in_flight_is_repeated_over_the_new_connection() -> None:
    async with scripted_broker() as broker, AsyncClient(broker.address) as client:
        submits = [asyncio.create_task(client.submit_task(Task("send_email"))) for _ in range(20)]
        received = [await broker.next(Submit) for _ in range(20)]
        received[0][0].close()
        broker.answer = accept

        ids = await asyncio.gather(*submits)

        assert sorted(ids) == sorted(format_id(request.tasks[0].id) for _, request in received)
        assert len(broker.peers) == 2


async def test_what_would_be_done_twice_is_not_repeated() -> None:
    async with scripted_broker() as broker, AsyncClient(broker.address) as client:
        cancelling = asyncio.create_task(client.cancel_operation("8f31"))
        peer, _ = await broker.next(CancelOperation)
        peer.close()

        with pytest.raises(ConnectionLost, match="ended"):
            await cancelling
        assert broker.inbox.empty()


async def test_what_a_stopping_broker_refused_is_repeated_whatever_it_is() -> None:
    async with scripted_broker() as broker, AsyncClient(broker.address) as client:
        cancelling = asyncio.create_task(client.cancel_operation("8f31"))
        peer, request = await broker.next(CancelOperation)
        peer.send(ErrorReply(request.request_id, "SHUTTING_DOWN", "the broker stops"))
        peer, request = await broker.next(CancelOperation)
        peer.send(OperationReply(request.request_id, operation(OperationState.CANCELLED)))

        assert (await cancelling).state is OperationState.CANCELLED


async def test_an_unknown_outcome_is_asked_again_where_that_is_safe() -> None:
    async with scripted_broker() as broker, AsyncClient(broker.address) as client:
        submitting = asyncio.create_task(client.submit_task(Task("send_email")))
        peer, request = await broker.next(Submit)
        peer.send(ErrorReply(request.request_id, "OUTCOME_UNKNOWN", "the disk failed"))
        peer, request = await broker.next(Submit)
        peer.send(Submitted(request.request_id))
        assert await submitting

        cancelling = asyncio.create_task(client.cancel_operation("8f31"))
        peer, cancel = await broker.next(CancelOperation)
        peer.send(ErrorReply(cancel.request_id, "OUTCOME_UNKNOWN", "the disk failed"))
        with pytest.raises(OutcomeUnknown):
            await cancelling


async def test_a_broker_that_comes_back_later_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "tq.sock"
    client = AsyncClient(f"unix://{path}")
    async with scripted_broker(path) as broker:
        broker.answer = accept
        await client.queues()
    path.unlink(missing_ok=True)

    asking = asyncio.create_task(client.queues())
    await asyncio.sleep(0.05)  # the time of a few tries, which find nobody
    assert not asking.done()
    async with scripted_broker(path) as broker:
        broker.answer = accept
        assert await asking == []
        await client.close()


async def test_a_broker_that_does_not_come_back_is_given_up_in_time(tmp_path: Path) -> None:
    path = tmp_path / "tq.sock"
    client = AsyncClient(f"unix://{path}", reconnect_timeout=0.1)
    async with scripted_broker(path) as broker:
        broker.answer = accept
        await client.queues()
    path.unlink(missing_ok=True)

    with pytest.raises(ConnectFailed, match="no broker answers at unix://"):
        await client.queues()
    await client.close()


async def test_a_request_that_ends_every_connection_is_given_up_in_time() -> None:
    async with scripted_broker() as broker, AsyncClient(broker.address, reconnect_timeout=0.1) as client:
        broker.answer = lambda peer, request: peer.close()

        with pytest.raises(ConnectionLost):
            await client.submit_task(Task("send_email"))

        assert len(broker.peers) > 1


async def test_several_addresses_are_tried_in_turn() -> None:
    async with scripted_broker() as broker:
        broker.answer = accept
        async with AsyncClient([f"127.0.0.1:{free_port()}", broker.address]) as client:
            assert await client.queues() == []


async def test_a_full_broker_is_passed_over_for_another() -> None:
    async with scripted_broker() as full, scripted_broker() as free:
        full.greeting = lambda peer, hello: peer.send(ErrorReply(0, "TOO_MANY_CONNECTIONS", "1000 connections"))
        free.answer = accept
        async with AsyncClient([full.address, free.address]) as client:
            await client.queues()

        full_only = AsyncClient(full.address)
        with pytest.raises(TooManyConnections):
            await full_only.queues()


async def test_when_all_addresses_fail_all_are_named() -> None:
    first, second = free_port(), free_port()

    with pytest.raises(ConnectFailed, match=f"tcp://127.0.0.1:{first}: .*; no broker .*tcp://127.0.0.1:{second}"):
        await AsyncClient([f"127.0.0.1:{first}", f"127.0.0.1:{second}"]).queues()


async def test_a_refused_token_is_not_tried_elsewhere() -> None:
    async with scripted_broker() as strict, scripted_broker() as other:
        strict.greeting = lambda peer, hello: peer.send(ErrorReply(hello.request_id, "ACCESS_DENIED", "no"))
        with pytest.raises(AccessDenied):
            await AsyncClient([strict.address, other.address]).queues()

        assert other.peers == []


async def test_requests_above_the_brokers_limit_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted_broker() as broker, AsyncClient(broker.address) as client:
        connection = client._link._connection
        assert connection is not None
        monkeypatch.setattr(connection, "_outstanding_max", 10)
        submits = [asyncio.create_task(client.submit_task(Task("send_email"))) for _ in range(25)]
        received: list[tuple[Peer, Submit]] = [await broker.next(Submit) for _ in range(10)]
        assert broker.inbox.empty()
        broker.answer = accept
        for peer, request in received:
            peer.send(Submitted(request.request_id))

        assert len(set(await asyncio.gather(*submits))) == 25


async def test_requests_that_wait_for_room_go_over_to_the_next_connection() -> None:
    async with scripted_broker() as broker:
        limits = replace(LIMITS, outstanding_requests_max=1)
        broker.greeting = lambda peer, hello: peer.send(welcome(limits=limits))
        async with AsyncClient(broker.address) as client:
            submits = [asyncio.create_task(client.submit_task(Task("send_email"))) for _ in range(3)]
            peer, _ = await broker.next(Submit)
            broker.answer = accept
            peer.reset()

            assert len(set(await asyncio.gather(*submits))) == 3
            assert len(broker.peers) == 2


class TestWaiting:
    async def test_a_wait_goes_on_over_a_lost_connection_with_the_time_that_is_left(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            waiting = asyncio.create_task(client.wait_for_result(ID, timeout=60))
            peer, first = await broker.next(Wait)
            peer.reset()
            peer, second = await broker.next(Wait)
            assert 30_000 < second.timeout_ms < first.timeout_ms <= 60_000
            peer.send(OutcomeReply(second.request_id, ended()))

            assert await waiting == b"result"

    async def test_a_wait_ends_in_time_though_the_broker_is_gone(self, tmp_path: Path) -> None:
        path = tmp_path / "tq.sock"
        client = AsyncClient(f"unix://{path}")
        async with scripted_broker(path) as broker:
            broker.answer = accept
            await client.connect()
        path.unlink(missing_ok=True)

        with pytest.raises(TimedOut, match=r"has not ended within 0\.01 s"):
            await client.wait(ID, timeout=0.01)
        await client.close()

    async def test_a_wait_without_a_timeout_is_renewed_for_ever(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            waiting = asyncio.create_task(client.wait(ID))
            peer, first = await broker.next(Wait)
            assert first.timeout_ms == 86_400_000
            peer.send(ErrorReply(first.request_id, "TIMED_OUT", "a day is over"))
            peer, second = await broker.next(Wait)
            peer.send(OutcomeReply(second.request_id, ended()))

            assert await waiting == ended()


def ended() -> Outcome:
    return Outcome(id=ID, state=State.COMPLETED, result=b"result", content_type="", reason="", error=None)


class TestClosing:
    async def test_a_closed_client_refuses_with_the_reason(self) -> None:
        async with scripted_broker() as broker:
            broker.answer = accept
            async with AsyncClient(broker.address) as client:
                await client.queues()
            await client.close()

            with pytest.raises(ConnectionLost, match="this client is closed"):
                await client.queues()

    async def test_close_ends_what_is_in_flight_and_repeats_nothing(self) -> None:
        async with scripted_broker() as broker:
            client = AsyncClient(broker.address)
            submitting = asyncio.create_task(client.submit_task(Task("send_email")))
            await broker.next(Submit)
            await client.close()

            with pytest.raises(ConnectionLost, match="was closed by this side"):
                await submitting

    async def test_close_ends_a_connecting_under_way(self) -> None:
        async with scripted_broker() as broker:
            broker.greeting = None
            client = AsyncClient(broker.address)
            asking = asyncio.create_task(client.queues())
            await broker.inbox.get()
            await client.close()

            with pytest.raises(ConnectionLost, match="closed while it connected"):
                await asking
            await broker.peers[0].ended

    async def test_a_client_that_was_never_used_closes(self) -> None:
        await AsyncClient("127.0.0.1:1").close()

    async def test_a_cancelled_call_leaves_the_connecting_to_the_others(self) -> None:
        async with scripted_broker() as broker:
            broker.answer = accept
            client = AsyncClient(broker.address)
            first = asyncio.create_task(client.queues())
            second = asyncio.create_task(client.queues())
            await asyncio.sleep(0)
            first.cancel()

            assert await second == []
            assert len(broker.peers) == 1
            await client.close()


class TestLoops:
    def test_a_client_serves_one_loop_after_the_other(self, tmp_path: Path) -> None:
        client = AsyncClient(f"unix://{tmp_path}/tq.sock")

        async def use() -> None:
            async with scripted_broker(tmp_path / "tq.sock") as broker:
                broker.answer = accept
                await client.queues()
                [connection] = broker.peers
                connection.close()
                await client._link._connection.closed  # type: ignore[union-attr]
            (tmp_path / "tq.sock").unlink(missing_ok=True)

        asyncio.run(use())
        asyncio.run(use())

    async def test_a_client_in_use_on_another_loop_says_so(self) -> None:
        async with scripted_broker() as broker:
            broker.answer = accept
            async with AsyncClient(broker.address) as client:

                def elsewhere() -> None:
                    with pytest.raises(InvalidArgument, match="in use on another event loop"):
                        asyncio.run(client.queues())

                await asyncio.to_thread(elsewhere)
                assert await client.queues() == []


async def test_a_silent_broker_is_left_for_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that hangs is no better than one that is gone."""
    monkeypatch.setattr(connection_module, "SILENCE_SECONDS_MAX", 0.1)
    async with scripted_broker() as broker, AsyncClient(broker.address) as client:
        asking = asyncio.create_task(client.queues())
        await broker.next(ListQueues)
        broker.answer = accept

        assert await asking == []
        assert len(broker.peers) > 1

"""The client and a real broker: real sockets, a real disk, kill -9."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client.real import RealBroker, real_broker
from tq.client.async_client import AsyncClient
from tq.client.blocking import Client
from tq.client.connection import Connection
from tq.client.ids import new_id
from tq.client.task import Task
from tq.model.commands import Ack, Failure, Fetch, Hello, Nack, Success, WorkerHello
from tq.model.errors import (
    InvalidArgument,
    PayloadTooLarge,
    QueueNotFound,
    TaskCancelled,
    TaskFailed,
    TaskNotFound,
    TimedOut,
)
from tq.model.ids import format_id, parse_id
from tq.model.replies import Deliver, Delivery, Push, Settled
from tq.model.task import State


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RealBroker]:
    with real_broker(tmp_path / "data") as running:
        yield running


class MiniWorker:
    """The least that is a worker: what docs/protocol.md says, in its order."""

    def __init__(self, connection: Connection, deliveries: "asyncio.Queue[Delivery]") -> None:
        self._connection = connection
        self._deliveries = deliveries

    @classmethod
    async def open(cls, address: str, *task_types: str) -> "MiniWorker":
        deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

        def on_push(push: Push) -> None:
            if isinstance(push, Deliver):
                for delivery in push.deliveries:
                    deliveries.put_nowait(delivery)

        hello = Hello(0, 1, worker=WorkerHello("mini", new_id(), "here", 1, list(task_types)))
        return cls(await Connection.open(address, hello, on_push=on_push, timeout=10), deliveries)

    async def take(self) -> Delivery:
        self._connection.send(Fetch(self._connection.next_id(), 1))
        async with asyncio.timeout(10):
            return await self._deliveries.get()

    async def ack(self, delivery: Delivery, result: bytes) -> None:
        success = Success(delivery.stored().spec.id, delivery.token, result)
        reply = await self._connection.request(Ack(self._connection.next_id(), [success]))
        assert isinstance(reply, Settled)
        assert reply.lost == []

    async def nack(self, delivery: Delivery, message: str) -> None:
        failure = Failure(delivery.stored().spec.id, delivery.token, "ValueError", message, is_final=True)
        await self._connection.request(Nack(self._connection.next_id(), [failure]))

    async def close(self) -> None:
        await self._connection.close()


async def test_a_task_goes_through_its_life_over_tcp_and_the_unix_socket(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client, AsyncClient(broker.socket_address) as other:
        worker = await MiniWorker.open(broker.socket_address, "double")
        task_id = await client.submit_task(Task("double", b"21", queue="sums", content_type="text/plain"))
        waiting = asyncio.create_task(other.wait_for_result(task_id, timeout=30))

        delivery = await worker.take()
        assert (await client.get_task(task_id)).state is State.IN_PROGRESS
        await worker.ack(delivery, b"42")

        assert await waiting == b"42"
        view = await other.get_task(task_id)
        assert (view.state, view.payload, view.content_type) == (State.COMPLETED, b"21", "text/plain")
        [queue] = await client.queues()
        assert (queue.name, queue.completed_total) == ("sums", 1)
        [info] = await client.workers()
        assert (info.name, info.task_types) == ("mini", ("double",))
        await worker.close()


async def test_a_failed_task_is_told_retried_and_purged(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client:
        worker = await MiniWorker.open(broker.address, "fail")
        task_id = await client.submit_task(Task("fail"))
        await worker.nack(await worker.take(), "no such user")
        with pytest.raises(TaskFailed, match="ValueError: no such user"):
            await client.wait_for_result(task_id, timeout=30)

        prepared = await client.prepare("retry", "queue:default")
        assert (prepared.count, prepared.sample[0].message) == (1, "no such user")
        await client.commit(prepared.token, "the user is there now")
        await worker.nack(await worker.take(), "still none")
        await client.wait(task_id, timeout=30)
        prepared = await client.prepare("purge", task_ids=[task_id])
        purged = await client.wait_for_operation((await client.commit(prepared.token)).id)
        assert (purged.done, purged.skipped) == (1, 0)
        with pytest.raises(TaskCancelled, match="purged"):
            await client.wait_for_result(task_id, timeout=30)

        again = await client.resubmit(task_id, b"better")
        assert (await client.get_task(again)).payload == b"better"
        await worker.ack(await worker.take(), b"ok")
        assert await client.wait_for_result(again, timeout=30) == b"ok"
        await worker.close()


async def test_refusals_arrive_as_what_they_are_and_leave_the_connection_whole(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client:
        with pytest.raises(TaskNotFound):
            await client.get_task(new_id())
        with pytest.raises(QueueNotFound):
            await client.pause_queue("never-used")
        with pytest.raises(PayloadTooLarge):
            await client.submit_task(Task("send_email", bytes((1 << 20) + 1)))
        with pytest.raises(InvalidArgument):
            await client.list_tasks(cursor=b"not one")
        task_id = await client.submit_task(Task("nobody_runs_this"))
        with pytest.raises(TimedOut):
            await client.wait(task_id, timeout=0.05)
        assert (await client.get_task(task_id)).no_handler
        assert (await client.cancel(task_id, reason="enough")).count == 1
        with pytest.raises(TaskCancelled, match="enough"):
            await client.wait_for_result(task_id, timeout=30)
        assert (stats := (await client.stats()).process) is not None
        assert stats.connections == 1


async def test_a_key_gives_the_same_task_across_clients(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as first, AsyncClient(broker.address) as second:
        ids = await asyncio.gather(*(client.submit_task(Task("t", key="k")) for client in (first, second, first)))

        assert len(set(ids)) == 1


async def test_many_pages_are_listed_and_all_are_purged_and_come_back(broker: RealBroker) -> None:
    async with AsyncClient(broker.address) as client:
        ids = await client.submit_tasks(Task("t", queue="q", delay="1h" if n % 2 else None) for n in range(3_000))

        listed = [format_id(task.id) async for task in client.iter_tasks("queue:q")]
        assert sorted(listed) == sorted(ids)
        prepared = await client.prepare("purge", "queue:q type:t")
        assert prepared.count == 3_000
        purged = await client.commit(prepared.token, rate=1_000_000)
        assert (await client.wait_for_operation(purged.id)).done == 3_000
        undone = await client.undo(purged.id.hex()[:8], rate=1_000_000)
        assert (await client.wait_for_operation(undone.id)).done == 3_000
        (queue,) = await client.queues()
        assert (queue.ready, queue.scheduled) == (1_500, 1_500)


async def test_more_calls_than_the_broker_allows_wait_for_their_turn(tmp_path: Path) -> None:
    with real_broker(tmp_path / "data", TQ_BROKER_MAX_OUTSTANDING_REQUESTS="20") as broker:
        async with AsyncClient(broker.address) as client:
            ids = await asyncio.gather(*(client.submit_task(Task("t")) for _ in range(2_000)))

            assert len(set(ids)) == 2_000
            assert (await client.queues())[0].submitted_total == 2_000


def test_threads_share_a_blocking_client(broker: RealBroker) -> None:
    with Client(broker.address) as client:
        with ThreadPoolExecutor(8) as pool:
            ids = list(pool.map(lambda n: client.submit_task(Task("t", b"%d" % n)), range(400)))

        assert {format_id(task.id) for task in client.iter_tasks()} == set(ids)
        assert len(set(ids)) == 400


class Ledger:
    """What was acknowledged, kept outside of the broker."""

    def __init__(self) -> None:
        self.acknowledged: list[tuple[str, bytes]] = []
        self._goal = 0
        self._reached = asyncio.Event()
        self._is_over = False

    async def submit_on(self, client: AsyncClient, who: int) -> None:
        """Submit one task after the other, each with a payload of its own, until `end`."""
        number = 0
        while not self._is_over:
            payload = b"%d/%d" % (who, number)
            self.acknowledged.append((await client.submit_task(Task("t", payload)), payload))
            number += 1
            if len(self.acknowledged) >= self._goal:
                self._reached.set()

    async def grow(self, count: int) -> None:
        """Wait until there are so many more."""
        self._goal = len(self.acknowledged) + count
        self._reached.clear()
        async with asyncio.timeout(60):
            await self._reached.wait()

    def end(self) -> None:
        """Let those that submit finish."""
        self._is_over = True


async def test_no_submit_is_lost_or_doubled_by_brokers_that_are_killed(tmp_path: Path) -> None:
    """The ledger is kept here, outside: whatever was acknowledged must be there afterwards, and nothing twice."""
    with real_broker(tmp_path / "data", TQ_BROKER_QUEUE_DEPTH_THRESHOLD="0") as broker:
        ledger = Ledger()
        async with AsyncClient(broker.address) as client, asyncio.TaskGroup() as group:
            for who in range(20):
                group.create_task(ledger.submit_on(client, who))
            for _ in range(3):
                await ledger.grow(500)
                await broker.kill_and_start()
            await ledger.grow(100)
            ledger.end()

        async with AsyncClient(broker.socket_address) as client:
            kept = [format_id(task.id) async for task in client.iter_tasks()]
            payloads = Counter([view.payload for view in await asyncio.gather(*map(client.get_task, kept))])

    assert set(kept) == {task_id for task_id, _ in ledger.acknowledged}
    assert len(kept) == len(set(kept))
    assert payloads == Counter(payload for _, payload in ledger.acknowledged)


async def test_a_restart_in_the_middle_of_everything_is_not_noticed(broker: RealBroker) -> None:
    """SIGTERM: the broker answers what it took, the client asks the rest of the next one; waits go on."""
    async with AsyncClient(broker.address) as client:
        task_id = await client.submit_task(Task("double", b"21"))
        waiting = asyncio.create_task(client.wait_for_result(task_id, timeout=60))
        ledger = Ledger()
        async with asyncio.TaskGroup() as group:
            for who in range(5):
                group.create_task(ledger.submit_on(client, who))
            await ledger.grow(50)
            await broker.kill_and_start(signal.SIGTERM)
            await ledger.grow(50)
            ledger.end()
        worker = await MiniWorker.open(broker.address, "double")
        delivery = await worker.take()
        assert delivery.stored().spec.id == parse_id(task_id)
        await worker.ack(delivery, b"42")

        assert await waiting == b"42"
        assert (await client.queues())[0].submitted_total == len(ledger.acknowledged) + 1
        await worker.close()

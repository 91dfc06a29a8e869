"""kill -9 of the broker while operations run: each task is moved exactly once, and an undo restores exactly."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random, SystemRandom

import pytest

from tests.crash.broker import Broker, a_broker
from tq.client.async_client import AsyncClient
from tq.client.connection import Connection
from tq.client.ids import new_id
from tq.client.task import Task
from tq.model.commands import BATCH_MAX, Failure, Fetch, Hello, Nack, WorkerHello
from tq.model.errors import PreviewExpired
from tq.model.operations import RATE_MAX, Operation, OperationState
from tq.model.replies import Deliver, Delivery, Push
from tq.model.stats import QueueStats
from tq.model.task import State, TaskView
from tq.storage.doctor import examine_directory

SEED = int(os.environ.get("SEED", "0")) or SystemRandom().randrange(1, 1 << 31)
KILLS = int(os.environ.get("KILLS", "100"))
DEAD, READY, DELAYED = 240, 120, 60
RATE = 400
"""Of the operations, tasks a second: each takes long enough to be killed in several times."""
PAUSE_SECONDS_MAX = 0.25
"""Between two kills."""

View = dict[str, object]


class Witness:
    """What somebody outside wrote down before, to hold the broker to."""

    def __init__(self, client: AsyncClient, ids: list[str]) -> None:
        self._client = client
        self._ids = ids

    async def views(self) -> dict[str, TaskView]:
        """Every task in full."""
        return {task_id: await self._client.get_task(task_id) for task_id in self._ids}

    async def states(self) -> dict[State, int]:
        """How many tasks are in each state, task by task."""
        states = [view.state for view in (await self.views()).values()]
        return {state: states.count(state) for state in State if state in states}

    async def queue(self) -> QueueStats:
        """The counters of the only queue."""
        (queue,) = await self._client.queues()
        return queue

    async def groups(self) -> list[tuple[str, int, int, int]]:
        """Each failure group: its count, its first and its last death."""
        page = await self._client.failure_groups()
        return sorted(
            (group.fingerprint, group.count, group.first_died_at_ms, group.last_died_at_ms) for group in page.groups
        )


async def _bury(address: str, count: int) -> None:
    """Take `count` tasks and let them fail for good, for two different reasons."""
    came: asyncio.Queue[Delivery] = asyncio.Queue()

    def on_push(push: Push) -> None:
        if isinstance(push, Deliver):
            for delivery in push.deliveries:
                came.put_nowait(delivery)

    hello = Hello(0, 1, worker=WorkerHello("undertaker", new_id(), "here", 1, ["dies"]))
    worker = await Connection.open(address, hello, on_push=on_push, timeout=10)
    worker.send(Fetch(worker.next_id(), count))
    taken = [await came.get() for _ in range(count)]
    failures = [
        Failure(each.stored().spec.id, each.token, "OSError" if number % 3 else "ValueError", "no", is_final=True)
        for number, each in enumerate(taken)
    ]
    for start in range(0, count, BATCH_MAX):
        await worker.request(Nack(worker.next_id(), failures[start : start + BATCH_MAX]))
    await worker.close()


@asynccontextmanager
async def _scene() -> AsyncIterator[tuple[Broker, AsyncClient, Witness]]:
    """A broker with dead letters and tasks that wait, and a witness of all of them."""
    async with a_broker() as broker:
        await broker.start()
        async with AsyncClient(broker.address, reconnect_timeout=60) as client:
            ids = await client.submit_tasks([Task("dies", queue="q", max_retries=0)] * DEAD)
            await _bury(broker.address, DEAD)
            ids += await client.submit_tasks([Task("waits", queue="q", priority=n % 256) for n in range(READY)])
            ids += await client.submit_tasks([Task("waits", queue="q", delay="3h", expires="9h")] * DELAYED)
            yield broker, client, Witness(client, ids)
        if broker.is_running:
            await broker.kill()
        assert broker.trouble() == []
        found = await asyncio.to_thread(lambda: list(examine_directory(broker.data_dir)))
        assert found == [], f"doctor found {found[:5]}"


async def _start(client: AsyncClient, action: str) -> Operation:
    """Commit, however often the broker dies between the preview and the answer."""
    while True:
        prepared = await client.prepare(action)
        try:
            return await client.commit(prepared.token, "crash test", RATE)
        except PreviewExpired:
            continue


async def _end_under_kills(
    broker: Broker, client: AsyncClient, operation: bytes, random: Random
) -> tuple[Operation, int]:
    """Kill the broker again and again until the operation has ended; how it ended, and how often it was killed."""
    kills = 0
    while True:
        await asyncio.sleep(random.uniform(0, PAUSE_SECONDS_MAX))
        await broker.kill()
        kills += 1
        await broker.start()
        found = await client.operation(operation)
        if found.state is not OperationState.RUNNING:
            return found, kills


async def besiege_operations(seed: int) -> int:
    """Purge all, take it back, retry all, take it back, while the broker is killed; how often it was."""
    random = Random(seed)
    async with _scene() as (broker, client, witness):
        before, groups, counters = await witness.views(), await witness.groups(), await witness.queue()
        everything, kills = DEAD + READY + DELAYED, 0
        for action, total in (("purge", everything), ("retry", DEAD)):
            operation, killed = await _end_under_kills(broker, client, (await _start(client, action)).id, random)
            kills += killed
            assert (operation.total, operation.done, operation.skipped, operation.failed) == (total, total, 0, 0)
            after = await witness.queue()
            states = await witness.states()
            if action == "purge":
                assert states == {State.CANCELLED: total}
                assert after.cancelled_total - counters.cancelled_total == total, "moved more than once, or never"
            else:
                assert states == {State.PENDING: everything}
                page = await client.failure_groups()
                assert page.groups == [], "a retried dead letter is still one"
            assert (await client.operation(operation.id)).done == total

            undone, killed = await _end_under_kills(
                broker, client, (await client.undo(operation.id, rate=RATE)).id, random
            )
            kills += killed
            assert (undone.done, undone.skipped) == (total, 0)
            assert await witness.views() == before, "an undo restores exactly"
            assert await witness.groups() == groups
            now = await witness.queue()
            for name in ("dead", "ready_high", "ready_normal", "ready_low", "scheduled", "dead_total"):
                assert getattr(now, name) == getattr(counters, name), name
        retried = sum(group.retried_total for group in (await client.failure_groups()).groups)
        assert retried == DEAD, "each dead letter was retried once"
        last = await client.commit((await client.prepare("purge")).token, rate=RATE_MAX)
        assert (await client.wait_for_operation(last.id)).done == everything
        return kills


def test_operations_under_kills_move_each_task_once_and_undos_restore_exactly() -> None:
    assert asyncio.run(besiege_operations(SEED)) >= 8, f"seed {SEED}"


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_campaign_of_operations() -> None:
    """KILLS=1000 make campaign-operations"""
    random, kills, lives = Random(SEED), 0, 0
    while kills < KILLS:
        seed = random.randrange(1, 1 << 31)
        print(f"seed {seed}", flush=True)
        kills += asyncio.run(besiege_operations(seed))
        lives += 1
    print(f"seed {SEED}: {kills} kills in {lives} lives, {4 * lives} operations: each task moved once, each undo exact")

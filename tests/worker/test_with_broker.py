"""The worker and the real broker, as processes: deaths, restarts, deploys, cancels."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.scripted import free_port
from tests.worker.rig import PATIENCE_SECONDS, a_worker, is_alive
from tq import AsyncClient, State, Task, TaskView
from tq.app.codec import ARGUMENTS, decode, encode


class RealBroker:
    """`tq broker` on a port that stays the same over restarts."""

    def __init__(self, directory: Path) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from tq.cli.main import main; main()", "broker",
            "--port", self.address.rpartition(":")[2], "--data-dir", str(self._directory), "--socket", "none",
            "--log-level", "error",
        )  # fmt: skip

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[RealBroker]:
    broker = RealBroker(tmp_path / "data")
    await broker.start()
    yield broker
    await broker.kill()


@pytest.fixture
async def client(broker: RealBroker) -> AsyncIterator[AsyncClient]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:  # until it listens
            client = AsyncClient(broker.address)
            try:
                await client.stats()
                break
            except Exception:
                await client.close()
                await asyncio.sleep(0.05)
    yield client
    await client.close()


def a_task(
    task_type: str, *, max_crashes: int = 3, max_retries: int = 3, timeout_seconds: float = 300, **arguments: Any
) -> Task:
    return Task(
        task_type,
        encode(arguments),
        content_type=ARGUMENTS,
        max_crashes=max_crashes,
        max_retries=max_retries,
        timeout_seconds=timeout_seconds,
    )


async def until_state(client: AsyncClient, task_id: str, *states: State) -> TaskView:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (view := await client.get_task(task_id)).state not in states:
            await asyncio.sleep(0.02)
    return view


async def until_running(client: AsyncClient, task_id: str) -> TaskView:
    """In progress, and its handler has said so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (view := await client.get_task(task_id)).progress is None:
            await asyncio.sleep(0.02)
    return view


async def pids(client: AsyncClient, count: int) -> list[int]:
    """The processes of the workers that are connected, once there are so many."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(found := [one.pid for one in await client.workers() if one.status == "connected"]) != count:
            await asyncio.sleep(0.02)
    return found


async def test_the_tasks_of_a_killed_process_run_elsewhere_at_once(
    broker: RealBroker, client: AsyncClient, tmp_path: Path
) -> None:
    async with a_worker(broker.address, processes=2, concurrency=2):
        victim, _ = await pids(client, 2)
        ids = await client.submit_tasks(
            [a_task("writes", path=str(tmp_path / "ledger"), seconds=1.0) for _ in range(4)]
        )
        for task_id in ids:
            await until_state(client, task_id, State.IN_PROGRESS)
        ledger = tmp_path / "ledger"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not ledger.exists() or len(ledger.read_text().splitlines()) < 4:
                await asyncio.sleep(0.02)

        os.kill(victim, signal.SIGKILL)
        views = [await until_state(client, task_id, State.COMPLETED) for task_id in ids]

    crashed = [view for view in views if view.crashes]
    assert len(crashed) == 2
    for view in crashed:
        assert view.crashes == 1
        assert view.history[0].outcome == "crashed"
        assert "SIGKILL" in view.history[0].message
        assert decode(view.result) != victim


async def test_a_task_that_kills_its_workers_is_quarantined_with_the_evidence(
    broker: RealBroker, client: AsyncClient
) -> None:
    async with a_worker(broker.address):
        task_id = await client.submit_task(a_task("kills_its_process", max_crashes=2))

        view = await until_state(client, task_id, State.DEAD_LETTER)

    assert view.crashes == 2
    assert "about to die" in view.history[-1].traceback
    assert view.attempt <= 1


async def test_a_broker_killed_under_load_neither_loses_nor_repeats_what_a_worker_holds(
    broker: RealBroker, client: AsyncClient, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    async with a_worker(broker.address, processes=2, concurrency=20):
        await pids(client, 2)
        ids = await client.submit_tasks([a_task("writes", path=str(ledger), seconds=0.02) for _ in range(1_500)])
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not ledger.exists() or len(ledger.read_text().splitlines()) < 500:
                await asyncio.sleep(0.01)

        await broker.kill()
        await broker.start()

        views = [await until_state(client, task_id, State.COMPLETED) for task_id in ids]

    assert {view.crashes for view in views} == {0}
    starts = [line.split()[1] for line in ledger.read_text().splitlines() if line.startswith("start")]
    assert sorted(starts) == sorted(ids)


async def test_a_deploy_uses_no_attempt(broker: RealBroker, client: AsyncClient) -> None:
    async with a_worker(broker.address, graceful_shutdown_timeout_secs=0) as worker:
        task_id = await client.submit_task(a_task("waits"))
        await until_running(client, task_id)

        worker.send_signal(signal.SIGTERM)

        assert await worker.ended() == 0
    view = await until_state(client, task_id, State.PENDING)
    assert (view.attempt, view.crashes) == (0, 0)
    async with a_worker(broker.address):
        await until_running(client, task_id)


@pytest.mark.parametrize("task_type", ["waits", "thread_spins", "process_sleeps"])
async def test_a_running_task_can_be_cancelled(broker: RealBroker, client: AsyncClient, task_type: str) -> None:
    async with a_worker(broker.address):
        task_id = await client.submit_task(a_task(task_type))
        await until_running(client, task_id)

        await client.cancel(task_id, reason="not needed")

        view = await until_state(client, task_id, State.CANCELLED, State.DEAD_LETTER, State.COMPLETED)
        assert view.state is State.CANCELLED
        assert view.reason == "not needed"


async def test_a_timeout_is_an_attempt_that_timed_out(broker: RealBroker, client: AsyncClient) -> None:
    async with a_worker(broker.address):
        task_id = await client.submit_task(a_task("waits", timeout_seconds=1, max_retries=0))

        view = await until_state(client, task_id, State.DEAD_LETTER)

    assert view.history[0].outcome == "timed_out"
    assert "sample.py" in view.history[0].traceback


async def test_a_snoozed_task_waits_without_an_attempt(broker: RealBroker, client: AsyncClient) -> None:
    async with a_worker(broker.address):
        task_id = await client.submit_task(a_task("snoozes"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (view := await client.get_task(task_id)).scheduled_at_ms < view.submitted_at_ms + 200_000:
                await asyncio.sleep(0.02)

    assert (view.state, view.attempt) == (State.PENDING, 0)


async def test_an_operator_can_send_a_worker_away(broker: RealBroker, client: AsyncClient) -> None:
    async with a_worker(broker.address, processes=2, name="pool") as worker:
        processes = await pids(client, 2)

        await client.drain_worker("pool")

        assert await worker.ended() == 0
        assert not any(map(is_alive, processes))


async def test_an_operator_sees_a_blocked_loop(broker: RealBroker, client: AsyncClient) -> None:
    async with a_worker(broker.address):
        await client.submit_task(a_task("blocks", seconds=4.0))

        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(one.note for one in await client.workers()):
                await asyncio.sleep(0.05)

        assert (await client.workers())[0].note.startswith("loop blocked 2 s at sample.py:")


async def test_a_burst_of_short_tasks_is_done_once_each(broker: RealBroker, client: AsyncClient) -> None:
    async with a_worker(broker.address, processes=2):
        ids = await client.submit_tasks([a_task("none") for _ in range(20_000)])

        async with asyncio.timeout(PATIENCE_SECONDS):
            while (stats := (await client.queues())[0]).completed_total < len(ids):
                await asyncio.sleep(0.05)

        await pids(client, 2)
        assert (stats.completed_total, stats.failed_total, stats.crashed_total) == (20_000, 0, 0)

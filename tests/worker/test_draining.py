"""The end of a worker, by signal or by order of the broker: what runs finishes or goes back, and nothing is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from tests.worker.rig import Broker, Worker, a_broker, a_worker, is_alive
from tq.model.commands import Heartbeat
from tq.model.replies import Drain
from tq.worker.supervisor import SAME_SIGNAL_SECONDS


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with a_broker() as broker:
        yield broker


@pytest.fixture
async def worker(broker: Broker) -> AsyncIterator[Worker]:
    async with a_worker(broker.address) as worker:
        await broker.worker()
        yield worker


async def test_an_idle_worker_ends_with_zero(broker: Broker, worker: Worker) -> None:
    worker.send_signal(signal.SIGTERM)

    assert await worker.ended() == 0
    assert not is_alive(broker.hellos[0].pid)


async def test_what_runs_finishes_first(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits_a_little", seconds=1.0)
    await broker.progress(token)

    worker.send_signal(signal.SIGTERM)

    assert await worker.ended() == 0
    assert await broker.result(token) == "waited"
    await broker.next(Heartbeat, lambda one: one.is_draining)


async def test_what_arrives_during_the_drain_goes_straight_back(broker: Broker, worker: Worker) -> None:
    running = broker.deliver("waits_a_little", seconds=1.5)
    await broker.progress(running)
    worker.send_signal(signal.SIGTERM)
    await broker.next(Heartbeat, lambda one: one.is_draining)

    late = broker.push("echo", value="late")

    assert (await broker.released(late)).delay_ms == 0
    assert await broker.result(running) == "waited"


async def test_what_is_not_finished_in_time_goes_back_without_an_attempt(broker: Broker) -> None:
    async with a_worker(broker.address, graceful_shutdown_timeout_secs=1) as worker:
        await broker.worker()
        tokens = [broker.deliver(name) for name in ("waits", "thread_spins", "process_sleeps")]
        for token in tokens:
            await broker.progress(token)

        worker.send_signal(signal.SIGTERM)

        assert await worker.ended() == 0
        for token in tokens:
            assert (await broker.released(token)).delay_ms == 0
        await worker.logged("told")


async def test_a_second_signal_hands_back_at_once(broker: Broker, worker: Worker) -> None:
    tokens = [broker.deliver(name) for name in ("waits", "thread_spins", "process_sleeps", "stubborn")]
    for token in tokens:
        await broker.progress(token)

    worker.send_signal(signal.SIGTERM)
    await worker.logged("draining")
    await worker.send_signal_again(signal.SIGTERM)

    assert await worker.ended() == 0
    for token in tokens:
        await broker.released(token)


async def test_a_signal_that_comes_twice_at_once_is_one(broker: Broker, worker: Worker) -> None:
    """timeout(1) sends it to the process and to its group."""
    token = broker.deliver("waits_a_little", seconds=1.5)
    await broker.progress(token)

    worker.send_signal(signal.SIGTERM)
    worker.send_signal(signal.SIGINT)

    assert await worker.ended() == 0
    assert await broker.result(token) == "waited"


async def test_ctrl_c_drains_as_well(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits_a_little", seconds=1.0)
    await broker.progress(token)

    worker.send_signal(signal.SIGINT)

    assert await worker.ended() == 0
    assert await broker.result(token) == "waited"


async def test_a_signal_to_a_worker_process_itself_drains_it_and_it_is_replaced(broker: Broker, worker: Worker) -> None:
    first = broker.hellos[0]
    os.kill(first.pid, signal.SIGTERM)

    second = await broker.worker(2)

    assert second.pid != first.pid
    assert second.incarnation != first.incarnation


async def test_the_broker_can_send_a_worker_away(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits_a_little", seconds=1.0)
    await broker.progress(token)

    broker.send(Drain())

    assert await worker.ended() == 0
    assert await broker.result(token) == "waited"
    assert len(broker.hellos) == 1


async def test_a_worker_that_was_sent_away_takes_a_first_signal_for_a_first_one(broker: Broker, worker: Worker) -> None:
    """An operator drains it, then the platform stops it: what runs may still finish."""
    token = broker.deliver("waits_a_little", seconds=1.5)
    await broker.progress(token)
    broker.send(Drain())
    await worker.logged("draining")

    worker.send_signal(signal.SIGTERM)

    assert await worker.ended() == 0
    assert await broker.result(token) == "waited"


async def test_a_second_signal_to_a_worker_process_itself_hands_back_at_once(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits")
    await broker.progress(token)

    os.kill(broker.hellos[0].pid, signal.SIGTERM)
    await worker.logged("draining")
    await asyncio.sleep(SAME_SIGNAL_SECONDS + 0.1)
    os.kill(broker.hellos[0].pid, signal.SIGTERM)

    await broker.released(token)


async def test_a_worker_does_not_leave_before_its_outcomes_are_confirmed(broker: Broker, worker: Worker) -> None:
    broker.is_settling = False
    token = broker.deliver("echo", value="kept")
    await broker.result(token)
    worker.send_signal(signal.SIGTERM)
    await worker.logged("draining")

    broker.peer.reset()
    broker.is_settling = True
    await broker.until(lambda: True if len(broker.hellos) > 1 else None, "second greeting")

    assert await worker.ended() == 0
    assert [ref.token for ref in broker.hellos[1].held] == [token]
    assert [success.token for success in broker.successes()] == [token, token]


async def test_a_blocked_loop_does_not_keep_a_worker_from_ending(broker: Broker) -> None:
    async with a_worker(broker.address, graceful_shutdown_timeout_secs=0) as worker:
        await broker.worker()
        token = broker.deliver("blocks", seconds=3600)
        await broker.progress(token)

        worker.send_signal(signal.SIGTERM)

        assert await worker.ended() == 0
        await broker.released(token)


async def test_a_worker_without_a_broker_ends_too(broker: Broker) -> None:
    async with a_worker("tcp://127.0.0.1:1") as worker:
        await worker.logged("broker_unreachable")

        worker.send_signal(signal.SIGTERM)

        assert await worker.ended() == 0

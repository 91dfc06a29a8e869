"""Handlers that have to stop: their timeout strikes, their task is cancelled, or their lease is another's."""

import os
from collections.abc import AsyncIterator

import pytest

from tests.worker.rig import Broker, Worker, a_broker, a_worker, is_alive, task_id_of
from tq.model.commands import Ack, Fetch, Heartbeat
from tq.model.replies import CancelRun, LeaseRevoked


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with a_broker() as broker:
        yield broker


@pytest.fixture
async def worker(broker: Broker) -> AsyncIterator[Worker]:
    async with a_worker(broker.address) as worker:
        await broker.worker()
        yield worker


@pytest.mark.parametrize("task_type", ["waits", "converts", "thread_spins", "process_sleeps"])
async def test_a_timeout_stops_the_handler_and_fails_the_attempt(
    broker: Broker, worker: Worker, task_type: str
) -> None:
    token = broker.deliver(task_type, timeout_ms=600)

    failure = await broker.failure(token)

    assert failure.is_timeout
    assert failure.error_type == "TimeoutError"
    assert "600ms" in failure.message
    assert "sample.py" in failure.traceback
    assert "tq/worker" not in failure.traceback
    assert not failure.is_final
    assert await broker.result(broker.deliver("echo", value="slots are free")) == "slots are free"


async def test_a_handler_that_catches_its_cancellation_and_returns_has_succeeded(
    broker: Broker, worker: Worker
) -> None:
    token = broker.deliver("cleans_up", timeout_ms=500)

    assert await broker.result(token) == "cleaned up"


async def test_a_plain_handler_that_swallows_the_interrupt_can_look_whether_to_stop(
    broker: Broker, worker: Worker
) -> None:
    tokens = [broker.deliver("thread_looks", timeout_ms=500) for _ in range(3)]

    assert [await broker.result(token) for token in tokens] == ["saw it"] * 3


async def test_a_timeout_counts_from_the_start_of_the_handler(broker: Broker) -> None:
    async with a_worker(broker.address, concurrency=1):
        await broker.worker()
        broker.deliver("waits_a_little", seconds=0.08)
        token = broker.deliver("waits_a_little", timeout_ms=300, seconds=0.26)

        assert await broker.result(token) == "waited"


async def test_a_process_that_ignores_its_timeout_is_killed(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("process_ignores", timeout_ms=300)
    pid = int(await broker.progress(token))
    assert is_alive(pid)

    failure = await broker.failure(token)

    assert failure.is_timeout
    assert "did not stop" in failure.message
    assert (await broker.result(broker.deliver("process_who")))["pid"] != pid
    assert not is_alive(pid)


async def test_a_handler_that_does_not_stop_loses_its_slot_with_a_loud_log(broker: Broker, worker: Worker) -> None:
    tokens = [broker.deliver("stubborn", timeout_ms=200), broker.deliver("thread_hangs", timeout_ms=200)]

    failures = [await broker.failure(token) for token in tokens]
    event = await worker.logged("handler_does_not_stop")

    assert all(failure.is_timeout and "sample.py" in failure.message for failure in failures)
    assert event["level"] == "ERROR"
    assert event["at"].startswith("sample.py:")


async def test_too_many_handlers_that_do_not_stop_have_their_process_replaced(broker: Broker) -> None:
    async with a_worker(broker.address, concurrency=4, graceful_shutdown_timeout_secs=0) as worker:
        first = await broker.worker()
        for _ in range(2):  # half of the slots
            broker.deliver("thread_hangs", timeout_ms=200)

        event = await worker.logged("replacement_wanted")
        second = await broker.worker(2)

        assert "2 handlers" in event["reason"]
        assert second.pid != first.pid
        await worker.logged("process_ended")
        assert not is_alive(first.pid)


@pytest.mark.parametrize("task_type", ["waits", "converts", "thread_spins", "process_sleeps"])
async def test_a_cancelled_task_is_stopped_and_never_reported_as_a_failure(
    broker: Broker, worker: Worker, task_type: str
) -> None:
    token = broker.deliver(task_type)
    await broker.progress(token)

    broker.send(CancelRun(task_id_of(token), token))

    assert await broker.cancelled(token)


async def test_a_handler_sees_that_it_is_cancelled_before_it_is(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits")
    await broker.progress(token)

    broker.send(CancelRun(task_id_of(token), token))

    assert (await worker.logged("told"))["cancelled"] is True


async def test_a_cancel_with_a_stale_token_stops_nobody(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits")
    await broker.progress(token)

    broker.send(CancelRun(task_id_of(token), token + 1_000))
    await broker.result(broker.deliver("echo", value="later"))

    assert not broker.is_settled(token)


async def test_the_outcome_of_a_revoked_lease_is_dropped(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits")
    await broker.progress(token)

    broker.send(LeaseRevoked(task_id_of(token), token))
    await worker.logged("told")
    await broker.result(broker.deliver("echo", value="later"))

    assert not broker.is_settled(token)


async def test_a_blocked_loop_does_not_stop_heartbeats_and_is_named_in_them(broker: Broker) -> None:
    broker.heartbeat_interval_ms = 300
    async with a_worker(broker.address) as worker:
        await broker.worker()
        token = broker.deliver("blocks", seconds=4.5)
        event = await worker.logged("loop_blocked")
        during = [one for one in broker.requests if isinstance(one, Heartbeat)]

        assert 2_000 <= event["blocked_ms"] < 4_500  # while it still blocks
        assert event["at"].startswith("sample.py:")
        assert event["task_type"] == "blocks"
        assert "time.sleep(seconds)" in event["stack"]
        await broker.next(Heartbeat, lambda one: one.note.startswith("loop blocked") and one.running == 1)
        assert len(during) > 4
        assert await broker.result(token) == "blocked"
        await worker.logged("loop_turns_again")
        await broker.until(lambda: True if _last_heartbeat(broker).note == "" else None, "calm heartbeat")


def _last_heartbeat(broker: Broker) -> Heartbeat:
    return [one for one in broker.requests if isinstance(one, Heartbeat)][-1]


async def test_what_cannot_start_behind_a_blocked_loop_goes_back_and_nothing_is_asked_for(
    broker: Broker, worker: Worker
) -> None:
    blocking = broker.deliver("blocks", seconds=1.5)
    late = broker.push("echo", value="late")

    await broker.released(late)
    taken_back = await broker.next(Fetch, lambda one: one.seen is not None and one.credit == 0)
    await broker.result(blocking)

    since = broker.requests[broker.requests.index(taken_back) + 1 :]
    done = next(index for index, one in enumerate(since) if isinstance(one, Ack) and one.successes)
    assert [one for one in since[:done] if isinstance(one, Fetch)] == []
    assert await broker.result(broker.deliver("echo", value="on we go")) == "on we go"


async def test_a_handler_that_blocks_the_loop_beyond_all_measure_costs_its_process(broker: Broker) -> None:
    async with a_worker(broker.address, graceful_shutdown_timeout_secs=0) as worker:
        first = await broker.worker()
        token = broker.deliver("blocks", timeout_ms=300, seconds=3600)

        failure = await broker.failure(token)
        second = await broker.worker(2)
        await worker.logged("process_ended")

        assert failure.is_timeout
        assert "sample.py" in failure.message
        assert second.pid != first.pid
        assert not is_alive(first.pid)
        assert os.getpid() != first.pid

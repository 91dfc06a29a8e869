"""The parent: starts, replaces and buries worker processes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.worker.rig import PATIENCE_SECONDS, Broker, a_broker, a_worker, is_alive, task_id_of
from tq.model.commands import WorkerDied
from tq.model.replies import Deliver, Delivery
from tq.worker.lifeline import EXIT_UNSETTLED


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with a_broker() as broker:
        yield broker


async def _gone(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while is_alive(pid) and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
            await asyncio.sleep(0.02)  # nothing tells of the end of another's child


async def test_every_process_introduces_itself(broker: Broker) -> None:
    async with a_worker(broker.address, processes=3, queues="mail:10,default:1", concurrency=2):
        await broker.until(lambda: True if len(broker.hellos) == 3 else None, "three greetings")

    first = broker.hellos[0]
    assert {hello.name for hello in broker.hellos} == {"w"}
    assert len({hello.incarnation for hello in broker.hellos}) == 3
    assert [(one.name, one.priority) for one in first.queues] == [("mail", 10), ("default", 1)]
    assert first.concurrency == 2
    assert "echo" in first.task_types
    assert first.held == []


async def test_the_death_of_a_process_is_reported_with_evidence_and_it_is_replaced(broker: Broker) -> None:
    async with a_worker(broker.address) as worker:
        first = await broker.worker()
        bystander = broker.deliver("waits")
        await broker.progress(bystander)
        token = broker.deliver("kills_its_process")

        death = await broker.next(WorkerDied)
        second = await broker.worker(2)
        event = await worker.logged("process_died")

    assert death.incarnation == first.incarnation
    assert (death.exit_code, death.signal) == (None, "SIGKILL")
    assert death.rss_max_bytes > 10 << 20
    assert "about to die" in death.last_lines
    assert death.host == first.host
    assert set(death.running or []) == {task_id_of(token), task_id_of(bystander)}
    assert second.incarnation != first.incarnation
    assert event["signal"] == "SIGKILL"


async def test_an_exit_code_is_reported_as_such(broker: Broker) -> None:
    async with a_worker(broker.address):
        await broker.worker()
        broker.deliver("exits_hard")

        death = await broker.next(WorkerDied)

    assert (death.exit_code, death.signal) == (7, "")


async def test_a_process_that_was_idle_when_it_died_ran_nothing(broker: Broker) -> None:
    async with a_worker(broker.address):
        first = await broker.worker()
        await broker.result(broker.deliver("echo", value="x"))
        await broker.result(broker.deliver("thread_echo", value="x"))
        os.kill(first.pid, signal.SIGKILL)

        death = await broker.next(WorkerDied)

    assert death.running == []


async def test_processes_end_with_their_parent_and_hand_back_what_they_run(broker: Broker) -> None:
    async with a_worker(broker.address) as worker:
        child = await broker.worker()
        tokens = [broker.deliver("waits"), broker.deliver("process_sleeps")]
        handler_process = int(await broker.progress(tokens[1]))
        worker.send_signal(signal.SIGKILL)

        await _gone(child.pid)
        await _gone(handler_process)

        for token in tokens:
            await broker.released(token)


async def test_a_handler_process_ends_with_its_worker_process(broker: Broker) -> None:
    async with a_worker(broker.address):
        child = await broker.worker()
        handler_process = int(await broker.progress(broker.deliver("process_ignores")))
        os.kill(child.pid, signal.SIGKILL)

        await _gone(handler_process)


async def test_a_process_that_makes_no_sense_of_the_broker_is_replaced(broker: Broker) -> None:
    """It might hold what it did not understand for ever; dead, its leases are free."""
    async with a_worker(broker.address) as worker:
        first = await broker.worker()

        broker.send(Deliver([Delivery(7, 1, msgspec.Raw(b"\xc0"))]))

        death = await broker.next(WorkerDied)
        second = await broker.worker(2)
        event = await worker.logged("supervisor_error")

    assert (death.incarnation, death.exit_code, death.running) == (first.incarnation, EXIT_UNSETTLED, [])
    assert second.pid != first.pid
    assert "ValidationError" in event["exception"]


@pytest.mark.parametrize(
    ("app", "says"),
    [
        ("tests.worker.absent:app", "there is no module 'tests.worker.absent'"),
        ("tests.worker.sample:nothing", "did you mean tests.worker.sample:app?"),
        ("tests.worker.rig:Broker", "not a tq.App"),
        ("not an app", "does not name an application"),
        ("tests.worker.broken:app", "ZeroDivisionError: division by zero (broken.py:3)"),
    ],
)
async def test_an_application_that_cannot_be_loaded_is_said_once(broker: Broker, app: str, says: str) -> None:
    async with a_worker(broker.address, app, processes=2) as worker:
        code = await worker.ended()

    assert code == 2
    errors = [line for line in worker.lines if line.startswith("error:")]
    assert len(errors) == 1
    assert app in errors[0]
    assert says in errors[0]
    assert not broker.hellos


async def test_queues_that_make_no_sense_are_refused_at_once(broker: Broker) -> None:
    async with a_worker(broker.address, queues="mail:high") as worker:
        assert await worker.ended() == 2

    assert "'high' is not a priority" in worker.lines[-1]


async def test_a_process_is_replaced_after_so_many_tasks_and_the_successor_comes_first(broker: Broker) -> None:
    async with a_worker(broker.address, max_tasks=3) as worker:
        first = await broker.worker()
        running = broker.deliver("waits_a_little", seconds=3.0)
        old = broker.peer
        for _ in range(3):
            await broker.result(broker.push("none", peer=old))

        second = await broker.worker(2)

        assert is_alive(first.pid)
        assert "max_tasks is 3" in (await worker.logged("replacement_wanted"))["reason"]
        assert await broker.result(running) == "waited"
        await worker.logged("process_ended")
        assert not is_alive(first.pid)
        assert await broker.result(broker.deliver("who"))
        assert second.pid != first.pid


async def test_a_process_is_replaced_above_so_much_memory(broker: Broker) -> None:
    async with a_worker(broker.address, max_rss_mb=1) as worker:
        await broker.worker()
        broker.deliver("waits_a_little", seconds=0.2)

        await broker.worker(2)

        assert "max_rss_mb is 1" in (await worker.logged("replacement_wanted"))["reason"]

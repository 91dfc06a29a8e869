"""The slots of coroutines, on the event loop of the test."""

import asyncio
import time
from collections.abc import AsyncIterator
from random import Random

import pytest

import tq
from tq.app.codec import ARGUMENTS, encode
from tq.model.commands import Success
from tq.model.task import StoredTask, TaskSpec
from tq.worker.coroutines import BURST_SECONDS, Coroutines
from tq.worker.outbox import Outcome, Stopped
from tq.worker.running_table import RunningTable
from tq.worker.runs import Caller, Run, Why

app = tq.App("coroutines")


@app.task
async def quick(number: int) -> int:
    return number


@app.task
async def busy(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@app.task
async def waits() -> None:
    await asyncio.Event().wait()


class Rig:
    """Two slots, and what ended in them."""

    def __init__(self) -> None:
        self.ended: list[list[Outcome]] = []
        self.table = RunningTable.create(2)
        self._news = asyncio.Event()
        self.coroutines = Coroutines(2, Caller(app.handlers, Random(1)), self._finish, self.table, 0)
        self._token = 0

    def _finish(self, outcomes: list[Outcome], seconds: float) -> None:
        self.ended.append(outcomes)
        self._news.set()

    def run(self, task_type: str, **arguments: object) -> Run:
        self._token += 1
        spec = TaskSpec(self._token.to_bytes(16, "big"), task_type, encode(arguments), content_type=ARGUMENTS)
        return Run(spec.id, self._token, 1, StoredTask(0, 1, 0, 0, spec), "loop", time.monotonic())

    async def until_ended(self, count: int) -> list[Outcome]:
        async with asyncio.timeout(10):
            while sum(map(len, self.ended)) < count:
                self._news.clear()
                await self._news.wait()
        return [outcome for outcomes in self.ended for outcome in outcomes]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    rig.table.close()


@pytest.fixture
async def serving(rig: Rig) -> AsyncIterator[Rig]:
    serving = asyncio.create_task(rig.coroutines.serve())
    await asyncio.sleep(0)
    yield rig
    rig.coroutines.close()
    await serving


async def test_a_run_that_was_there_before_the_slots_started_just_now(rig: Rig) -> None:
    """Its timeout counts from its start; a start at 0 would be hours ago."""
    run = rig.run("waits")
    rig.coroutines.start([run])
    serving = asyncio.create_task(rig.coroutines.serve())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert list(rig.coroutines.started()) == [run]
    assert 0 <= time.monotonic() - run.started_at < 60
    assert rig.table.running() == [run.task_id]
    rig.coroutines.close()
    await serving


async def test_outcomes_leave_together(serving: Rig) -> None:
    serving.coroutines.start([serving.run("quick", number=number) for number in range(50)])

    outcomes = await serving.until_ended(50)

    assert [outcome.token for outcome in outcomes if isinstance(outcome, Success)] == list(range(1, 51))
    assert len(serving.ended) <= 2
    assert serving.table.running() == []


async def test_handlers_that_never_wait_let_the_loop_turn_all_the_same(serving: Rig) -> None:
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    turn()
    serving.coroutines.start([serving.run("busy", seconds=BURST_SECONDS * 1.5) for _ in range(20)])

    await serving.until_ended(20)

    assert turns >= 10


async def test_a_run_that_is_stopped_before_it_starts_is_not_called(serving: Rig) -> None:
    run = serving.run("waits")
    run.why = Why.CANCEL

    serving.coroutines.start([run])

    assert await serving.until_ended(1) == [Stopped(run.task_id, run.token)]


async def test_runs_that_wait_for_a_slot_can_be_taken_back(serving: Rig) -> None:
    runs = [serving.run("waits") for _ in range(5)]
    serving.coroutines.start(runs)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert serving.coroutines.unstarted() == 3
    assert serving.coroutines.oldest_unstarted() is runs[2]

    assert serving.coroutines.take_back() == runs[2:]
    assert serving.coroutines.oldest_unstarted() is None


async def test_where_a_handler_waits_is_known(serving: Rig) -> None:
    run = serving.run("waits")
    serving.coroutines.start([run])
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert serving.coroutines.place_of(run).startswith("test_coroutines.py:")
    assert serving.coroutines.place_of(serving.run("waits")) == ""
    assert serving.coroutines.run_on_loop() is None


async def test_closing_cancels_what_still_runs(rig: Rig) -> None:
    rig.coroutines.start([rig.run("waits"), rig.run("waits")])
    serving = asyncio.create_task(rig.coroutines.serve())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    rig.coroutines.close()

    async with asyncio.timeout(10):
        await serving
    assert rig.ended == []

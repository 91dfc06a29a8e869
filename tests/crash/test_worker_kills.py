"""kill -9 of real worker processes while they run tasks: these run elsewhere, and what only waited is not to blame."""

import asyncio
import os
import signal
import socket
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random, SystemRandom
from tempfile import TemporaryDirectory

import pytest

from tests.crash.broker import a_broker
from tests.crash.worker import PATIENCE_SECONDS, Notes, RealWorker, a_worker, kill_process
from tq.app.codec import ARGUMENTS, encode
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.ids import format_id, parse_id
from tq.model.task import State, TaskView

SEED = int(os.environ.get("SEED", "0")) or SystemRandom().randrange(1, 1 << 31)
KILLS = int(os.environ.get("KILLS", "100"))


def lasting(notes: Notes, seconds: float, *, max_crashes: int = 3) -> Task:
    arguments = encode({"path": str(notes.path), "seconds": seconds})
    return Task("lasting", arguments, content_type=ARGUMENTS, max_crashes=max_crashes, max_retries=0)


async def processes(client: AsyncClient, count: int) -> dict[str, list[int]]:
    """The processes of each worker, once so many are connected."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(found := [one for one in await client.workers() if one.status == "connected"]) < count:
            await asyncio.sleep(0.02)
    names = {one.name for one in found}
    return {name: [one.pid for one in found if one.name == name] for name in names}


async def final(client: AsyncClient, ids: list[str]) -> list[TaskView]:
    await asyncio.gather(*(client.wait(task_id, timeout=PATIENCE_SECONDS) for task_id in ids))
    return await asyncio.gather(*map(client.get_task, ids))


@pytest.mark.parametrize("victim", ["child", "parent", "both"])
async def test_the_tasks_of_killed_workers_run_elsewhere(victim: str, tmp_path: Path) -> None:
    """Unless both are killed the grace is longer than the test: what the survivor says frees the tasks."""
    notes = Notes(tmp_path / "notes")
    grace_ms = 1_000 if victim == "both" else 600_000
    async with a_broker(TQ_BROKER_RECONNECT_GRACE_MS=str(grace_ms)) as broker:
        await broker.start()
        async with (
            AsyncClient(broker.address) as client,
            a_worker(broker.address, "--name", "victim", "--concurrency", "4") as worker,
            a_worker(broker.address, "--name", "other", "--concurrency", "4"),
        ):
            (child,) = (await processes(client, 2))["victim"]
            ids = await client.submit_tasks([lasting(notes, 0.4) for _ in range(24)])
            await notes.until("start", 3, child)
            if victim == "both":
                worker.kill(signal.SIGSTOP)  # it must not get to say anything
            if victim != "parent":
                kill_process(child)
            if victim != "child":
                worker.kill()
                await worker.ended()  # and its child too, which held its stderr
            views = await final(client, ids)

    started, ended = set(notes.tasks("start", child)), set(notes.tasks("end", child))
    crashed = {format_id(view.id) for view in views if view.crashes}
    repeated = {task_id for task_id, times in Counter(notes.tasks("start")).items() if times > 1}
    assert {view.state for view in views} == {State.COMPLETED}
    assert set(notes.tasks("end")) == set(ids)
    assert started - ended <= repeated <= started, "what the victim had begun and nothing else ran twice"
    if victim == "parent":
        assert crashed == set(), "the child handed back what it ran"
    else:
        assert started - ended <= crashed
    if victim == "child":
        assert crashed <= started, "what only waited in the victim did not kill it"
        causes = {view.history[0].message for view in views if view.crashes}
        assert all("SIGKILL" in cause and socket.gethostname() in cause for cause in causes)


async def test_a_poison_task_is_buried_with_the_evidence_and_those_that_wait_behind_it_are_not(tmp_path: Path) -> None:
    """Those that wait are many more than the crashes that it takes: the worker fetches ahead."""
    notes = Notes(tmp_path / "notes")
    async with a_broker() as broker:
        await broker.start()
        async with (
            AsyncClient(broker.address) as client,
            a_worker(broker.address, "--concurrency", "1", "--processes", "2"),
        ):
            await processes(client, 2)
            poison = Task("poison", encode({"path": str(notes.path)}), content_type=ARGUMENTS)
            before, after = ([lasting(notes, 0.01) for _ in range(100)] for _ in range(2))
            ids = await client.submit_tasks([*before, poison, *after])
            dead = ids[100]
            views = await final(client, ids)

    buried = next(view for view in views if view.id == parse_id(dead))
    assert buried.state is State.DEAD_LETTER
    assert (buried.crashes, buried.attempt) == (3, 0)
    assert "quarantined" in buried.reason
    for record in buried.history:
        assert record.outcome == "crashed"
        assert "SIGKILL" in record.message
        assert socket.gethostname() in record.message
        assert f"the poison of {dead}" in record.traceback
    others = Counter((str(view.state), view.crashes) for view in views if view is not buried)
    assert others == {("completed", 0): 200}


@pytest.mark.campaign
@pytest.mark.timeout(0)
async def test_campaign_of_worker_kills() -> None:
    """KILLS=1000 make campaign-workers"""
    random, counts = Random(SEED), Counter[str]()
    while counts["kills"] < KILLS:
        with TemporaryDirectory(prefix="tq-workers-") as directory:
            await hunt(random, min(20, KILLS - counts["kills"]), Notes(Path(directory) / "notes"), counts)
        told = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
        print(f"{counts['kills']} of {KILLS} kills: {told}", flush=True)
    print(f"seed {SEED}: every task completed once, none lost")


async def hunt(random: Random, kills: int, notes: Notes, counts: Counter[str]) -> None:
    """Kill processes of two workers, children and parents, while tasks run; all of these must be completed."""
    async with a_broker(TQ_BROKER_RECONNECT_GRACE_MS="1000") as broker:
        await broker.start()
        async with AsyncClient(broker.address) as client, AsyncExitStack() as workers:

            async def hire() -> RealWorker:
                flags = ("--concurrency", "4", "--processes", "2", "--log-level", "error")
                return await workers.enter_async_context(a_worker(broker.address, *flags))

            hired = [await hire(), await hire()]
            ids: list[str] = []
            for _ in range(kills):
                pids = [pid for some in (await processes(client, 2)).values() for pid in some]
                seconds = (0.0, 0.01, 0.1, 0.5)
                tasks = [lasting(notes, random.choice(seconds), max_crashes=1_000) for _ in range(100)]
                ids += await client.submit_tasks(tasks)
                await asyncio.sleep(random.uniform(0, 1))  # what they get done before one of them dies
                if random.random() < 0.7:
                    kill_process(random.choice(pids))
                    counts["children killed"] += 1
                else:
                    hired.pop(random.randrange(2)).kill()
                    hired.append(await hire())
                    counts["parents killed"] += 1
                counts["kills"] += 1
            views = await final(client, ids)
            (queue,) = await client.queues()
    assert Counter(str(view.state) for view in views) == {"completed": len(ids)}
    assert (queue.completed_total, queue.submitted_total) == (len(ids), len(ids))
    assert set(notes.tasks("end")) == set(ids)
    counts["tasks"] += len(ids)
    counts["crashes counted"] += sum(view.crashes for view in views)
    counts["runs"] += len(notes.tasks("start"))

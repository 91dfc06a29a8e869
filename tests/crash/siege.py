"""A broker under load that is killed again and again, and held to what it had said."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from tests.crash.actors import AGAIN, Line, Town, Worker, look_at, look_up, operate, produce
from tests.crash.broker import ROOT, Broker, a_broker
from tests.crash.ledger import Ledger
from tq.app.codec import ARGUMENTS, encode
from tq.client.async_client import AsyncClient
from tq.client.ids import new_id
from tq.client.task import Task
from tq.model.commands import Backup, GetTask, ListQueues, ListTasks
from tq.model.errors import TaskNotFound
from tq.model.ids import format_id
from tq.model.replies import Affected, QueuePage, TaskPage, TaskReply
from tq.model.task import State, TaskView
from tq.storage.backup import restore_backup
from tq.storage.consistency import Fault
from tq.storage.doctor import examine_directory

REAL_QUEUE = "real"
PATIENCE_SECONDS = 120.0
LOOKED_AT = 200
"""Tasks that are looked at after each restart."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How often, and in the middle of what."""

    kills: int
    seed: int
    sync: str = "always"
    singles: int = 8
    bulks: int = 2
    workers: int = 3
    load_seconds_max: float = 0.5
    startups: float = 0.15  # of the kills: while the broker starts
    backups: float = 0.15  # of the kills: while it makes a backup
    doctor_every: int = 3
    has_real_worker: bool = False
    may_log: frozenset[str] = frozenset()  # of the events of trouble


class Siege:
    """See `run`.

    Attributes:
        ledger: with what was found, and the figures.
    """

    def __init__(self, plan: Plan, broker: Broker) -> None:
        self.plan = plan
        self.broker = broker
        self.random = Random(plan.seed)
        self.ledger = Ledger(broker.directory / "ledger")
        self.town = Town(broker.address, self.ledger, self.random)
        self._lines: list[Line] = []
        self._workers: list[Worker] = []
        self._backups = 0
        self._real_ids: list[str] = []
        self._notes = broker.directory / "notes"

    async def run(self, torment: Callable[[], Awaitable[None]]) -> None:
        """Torment it under load, let it finish what was begun, and look at everything.

        Raises:
            AssertionError: it broke a promise.
        """
        await self.broker.start()
        self.town.open()
        async with asyncio.TaskGroup() as group, self._real_worker():
            begun = [group.create_task(actor) for actor in self._actors()]
            workers = [group.create_task(worker.run()) for worker in self._workers]
            await torment()
            self.town.is_over = True
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.wait(begun)
                for actor in begun:
                    actor.result()
                line = self._line()
                await self._drained(line)
                for worker in self._workers:
                    await worker.finish()
            for task in workers:
                task.cancel()
            await self._audit(line)
            for other in self._lines:
                await other.close()
            for worker in self._workers:
                await worker.close()
        assert await self.broker.kill(signal.SIGTERM) == 0
        await self.examine(self.broker.data_dir)
        self.check()
        self.ledger.close()

    def check(self) -> None:
        """Raise if a promise was broken."""
        broken = [*self.ledger.violations, *map(str, self.broker.trouble(self.plan.may_log))]
        told = "\n".join(broken[:20])
        assert not broken, f"seed {self.plan.seed}: {len(broken)} broken promises\n{told}"

    def _line(self) -> Line:
        line = Line(self.town)
        self._lines.append(line)
        return line

    def _actors(self) -> list[Coroutine[Any, Any, None]]:
        self._workers += [Worker(self.town, f"worker-{number}", 100) for number in range(self.plan.workers)]
        shared = self._line()
        actors = [produce(shared, 1) for _ in range(self.plan.singles)]
        actors += [produce(self._line(), 150) for _ in range(self.plan.bulks)]
        actors += [operate(self._line()), look_up(self._line())]
        if self.plan.has_real_worker:
            actors.append(self._use_the_public_client())
        return actors

    # Killing

    async def kill_often(self) -> None:
        """As often as planned."""
        for number in range(1, self.plan.kills + 1):
            await self._kill(number)

    async def _kill(self, number: int) -> None:
        chance = self.random.random()
        if chance < self.plan.startups:
            await self._kill_in_startup()
        else:
            await asyncio.sleep(self.random.uniform(0.02, self.plan.load_seconds_max))  # the load of this boot
            if chance < self.plan.startups + self.plan.backups:
                await self._kill_in_backup()
            else:
                await self._kill_now()
        self.ledger.counts["kills"] += 1
        if number % self.plan.doctor_every == 0:
            await self.examine(self.broker.data_dir)
        await self.broker.start()
        self.town.open()
        await self.look_at_some()
        self.check()

    async def _kill_now(self) -> None:
        self.ledger.sync()
        self.town.close()
        assert self.broker.is_running, "it ended by itself"
        assert await self.broker.kill() == -signal.SIGKILL
        self.ledger.counts["kills under load"] += 1

    async def _kill_in_startup(self) -> None:
        await self._kill_now()
        await self.broker.spawn()
        await asyncio.sleep(self.random.uniform(0.0, 0.8))
        await self.broker.kill()
        self.ledger.counts["kills under load"] -= 1
        self.ledger.counts["kills in a start"] += 1

    async def _kill_in_backup(self) -> None:
        self._backups += 1
        target = self.broker.directory / f"backup-{self._backups}"
        before = [task_id for task_id in self.ledger.recent if self.ledger.entries[task_id].is_acknowledged]
        connection = await self._line().connection()
        asked = connection.request(Backup(connection.next_id(), str(target)))
        # In the middle of it, mostly; a backup that was finished is then proved.
        await asyncio.wait([asked], timeout=self.random.choice((self.random.uniform(0.0, 0.3), 10.0)))
        await self._kill_now()
        self.ledger.counts["kills under load"] -= 1
        self.ledger.counts["kills in a backup"] += 1
        await asyncio.wait([asked])
        is_done = asked.exception() is None and isinstance(asked.result(), Affected)
        self.ledger.counts["backups finished"] += is_done
        if is_done:
            restored = self.broker.directory / f"restored-{self._backups}"
            await asyncio.to_thread(restore_backup, target, restored)
            await self.examine(restored)
            await self._compare(restored, before)

    async def _compare(self, restored: Path, before: list[bytes]) -> None:
        """What had been acknowledged before a backup was asked for is in it."""
        async with a_broker() as other:
            other.data_dir = restored
            await other.start()
            async with AsyncClient(other.address) as client:
                # One by one: a listing is as of a moment, and leaves out what comes due meanwhile.
                missing = [task_id for task_id in before if not await _has(client, task_id)]
            await other.kill()
        assert not missing, f"seed {self.plan.seed}: {len(missing)} acknowledged tasks are not in the backup"

    async def examine(self, directory: Path) -> None:
        """`tq doctor` finds nothing."""
        found = await asyncio.to_thread(lambda: list(examine_directory(directory)))
        # What was written and never synced may end in the middle of a record: nobody was told of it.
        wrong = [finding for finding in found if finding.fault is not Fault.LOG_TORN]
        assert not wrong, f"seed {self.plan.seed}: doctor found {wrong[:10]}"
        self.ledger.counts["directories examined"] += 1

    async def look_at_some(self) -> None:
        """What was acknowledged, lately or long ago, is there."""
        recent = self.ledger.recent
        some = {*recent[-LOOKED_AT // 2 :], *self.random.sample(recent, min(len(recent), LOOKED_AT // 2))}
        line = self._lines[0]
        await asyncio.gather(*(look_at(line, task_id) for task_id in some))

    # The end

    async def _drained(self, line: Line) -> None:
        while True:
            page = await line.ask(lambda request_id: ListQueues(request_id), QueuePage)
            if not any(queue.waiting + queue.in_progress for queue in page.queues):
                return
            await asyncio.sleep(0.05)  # the last backoffs, graces and snoozes

    async def _audit(self, line: Line) -> None:
        found = await self._all_tasks(line)
        page = await line.ask(lambda request_id: ListQueues(request_id), QueuePage)
        totals: Counter[str] = Counter()
        for queue in page.queues:
            if queue.name == REAL_QUEUE:
                assert queue.completed_total == len(set(self._real_ids))
                assert queue.submitted_total == len(set(self._real_ids))
            else:
                for name in ("submitted_total", "completed_total", "cancelled_total"):
                    totals[name] += getattr(queue, name)
        real = {task_id: view for task_id, view in found.items() if view.queue == REAL_QUEUE}
        assert {view.state for view in real.values()} <= {State.COMPLETED}
        self.ledger.audit({task_id: view for task_id, view in found.items() if task_id not in real}, totals)
        if self.plan.has_real_worker:
            started = Counter(line.split()[1] for line in self._notes.read_text().splitlines())
            assert started.keys() == set(self._real_ids)
            self.ledger.counts["tasks of real workers"] += len(started)
            self.ledger.counts["of these run more than once"] += sum(times > 1 for times in started.values())

    async def _all_tasks(self, line: Line) -> dict[bytes, TaskView]:
        ids: list[bytes] = []
        cursor = b""
        while True:
            page = await line.ask(
                lambda request_id, cursor=cursor: ListTasks(request_id, limit=1_000, cursor=cursor),  # type: ignore[misc]
                TaskPage,
            )
            ids += [task.id for task in page.tasks]
            cursor = page.cursor
            if not cursor:
                break
        assert len(ids) == len(set(ids)), "a listing names no task twice"
        views: dict[bytes, TaskView] = {}
        for start in range(0, len(ids), 1_000):
            replies = await asyncio.gather(
                *(
                    line.ask(lambda request_id, task_id=task_id: GetTask(request_id, task_id), TaskReply)  # type: ignore[misc]
                    for task_id in ids[start : start + 1_000]
                )
            )
            views |= {reply.task.id: reply.task for reply in replies}
        return views

    # The real worker

    @asynccontextmanager
    async def _real_worker(self) -> AsyncIterator[None]:
        """`tq worker`, if the plan has one."""
        if not self.plan.has_real_worker:
            yield
            return
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tq.cli.main", "worker", "tests.crash.handlers:app", "--queues", REAL_QUEUE),
            *("--url", self.broker.address, "--log-level", "error", "--concurrency", "16"),
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("TQ_")},
        )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()

    async def _use_the_public_client(self) -> None:
        """Submit and wait as applications do: the client repeats by itself."""
        client = AsyncClient(self.broker.address)
        payload = encode({"path": str(self._notes)})
        while not self.town.is_over:
            ids = [format_id(new_id()) for _ in range(20)]
            self._real_ids += ids
            tasks = [Task("quick", payload, queue=REAL_QUEUE, content_type=ARGUMENTS, id=task_id) for task_id in ids]
            await _patiently(lambda tasks=tasks: client.submit_tasks(tasks))  # type: ignore[misc]
            for task_id in ids:
                await _patiently(lambda task_id=task_id: client.wait_for_result(task_id, timeout=60))  # type: ignore[misc]
        await client.close()


async def _patiently(call: Callable[[], Awaitable[object]]) -> None:
    """The client gives up after some seconds; a broker that is killed in its start is away for longer."""
    while True:
        try:
            await call()
        except AGAIN:
            await asyncio.sleep(0.05)
        else:
            return


async def besiege(plan: Plan, *, program: Sequence[str] = ("tq.cli.main",)) -> Counter[str]:
    """One broker's life; the figures.

    Raises:
        AssertionError: it broke a promise; the message names the seed.
    """
    async with a_broker(
        program=program, TQ_PERSISTENCE_SYNC=plan.sync, TQ_BROKER_RECONNECT_GRACE_MS="700", TQ_LOG_LEVEL="info"
    ) as broker:
        siege = Siege(plan, broker)
        try:
            await siege.run(siege.kill_often)
        except BaseException:
            print(f"\nseed {plan.seed}, boot {siege.ledger.boot}, {dict(siege.ledger.counts)}")
            raise
        return siege.ledger.counts


async def _has(client: AsyncClient, task_id: bytes) -> bool:
    try:
        await client.get_task(task_id)
    except TaskNotFound:
        return False
    return True

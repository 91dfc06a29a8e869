"""A large installation in small: queues in every state, workers that hold tasks and say that they live, and a part of
the queues that keeps changing. What a dashboard is looked at and measured with.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Self

from msgspec.structs import replace

from tq.client.async_client import AsyncClient
from tq.client.connection import Connection
from tq.client.task import Task
from tq.model.commands import BATCH_MAX, Ack, Failure, Fetch, Heartbeat, Hello, Nack, Success, WorkerHello
from tq.model.replies import Deliver, Delivery, Push, Reply
from tq.protocol.codec import PROTOCOL_VERSION

SLOTS = 4
HELD = 3
"""Tasks that each second worker has in hand, for as long as the crowd is there."""
HOLD_SECONDS = 86_400
"""How long a task that is held may run: longer than anybody looks."""
HEARTBEAT_SECONDS = 10.0
BEAT_SECONDS = 0.5
"""Between two changes of the queues that change."""
HOLD, REST, NOBODY, TICK, RETRY = "report.build", "mail.send", "legacy.import", "page.fetch", "hook.deliver"
"""Task types: held by a worker, waiting for one that has no slot, for one that is not there, run at once, failing."""
ODD_NAMES = (
    "eu-central-1.production.customer-notifications.transactional.mail.retry-with-backoff",
    "注文-決済",
    "café.été",
    "a",
)
_KINDS = ("mailing", "export", "sync", "embed", "invoice", "search")
_HOSTS = 50
_AT_ONCE = 50
"""Connections opened at the same time."""


def queue_names(count: int) -> list[str]:
    """As many names, the same each time; some of them are long or wide."""
    plain = [f"tenant-{number:04}.{_KINDS[number % len(_KINDS)]}" for number in range(count)]
    step = max(1, count // len(ODD_NAMES))
    for turn, name in enumerate(ODD_NAMES[: count // step]):
        plain[turn * step] = name
    return plain


def dead_queues(names: Sequence[str]) -> list[str]:
    """Those that have dead letters, one in fifty."""
    return list(names[3::50]) or list(names)


class Crowd:
    """Workers over one broker, and what is in its queues. A context manager; needs `broker.max_connections` above the
    number of workers.

    Args:
        address: of the broker.
        client: for submits; stays open.
        workers: how many.
    """

    def __init__(self, address: str, client: AsyncClient, queues: Sequence[str], workers: int) -> None:
        self.share = 0.0
        """The part of the queues that changes at each beat; may be set at any time."""
        self._address = address
        self._client = client
        self._queues = queues
        self._count = workers
        self._connections: list[Connection] = []
        self._busy: set[int] = set()
        self._stack = AsyncExitStack()
        self._runner: Connection | None = None
        self._beats = 0

    async def __aenter__(self) -> Self:
        try:
            gate = asyncio.Semaphore(_AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for number in range(self._count):
                    group.create_task(self._enter(number, gate))
            self._runner = await self._open("runner-1", [TICK, RETRY], 100, self._run)
            self._runner.send(Fetch(0, 100_000))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    # -- workers --------------------------------------------------------------------------------------------------

    async def _enter(self, number: int, gate: asyncio.Semaphore) -> None:
        host = f"ip-10-0-{number // _HOSTS % 256}-{number % _HOSTS}"
        is_busy = number % 2 == 0
        async with gate:
            types = [HOLD] if is_busy else [REST]
            connection = await self._open(f"{host}#{number // _HOSTS + 1}", types, SLOTS, _ignore)
        if is_busy:
            self._busy.add(len(self._connections))
            connection.send(Fetch(0, HELD))
        connection.send(_heartbeat(len(self._connections), is_busy=is_busy))
        self._connections.append(connection)

    async def _open(self, name: str, types: list[str], slots: int, on_push: Callable[[Push], None]) -> Connection:
        host, _, pid = name.partition("#")
        hello = WorkerHello(name, secrets.token_bytes(16), host, 1_000 + int(pid or 1), types, concurrency=slots)
        greeting = Hello(0, PROTOCOL_VERSION, "tq bench", worker=hello)
        connection = await Connection.open(self._address, greeting, on_push=on_push, timeout=60)
        self._stack.push_async_callback(connection.close)
        return connection

    async def live(self) -> None:
        """Say for all workers that they live, until cancelled or until one of them is cut off."""
        parts = max(1, -(-len(self._connections) // _AT_ONCE))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            while True:
                for part in range(parts):  # spread: a crowd of machines does not speak at once either
                    await asyncio.sleep(HEARTBEAT_SECONDS / parts)
                    for number in range(part, len(self._connections), parts):
                        self._connections[number].send(_heartbeat(number, is_busy=number in self._busy))

    # -- what waits -----------------------------------------------------------------------------------------------

    async def fill(self) -> None:
        """Put the queues into their states: behind, paused, nobody there, slow, retrying, scheduled, running, idle."""
        tasks = list(self._waiting())
        for first in range(0, len(tasks), BATCH_MAX):
            await self._client.submit_tasks(tasks[first : first + BATCH_MAX])
        for name in self._queues[2::100]:
            await self._client.pause_queue(name, "migration 214")

    def _waiting(self) -> Iterator[Task]:
        busy = [name for place, name in enumerate(self._queues) if 10 <= place % 100 < 40] or self._queues
        for number in range((self._count + 1) // 2 * HELD):
            yield Task(HOLD, queue=busy[number % len(busy)], max_retries=0, timeout_seconds=HOLD_SECONDS)
        for place, name in enumerate(self._queues):
            match place % 100:
                case 0:
                    yield from (Task(REST, queue=name) for _ in range(150))
                case 1:
                    yield from (Task(NOBODY, queue=name) for _ in range(5))
                case 2:
                    yield from (Task(REST, queue=name) for _ in range(1 + place % 1_000))
                case 5 | 6:
                    yield from (Task(REST, queue=name) for _ in range(3))
                case 7:
                    yield from (Task(RETRY, queue=name, max_retries=5) for _ in range(20))
                case 8:
                    yield from (Task(REST, queue=name, delay="2h") for _ in range(50))
                case _:
                    yield Task(TICK, queue=name)

    # -- what changes ---------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + BEAT_SECONDS, loop.time())
            await asyncio.sleep(due - loop.time())
            tasks = list(self._changes())
            if tasks:
                await self._client.submit_tasks(tasks)

    def _changes(self) -> Iterator[Task]:
        """For the queues that change, always the same ones: more or fewer tasks from beat to beat."""
        self._beats += 1
        count = round(len(self._queues) * self.share)
        for turn in range(count):
            place = turn * len(self._queues) // count
            is_behind = place % 100 == 0
            for _ in range(1 + (self._beats + turn) % 3):
                yield Task(REST if is_behind else TICK, queue=self._queues[place], max_retries=0)

    def _run(self, push: Push) -> None:
        """Run what is delivered: nearly all of it succeeds."""
        assert self._runner is not None
        if not isinstance(push, Deliver):
            return
        done: list[Success] = []
        failed: list[Failure] = []
        for delivery in push.deliveries:
            self._end(delivery, done, failed)
        if done:
            self._runner.request(Ack(self._runner.next_id(), done)).add_done_callback(_forget)
        if failed:
            self._runner.request(Nack(self._runner.next_id(), failed)).add_done_callback(_forget)
        self._runner.send(Fetch(0, len(push.deliveries)))

    def _end(self, delivery: Delivery, done: list[Success], failed: list[Failure]) -> None:
        spec = delivery.stored().spec
        if spec.task_type == RETRY:
            said = "503 from https://hooks.example.org"
            failed.append(Failure(spec.id, delivery.token, "shop.HookRefused", said, retry_in_ms=7_200_000))
        elif spec.id[-1] == 0:  # one in 256
            failed.append(Failure(spec.id, delivery.token, "shop.PageGone", "410 for page 17", is_final=True))
        else:
            done.append(Success(spec.id, delivery.token))


def _forget(reply: "asyncio.Future[Reply]") -> None:
    """What becomes of a single task is of no interest; a lost connection is noticed elsewhere."""
    if not reply.cancelled():
        reply.exception()


def _ignore(push: Push) -> None:
    """What is delivered is held."""
    del push


def _heartbeat(number: int, *, is_busy: bool) -> Heartbeat:
    beat = Heartbeat(
        0, HELD if is_busy else 0, 0, (60 + number % 200) << 20, number % 97 == 96, cpu_percent=number % 60
    )
    return replace(beat, note="loop blocked 14 s at app.py:88") if number % 199 == 198 else beat

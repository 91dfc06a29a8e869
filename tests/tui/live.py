"""The dashboard over a real broker, and tasks that die there."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from textual.pilot import Pilot

from tests.tui.dumps import settled, text
from tq.client.async_client import AsyncClient
from tq.client.connection import Connection
from tq.client.task import Task
from tq.model.commands import (
    Ack,
    Failure,
    Fetch,
    Hello,
    LogEntry,
    Nack,
    ProgressNote,
    QueuePreference,
    ReportLog,
    ReportProgress,
    StackTaken,
    Success,
    WorkerHello,
)
from tq.model.identity import Role
from tq.model.replies import Deliver, Delivery, Push, StackWanted
from tq.model.signatures import TaskSignature
from tq.tui.app import Look, TopApp
from tq.tui.feed import LiveFeed
from tq.tui.glyphs import ASCII

SECONDS_MAX = 30.0
LOG_AT_MS = 1_700_000_000_000
"""When all lines are logged."""


class Seat(NamedTuple):
    """Somebody in front of a dashboard."""

    app: TopApp
    pilot: "Pilot[None]"

    async def until(self, is_so: Callable[[], object], what: str = "") -> None:
        """Wait until something is seen, frame by frame."""
        try:
            async with asyncio.timeout(SECONDS_MAX):
                while not is_so():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            there = "\n".join([*self.said, text(self.app)])
            raise AssertionError(f"{what or 'it'} did not come; there is:\n{there}") from None

    async def press(self, *keys: str) -> None:
        """Press keys, and let what they cause be drawn."""
        await self.pilot.press(*keys)
        await settled(self.pilot)

    async def type(self, text: str) -> None:
        """Press the keys of a text."""
        await self.pilot.press(*("space" if char == " " else char for char in text))

    @property
    def said(self) -> list[str]:
        """The titles and texts of what was notified and is still there, the latest last."""
        return [f"{one.title}: {one.message}" for one in self.app._notifications]


@asynccontextmanager
async def dashboard(
    address: str,
    *,
    role: Role = Role.ADMIN,
    size: tuple[int, int] = (120, 40),
    confirms_always: bool = False,
    acts_for: str = "",
    app_type: type[TopApp] = TopApp,
    is_local: bool = True,
) -> AsyncIterator[Seat]:
    """The application, as soon as it shows what is there."""
    feed = LiveFeed(
        AsyncClient(address, role=role, acts_for=acts_for, reconnect_timeout=0.2), confirms_always=confirms_always
    )
    client = AsyncClient(address, role=role, acts_for=acts_for, reconnect_timeout=10)
    app = app_type(feed, Look(ASCII, hz=10.0), client, is_local=is_local)
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot)
        await seat.until(lambda: app.greeting is not None and app.mirror.at_ms, "the first frame")
        await settled(pilot)
        yield seat


class ScriptedWorker:
    """A worker of one slot that does what the test says."""

    def __init__(self, name: str, queue: str, types: Sequence[str], signatures: Sequence[TaskSignature] = ()) -> None:
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        self.incarnation = secrets.token_bytes(16)
        self._hello = WorkerHello(
            name, self.incarnation, "host", 1, list(types), [QueuePreference(queue)], signatures=list(signatures)
        )

    async def connect(self, address: str) -> Self:
        """Be there."""
        hello = Hello(0, 1, "host", worker=self._hello)
        self._connection = await Connection.open(address, hello, on_push=self._pushed, timeout=10)
        return self

    def _pushed(self, push: Push) -> None:
        if isinstance(push, Deliver):
            for delivery in push.deliveries:
                self._deliveries.put_nowait(delivery)
        elif isinstance(push, StackWanted):
            self._connection.send(
                StackTaken(0, push.number, kind="thread", pid=7, place="app.py:88", text="  in charge_card")
            )

    async def take(self) -> Delivery:
        """The next task."""
        self._connection.send(Fetch(0, 1))
        async with asyncio.timeout(10):
            return await self._deliveries.get()

    async def fail(
        self, delivery: Delivery, error_type: str, message: str, traceback: str = "", *, is_final: bool = True
    ) -> None:
        """Make it a dead letter, or let it be retried at once."""
        failure = Failure(
            delivery.stored().spec.id,
            delivery.token,
            error_type,
            message,
            traceback,
            retry_in_ms=None if is_final else 0,
            is_final=is_final,
        )
        await self._connection.request(Nack(self._connection.next_id(), [failure]))

    async def complete(self, delivery: Delivery, result: bytes, content_type: str) -> None:
        """Return."""
        success = Success(delivery.stored().spec.id, delivery.token, result, content_type)
        await self._connection.request(Ack(self._connection.next_id(), [success]))

    def log(self, delivery: Delivery, *lines: str, level: str = "info") -> None:
        """Log some lines."""
        task_id = delivery.stored().spec.id
        self._connection.send(
            ReportLog(0, [LogEntry(task_id, delivery.token, LOG_AT_MS, level, line) for line in lines])
        )

    def progress(self, delivery: Delivery, fraction: float, note: str) -> None:
        """Say how far it is."""
        self._connection.send(
            ReportProgress(0, [ProgressNote(delivery.stored().spec.id, delivery.token, fraction, note)])
        )

    async def close(self) -> None:
        """Go."""
        await self._connection.close()


async def dead_letters(
    address: str, queue: str, errors: Sequence[tuple[str, str]], *, payload: bytes = b"", content_type: str = ""
) -> list[str]:
    """A dead letter for each error, given as its type and message; their ids."""
    worker = await ScriptedWorker("undertaker", queue, ["send"]).connect(address)
    async with AsyncClient(address) as client:
        ids = []
        for error_type, message in errors:
            ids += [await client.submit_task(Task("send", payload, queue=queue, content_type=content_type))]
            await worker.fail(await worker.take(), error_type, message)
    await worker.close()
    return ids

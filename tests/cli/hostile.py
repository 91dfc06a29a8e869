"""A broker whose every text was chosen by somebody who wants to steer the terminal of whoever looks."""

import asyncio
import secrets
import unicodedata
from typing import NamedTuple

from tests.model.test_plain import HOSTILE
from tq.app.codec import ARGUMENTS, VALUE, encode
from tq.client.async_client import AsyncClient
from tq.client.connection import Connection
from tq.client.ids import new_id
from tq.client.task import Task
from tq.model.commands import (
    Ack,
    Failure,
    Fetch,
    Heartbeat,
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
from tq.model.ids import format_id
from tq.model.replies import Deliver, Delivery, Push, StackWanted
from tq.model.signatures import Parameter, TaskSignature
from tq.model.task import TaskOptions, TaskSpec

TEXT = "".join(text for name, text in HOSTILE.items() if name != "lone surrogate") + "\n\x1b[1A[red]forged[/red]\r"
"""Everything at once, but for what no text on the wire can hold."""
LINE = "[link=file:///etc/passwd]" + "x" * (1 << 20)
"""A line of a MiB."""
NAME = "[b]m\u05d0\u05d1\u0301\u65e5\u2028[/b]"
"""As hostile as the name of a queue, a type or a worker may be: markup, right-to-left letters, wide and combining
characters, and a line separator."""


class Stage(NamedTuple):
    """The broker, and one task in each state, all of them with hostile text in every place that takes text."""

    address: str
    queue: str
    worker: str
    dead: str
    dead_text: str
    completed: str
    cancelled: str
    running: str
    operation: str


class HostileWorker:
    """A worker whose introduction, notes, errors and results are hostile."""

    def __init__(self, name: str, queue: str, types: list[str]) -> None:
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        self._hello = WorkerHello(
            name,
            secrets.token_bytes(16),
            TEXT,
            1,
            types,
            [QueuePreference(queue)],
            version=TEXT,
            signatures=[TaskSignature(types[0], [Parameter(TEXT, [TEXT[:100]])])],
        )

    async def connect(self, address: str) -> None:
        hello = Hello(0, 1, TEXT, worker=self._hello)
        self._connection = await Connection.open(address, hello, on_push=self._pushed, timeout=10)

    def _pushed(self, push: Push) -> None:
        match push:
            case Deliver():
                for delivery in push.deliveries:
                    self._deliveries.put_nowait(delivery)
            case StackWanted():
                text = f"{TEXT}\n{LINE[:5_000]}"
                self._connection.send(StackTaken(0, push.number, "", TEXT[:100], 1, 1_000, TEXT, text))
            case _:
                pass

    async def take(self) -> Delivery:
        self._connection.send(Fetch(0, 1))
        async with asyncio.timeout(10):
            return await self._deliveries.get()

    async def fail(self, delivery: Delivery) -> None:
        spec = delivery.stored().spec
        trace = f"Traceback\n{TEXT}\n{LINE}"
        failure = Failure(spec.id, delivery.token, TEXT[:200], TEXT + LINE, trace, is_final=True)
        await self._connection.request(Nack(self._connection.next_id(), [failure]))

    async def succeed(self, delivery: Delivery, result: bytes) -> None:
        success = Success(delivery.stored().spec.id, delivery.token, result, VALUE)
        await self._connection.request(Ack(self._connection.next_id(), [success]))

    async def go_on(self, delivery: Delivery) -> None:
        """Report how far it is, and how the worker is."""
        note = ProgressNote(delivery.stored().spec.id, delivery.token, 0.5, TEXT)
        self._connection.send(ReportProgress(0, [note]))
        lines = [LogEntry(delivery.stored().spec.id, delivery.token, 1, level, TEXT) for level in ("info", TEXT[:20])]
        self._connection.send(ReportLog(0, lines))
        self._connection.send(Heartbeat(0, 1, note=TEXT))
        await self._connection.request(Ack(self._connection.next_id(), []))  # both have been read when this is answered

    async def close(self) -> None:
        await self._connection.close()


async def set_up(address: str) -> tuple[Stage, HostileWorker]:
    """Fill a broker; the worker holds the running task until it is closed."""
    queue, kind = f"{NAME}{secrets.token_hex(2)}", NAME
    worker = HostileWorker(f"{NAME}w", queue, [kind])
    async with AsyncClient(address) as client:
        await worker.connect(address)
        arguments = encode({TEXT: TEXT, "line": LINE[: 900 << 10]})
        kinds = [(arguments, ARGUMENTS), (TEXT.encode(), "text/plain"), (TEXT.encode(), ""), (b"{}", TEXT), (b"", "")]
        # Not made by Task, which would refuse such a content type.
        ids = await client.submit_specs(
            [
                TaskSpec(
                    new_id(),
                    kind,
                    data,
                    queue,
                    content_type=content_type,
                    options=TaskOptions(key=f"{NAME}{number}", tags=(NAME,)),
                )
                for number, (data, content_type) in enumerate(kinds)
            ]
        )
        for _ in ids[:2]:
            await worker.fail(await worker.take())
        await worker.succeed(await worker.take(), encode({TEXT: [TEXT, LINE[:1_000]]}))
        running = await worker.take()
        await worker.go_on(running)
        await client.cancel(ids[4], reason=TEXT)
        await client.submit_task(Task(kind, b"", queue=queue, delay="1h"))
        await client.submit_task(Task(kind, b"", queue=queue, delay="2h", tags=("purged",)))
        preview = await client.prepare("purge", f'tag:purged -"{NAME}x"')
        operation = await client.commit(preview.token, TEXT)
        await client.wait_for_operation(operation.id)
        await client.pause_queue(queue, reason=TEXT)
        assert format_id(running.stored().spec.id) == ids[3]
    dead, dead_text, completed, running_id, cancelled = ids
    stage = Stage(
        address=address,
        queue=queue,
        worker=f"{NAME}w",
        dead=dead,
        dead_text=dead_text,
        completed=completed,
        cancelled=cancelled,
        running=running_id,
        operation=operation.id.hex(),
    )
    return stage, worker


def acted_on(text: str) -> set[str]:
    """The characters of an output that a terminal would do something with, other than show them or end a line."""
    return {char for char in text if char != "\n" and (unicodedata.category(char)[0] == "C" or char in "\u2028\u2029")}

"""A real worker, parent and processes and all, against a broker that does what the test says."""

import asyncio
import itertools
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import msgspec

from tests.client.scripted import LIMITS, Peer, ScriptedBroker, scripted_broker, welcome
from tq.app.codec import ARGUMENTS, decode, encode
from tq.model.commands import (
    Ack,
    CancelledByWorker,
    Failure,
    Fetch,
    Hello,
    LeaseRef,
    Nack,
    Release,
    ReportProgress,
    Request,
    Success,
    WorkerDied,
    WorkerHello,
)
from tq.model.replies import Affected, CancelRun, Deliver, Delivery, FromBroker, Settled
from tq.model.settings import WorkerSettings
from tq.model.task import StoredTask, TaskSpec
from tq.worker.supervisor import SAME_SIGNAL_SECONDS

T = TypeVar("T")
R = TypeVar("R", bound=Request)
PATIENCE_SECONDS = 20.0
"""For anything that is waited for. Two cores, shared with other tests."""


class Broker:
    """Greets, settles what is reported, and keeps all that workers say.

    Attributes:
        is_settling: whether outcomes are answered.
        lost: what the next greetings say is lost.
        greets_with: answers the greeting of a worker, unless it gives None.
    """

    def __init__(self, scripted: ScriptedBroker) -> None:
        self.address = scripted.address
        self.requests: list[Request] = []
        self.peers: list[Peer] = []
        self.is_settling = True
        self.lost: list[bytes] = []
        self.heartbeat_interval_ms = 15_000
        self.greets_with: Callable[[Hello], FromBroker | None] = lambda hello: None
        self._tokens = itertools.count(1)
        self._ready: deque[Delivery] = deque()
        self._given: dict[LeaseRef, Delivery] = {}
        self._credit: dict[Peer, int] = {}
        self._delivered: dict[Peer, int] = {}
        self._news = asyncio.Event()
        scripted.greeting = self._greet
        scripted.answer = self._answer

    @property
    def hellos(self) -> list[WorkerHello]:
        """The greetings of workers so far."""
        return [request.worker for request in self.requests if isinstance(request, Hello) and request.worker]

    @property
    def peer(self) -> Peer:
        """The connection of the worker that came last."""
        return self.peers[-1]

    def _greet(self, peer: Peer, hello: Hello) -> None:
        self.requests.append(hello)
        self._news.set()
        if hello.worker is not None:
            self.peers.append(peer)
            reply = self.greets_with(hello)
            if reply is not None:
                peer.send(reply)
                return
        limits = msgspec.structs.replace(LIMITS, heartbeat_interval_ms=self.heartbeat_interval_ms)
        peer.send(msgspec.structs.replace(welcome(limits=limits), lost=self.lost))

    def _answer(self, peer: Peer, request: Request) -> None:
        self.requests.append(request)
        if self.is_settling and isinstance(request, (Ack, Nack, Release, CancelledByWorker)):
            peer.send(Settled(request.request_id))
        if isinstance(request, Fetch):
            if request.seen is None:
                self._credit[peer] = self._credit.get(peer, 0) + request.credit
            else:
                self._credit[peer] = request.credit + request.seen - self._delivered.get(peer, 0)
            self._dispatch()
        elif isinstance(request, Release) and not request.delay_ms:
            for ref in request.leases:
                if ref in self._given:
                    self._ready.appendleft(self._given.pop(ref))
            self._dispatch()
        elif isinstance(request, WorkerDied):
            peer.send(Affected(request.request_id, 1))
        self._news.set()

    async def until(self, look: Callable[[], T | None], what: str = "") -> T:
        """What `look` gives, as soon as that is something."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (found := look()) is None:
                    self._news.clear()
                    await self._news.wait()
                return found
        except TimeoutError:
            requests = "\n".join(map(repr, self.requests[-30:]))
            raise AssertionError(f"no {what or 'such request'} among\n{requests}") from None

    async def next(self, kind: type[R], where: Callable[[R], bool] = lambda request: True) -> R:
        """The first request of a kind for which `where` holds."""

        def look() -> R | None:
            return next((one for one in self.requests if isinstance(one, kind) and where(one)), None)

        return await self.until(look, kind.__name__)

    async def worker(self, number: int = 1) -> WorkerHello:
        """The greeting of the nth connection of a worker, once it wants tasks."""
        hello = await self.until(lambda: self.hellos[number - 1] if len(self.hellos) >= number else None, "greeting")
        await self.until(lambda: True if any(isinstance(one, Fetch) for one in self.since_hello()) else None, "Fetch")
        return hello

    def since_hello(self) -> list[Request]:
        """What came after the latest greeting of a worker."""
        last = max(
            index for index, one in enumerate(self.requests) if isinstance(one, Hello) and one.worker is not None
        )
        return self.requests[last + 1 :]

    def deliver(self, task_type: str, *, timeout_ms: int = 300_000, attempt: int = 1, **arguments: Any) -> int:
        """A task for the worker that came last, as soon as it wants one; its token. Handed back, it comes again: on a
        busy machine a worker may not start it in time."""
        delivery = self.delivery(task_type, timeout_ms=timeout_ms, attempt=attempt, **arguments)
        self._ready.append(delivery)
        self._dispatch()
        return delivery.token

    def push(self, task_type: str, *, peer: Peer | None = None, **arguments: Any) -> int:
        """A task that nobody asked for, sent once; its token."""
        delivery = self.delivery(task_type, **arguments)
        self.send(Deliver([delivery]), peer=peer)
        return delivery.token

    def push_at_once(self, deliveries: list[Delivery]) -> None:
        """Tasks that nobody asked for, in one message; what is handed back of them comes again when it is wanted."""
        self._given |= {ref_of(delivery.token): delivery for delivery in deliveries}
        self.send(Deliver(deliveries))

    def _dispatch(self) -> None:
        while self.peers and self._ready and self._credit.get(self.peer, 0) > 0:
            delivery = self._ready.popleft()
            self._given[ref_of(delivery.token)] = delivery
            self._credit[self.peer] -= 1
            self.send(Deliver([delivery]))

    def delivery(self, task_type: str, *, timeout_ms: int = 300_000, attempt: int = 1, **arguments: Any) -> Delivery:
        """A leased task, not sent yet."""
        token = next(self._tokens)
        spec = TaskSpec(task_id_of(token), task_type, encode(arguments), timeout_ms=timeout_ms, content_type=ARGUMENTS)
        return Delivery(token, attempt, msgspec.Raw(msgspec.msgpack.encode(StoredTask(1_000, 1, 0, 0, spec))))

    def send(self, *messages: FromBroker, peer: Peer | None = None) -> None:
        peer = peer or self.peer
        count = sum(len(one.deliveries) for one in messages if isinstance(one, Deliver))
        self._delivered[peer] = self._delivered.get(peer, 0) + count
        peer.send(*messages)

    def successes(self) -> list[Success]:
        return [success for one in self.requests if isinstance(one, Ack) for success in one.successes]

    async def result(self, token: int) -> Any:
        """What the handler of a lease returned."""

        def look() -> Success | None:
            return next((one for one in self.successes() if one.token == token), None)

        success = await self.until(look, f"Success {token}")
        return decode(success.result) if success.result else None

    async def failure(self, token: int) -> Failure:
        """How the handler of a lease failed."""

        def look() -> Failure | None:
            failures = [failure for one in self.requests if isinstance(one, Nack) for failure in one.failures]
            return next((one for one in failures if one.token == token), None)

        return await self.until(look, f"Failure {token}")

    async def released(self, token: int) -> Release:
        """The request that hands a lease back."""
        return await self.next(Release, lambda request: ref_of(token) in request.leases)

    async def cancelled(self, token: int) -> CancelledByWorker:
        """The request that says that a handler stopped because its task was cancelled."""
        return await self.next(CancelledByWorker, lambda request: ref_of(token) in request.leases)

    async def stop(self, *tokens: int) -> None:
        """Cancel tasks, and wait until their slots are free."""
        self.send(*(CancelRun(task_id_of(token), token) for token in tokens))
        for token in tokens:
            await self.until(lambda: True if self.is_settled(token) else None, f"end of {token}")  # noqa: B023

    def is_settled(self, token: int) -> bool:
        """Whether anything was reported of the end of a lease."""
        ref = ref_of(token)
        return any(
            (isinstance(one, Ack) and any(success.token == token for success in one.successes))
            or (isinstance(one, Nack) and any(failure.token == token for failure in one.failures))
            or (isinstance(one, (Release, CancelledByWorker)) and ref in one.leases)
            for one in self.requests
        )

    async def progress(self, token: int) -> str:
        """The first note of a handler; most say "started"."""
        request = await self.next(ReportProgress, lambda one: any(note.token == token for note in one.notes))
        return next(note.note for note in request.notes if note.token == token)


def task_id_of(token: int) -> bytes:
    return token.to_bytes(16, "big")


def ref_of(token: int) -> LeaseRef:
    return LeaseRef(task_id_of(token), token)


class Worker:
    """The parent process of a worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pid = process.pid
        self.lines: list[str] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.lines.append(line.decode().rstrip("\n"))
            self._news.set()

    def events(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    async def logged(self, message: str) -> dict[str, Any]:
        """The first event whose message begins so."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    for event in self.events():
                        if event["message"].startswith(message):
                            return event
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError("\n".join(self.lines)) from None

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def send_signal_again(self, number: signal.Signals) -> None:
        """So much later that it is another signal."""
        await asyncio.sleep(SAME_SIGNAL_SECONDS + 0.1)
        self.send_signal(number)

    async def ended(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await self.process.wait()
            await asyncio.shield(self._reading)
        return code


@asynccontextmanager
async def a_broker() -> AsyncIterator[Broker]:
    async with scripted_broker() as scripted:
        yield Broker(scripted)


@asynccontextmanager
async def a_worker(address: str, app: str = "tests.worker.sample:app", **settings: Any) -> AsyncIterator[Worker]:
    """A running worker; told to stop at once, or killed, at the end."""
    settings = {"concurrency": 4, "name": "w", "graceful_shutdown_timeout_secs": 30} | settings
    document = msgspec.json.encode(msgspec.convert(settings, WorkerSettings)).decode()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.worker.launch", app, address, document, stderr=asyncio.subprocess.PIPE
    )
    worker = Worker(process)
    try:
        yield worker
    finally:
        with suppress(ProcessLookupError):
            worker.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(worker.ended(), SAME_SIGNAL_SECONDS + 0.1)
            worker.send_signal(signal.SIGINT)
            with suppress(TimeoutError):
                await worker.ended()
            process.kill()
        await worker.ended()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

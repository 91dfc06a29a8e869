"""Those who use the broker while it is killed: producers, workers, an operator, a clerk who looks things up.

Each repeats with the same ids what was not answered, as docs/protocol.md says, and tells the ledger what was.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from tests.crash.ledger import Ledger
from tq.client.connection import Connection
from tq.client.ids import new_id
from tq.model.commands import (
    Ack,
    Cancel,
    CommitOperation,
    Failure,
    Fetch,
    GetTask,
    Hello,
    LeaseRef,
    Nack,
    PrepareOperation,
    Release,
    Request,
    Submit,
    Success,
    WorkerHello,
)
from tq.model.errors import (
    ConnectFailed,
    ConnectionLost,
    DiskFull,
    OutcomeUnknown,
    PreviewExpired,
    ShuttingDown,
    TaskNotFound,
)
from tq.model.operations import Action
from tq.model.replies import (
    Affected,
    Deliver,
    Delivery,
    OperationReply,
    Prepared,
    Push,
    Reply,
    Settled,
    Submitted,
    TaskReply,
)
from tq.model.task import RetryPolicy, TaskOptions, TaskSpec

T = TypeVar("T")
R = TypeVar("R", bound=Reply)

AGAIN = (ConnectionLost, ConnectFailed, OutcomeUnknown, ShuttingDown, DiskFull)
"""What is answered by asking again."""

BACKLOG_MAX = 2_000
"""Open tasks above which the producers wait."""

ACTIONS = b"a" * 80 + b"r" * 7 + b"d" * 4 + b"h" * 4 + b"s" * 5
CRASHES = 0.002
"""What a worker does with a task, by the first byte of its payload: ack, nack, bury, hand back, snooze. Or crash."""


class Town:
    """Where the actors live: the broker's address, and whether somebody answers there.

    Attributes:
        is_over: nothing new is begun.
    """

    def __init__(self, address: str, ledger: Ledger, random: Random) -> None:
        self.address = address
        self.ledger = ledger
        self.random = random
        self.is_over = False
        self._is_up = asyncio.Event()

    def open(self) -> None:
        """A broker serves."""
        self.ledger.start_boot()
        self._is_up.set()

    def close(self) -> None:
        """It is about to be killed."""
        self._is_up.clear()

    async def connect(self, hello: Hello, on_push: Callable[[Push], None]) -> tuple[Connection, int]:
        """A connection to whichever broker serves next, and the number of its boot."""
        while True:
            await self._is_up.wait()
            boot = self.ledger.boot
            try:
                return await Connection.open(self.address, hello, on_push=on_push, timeout=10), boot
            except AGAIN:
                await asyncio.sleep(0.01)  # killed meanwhile: `close` came, or comes now

    async def room(self) -> None:
        """Until the backlog is small enough."""
        while len(self.ledger.open) > BACKLOG_MAX and not self.is_over:
            await asyncio.sleep(0.01)  # settled by others, one by one


class Line:
    """One connection, made again whenever it is lost."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()

    async def connection(self) -> Connection:
        async with self._lock:
            if self._connection is None or self._connection.is_ended:
                self._connection, _ = await self.town.connect(Hello(0, 1, "crash"), lambda push: None)
            return self._connection

    async def ask(self, make: Callable[[int], Request], kind: type[R]) -> R:
        """Ask until it is answered."""
        while True:
            connection = await self.connection()
            try:
                reply = await connection.request(make(connection.next_id()))
            except AGAIN:
                await asyncio.sleep(0.005)
                continue
            assert isinstance(reply, kind), reply
            return reply

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


def a_spec(random: Random) -> TaskSpec:
    """A task of any kind."""
    size = random.choice((0, 10, 100, 100, 300, 20_000 if random.random() < 0.05 else 200))
    action = ord("c") if random.random() < CRASHES else random.choice(ACTIONS)
    payload = bytes([action]) + random.randbytes(size)
    options = None
    if random.random() < 0.4:
        options = TaskOptions(
            delay_ms=random.choice((0, 0, 1, 20, 200)),
            expires_ms=random.choice((None, None, None, 30)),
            key=f"key-{random.randrange(2_000)}" if random.random() < 0.3 else None,
            max_crashes=1_000,
            retry=RetryPolicy(backoff_ms_base=10, backoff_ms_max=50),
        )
    return TaskSpec(
        new_id(),
        random.choice(("mail", "resize")),
        payload,
        random.choice(("default", "other")),
        random.choice((0, 128, 255)),
        max_retries=3,
        options=options,
    )


async def produce(line: Line, tasks_max: int) -> None:
    """Submit so many or fewer at a time, until the town is over."""
    town = line.town
    while not town.is_over:
        await town.room()
        specs = [a_spec(town.random) for _ in range(town.random.randint(1, tasks_max))]
        for spec in specs:
            town.ledger.intend(spec)
        reply = await line.ask(lambda request_id, specs=specs: Submit(request_id, specs), Submitted)  # type: ignore[misc]
        town.ledger.submitted(specs, {known.index: known.task_id for known in reply.existing})


async def operate(line: Line) -> None:
    """Cancel some tasks, and retry the dead ones."""
    town, ledger, random = line.town, line.town.ledger, line.town.random
    while not town.is_over:
        await asyncio.sleep(0.005)  # an operator is slower than a machine
        if ledger.recent:
            task_id = random.choice(ledger.recent[-random.choice((20, 3_000)) :])
            was_completed = ledger.will_cancel(task_id)
            await _about(ledger, task_id, _cancel(line, task_id, was_completed))
        if ledger.dead and random.random() < 0.2:
            task_id = random.choice(sorted(ledger.dead))
            ledger.will_retry(task_id)
            await _about(ledger, task_id, _retry(line, task_id))


async def _cancel(line: Line, task_id: bytes, was_completed: bool) -> None:
    reply = await line.ask(lambda request_id: Cancel(request_id, [task_id]), Affected)
    if reply.count:
        line.town.ledger.cancelled(task_id, was_completed=was_completed)


async def _retry(line: Line, task_id: bytes) -> None:
    # Two ids, one of them unknown: being no dead letter is then no error but skipped.
    ids = [task_id, bytes(16)]
    prepared = await line.ask(lambda request_id: PrepareOperation(request_id, Action.RETRY, "", ids), Prepared)
    try:
        await line.ask(lambda request_id: CommitOperation(request_id, prepared.token), OperationReply)
    except PreviewExpired:
        return  # the broker was killed meanwhile, and nothing was done
    line.town.ledger.retried(task_id)


async def _about(ledger: Ledger, task_id: bytes, asking: Awaitable[None]) -> None:
    try:
        await asking
    except TaskNotFound:
        ledger.missing(task_id)


async def look_up(line: Line) -> None:
    """Look whether what was acknowledged is there, and try tokens that were used before."""
    town, ledger, random = line.town, line.town.ledger, line.town.random
    while not town.is_over:
        await asyncio.sleep(0.005)
        if ledger.recent:
            await look_at(line, random.choice(ledger.recent))
        for old in (ledger.settled, ledger.superseded):
            if old:
                task_id, token = old.pop(-1 if old is ledger.superseded else random.randrange(len(old)))
                await _try_again(line, task_id, token)


async def _try_again(line: Line, task_id: bytes, token: int) -> None:
    ledger = line.town.ledger
    ledger.will_ack(task_id, token)
    again = Success(task_id, token, b"%d" % token)
    reply = await line.ask(lambda request_id: Ack(request_id, [again]), Settled)
    ledger.repeated(task_id, token, is_settled=not reply.lost)


async def look_at(line: Line, task_id: bytes) -> None:
    """What the broker says of one task."""

    async def look() -> None:
        completed = line.town.ledger.entries[task_id].completed
        reply = await line.ask(lambda request_id: GetTask(request_id, task_id), TaskReply)
        line.town.ledger.check_view(reply.task, completed)

    await _about(line.town.ledger, task_id, look())


class Worker:
    """A worker as docs/protocol.md describes it, in few lines: it reports the token as the result.

    When it "crashes" it comes back as another incarnation that knows nothing of what it held, and its reports under way
    come late, under its old tokens.
    """

    def __init__(self, town: Town, name: str, credit: int) -> None:
        self.town = town
        self._name = name
        self._credit = credit
        self._incarnation = new_id()
        self._held: dict[bytes, int] = {}
        self._connection: Connection | None = None
        self._boot = 0
        self._is_connected = asyncio.Event()
        self._work: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            held = [LeaseRef(task_id, token) for task_id, token in self._held.items()]
            incarnation = self._incarnation
            hello = WorkerHello(self._name, incarnation, "here", 1, ["mail", "resize"], held=held)
            self._connection = None
            self._connection, self._boot = await self.town.connect(Hello(0, 1, worker=hello), self._on_push)
            if incarnation != self._incarnation:  # it crashed while it connected, and holds nothing of this
                await self._connection.close()
                continue
            for task_id in self._connection.welcome.lost:
                self._held.pop(task_id, None)
            self._fetch(max(1, self._credit - len(self._held)))
            self._is_connected.set()
            await asyncio.shield(self._connection.closed)
            self._is_connected.clear()

    async def finish(self) -> None:
        """Until all that it reports is answered."""
        while self._work:
            await asyncio.wait(self._work)

    async def close(self) -> None:
        """Stop in the middle."""
        for work in self._work:
            work.cancel()
        if self._connection is not None:
            await self._connection.close()

    def _on_push(self, push: Push) -> None:
        if isinstance(push, Deliver):
            work = asyncio.create_task(self._handle(push.deliveries, self._boot))
            self._work.add(work)
            work.add_done_callback(self._done)

    def _done(self, work: "asyncio.Task[None]") -> None:
        self._work.discard(work)
        if not work.cancelled() and (failure := work.exception()) is not None:
            self.town.ledger.violations.append(f"{self._name} was answered with {failure!r}")

    async def _handle(self, deliveries: list[Delivery], boot: int) -> None:
        ledger, random = self.town.ledger, self.town.random
        done, failed, buried, handed_back, snoozed = [], [], [], [], []
        crashes = False
        for delivery in deliveries:
            spec = delivery.stored().spec
            times = ledger.delivered(spec.id, delivery.token, boot)
            self._held[spec.id] = delivery.token
            ref = LeaseRef(spec.id, delivery.token)
            match chr(spec.payload[0]) if times == 1 else "a":
                case "r":
                    failed.append(ref)
                case "d":
                    buried.append(ref)
                case "h":
                    handed_back.append(ref)
                case "s":
                    snoozed.append(ref)
                case "c":
                    crashes = True
                case _:
                    done.append(ref)
        await asyncio.sleep(random.choice((0, 0, 0.001, 0.01, 0.05)))  # what handlers take
        if crashes:
            await self._crash()
        if done:
            await self._ack(done)
        if failed:
            await self._nack(failed, is_final=False)
        if buried:
            await self._nack(buried, is_final=True)
        for refs, delay_ms in ((handed_back, 0), (snoozed, 20)):
            if refs:
                await self._settle(lambda request_id, r=refs, d=delay_ms: Release(request_id, r, d))  # type: ignore[misc]
        self._fetch(len(deliveries))
        for ref in (*done, *failed, *buried, *handed_back, *snoozed):
            if self._held.get(ref.task_id) == ref.token:
                del self._held[ref.task_id]

    async def _crash(self) -> None:
        self._incarnation = new_id()
        self._held.clear()
        if self._connection is not None:
            await self._connection.close()

    def _fetch(self, credit: int) -> None:
        if self._connection is not None and not self._connection.is_ended:
            self._connection.send(Fetch(self._connection.next_id(), credit))

    async def _ack(self, refs: list[LeaseRef]) -> None:
        ledger = self.town.ledger
        for ref in refs:
            ledger.will_ack(ref.task_id, ref.token)
        successes = [Success(ref.task_id, ref.token, b"%d" % ref.token) for ref in refs]
        lost = await self._settle(lambda request_id: Ack(request_id, successes))
        for ref in refs:
            ledger.acked(ref.task_id, ref.token, is_settled=ref.task_id not in lost)

    async def _nack(self, refs: list[LeaseRef], *, is_final: bool) -> None:
        if is_final:
            for ref in refs:
                self.town.ledger.will_bury(ref.task_id)
        failures = [Failure(ref.task_id, ref.token, "Broken", "as told", is_final=is_final) for ref in refs]
        lost = await self._settle(lambda request_id: Nack(request_id, failures))
        for ref in refs:
            settled = ref.task_id not in lost
            self.town.ledger.failed(ref.task_id, ref.token, is_final=is_final, is_settled=settled)

    async def _settle(self, make: Callable[[int], Request]) -> set[bytes]:
        """Report until it is answered; which leases were lost."""
        while True:
            await self._is_connected.wait()
            assert self._connection is not None
            try:
                reply = await self._connection.request(make(self._connection.next_id()))
            except AGAIN:
                await asyncio.sleep(0.005)
                continue
            assert isinstance(reply, Settled), reply
            return set(reply.lost)

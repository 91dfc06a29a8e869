"""An engine on a bench: over rows in memory, with a clock that the test moves, and every batch inspected."""

from collections import defaultdict
from typing import TypeVar

from tests.engine.invariants import violations
from tests.engine.rows import Rows
from tq.engine.bounds import BOUNDS, Bounds
from tq.engine.engine import Engine
from tq.engine.tables import Writes
from tq.model.commands import (
    Ack,
    CommitOperation,
    Extend,
    Failure,
    Fetch,
    GetOperation,
    GetTask,
    Heartbeat,
    Hello,
    LeaseRef,
    ListQueues,
    Nack,
    PrepareOperation,
    QueuePreference,
    Release,
    Request,
    Submit,
    Success,
    WorkerHello,
)
from tq.model.operations import RATE_MAX, Action, Operation
from tq.model.replies import (
    Deliver,
    Delivery,
    OperationReply,
    Prepared,
    Push,
    QueuePage,
    Reply,
    Settled,
    Submitted,
    TaskReply,
)
from tq.model.settings import BrokerSettings, PersistenceSettings, Settings
from tq.model.stats import QueueStats
from tq.model.task import NORMAL, State, TaskOptions, TaskSpec, TaskView

NOW_MS = 1_700_000_000_000
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
CLIENT = 1
"""The session of whoever submits and operates."""

R = TypeVar("R", bound=Reply)


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def task(
    number: int,
    *,
    task_type: str = "mail",
    payload: bytes = b"",
    queue: str = "default",
    priority: int = NORMAL,
    timeout_ms: int = 300_000,
    max_retries: int = 3,
    options: TaskOptions | None = None,
) -> TaskSpec:
    return TaskSpec(id_of(number), task_type, payload, queue, priority, timeout_ms, max_retries, "", options)


def number_of(delivery: Delivery) -> int:
    return int.from_bytes(delivery.stored().spec.id, "big")


class Rig:
    """Engine, rows, clock, and what was sent to each session."""

    def __init__(
        self,
        *,
        broker: BrokerSettings | None = None,
        persistence: PersistenceSettings | None = None,
        bounds: Bounds = BOUNDS,
        seed: int = 1,
    ) -> None:
        self.settings = Settings(broker=broker or BrokerSettings(), persistence=persistence or PersistenceSettings())
        self.bounds = bounds
        self.seed = seed
        self.rows = Rows()
        self.now_ms = NOW_MS
        self.sent: dict[int, list[Reply | Push]] = defaultdict(list)
        self.sessions = CLIENT
        self.writes: Writes = ()
        self.engine = self._open()

    def _open(self) -> Engine:
        engine = Engine(self.rows, self.settings, self.seed, self.bounds)
        engine.open(self.now_ms)
        return engine

    # -- the shell's part -------------------------------------------------------------------------------------------

    def step(self, request: Request, session: int = CLIENT) -> Reply | None:
        """One request, without the turn that follows it."""
        return self.engine.step(session, request, self.now_ms)

    def commit(self) -> None:
        """Take, apply, send; the rows must be sound then."""
        self.writes, messages = self.engine.take()
        self.rows.apply(self.writes)
        for session, message in messages:
            self.sent[session].append(message)

    def turn(self) -> None:
        """Advance and commit until nothing more is due at this moment."""
        self.engine.advance(self.now_ms)
        while (deadline_ms := self.engine.next_deadline_ms()) is not None and deadline_ms <= self.now_ms:
            self.commit()
            self.engine.advance(self.now_ms)
        self.commit()
        broken = violations(self.rows, self.now_ms)
        assert not broken, "\n".join(broken)

    def ask(self, request: Request, kind: type[R], session: int = CLIENT) -> R:
        """One request and its turn; the reply, of the kind expected."""
        reply = self.step(request, session)
        self.turn()
        assert isinstance(reply, kind)
        return reply

    def pass_time(self, length_ms: int) -> None:
        """Time passes, and the engine is called when it asked to be."""
        end_ms = self.now_ms + length_ms
        while (deadline_ms := self.engine.next_deadline_ms()) is not None and deadline_ms < end_ms:
            self.now_ms = max(self.now_ms, deadline_ms)
            self.turn()
        self.now_ms = end_ms
        self.turn()

    def jump(self, length_ms: int) -> None:
        """The machine slept, or its clock was put forward: nobody called the engine meanwhile."""
        self.now_ms += length_ms
        self.turn()

    def restart(self) -> None:
        """A new engine over what was applied; what was not is lost, and so are all connections."""
        self.engine = self._open()
        self.turn()

    def disconnect(self, session: int) -> None:
        self.engine.disconnect(session, self.now_ms)
        self.turn()

    def take_sent(self, session: int) -> list[Reply | Push]:
        return self.sent.pop(session, [])

    # -- what a client does -----------------------------------------------------------------------------------------

    def submit(self, *specs: TaskSpec) -> Submitted:
        return self.ask(Submit(1, list(specs)), Submitted)

    # -- what an operator does --------------------------------------------------------------------------------------

    def prepare(self, request: PrepareOperation) -> Prepared:
        """A preview, however long it takes to count."""
        reply = self.step(request)
        self.turn()
        if reply is None:
            (reply,) = [message for message in self.take_sent(CLIENT) if isinstance(message, Prepared)]
        assert isinstance(reply, Prepared)
        assert reply.request_id == request.request_id
        return reply

    def operate(
        self, action: Action, selector: str = "", *numbers: int, rate: int = RATE_MAX, is_hard: bool = False
    ) -> Operation:
        """Prepare, commit, and give the engine its turn."""
        ids = [id_of(number) for number in numbers]
        prepared = self.prepare(PrepareOperation(7, action, selector, ids, is_hard))
        return self.commit_operation(prepared.token, rate=rate)

    def commit_operation(self, token: bytes, *, rate: int = RATE_MAX, reason: str = "") -> Operation:
        """Start what was prepared, and give the engine its turn."""
        self.ask(CommitOperation(8, token, reason, rate), OperationReply)
        return self.operation(token)

    def operation(self, operation_id: bytes) -> Operation:
        """An operation as it is now."""
        reply = self.step(GetOperation(9, operation_id.hex()))
        assert isinstance(reply, OperationReply)
        return reply.operation

    # -- what is seen -----------------------------------------------------------------------------------------------

    def view(self, number: int) -> TaskView:
        reply = self.step(GetTask(1, id_of(number)))
        assert isinstance(reply, TaskReply)
        return reply.task

    def state(self, number: int) -> State:
        return self.view(number).state

    def queue(self, name: str = "default") -> QueueStats:
        reply = self.step(ListQueues(1))
        assert isinstance(reply, QueuePage)
        return next(queue for queue in reply.queues if queue.name == name)

    def worker(
        self,
        name: str = "w",
        *,
        types: tuple[str, ...] = ("mail",),
        queues: dict[str, int] | None = None,
        credit: int = 0,
    ) -> "Hand":
        """A worker that has just connected."""
        hello = WorkerHello(
            name,
            name.encode().ljust(16, b"."),
            "host",
            7,
            list(types),
            [QueuePreference(queue, priority) for queue, priority in (queues or {}).items()],
        )
        hand = Hand(self, hello)
        hand.connect()
        if credit:
            hand.step(Fetch(0, credit))
            self.turn()
        return hand


class Hand:
    """One incarnation of a worker, as the engine sees it: only what the test says happens."""

    def __init__(self, rig: Rig, hello: WorkerHello) -> None:
        self.rig = rig
        self.hello = hello
        self.session = 0

    def connect(self, *held: Delivery) -> list[bytes]:
        """A new connection, claiming to hold these; which of them are lost."""
        self.rig.sessions += 1
        self.session = self.rig.sessions
        hello = WorkerHello(
            self.hello.name,
            self.hello.incarnation,
            self.hello.host,
            self.hello.pid,
            self.hello.task_types,
            self.hello.queues,
            held=[ref(delivery) for delivery in held],
            signatures=self.hello.signatures,
        )
        return self.rig.ask(Hello(1, 1, worker=hello), Settled, self.session).lost

    def step(self, request: Request) -> Reply | None:
        return self.rig.step(request, self.session)

    def deliveries(self) -> list[Delivery]:
        """What came since this was last asked."""
        came = self.rig.take_sent(self.session)
        self.rig.sent[self.session] = [message for message in came if not isinstance(message, Deliver)]
        return [delivery for message in came if isinstance(message, Deliver) for delivery in message.deliveries]

    def fetch(self, credit: int) -> list[Delivery]:
        self.step(Fetch(0, credit))
        self.rig.turn()
        return self.deliveries()

    def fetch_one(self) -> Delivery:
        (delivery,) = self.fetch(1)
        return delivery

    def numbers(self, credit: int) -> list[int]:
        """The tasks that a fetch brings, by number."""
        return [number_of(delivery) for delivery in self.fetch(credit)]

    def ack(self, *done: Delivery, result: bytes = b"") -> list[bytes]:
        successes = [Success(delivery.stored().spec.id, delivery.token, result) for delivery in done]
        return self.rig.ask(Ack(1, successes), Settled, self.session).lost

    def nack(
        self,
        *failed: Delivery,
        error_type: str = "ValueError",
        message: str = "no",
        traceback: str = "",
        retry_in_ms: int | None = None,
        is_final: bool = False,
        is_timeout: bool = False,
    ) -> list[bytes]:
        failures = [
            Failure(
                delivery.stored().spec.id,
                delivery.token,
                error_type,
                message,
                traceback,
                retry_in_ms,
                is_final,
                is_timeout,
            )
            for delivery in failed
        ]
        return self.rig.ask(Nack(1, failures), Settled, self.session).lost

    def release(self, *unrun: Delivery, delay_ms: int = 0) -> list[bytes]:
        leases = [ref(delivery) for delivery in unrun]
        return self.rig.ask(Release(1, leases, delay_ms), Settled, self.session).lost

    def extend(self, *running: Delivery, extend_ms: int) -> list[bytes]:
        leases = [ref(delivery) for delivery in running]
        return self.rig.ask(Extend(1, leases, extend_ms), Settled, self.session).lost

    def beat(self) -> None:
        self.step(Heartbeat(0))
        self.rig.turn()

    def disconnect(self) -> None:
        self.rig.disconnect(self.session)


def ref(delivery: Delivery) -> LeaseRef:
    return LeaseRef(delivery.stored().spec.id, delivery.token)

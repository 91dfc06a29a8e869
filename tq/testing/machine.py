"""The engine of production over a store in memory, with a clock that stands still until it is moved.

Everything of a broker but the sockets, the disk and the passing of time. No handlers here: what is leased is for
others to run.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from tq.engine.engine import Engine
from tq.model.commands import (
    Ack,
    Cancel,
    CancelledByWorker,
    Failure,
    Fetch,
    GetTask,
    Heartbeat,
    Hello,
    LeaseRef,
    Nack,
    ProgressNote,
    QueuePreference,
    Release,
    ReportProgress,
    Request,
    Submit,
    Success,
    Wait,
    WorkerDied,
    WorkerHello,
)
from tq.model.errors import LeaseLost, TaskNotFound
from tq.model.ids import format_id, make_id
from tq.model.replies import Affected, CancelRun, Deliver, OutcomeReply, Push, Reply, Settled, Submitted, TaskReply
from tq.model.settings import Settings
from tq.model.task import Outcome, State, StoredTask, TaskSpec, TaskView
from tq.protocol.codec import PROTOCOL_VERSION
from tq.storage.memory import MemoryStore

_R = TypeVar("_R", bound=Reply)
_PRODUCER = 0
WORKER = "tq_app"


class Leased(msgspec.Struct, frozen=True):
    """A task that a worker holds."""

    session: int
    lease: LeaseRef
    attempt: int
    stored: StoredTask


class Machine:
    """A broker without a process. For any thread; each call is carried out whole before the next.

    Args:
        on_cancel: told of a task that is to stop while it runs.
    """

    def __init__(self, on_cancel: Callable[[LeaseRef], None]) -> None:
        self.now_ms = time.time_ns() // 1_000_000
        self._on_cancel = on_cancel
        self._lock = threading.RLock()
        self._store = MemoryStore()
        self._engine = Engine(self._store, Settings(), seed=0)
        self._engine.open(self.now_ms)
        self._sessions = 0
        self._incarnations: dict[int, bytes] = {}
        self._delivered: list[Leased] = []

    def make_id(self) -> bytes:
        """A task id of the clock's moment."""
        return make_id(self.now_ms, os.urandom(10))

    def submit(self, specs: Sequence[TaskSpec]) -> tuple[list[bytes], list[TaskSpec]]:
        """Take tasks: their ids, and those of them that were not there already."""
        reply = self._ask(Submit(1, list(specs)), Submitted)
        ids = [spec.id for spec in specs]
        known = {existing.index for existing in reply.existing}
        for existing in reply.existing:
            ids[existing.index] = existing.task_id
        return ids, [spec for index, spec in enumerate(specs) if index not in known]

    def get(self, task_id: bytes) -> TaskView:
        """All of a task. Raises TaskNotFound."""
        return self._ask(GetTask(1, task_id), TaskReply).task

    def state(self, task_id: bytes) -> State | None:
        """Where a task is in its life; None if its record is gone."""
        try:
            return self.get(task_id).state
        except TaskNotFound:
            return None

    def outcome(self, task_id: bytes) -> Outcome | None:
        """How a task ended; None if it has not. Raises TaskNotFound."""
        if not self.get(task_id).state.is_final:
            return None
        return self._ask(Wait(1, task_id, 0), OutcomeReply).outcome

    def cancel(self, task_id: bytes, reason: str) -> bool:
        """Whether there was anything to stop. Raises TaskNotFound."""
        return self._ask(Cancel(1, [task_id], reason), Affected).count > 0

    def register(self, task_types: Sequence[str], queue: str | None) -> int:
        """A worker connects, for one queue or for all: its session."""
        with self._lock:
            self._sessions += 1
            session, incarnation = self._sessions, os.urandom(16)
            queues = [] if queue is None else [QueuePreference(queue)]
            worker = WorkerHello(WORKER, incarnation, "localhost", os.getpid(), list(task_types), queues)
            self._step(session, Hello(1, PROTOCOL_VERSION, WORKER, worker=worker))
            self._incarnations[session] = incarnation
            return session

    def lease(self, session: int) -> Leased | None:
        """The next task for a worker, if one is ready."""
        with self._lock:
            # Taken back at once if nothing is ready: a later submit must not be leased while nobody looks.
            self._step(session, Fetch(0, credit=1))
            leased = self._delivered.pop() if self._delivered else None
            if leased is None:
                self._step(session, Fetch(0, credit=0, seen=0))
            return leased

    def settle(self, report: Success | Failure) -> None:
        """A handler ended. Raises LeaseLost."""
        if isinstance(report, Success):
            self._settled(Ack(1, [report]), report.task_id)
        else:
            self._settled(Nack(1, [report]), report.task_id)

    def release(self, lease: LeaseRef, delay_ms: int) -> None:
        """A task comes back unrun, or not before `delay_ms` from now. Raises LeaseLost."""
        self._settled(Release(1, [lease], delay_ms), lease.task_id)

    def stopped(self, lease: LeaseRef) -> None:
        """A handler stopped because it was cancelled. Raises LeaseLost."""
        self._settled(CancelledByWorker(1, [lease]), lease.task_id)

    def report_progress(self, lease: LeaseRef, fraction: float, note: str) -> None:
        """A handler says how far it is."""
        self._step(_PRODUCER, ReportProgress(0, [ProgressNote(lease.task_id, lease.token, fraction, note)]))

    def crash(self, session: int) -> None:
        """A worker is killed, and its supervisor says so."""
        with self._lock:
            incarnation = self._incarnations.pop(session)
            self._ask(WorkerDied(1, incarnation, signal="SIGKILL", host="localhost"), Affected)

    def leave(self, session: int) -> None:
        """A worker that holds nothing goes away."""
        with self._lock:
            self._incarnations.pop(session)
            self._engine.disconnect(session, self.now_ms)
            self._turn()

    def advance(self, to_ms: int) -> None:
        """Move the clock, doing on the way what falls due, each at its moment."""
        with self._lock:
            while (moment_ms := self.next_deadline_ms()) is not None and moment_ms <= to_ms:
                self._move(moment_ms)
            self._move(to_ms)

    def next_deadline_ms(self) -> int | None:
        """When something falls due; never before now."""
        moment_ms = self._engine.next_deadline_ms()
        return None if moment_ms is None else max(self.now_ms, moment_ms)

    def _move(self, to_ms: int) -> None:
        self.now_ms = max(self.now_ms, to_ms)
        for session in self._incarnations:  # a worker in the middle of a task lives
            self._engine.step(session, Heartbeat(0), self.now_ms)
        self._turn()

    def _settled(self, request: Request, task_id: bytes) -> None:
        if self._ask(request, Settled).lost:
            raise LeaseLost(f"task {format_id(task_id)} is not this worker's any more")

    def _ask(self, request: Request, expected: type[_R]) -> _R:
        reply = self._step(_PRODUCER, request)
        assert isinstance(reply, expected)
        return reply

    def _step(self, session: int, request: Request) -> Reply | None:
        with self._lock:
            reply = self._engine.step(session, request, self.now_ms)
            self._turn()
            return reply

    def _turn(self) -> None:
        """What a broker does after each batch."""
        self._engine.advance(self.now_ms)
        writes, messages = self._engine.take()
        self._store.apply(writes)
        for session, message in messages:
            self._hear(session, message)

    def _hear(self, session: int, message: Reply | Push) -> None:
        if isinstance(message, Deliver):
            for delivery in message.deliveries:
                stored = delivery.stored()
                lease = LeaseRef(stored.spec.id, delivery.token)
                self._delivered.append(Leased(session, lease, delivery.attempt, stored))
        elif isinstance(message, CancelRun):
            self._on_cancel(LeaseRef(message.task_id, message.token))

"""The engine and the plain model side by side, under one clock, with a disk that can lose what was not synced.

Every request goes to both, and both must give the same answer. A batch goes the way of the broker's loop: steps,
advance, take, apply, sync, release; a crash may come between any two. What was released is remembered apart from both,
so that nothing acknowledged can be lost without being missed.
"""

import pickle
from collections import Counter
from typing import NamedTuple

from tests.engine.invariants import violations
from tests.engine.rig import NOW_MS
from tests.engine.rows import Rows
from tests.simulation.plain import PlainModel, PlainTask, Refused, Sent
from tests.simulation.plain_operations import PlainOperation, PlainSet
from tq.engine.bounds import Bounds
from tq.engine.engine import Engine, Messages
from tq.engine.tables import Table
from tq.model.commands import (
    Ack,
    Cancel,
    CancelledByWorker,
    CancelOperation,
    CommitOperation,
    DrainWorker,
    Extend,
    Fetch,
    GetStats,
    GetTask,
    Heartbeat,
    Hello,
    LeaseRef,
    ListGroups,
    ListQueues,
    ListTasks,
    ListWorkers,
    Nack,
    Order,
    PauseQueue,
    PrepareOperation,
    Release,
    ReportLog,
    ReportProgress,
    Request,
    Resubmit,
    ResumeQueue,
    Submit,
    UndoOperation,
    Unwait,
    Wait,
    WorkerDied,
)
from tq.model.errors import (
    OperationNotFound,
    PreviewExpired,
    QueueNotFound,
    TaskNotFound,
    TqError,
    WrongState,
)
from tq.model.operations import OPERATION_ID_BYTES, Action, OperationState
from tq.model.replies import (
    Affected,
    CancelRun,
    Deliver,
    Drain,
    ErrorReply,
    GroupPage,
    LeaseRevoked,
    OperationReply,
    OutcomeReply,
    Prepared,
    Push,
    QueuePage,
    Reply,
    Settled,
    StatsReply,
    Submitted,
    TaskPage,
    TaskReply,
    WorkerPage,
)
from tq.model.settings import BrokerSettings, PersistenceSettings, Settings
from tq.model.task import Outcome, State, TaskView

SETTINGS = Settings(
    broker=BrokerSettings(
        max_payload_bytes=64,
        queue_depth_threshold=14,
        max_waiters=3,
        window_bytes=1 << 16,
        worker_heartbeat_interval_secs=15,
    ),
    persistence=PersistenceSettings(dead_letter_retention_hours=2, cancelled_retention_hours=1),
)
BOUNDS = Bounds(
    window_max=3,
    windows_max=8,
    refill=2,
    refill_min=1,
    dispatch_max=3,
    deliver_bytes_max=300,
    sweep_max=64,
    bulk_max=2,
    scan_max=3,
    groups_max=3,
    groups_per_type_max=1,
)
"""So small that a few tasks meet every bound; but no sweep is cut short, for the model has no notion of that."""


class Wanted(NamedTuple):
    """What a listing asks for; None: any."""

    state: State | None
    queue: str | None
    task_type: str | None

    @property
    def selector(self) -> str:
        """The same for the engine."""
        terms = (("state", self.state), ("queue", self.queue), ("type", self.task_type))
        return " ".join(f"{field}:{value}" for field, value in terms if value is not None)


class World:
    """Engine, model, disk and clock."""

    def __init__(
        self, seed: int, *, settings: Settings = SETTINGS, bounds: Bounds = BOUNDS, rows: Rows | None = None
    ) -> None:
        self.settings = settings
        self.bounds = bounds
        self.seed = seed
        self.model = PlainModel(settings, bounds)
        self.model.now = NOW_MS
        self.rows = rows if rows is not None else Rows()
        self.synced_rows = self.rows.copy()
        self.applied_model = self.synced_model = pickle.dumps(self.model)
        self.sessions = 1
        self.request_id = 0
        self.replies: list[tuple[Request, Reply, set[tuple[bytes, int]]]] = []  # of the batch, not yet released
        self.held_back: list[tuple[int, Reply | Push]] = []
        self.pushes_seen = 0
        self.moved_seen: set[bytes] = set()  # MovedRows of the batch that the model knows
        self.is_dirty = False

        # What the outside knows, which no crash of the broker can take back.
        self.delivered: list[LeaseRef] = []
        self.acknowledged: set[bytes] = set()
        self.completed: set[tuple[bytes, int]] = set()
        self.last_released_token = 0
        self.moves: set[tuple[str, str, str]] = set()
        self.requests: list[tuple[int, Request]] = []
        self.steps = 0
        self.crashes = 0

        self.engine = self._open()

    def _open(self) -> Engine:
        engine = Engine(self.rows, self.settings, self.seed, self.bounds)
        engine.open(self.model.now)
        self.pushes_seen = 0
        self.moved_seen.clear()
        self.replies.clear()
        self.held_back.clear()
        self.is_dirty = False
        return engine

    @property
    def now_ms(self) -> int:
        return self.model.now

    def new_session(self) -> int:
        self.sessions += 1
        return self.sessions

    def next_id(self) -> int:
        self.request_id += 1
        return self.request_id

    # -- one request ------------------------------------------------------------------------------------------------

    def do(self, session: int, request: Request) -> Reply | None:
        """Both carry out a request and must agree; a refused one has changed nothing."""
        self.steps += 1
        self.is_dirty = True
        self.requests.append((session, request))
        model = self.model
        model.cause = type(request).__name__
        model.hear(session)
        reply: Reply | None = None
        code = ""
        try:
            reply = self.engine.step(session, request, model.now)
        except TqError as error:
            code = error.code
        try:
            self._expect(session, request, reply, code)
        except Refused as refused:
            if code not in refused.codes:
                raise AssertionError(f"{request}: {code or reply} where {refused.codes} was due") from None
        else:
            assert not code, f"{request} was refused: {code}"
            if reply is not None:
                self.replies.append((request, reply, self._done_by(request, reply)))
        self.compare()
        return reply

    def _expect(self, session: int, request: Request, reply: Reply | None, code: str) -> None:
        """Tell the model, and compare its answer; Refused passes through."""
        model = self.model
        match request:
            case Submit() | Resubmit():
                existing = model.submit(request) if isinstance(request, Submit) else model.resubmit(request)
                if not code:
                    assert isinstance(reply, Submitted)
                    assert [(item.index, item.task_id) for item in reply.existing] == existing, "I6"
            case Hello():
                if request.worker is not None:
                    self._settled(reply, code, model.hello(session, request.worker))
            case Ack():
                self._settled(reply, code, model.ack(request))
            case Nack():
                self._settled(reply, code, model.nack(request))
            case Release():
                self._settled(reply, code, model.release(request))
            case Extend():
                self._settled(reply, code, model.extend(request))
            case CancelledByWorker():
                self._settled(reply, code, model.cancelled_by_worker(request))
            case Fetch():
                model.fetch(session, request)
            case Heartbeat():
                model.heartbeat(session, request)
            case ReportLog():
                pass  # the model keeps no lines; the invariants of the rows do
            case ReportProgress():
                model.report_progress(request)
            case WorkerDied():
                self._affected(reply, code, model.worker_died(request), 0)
            case DrainWorker():
                self._affected(reply, code, *model.drain(request))
            case Cancel():
                self._affected(reply, code, *model.cancel(request))
            case PauseQueue():
                self._affected(reply, code, *model.pause(request.queue, True))
            case ResumeQueue():
                self._affected(reply, code, *model.pause(request.queue, False))
            case Wait():
                outcome = model.wait(session, request)
                if not code:
                    assert (reply is None) == (outcome is None)
                    if isinstance(reply, OutcomeReply):
                        assert _outcome(reply.request_id, reply.outcome) == outcome
            case Unwait():
                model.unwait(session, request)
            case _:
                raise AssertionError(f"the model knows no {type(request).__name__}")

    def _settled(self, reply: Reply | None, code: str, lost: list[bytes]) -> None:
        if not code:
            assert isinstance(reply, Settled)
            assert reply.lost == lost, "I3: stale tokens are refused, live ones are not"

    def _affected(self, reply: Reply | None, code: str, count: int, skipped: int, has_more: bool = False) -> None:
        if not code:
            assert isinstance(reply, Affected)
            assert (reply.count, reply.skipped, reply.has_more) == (count, skipped, has_more)

    # -- the turn of the loop ---------------------------------------------------------------------------------------

    def pass_time(self, length_ms: int) -> None:
        """Time passes, and the engine is called when it asked to be."""
        self.advance()
        end_ms = self.now_ms + length_ms
        while (deadline_ms := self.engine.next_deadline_ms()) is not None and deadline_ms < end_ms:
            self.commit()  # else the queues of a batch that never ends change in every second of a day
            self.model.now = deadline_ms
            self.advance()
        self.model.now = end_ms
        self.advance()

    def advance(self) -> None:
        """As the loop does at the end of a turn or at a deadline, until nothing is due at this moment."""
        for _ in range(1_000):
            self._advance_once()
            deadline_ms = self.engine.next_deadline_ms()
            if deadline_ms is None or deadline_ms > self.now_ms:
                break
            self.commit()  # as the loop does: of what one batch may deliver, no more comes before it is taken
        else:
            raise AssertionError("I14: advance never catches up")
        assert self.model.is_dispatched(), "I14: a task waits, and so does a worker that could run it"
        self.compare()

    def _advance_once(self) -> None:
        self.is_dirty = True
        self.engine.advance(self.now_ms)
        self.model.advance()
        self._follow_operations()
        self.model.cause = "dispatch"
        # Looked at in the outbox, since a later step of the same batch may already change what was granted here.
        outbox = self.engine._ledger.outbox
        came, self.pushes_seen = outbox[self.pushes_seen :], len(outbox)
        granted = [
            (delivery.token, session, delivery)
            for session, message in came
            if isinstance(message, Deliver)
            for delivery in message.deliveries
        ]
        assert not any(isinstance(message, Deliver) and not message.deliveries for _, message in came), "empty Deliver"
        for token, session, delivery in sorted(granted, key=lambda grant: grant[0]):
            stored = delivery.stored()
            task = self.model.tasks.get(stored.spec.id)
            assert task is None or task.spec == stored.spec, "a delivery of another task than was submitted"
            self.model.grant(session, stored.spec.id, token, delivery.attempt)

    def _follow_operations(self) -> None:
        """Tell the model what operations did in this turn: from the rows that they write, and how far each is."""
        ledger, plain = self.engine._ledger, self.model.operations
        for key, value in ledger.changes.tables[Table.MOVED].items():
            if value is not None and key not in self.moved_seen:
                self.moved_seen.add(key)
                plain.move(self.model, key[:OPERATION_ID_BYTES], key[OPERATION_ID_BYTES:])
        for operation_id, row in ledger.operations.rows.items():
            is_over = row.state is not OperationState.RUNNING
            if row.undo_of is not None and not plain.all[operation_id].is_over:
                is_whole = row.state is OperationState.DONE
                plain.walk_undo(self.model, operation_id, row.cursor, is_over=is_whole)
            if is_over:
                plain.end(self.model, operation_id, is_whole=row.state is OperationState.DONE)
            assert row.done == plain.all[operation_id].done, "an operation miscounts what it has done"

    def prepare(self, session: int, action: Action, queue: str | None, ids: list[bytes] | None) -> None:
        """A preview; its answer may come later."""
        self.steps += 1
        self.is_dirty = True
        request_id = self.next_id()
        terms = ["state:pending,failed"] if action is Action.CANCEL else []
        selector = " ".join([*terms, *([f"queue:{queue}"] if queue is not None else [])])
        request = PrepareOperation(request_id, action, selector if ids is None else "", ids or [])
        try:
            reply = self.engine.step(session, request, self.now_ms)
        except (QueueNotFound, TaskNotFound, WrongState):
            return
        self.model.operations.freeze(self.model, request_id, action, queue, ids)
        if reply is not None:
            assert isinstance(reply, Prepared)
            self._offered(reply)

    def _offered(self, reply: Prepared) -> None:
        self.model.operations.offer(self.model, reply.request_id, reply.token, reply.count, reply.expires_at_ms)

    def commit_operation(self, session: int, token: bytes, rate: int) -> None:
        """Start what was prepared; once more changes nothing."""
        self.steps += 1
        self.is_dirty = True
        plain = self.model.operations
        frozen = plain.prepared.get(token)
        is_fresh = frozen is not None and frozen.expires_at > self.now_ms
        try:
            self.engine.step(session, CommitOperation(self.next_id(), token, "", rate), self.now_ms)
        except PreviewExpired:
            assert not is_fresh, "a preview is refused before its time"
            assert token not in plain.all or plain.all[token].is_over, "an operation that runs is forgotten"
            return
        assert is_fresh or token in plain.all, "a preview is taken after its time"
        if token not in plain.all:
            plain.all[token] = PlainOperation(plain.prepared.pop(token))
        self.compare()

    def undo_operation(self, session: int, operation_id: bytes, rate: int) -> None:
        """Take an operation back."""
        self.steps += 1
        self.is_dirty = True
        plain = self.model.operations
        try:
            reply = self.engine.step(session, UndoOperation(self.next_id(), operation_id.hex(), "", rate), self.now_ms)
        except (WrongState, OperationNotFound):
            return
        assert isinstance(reply, OperationReply)
        plain.end(self.model, operation_id, is_whole=False)
        undo_id = reply.operation.id
        if undo_id not in plain.all:
            plain.all[undo_id] = PlainOperation(PlainSet(Action.UNDO, {}), undo_of=operation_id)
        self.compare()

    def cancel_operation(self, session: int, operation_id: bytes) -> None:
        """Stop an operation where it is."""
        self.steps += 1
        self.is_dirty = True
        try:
            self.engine.step(session, CancelOperation(self.next_id(), operation_id.hex()), self.now_ms)
        except (WrongState, OperationNotFound):
            return
        self.model.operations.end(self.model, operation_id, is_whole=False)
        self.compare()

    def commit(self) -> None:
        """Take the batch and apply it: it survives the broker's process now, but not yet a power cut."""
        writes, messages = self.engine.take()
        self.pushes_seen = 0
        self.moved_seen.clear()
        for _, message in messages:
            if isinstance(message, Prepared):
                self._offered(message)
        self._compare_sent(messages)
        self.rows.apply(writes)
        self.held_back += messages
        self.is_dirty = False
        self.applied_model = pickle.dumps(self.model)
        self._inspect()

    def _inspect_memory(self) -> None:
        """What the engine keeps in memory beside the rows agrees with itself."""
        ledger = self.engine._ledger
        lanes = ledger.lanes_by_number.values()
        assert ledger.bodies.tasks == sum(len(lane.window) for lane in lanes), "I13: the windows are miscounted"
        bodies = [ready.body for lane in lanes for ready in lane.window if ready.body is not None]
        assert ledger.bodies.used == sum(len(body) for body in bodies), "I13: the bodies are miscounted"
        for lane in lanes:
            places = [ready.sequence for ready in lane.window]
            assert places == sorted(set(places)), "a window out of order"
            assert lane.gone <= set(places), "what left a window is remembered for ever"
            assert not places or places[-1] <= lane.window_end, "a window that does not know where it ends"
        for queue in ledger.queues.values():
            ready = [sum(lane.row.ready for lane in tier.values()) for tier in queue.lanes]
            assert queue.ready == ready, "I10: the tiers are miscounted"
            assert (queue.row.name in ledger.active) == (any(ready) and not queue.row.is_paused), "not active as it is"
        held = {lease.id: lease for worker in ledger.workers.values() for lease in worker.leases.values()}
        assert held == ledger.leases, "leases and their workers disagree"
        for profile in ledger.profiles.values():
            members = [worker for worker in ledger.workers.values() if worker.profile is profile]
            assert len(members) == profile.workers, "the workers of a profile are miscounted"
            assert {id(worker) for worker in members if worker.is_waiting} == {id(worker) for worker in profile.waiting}
        assert len(ledger.profiles) == len({id(worker.profile) for worker in ledger.workers.values() if worker.profile})

    def _inspect(self) -> None:
        self._inspect_memory()
        deadline_ms = self.engine.next_deadline_ms()
        if deadline_ms is not None and deadline_ms <= self.now_ms:
            return  # more is due at this very moment: the rows may say so
        broken = violations(self.rows, self.now_ms)
        assert not broken, "\n".join(broken)

    def _compare_sent(self, messages: Messages) -> None:
        sent = Counter(
            (session, _summary(message)) for session, message in messages if not isinstance(message, Deliver | Prepared)
        )
        assert sent == Counter(self.model.sent), f"sent {sent}, expected {self.model.sent}"
        self.model.sent.clear()

    def sync(self) -> None:
        """Make it durable, and only then release what it says."""
        if self.is_dirty:
            self.advance()
            self.commit()
        self.synced_rows = self.rows.copy()
        self.synced_model = self.applied_model
        self.moves |= self.model.moves
        for request, reply, done in self.replies:
            self._acknowledge(request, reply, done)
        self.replies.clear()
        deliveries = [
            delivery for _, message in self.held_back if isinstance(message, Deliver) for delivery in message.deliveries
        ]
        # By token: what two workers got in turn comes worker by worker.
        for delivery in sorted(deliveries, key=lambda delivery: delivery.token):
            assert delivery.token > self.last_released_token, "I4: tokens strictly increase, crashes included"
            self.last_released_token = delivery.token
            self.delivered.append(LeaseRef(delivery.stored().spec.id, delivery.token))
        self.held_back.clear()
        del self.delivered[:-40]
        self._compare_acknowledged()

    def _done_by(self, request: Request, reply: Reply) -> set[tuple[bytes, int]]:
        """The tasks that an Ack completed, by id and birth."""
        if not isinstance(request, Ack) or not isinstance(reply, Settled):
            return set()
        done = Counter(success.task_id for success in request.successes) - Counter(reply.lost)
        tasks = self.model.tasks
        return {(task_id, tasks[task_id].birth) for task_id in done if tasks[task_id].state is State.COMPLETED}

    def _acknowledge(self, request: Request, reply: Reply, done: set[tuple[bytes, int]]) -> None:
        match request, reply:
            case Submit(), Submitted():
                self.acknowledged |= {spec.id for spec in request.tasks} - {
                    request.tasks[item.index].id for item in reply.existing
                }
            case Ack(), Settled():
                assert not done & self.completed, "I3: completed twice"
                self.completed |= done
            case _:
                pass

    def _compare_acknowledged(self) -> None:
        """I1: what was acknowledged is there until its retention is over, and done tasks stay done."""
        self.acknowledged &= self.model.tasks.keys()
        for task_id in self.acknowledged:
            self.view(task_id)
        self.completed &= {(task_id, task.birth) for task_id, task in self.model.tasks.items()}
        for task_id, _ in self.completed:
            assert self.view(task_id).state is State.COMPLETED

    def crash(self, *, is_power_cut: bool) -> None:
        """The broker's process ends at once, and starts again on what is there.

        Args:
            is_power_cut: the machine: what was not synced is gone too.
        """
        self.crashes += 1
        self.moves |= self.model.moves
        if is_power_cut:
            self.rows.become(self.synced_rows)
        now_ms = self.now_ms
        self.model = pickle.loads(self.synced_model if is_power_cut else self.applied_model)
        self.model.now = now_ms
        self.model.restart()
        self.model.operations.restart()
        self.applied_model = pickle.dumps(self.model)
        self.engine = self._open()
        self.compare()
        if is_power_cut:
            self._compare_acknowledged_after_cut()

    def _compare_acknowledged_after_cut(self) -> None:
        for task_id in self.acknowledged:
            assert task_id in self.model.tasks, "I1: an acknowledged task is lost"
        self.advance()
        self._compare_acknowledged()

    def hold(self, session: int, is_held: bool) -> None:
        """The connection stops reading, or goes on."""
        (self.engine.hold if is_held else self.engine.resume)(session)
        self.model.hold(session, is_held)
        self.is_dirty = True

    def disconnect(self, session: int) -> None:
        self.is_dirty = True
        self.model.cause = "disconnect"
        self.engine.disconnect(session, self.now_ms)
        self.model.disconnect(session)
        self.compare()

    # -- comparing --------------------------------------------------------------------------------------------------

    def view(self, task_id: bytes) -> TaskView:
        reply = self.engine.step(0, GetTask(0, task_id), self.now_ms)
        assert isinstance(reply, TaskReply)
        return reply.task

    def compare(self) -> None:
        """Every task, queue and worker as the engine shows it is as the model has it."""
        for task in self.model.tasks.values():
            self._compare_task(task, self.view(task.spec.id))
        self._compare_queues()
        self._compare_workers()

    def _compare_task(self, task: PlainTask, view: TaskView) -> None:
        if task.scheduled_between is not None:
            low, high = task.scheduled_between
            assert low <= view.scheduled_at_ms <= high, "a backoff beyond its bound"
            task.scheduled_at, task.scheduled_between = view.scheduled_at_ms, None
        status = task.status
        lease = task.lease
        expected = (
            "pending" if status in ("ready", "scheduled") else status,
            lease.attempt if lease is not None else task.attempt,
            task.crashes,
            0 if lease is not None else task.scheduled_at,
            task.ended_at,
            task.reason,
            task.result,
            task.history,
            task.resubmitted_as,
            task.expires_at,
            lease is not None and lease.cancel_reason is not None,
            lease.progress if lease is not None else None,
            status == "ready" and not any(w.session is not None and w.runs(task) for w in self.model.workers.values()),
        )
        shown = (
            str(view.state),
            view.attempt,
            view.crashes,
            view.scheduled_at_ms,
            view.ended_at_ms,
            view.reason,
            view.result,
            [(attempt.attempt, attempt.outcome, attempt.error_type) for attempt in view.history],
            view.resubmitted_as,
            view.expires_at_ms,
            view.cancel_requested,
            view.progress.fraction if view.progress is not None else None,
            view.no_handler,
        )
        assert shown == expected, f"{task.spec.id.hex()} is shown as {shown}, expected {expected}"

    def _compare_queues(self) -> None:
        reply = self.engine.step(0, ListQueues(0), self.now_ms)
        assert isinstance(reply, QueuePage)
        shown = {
            queue.name: (
                [queue.ready_low, queue.ready_normal, queue.ready_high],
                (queue.scheduled, queue.retrying, queue.in_progress, queue.dead, queue.no_handler),
                queue.oldest_ready_ms,
                queue.is_paused,
                {
                    "submitted": queue.submitted_total,
                    "completed": queue.completed_total,
                    "failed": queue.failed_total,
                    "crashed": queue.crashed_total,
                    "dead": queue.dead_total,
                    "cancelled": queue.cancelled_total,
                },
            )
            for queue in reply.queues
        }
        expected = {name: self._queue(name) for name in self.model.queues}
        assert shown == expected, f"I10: queues are shown as {shown}, expected {expected}"
        stats = self.engine.step(0, GetStats(0), self.now_ms)
        assert isinstance(stats, StatsReply)
        assert stats.engine.ready == sum(sum(ready) for ready, *_ in shown.values())
        assert stats.engine.submitted_total == sum(totals["submitted"] for *_, totals in shown.values())
        assert stats.engine.waiters == len(self.model.waits)

    def _queue(self, name: str) -> tuple[object, ...]:
        tasks = self.model.of_queue(name)
        ready = [task for task in tasks if task.status == "ready"]
        connected = [worker for worker in self.model.workers.values() if worker.session is not None]
        queue = self.model.queues[name]
        count = Counter(task.status for task in tasks)
        return (
            [sum(task.tier == tier for task in ready) for tier in range(3)],
            (
                count["scheduled"],
                count["failed"],
                count["in_progress"],
                count["dead_letter"],
                sum(not any(worker.runs(task) for worker in connected) for task in ready),
            ),
            self.now_ms - min((task.ready_at for task in ready), default=self.now_ms),
            queue.is_paused,
            queue.totals,
        )

    def _compare_workers(self) -> None:
        reply = self.engine.step(0, ListWorkers(0), self.now_ms)
        assert isinstance(reply, WorkerPage)
        shown = {worker.incarnation: (worker.name, worker.status, worker.leases) for worker in reply.workers}
        expected = {
            worker.incarnation: (
                worker.name,
                "lost" if worker.session is None else "draining" if worker.is_draining else "connected",
                len(self.model.held_by(worker.incarnation)),
            )
            for worker in self.model.workers.values()
        }
        assert shown == expected, f"workers are shown as {shown}, expected {expected}"

    def list_tasks(self, wanted: Wanted, order: Order, is_descending: bool, limit: int) -> None:
        """Walk all pages: together they show each matching task once, and the first says how many there are."""
        model, listed = self.model, []
        try:
            if wanted.queue is not None:
                model.queue_named(wanted.queue)
        except Refused:
            return
        expected = {
            task.spec.id
            for task in model.tasks.values()
            if (wanted.state is None or self.view(task.spec.id).state is wanted.state)
            and wanted.queue in (None, task.spec.queue)
            and wanted.task_type in (None, task.spec.task_type)
        }
        cursor = b""
        for _ in range(500):
            request = ListTasks(0, wanted.selector, order, is_descending, limit, cursor)
            page = self.engine.step(0, request, self.now_ms)
            assert isinstance(page, TaskPage)
            assert len(page.tasks) <= limit
            if not cursor:
                assert page.total == len(expected) if page.is_total_exact else page.total <= len(expected)
                assert page.is_total_exact or page.stopped_by
            listed += [summary.id for summary in page.tasks]
            cursor = page.cursor
            if not cursor:
                break
        else:
            raise AssertionError("a listing without an end")
        assert len(listed) == len(set(listed)), "a listing shows a task twice"
        assert set(listed) == expected

    def list_groups(self, queue: str | None) -> None:
        """The groups add up to the dead letters, each with one of its own as its sample."""
        dead = {
            task.spec.id
            for task in self.model.tasks.values()
            if task.state is State.DEAD_LETTER and queue in (None, task.spec.queue)
        }
        selector = "" if queue is None or queue not in self.model.queues else f"queue:{queue}"
        page = self.engine.step(0, ListGroups(0, selector), self.now_ms)
        assert isinstance(page, GroupPage)
        if selector or queue is None:
            assert sum(group.count for group in page.groups) == page.dead_total == len(dead), "I10"
            assert all(group.sample in dead for group in page.groups), "a sample is no dead letter"
        assert len(page.groups) <= self.bounds.groups_max + 1


def _summary(message: Reply | Push) -> Sent:
    match message:
        case CancelRun():
            return ("cancel_run", message.task_id, message.token)
        case LeaseRevoked():
            return ("revoked", message.task_id, message.token)
        case Drain():
            return ("drain",)
        case OutcomeReply():
            return _outcome(message.request_id, message.outcome)
        case ErrorReply(code="TIMED_OUT"):
            return ("timed_out", message.request_id)
        case _:
            raise AssertionError(f"unexpected {message}")


def _outcome(request_id: int, outcome: Outcome) -> Sent:
    error = outcome.error
    return (
        "outcome",
        request_id,
        outcome.id,
        str(outcome.state),
        outcome.result,
        outcome.reason,
        (error.attempt, error.outcome, error.error_type) if error is not None else None,
    )

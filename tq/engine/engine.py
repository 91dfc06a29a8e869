"""The engine: every decision about a task. A deterministic state machine without I/O, clock or threads.

The shell feeds it requests and the time, and takes from it writes for the disk and messages for connections; nothing
else changes a task. The same requests, times, seed and stored rows give the same writes and messages.
"""

from typing import assert_never

from tq.engine import (
    auditing,
    confining,
    dispatching,
    explaining,
    failures,
    inspecting,
    listing,
    operating,
    presence,
    settling,
    submitting,
    sweeping,
    tokens,
    viewing,
)
from tq.engine.bounds import BOUNDS, Bounds
from tq.engine.ledger import Disk, Ledger
from tq.engine.metering import Metering
from tq.engine.operations import committing, preparing, running
from tq.engine.tables import Reader, Table, TokenRow, Writes
from tq.engine.watching import Watching
from tq.model.commands import (
    Ack,
    Backup,
    Cancel,
    CancelledByWorker,
    CancelOperation,
    CommitOperation,
    CreateToken,
    DrainWorker,
    Extend,
    Fetch,
    GetAttention,
    GetHistory,
    GetLog,
    GetMetrics,
    GetOperation,
    GetSignature,
    GetStats,
    GetTask,
    GetWorker,
    Heartbeat,
    Hello,
    ListAudit,
    ListGroups,
    ListOperations,
    ListQueues,
    ListTasks,
    ListTokens,
    ListWorkers,
    Nack,
    PauseQueue,
    PrepareOperation,
    Release,
    ReportEdge,
    ReportLog,
    ReportProgress,
    Request,
    Resubmit,
    ResumeQueue,
    RevokeToken,
    StackTaken,
    Submit,
    TakeStack,
    UndoOperation,
    Unwait,
    Unwatch,
    Wait,
    Watch,
    WatchCredit,
    Why,
    WorkerDied,
)
from tq.model.credentials import Token
from tq.model.identity import Actor
from tq.model.replies import Affected, Push, Reply, Settled
from tq.model.settings import Settings

Messages = list[tuple[int, Reply | Push]]


class Engine:
    """The broker's mind over one store.

    Args:
        reader: the stored rows; sees every batch of writes before the engine is stepped again after `take`.
        settings: the limits of `broker` and the retentions of `persistence`.
        seed: of the jitter.
        bounds: how much one call does.
    """

    def __init__(self, reader: Reader, settings: Settings, seed: int, bounds: Bounds = BOUNDS) -> None:
        self._ledger = Ledger(reader, settings, seed, bounds)
        self._watching = Watching(self._ledger, seed)
        self._metering = Metering(self._ledger)
        self._is_behind = False

    def open(self, now_ms: int) -> None:
        """Take up the leases of the time before the restart: their workers have the reconnect grace to come back."""
        ledger = self._ledger
        presence.load_leases(ledger, ledger.changes.range(Table.LEASES, b"", b"\xff" * 32, 1 << 31), now_ms)

    def step(self, session: int, request: Request, now_ms: int) -> Reply | None:
        """Carry out one request; the reply, or None where there is none, or not yet: it comes with `take` then.

        Args:
            session: the connection that asks, by a number that is never used again.
            now_ms: ms since the epoch, read once for a batch; never less than before.

        Raises:
            TqError: the request is refused and has changed nothing.
        """
        ledger = self._ledger
        ledger.session = session
        worker = ledger.sessions.get(session)
        if worker is not None:
            presence.notice_sleep(ledger, now_ms)
            worker.last_seen_at_ms = now_ms
        match request:  # what makes up the load comes first
            case Submit():
                return submitting.submit(ledger, request, now_ms)
            case Ack():
                return settling.ack(ledger, request, now_ms)
            case Fetch():
                presence.fetch(ledger, session, request)
                return None
            case Wait():
                return viewing.wait(ledger, session, request, now_ms)
            case Unwait():
                ledger.outbox += ledger.waiters.give_up(session, request.wait_id)
                return None
            case GetTask():
                return viewing.get_task(ledger, request)
            case Nack():
                return settling.nack(ledger, request, now_ms)
            case Release():
                return settling.release(ledger, request, now_ms)
            case ReportProgress():
                settling.report_progress(ledger, request, now_ms)
                return None
            case Heartbeat():
                presence.heartbeat(ledger, session, request, now_ms)
                return None
            case Extend():
                return settling.extend(ledger, request, now_ms)
            case CancelledByWorker():
                return settling.cancelled(ledger, request, now_ms)
            case Hello():
                if request.worker is None:
                    return Settled(request.request_id)
                return Settled(request.request_id, presence.register(ledger, session, request.worker, now_ms))
            case WorkerDied():
                return presence.worker_died(ledger, request, now_ms)
            case DrainWorker():
                return presence.drain(ledger, request, now_ms)
            case Cancel():
                return operating.cancel(ledger, request, now_ms)
            case PauseQueue():
                return operating.pause_queue(ledger, request, now_ms)
            case ResumeQueue():
                return operating.resume_queue(ledger, request, now_ms)
            case Resubmit():
                return operating.resubmit(ledger, request, now_ms)
            case GetSignature():
                return viewing.get_signature(ledger, request)
            case ListTasks():
                return listing.list_tasks(ledger, request, now_ms)
            case ListQueues():
                return viewing.list_queues(ledger, request, now_ms)
            case ListWorkers():
                return viewing.list_workers(ledger, request)
            case GetStats():
                return viewing.get_stats(ledger, request, now_ms)
            case GetMetrics():
                return self._metering.get_metrics(request, now_ms)
            case ReportEdge():
                return Affected(request.request_id, 0)  # kept by the shell, which knows the edges
            case ListGroups():
                return failures.list_groups(ledger, request, now_ms)
            case Why():
                return explaining.why(ledger, request, now_ms)
            case GetHistory():
                return viewing.get_history(ledger, request, now_ms)
            case ReportLog():
                inspecting.report_log(ledger, request)
                return None
            case GetLog():
                return inspecting.get_log(ledger, request)
            case TakeStack():
                inspecting.take_stack(ledger, session, request, now_ms)
                return None
            case StackTaken():
                inspecting.stack_taken(ledger, session, request)
                return None
            case GetWorker():
                return inspecting.get_worker(ledger, request)
            case PrepareOperation():
                return preparing.prepare(ledger, session, request, now_ms)
            case CommitOperation():
                return committing.commit(ledger, request, now_ms)
            case ListOperations():
                return committing.list_operations(ledger, request)
            case GetOperation():
                return committing.get(ledger, session, request, now_ms)
            case CancelOperation():
                return committing.cancel(ledger, request, now_ms)
            case UndoOperation():
                return committing.undo(ledger, request, now_ms)
            case WatchCredit():
                self._watching.give_credit(session, request)
                return None
            case Watch():
                return self._watching.watch(session, request, now_ms)
            case Unwatch():
                return self._watching.unwatch(session, request, now_ms)
            case GetAttention():
                return self._watching.attention(request, now_ms)
            case Backup():
                # Made by the shell, which has the store; here is noted who had it made.
                auditing.record(ledger, now_ms, "backup", request.directory)
                return Affected(request.request_id, 1)
            case CreateToken():
                return tokens.create_token(ledger, request, now_ms)
            case ListTokens():
                return tokens.list_tokens(ledger, request)
            case RevokeToken():
                return tokens.revoke_token(ledger, request, now_ms)
            case ListAudit():
                return auditing.list_audit(ledger, request)
            case _:
                assert_never(request)

    def step_confined(self, session: int, request: Request, now_ms: int) -> Reply | None:
        """`step` for somebody whom `identify` said to be confined to some queues.

        Raises:
            AccessDenied: the request reaches beyond them.
            TqError: as for `step`.
        """
        actor = self._ledger.actors[session]
        reply = self.step(session, confining.confine(self._ledger, actor, request), now_ms)
        return confining.cut_down(actor, reply)

    def check_token(self, token: Token, now_ms: int) -> TokenRow:
        """What a token that somebody shows is good for.

        Raises:
            AccessDenied: for nothing.
        """
        return tokens.check_token(self._ledger, token, now_ms)

    def has_token(self, token_id: bytes | None = None) -> bool:
        """Whether there is this token, or any; also if it has expired."""
        known = self._ledger.tokens
        return bool(known) if token_id is None else token_id in known

    def identify(self, session: int, actor: Actor) -> None:
        """The connection is known to be somebody's: what it asks for is theirs from now on, until it ends."""
        self._ledger.actors[session] = actor

    def disconnect(self, session: int, now_ms: int) -> None:
        """The connection ended, for whatever reason."""
        self._ledger.actors.pop(session, None)
        self._ledger.operations.forget_session(session)
        self._ledger.outbox += self._ledger.stacks.disconnect(session)
        self._watching.disconnect(session, now_ms)
        presence.disconnect(self._ledger, session, now_ms)

    def hold(self, session: int) -> None:
        """The connection does not read what it was sent: it is given no tasks until `resume`."""
        presence.hold(self._ledger, session)

    def resume(self, session: int) -> None:
        """It reads again; `advance` goes on where it was."""
        presence.resume(self._ledger, session)

    def show(self, now_ms: int) -> None:
        """Send to those who watch what is due, and change nothing: instead of `advance`, where nothing may be."""
        self._watching.advance({}, now_ms)

    def note_disk(self, disk: Disk) -> None:
        """What the shell found out about the disk, for those who are to look at it."""
        self._ledger.disk = disk

    def advance(self, now_ms: int) -> None:
        """Do what time has made due, and dispatch; a bounded amount. To be called after the steps of a turn, and at
        `next_deadline_ms`."""
        ledger = self._ledger
        ledger.session = 0
        ledger.outbox += ledger.waiters.expire(now_ms)
        ledger.outbox += ledger.stacks.expire(now_ms)
        presence.check_workers(ledger, now_ms)
        more_due = sweeping.sweep(ledger, now_ms)
        running.advance(ledger, now_ms)
        more_old = auditing.sweep(ledger, now_ms)
        more_ready = dispatching.dispatch(ledger, now_ms)
        more_history = ledger.history.advance(ledger.touched_queues, now_ms)
        self._watching.advance(ledger.touched_queues, now_ms)
        self._is_behind = more_due or more_old or more_ready or more_history

    def next_deadline_ms(self) -> int | None:
        """When `advance` has something to do, if nothing happens before; 0: at once. None: never."""
        if self._is_behind:
            return 0
        ledger = self._ledger
        moments = (
            ledger.waiters.next_deadline_ms,
            ledger.stacks.next_deadline_ms,
            ledger.next_worker_check_ms,
            ledger.next_due_ms,
            ledger.history.next_deadline_ms,
            ledger.operations.next_at_ms,
            ledger.audit_due_ms,
            self._watching.next_deadline_ms,
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def take(self) -> tuple[Writes, Messages]:
        """Everything since the last take: what to write, all of it or nothing; and what to send after that.

        Writes are empty dicts when nothing changed. Messages are (session, message), in order.
        """
        ledger = self._ledger
        ledger.write_counters()
        messages, ledger.outbox = ledger.outbox, []
        ledger.delivered_bytes = 0
        return ledger.changes.take(), messages

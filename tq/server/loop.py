"""The broker loop: take what has arrived, step the engine, commit once, and only then answer.

    connections -> receive() -> _step_inbox() -> engine -> _commit() -> store.apply()  on the loop, unsynced
                                                                     -> store.sync()   in the commit thread
                                                 _on_synced() -> _release(): replies and pushes, one write a connection

While a batch is being synced the next one gathers: load makes batches larger, not latency longer. Three rules keep
what is said true. A batch's answers leave after its own sync. A batch without writes may have seen rows of the batch
in flight, so its answers leave after that one. A batch that failed is not answered but declared unknown, and the
engine is loaded again from the store, for its memory is ahead of the disk.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from structlog.typing import FilteringBoundLogger

from tq.engine.ledger import Disk
from tq.model.errors import DiskFull, InternalError, StorageCorrupt, StorageFailed, TqError
from tq.model.replies import FromBroker, Reply, Stopping, Welcome
from tq.protocol.codec import to_reply
from tq.server.admission import READS, SILENT, Condition, declared_unknown
from tq.server.alarm import Alarm
from tq.server.backups import Backups
from tq.server.clock import Clock
from tq.server.commits import CommitThread
from tq.server.gate import Gate
from tq.server.gathering import Gathering
from tq.server.greeting import Greeting
from tq.server.handling import Handling
from tq.server.intake import Intake
from tq.server.ports import Core, Session, Taken
from tq.server.vitals import Vitals
from tq.storage.store import Store

Answers = dict[int, list[FromBroker]]
"""Messages to send, by session, in order."""

SyncPolicy = Literal["always", "interval", "never"]

UNSETTLED_BYTES_MAX = 32 << 20
"""Bytes of requests taken and not yet handed to the disk, above which no connection is read."""

TURN_SECONDS_MAX = 0.01
"""How long requests are stepped before a commit is started and the sockets are looked at again."""

ANSWER_BYTES_MAX = 8 << 20
"""Bytes of answers to reads that wait for the disk, above which nothing more is stepped: one short request can ask for
much."""

REOPEN_BYTES_MIN = 8 << 20
"""Free bytes below which a store that ran into a full disk is not opened for writing again."""

SYNC_SECONDS_MAX = 10.0
"""How long a stopping broker waits for a sync that does not end."""


class _EngineInDoubt(Exception):
    """A defect stopped the engine in the middle of a change."""


class BrokerLoop:
    """Owns the engine and the store; everything in it runs on one event loop."""

    def __init__(
        self,
        *,
        store: Store,
        open_core: Callable[[Store], Core],
        welcome: Welcome,
        gate: Gate,
        sync: SyncPolicy,
        sync_interval_ms: int,
        clock: Clock,
        vitals: Vitals,
        log: FilteringBoundLogger,
        unsettled_bytes_max: int = UNSETTLED_BYTES_MAX,
        turn_seconds_max: float = TURN_SECONDS_MAX,
    ) -> None:
        """Load the engine.

        Args:
            store: closed by `close`.
            open_core: loads the engine from a store, on a start and whenever its memory must be thrown away.
            welcome: the answer to Hello, but for its request id, role and lost leases.
            gate: decides who a connection is.
            sync_interval_ms: with `sync` "interval", the most that a power cut can cost.

        Raises:
            TqError: the store cannot be read.
        """
        self._store = store
        self._open_core = open_core
        self._greeting = Greeting(welcome, gate, log)
        self._sync: SyncPolicy = sync
        self._sync_seconds = sync_interval_ms / 1000
        self._clock = clock
        self._vitals = vitals
        self._log = log
        self._turn_seconds_max = turn_seconds_max
        self._loop = asyncio.get_running_loop()

        self._core = open_core(self._store)
        self._now_ms = clock.now_ms()
        self._core.open(self._now_ms)
        self._thread = CommitThread(self._loop, self._on_synced)
        self._backups = Backups(self._loop, self._on_backup, log)

        self._intake = Intake(unsettled_bytes_max)
        self._answers: Answers = {}
        self._in_flight: Answers = {}
        self._is_syncing = False  # the commit thread is busy; one sync at a time
        self._is_committing = False  # and answers wait for it
        self._is_dirty = False
        self._sync_started_ns = 0
        self._is_turn_due = False
        self._is_closed = False
        self._alarm = Alarm(self._loop, self._schedule)
        self._gathering = Gathering(self._loop, self._schedule)
        self._sync_timer: asyncio.TimerHandle | None = None

        self._handling = Handling(
            store=self._store,
            greeting=self._greeting,
            backups=self._backups,
            vitals=vitals,
            sessions=self._intake.sessions,
            on_access_changed=self._check_access_soon,
        )
        self._settled: asyncio.Future[None] = self._loop.create_future()
        self.died: asyncio.Future[None] = self._loop.create_future()
        """Fails with the reason when the broker must not go on; never succeeds."""
        self._schedule()

    # Connections

    def add(self, session: Session) -> None:
        """A connection came."""
        self._vitals.connections_total += 1
        self._intake.add(session)

    def remove(self, session: Session) -> None:
        """A connection ended; what it sent before is still done."""
        self._intake.remove(session)
        self._schedule()

    def receive(self, session: Session, taken: list[Taken], size: int) -> None:
        """Requests of one connection, in order, `size` bytes on the wire. They are stepped in this turn of the event
        loop, after those of the other connections that have arrived; or when more has gathered."""
        self._intake.put(session, taken, size)
        if not self._is_gathering():
            self._schedule()

    def hold(self, session: Session) -> None:
        """A connection is stuck: no tasks for it, and its requests wait."""
        if session.is_worker:
            self._core.hold(session.session_id)

    def resume(self, session: Session) -> None:
        """It is not stuck any more."""
        if session.is_worker:
            self._core.resume(session.session_id)
        self._intake.take_up(session)
        self._schedule()

    def has_token(self) -> bool:
        """Whether anybody can show a token."""
        return self._core.has_token()

    def check_access(self) -> None:
        """End the connections whose token has expired or was revoked, and those let in because there was none; to be
        called about once a second."""
        if self._is_over():
            return
        ended = self._greeting.end_old(self._core, self._intake.sessions.values(), self._clock.now_ms())
        for session, farewell in ended:
            self._answers.setdefault(session.session_id, []).append(farewell)
            self._schedule()

    def _check_access_soon(self) -> None:
        """Once the answer to the request that changed it is on its way."""
        self._loop.call_soon(self.check_access)

    # A turn

    def _schedule(self) -> None:
        if not self._is_turn_due:
            self._is_turn_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._is_turn_due = False
        if self._is_over():
            return
        try:
            self._step_inbox()
            if not self._is_committing and not self._is_gathering():
                self._release(self._commit())
                self._arm_timer()
        except Exception as failure:
            self._handle_failure(failure)

    def _is_over(self) -> bool:
        """Whether a callback that was due when the broker died or closed comes too late: there is no store any more."""
        return self._is_closed or self.died.done()

    def _is_gathering(self) -> bool:
        return self._gathering.is_on(self._intake.unsettled, self._intake.unsettled_bytes)

    def _step_inbox(self) -> None:
        """Step what has arrived, in order, until the turn's time or room for answers is used up."""
        self._now_ms = now_ms = self._clock.now_ms()
        core, answers, intake, handling = self._core, self._answers, self._intake, self._handling
        step, monotonic, stop_at = core.step, time.monotonic, time.monotonic() + self._turn_seconds_max
        inbox = intake.take_all() if handling.answer_bytes <= ANSWER_BYTES_MAX else []
        for number, (session, taken, size) in enumerate(inbox, 1):
            session_id = session.session_id
            if taken is None:
                core.disconnect(session_id, now_ms)
                continue
            if session.is_stuck and handling.condition is not Condition.STOPPING:
                intake.hold((session, taken, size))
                continue
            replies = answers.get(session_id)
            if replies is None:
                replies = answers[session_id] = []
            direct = handling.direct[session.access.role, session.access.is_confined]
            for done, request in enumerate(taken, 1):
                try:
                    if type(request) in direct:
                        reply = step(session_id, request, now_ms)  # type: ignore[arg-type]
                    else:
                        reply = handling.handle(core, session, request, now_ms)
                        direct = handling.direct[session.access.role, session.access.is_confined]  # may be another now
                except (StorageFailed, StorageCorrupt) as unreadable:
                    reply = self._excuse(session, request, unreadable, unreadable)
                except TqError as error:
                    reply = to_reply(request.request_id, error)
                    if request.request_id == 0:
                        session.finish()
                except Exception as defect:
                    what = f"{type(request).__name__} failed by a defect of the broker"
                    reply = self._excuse(session, request, defect, InternalError(what, hint="its log has the trace"))
                if reply is not None:
                    replies.append(reply)
                elif type(request) in SILENT:
                    session.outstanding -= 1
                if monotonic() > stop_at or handling.answer_bytes > ANSWER_BYTES_MAX:
                    rest = [(session, taken[done:], size), *inbox[number:]] if done < len(taken) else inbox[number:]
                    intake.put_back(session, rest)
                    break
            else:
                continue
            break
        # Full of answers, it is the end of the commit in flight that makes room.
        if intake.inbox and not (self._is_committing and handling.answer_bytes > ANSWER_BYTES_MAX):
            self._schedule()

    def _excuse(self, session: Session, request: Taken, cause: Exception, excuse: TqError) -> Reply:
        """The answer to a request that met a defect, or a row that cannot be read: that is no refusal, for a refusal
        changes nothing. The trace goes to the log and nowhere else.

        Raises:
            _EngineInDoubt: the request changes things and may have stopped half way.
        """
        kind = type(request)
        self._log.error("request_failed", session=session.session_id, request=kind.__name__, exc_info=cause)
        reply = to_reply(request.request_id, excuse)
        if kind in READS:
            return reply
        session.send([reply])
        raise _EngineInDoubt from cause

    # Commit and release

    def _commit(self) -> Answers:
        """Advance the engine once for all that was stepped, and hand it to the disk. Returns the answers that need not
        wait for it.

        Not while another commit is in flight. Nor is the engine advanced while one is: what it gives to workers then
        would leave no earlier, and a turn costs less without.

        Raises:
            TqError: the store refused; the answers are still in `_answers`, none of them true.
        """
        if self._handling.condition.is_writable:
            self._now_ms = self._clock.now_ms()
            self._core.advance(self._now_ms)
        elif self._handling.condition is Condition.READ_ONLY:
            self._core.show(self._clock.now_ms())
        writes, messages = self._core.take()
        answers = self._answers
        for session_id, message in messages:
            queued = answers.get(session_id)
            if queued is None:
                answers[session_id] = [message]
            else:
                queued.append(message)
        requests = self._intake.unsettled
        self._intake.settle()
        # While the disk is full the engine is for reading; it is loaded again before it writes again.
        is_written = any(writes) and self._handling.condition is not Condition.READ_ONLY
        if is_written:
            self._sync_started_ns = time.perf_counter_ns()
            self._store.apply(writes)
        self._answers = {}
        self._handling.answer_bytes = 0
        if not is_written:
            return answers
        if self._sync == "always":
            self._gathering.note_commit(requests)
            self._in_flight = answers
            self._is_committing = True
            self._start_sync()
            return {}
        self._is_dirty = True
        self._arm_sync_timer()
        self._vitals.record_commit((time.perf_counter_ns() - self._sync_started_ns) // 1_000)
        return answers

    def _start_sync(self) -> None:
        self._is_syncing = True
        self._thread.sync(self._store.sync)

    def _arm_sync_timer(self) -> None:
        """With sync: interval, see to it that what was applied is synced; one sync at a time."""
        if self._sync == "interval" and self._is_dirty and self._sync_timer is None and not self._is_syncing:
            self._sync_timer = self._loop.call_later(self._sync_seconds, self._on_sync_interval)

    def _on_sync_interval(self) -> None:
        self._sync_timer = None
        self._is_dirty = False
        self._start_sync()

    def _on_synced(self, failure: Exception | None, duration_us: int) -> None:
        """A sync ended: start the next commit if enough has gathered, and release what is now on disk."""
        self._is_syncing = False
        self._vitals.record_sync(duration_us)
        if self._is_over():
            return
        if failure is not None:
            self._handle_failure(failure)
            return
        try:
            if self._is_committing:
                self._is_committing = False
                self._vitals.record_commit((time.perf_counter_ns() - self._sync_started_ns) // 1_000)
                ready, self._in_flight = self._in_flight, {}
                later: Answers = {}
                self._gathering.begin(ready, self._intake.unsettled, self._intake.unsettled_bytes)
                try:
                    if not self._is_gathering():
                        later = self._commit()
                finally:
                    self._release(ready)  # true whatever becomes of the next batch
                self._release(later)
            self._arm_sync_timer()
            self._arm_timer()
            if self._intake.inbox:
                self._schedule()
        except Exception as next_failure:
            self._handle_failure(next_failure)

    def _release(self, answers: Answers) -> None:
        sessions = self._intake.sessions
        for session_id, messages in answers.items():
            session = sessions.get(session_id)
            if session is not None and messages:
                session.send(messages)

    def _arm_timer(self) -> None:
        """See to it that the engine is advanced at its deadline: one timer, no polling."""
        if not self._handling.condition.is_writable:
            if self._handling.condition is Condition.STOPPING and self._is_settled() and not self._settled.done():
                self._settled.set_result(None)
            return
        deadline_ms = self._core.next_deadline_ms()
        if deadline_ms is None:
            return
        if deadline_ms <= self._now_ms:
            # More is due than one advance does. The end of the commit in flight goes on with it: work that is due must
            # not pile up uncommitted behind a slow disk.
            if not self._is_committing:
                self._schedule()
            return
        self._alarm.set(deadline_ms, self._now_ms)

    # Trouble

    def _handle_failure(self, failure: Exception) -> None:
        """Nothing that was stepped and is not on disk can be answered: declare it unknown, then load again or die."""
        try:
            if isinstance(failure, _EngineInDoubt):
                self._abandon()
                self._load()
            elif isinstance(failure, DiskFull):
                self._log.error("disk_full", error=failure.message)
                self._abandon_in_flight()
                self._abandon()
                self._stop_timers()
                self._enter(Condition.READ_ONLY)
                self._reopen()  # what it shows then is on disk; if it cannot yet, reads go on all the same
                self._load()
            else:
                self._die(failure)
        except Exception as next_failure:
            self._die(next_failure)

    def _abandon_in_flight(self) -> None:
        in_flight, self._in_flight = self._in_flight, {}
        self._is_committing = self._is_dirty = False
        self._answer_unknown(in_flight)

    def _abandon(self) -> None:
        """Give up all that was taken since the last commit, and the connections whose state the engine alone held."""
        answers, self._answers = self._answers, {}
        self._handling.answer_bytes = 0
        self._answer_unknown(answers)
        self._intake.take_up_all()
        self._intake.take_all()
        self._intake.settle()
        for session in list(self._intake.sessions.values()):
            if session.gets_pushes or session.outstanding:
                session.end()

    def _answer_unknown(self, answers: Answers) -> None:
        for session_id, messages in answers.items():
            session = self._intake.sessions.get(session_id)
            replies = declared_unknown(messages)
            if session is not None and replies:
                session.send(replies)

    def _load(self) -> None:
        """A new engine from the store, as after a restart."""
        self._core = self._open_core(self._store)
        self._now_ms = self._clock.now_ms()
        self._core.open(self._now_ms)
        for session in self._intake.sessions.values():
            self._core.identify(session.session_id, session.access.actor)
        self._schedule()
        self._log.warning("engine_reloaded")

    def _reopen(self) -> bool:
        """Have the store take writes again after a full disk, if there is room and nobody else is using it."""
        if self._is_syncing or self._backups.is_running:
            return False
        try:
            self._store.reopen()
        except DiskFull as error:
            self._log.warning("storage_not_reopened", error=error.message)
            return False
        self._log.warning("storage_reopened")
        return True

    def _enter(self, condition: Condition) -> None:
        self._handling.enter(condition)
        self._vitals.why_not_accepting = condition.value

    def note_disk(self, free_bytes: int, bytes_min: int) -> None:
        """What a look at the disk found; to be called about once a second.

        Args:
            bytes_min: below this, nothing new is taken; what workers report still is.
        """
        self._vitals.disk_free_bytes = free_bytes
        if self.died.done():
            return
        match self._handling.condition:
            case Condition.SERVING if free_bytes < bytes_min:
                self._log.warning("disk_low", free_bytes=free_bytes, min_free_bytes=bytes_min)
                self._enter(Condition.DISK_LOW)
            case Condition.DISK_LOW if free_bytes >= bytes_min:
                self._log.warning("disk_recovered", free_bytes=free_bytes)
                self._enter(Condition.SERVING)
            case Condition.READ_ONLY if free_bytes >= max(bytes_min, REOPEN_BYTES_MIN):
                try:
                    if self._reopen():
                        self._log.warning("disk_recovered", free_bytes=free_bytes)
                        self._abandon()
                        self._enter(Condition.SERVING)
                        self._load()
                except Exception as failure:
                    self._die(failure)
            case _:
                pass
        self._tell_of_disk(free_bytes, bytes_min)

    def _tell_of_disk(self, free_bytes: int, bytes_min: int) -> None:
        """Those who watch are to see it, above all when nothing else goes on."""
        is_read_only = self._handling.condition is Condition.READ_ONLY
        self._core.note_disk(Disk(self._handling.condition.value, is_read_only, free_bytes, bytes_min))
        if is_read_only:
            self._schedule()

    def _die(self, failure: Exception) -> None:
        """Stop for good. A sync is never tried twice: the kernel may have dropped the pages that it could not write."""
        self._log.critical("broker_failed", error=str(failure), exc_info=failure)
        self._abandon_in_flight()
        self._abandon()
        self._stop_timers()
        self.died.set_exception(failure)

    # Backup and the end

    def _on_backup(self, session_id: int, reply: Reply) -> None:
        self._answers.setdefault(session_id, []).append(reply)
        self._schedule()

    def _is_settled(self) -> bool:
        return not (self._is_syncing or self._intake.inbox or self._answers or self._backups.is_running)

    async def stop(self) -> None:
        """Answer what was taken, refuse the rest, then tell every connection and end it."""
        try:
            if not self.died.done():
                self._step_inbox()
        except Exception as failure:
            self._handle_failure(failure)
        self._enter(Condition.STOPPING)
        self._gathering.cancel()
        self._intake.take_up_all()
        self._schedule()
        await asyncio.wait({self._settled, self.died}, return_when=asyncio.FIRST_COMPLETED)
        for session in list(self._intake.sessions.values()):
            session.send([Stopping()])
            session.end()

    def close(self, sync_seconds_max: float = SYNC_SECONDS_MAX) -> None:
        """Make all that was applied safe and let go of the store; after `stop`.

        Args:
            sync_seconds_max: a sync that takes longer is given up, and the store left as by a kill.

        Raises:
            TqError: the disk refused.
        """
        self._is_closed = True
        self._stop_timers()
        if not self._thread.stop(sync_seconds_max):
            self._log.error("sync_hangs", seconds=sync_seconds_max)
        elif not self.died.done():
            self._store.close()

    def _stop_timers(self) -> None:
        self._alarm.cancel()
        self._gathering.cancel()
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            self._sync_timer = None

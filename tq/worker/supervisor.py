"""The supervisor of a worker process: a thread that owns the connection, the heartbeats and the watchdog. Handlers run
elsewhere, so nothing that they do can make their worker look dead.
"""

import asyncio
import contextlib
import functools
import logging
import os
import socket
import time
from asyncio import Future
from collections.abc import Callable, Mapping
from random import Random

import psutil

from tq import __version__
from tq.app.announcing import announced
from tq.app.app import AnyTask
from tq.app.task import RunIn
from tq.client.connection import Connection
from tq.model.commands import (
    BATCH_MAX,
    Ack,
    Fetch,
    Heartbeat,
    Hello,
    ReportLog,
    ReportProgress,
    StackTaken,
    WorkerHello,
)
from tq.model.errors import Kind, PayloadTooLarge, TqError
from tq.model.ids import format_id
from tq.model.replies import CancelRun, Deliver, LeaseRevoked, Push, Reply, Settled, StackWanted, Stopping
from tq.model.replies import Drain as DrainPush
from tq.model.signatures import within_budget
from tq.protocol.codec import PROTOCOL_VERSION
from tq.worker.coroutines import Coroutines
from tq.worker.counts import Counted, Meter
from tq.worker.defects import end_on_defect
from tq.worker.desk import STOP_SECONDS, Desk
from tq.worker.lifeline import (
    EXIT_REFUSED,
    EXIT_UNSETTLED,
    Connected,
    Leaving,
    Options,
    Refused,
    Replace,
)
from tq.worker.log_lines import batches
from tq.worker.mailbox import Mailbox
from tq.worker.outbox import Outcome, Settlement
from tq.worker.parent_line import ParentLine
from tq.worker.pulse import Pulse
from tq.worker.queues import parse_queues
from tq.worker.reports import counted_of, heartbeat_of
from tq.worker.runs import Caller, Executor, Run
from tq.worker.session import Session
from tq.worker.stacks import Stack, stack_report

TICK_SECONDS = 0.05
"""How exact timeouts are."""
PROGRESS_SECONDS = 0.25
"""How often progress travels, at most; the latest of each task wins. So do log lines of tasks that have not ended."""
RETRY_SECONDS = 1.0
"""When the broker could not take an outcome, for want of disk for example."""
SETTLE_SECONDS = 10.0
"""How long a process that ends waits for the broker to confirm its last outcomes."""
NOW_SECONDS = 2.0
"""The same, and for handlers to stop, when it was told to end at once."""
STUCK_MAX = 4
"""Handlers that do not stop when asked, after which a process wants to be replaced; fewer with fewer slots."""
SAME_SIGNAL_SECONDS = 0.5
"""A second signal so soon is the first: shells, timeout(1) and others send one to the process and one to its group."""
_RSS_SECONDS = 1.0

log = logging.getLogger("tq.worker")


class Supervisor:
    """Made in the main thread; `run` is the whole life of the supervisor's thread.

    Args:
        loop: an event loop of its own.
        lifeline: the socket to the parent, from which the options have been read.
        handlers: of the application, by every name.

    Attributes:
        exit_code: of the process, once `run` has returned.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: Options,
        lifeline: socket.socket,
        handlers: Mapping[str, AnyTask],
        caller: Caller,
    ) -> None:
        self.exit_code = EXIT_UNSETTLED
        self._loop = loop
        self._options = options
        self._settings = options.worker
        self._parent = ParentLine(lifeline)
        self._handlers = handlers
        self._signatures = within_budget(announced((name, task.signature) for name, task in handlers.items()))
        self._caller = caller
        self._finished: Mailbox[tuple[list[Outcome], float]] = Mailbox(loop, self._take_finished, self._flush)
        self._session = Session(options.addresses, self._hello, self._welcomed, self._pushed, Random())  # noqa: S311
        self._process = psutil.Process()
        self._heartbeat_seconds = float(self._settings.heartbeat_interval_secs)
        self._progress_at = self._rss_at = 0.0
        self._rss_bytes = 0
        self._was_connected = False
        self._signalled_at = 0.0
        self._asked_for_replacement = False
        self._takes_nothing = False
        self._is_now = False
        self._is_flushing_later = False
        self._leave = asyncio.Event()  # these bind to the loop when they are first waited for
        self._changed = asyncio.Event()
        self._active = asyncio.Event()
        self._beat = asyncio.Event()
        self._desk: Desk
        self._coroutines: Coroutines
        self._pulse: Pulse
        self._meter = Meter() if options.is_counting else None

    @property
    def has_stuck_handlers(self) -> bool:
        """Whether there are handlers that do not stop."""
        return self._desk.stuck > 0

    def finish(self, outcomes: list[Outcome], run_seconds: float) -> None:
        """See Finish."""
        self._finished.put((outcomes, run_seconds))

    def employ(self, coroutines: Coroutines, executors: Mapping[RunIn, Executor], main_thread_id: int) -> None:
        """Meet the executors; before `run`."""
        self._coroutines = coroutines
        self._pulse = Pulse(coroutines, main_thread_id)
        self._desk = Desk(
            self._handlers,
            executors,
            slots=self._settings.concurrency,
            prefetch_max=self._settings.prefetch_max,
            clock=time.monotonic,
            meter=self._meter,
        )

    def signalled(self) -> None:
        """A signal came: take nothing more and end when idle; the second time, at once. From any thread."""
        now = time.monotonic()
        if self._signalled_at and now - self._signalled_at < SAME_SIGNAL_SECONDS:
            return
        with contextlib.suppress(RuntimeError):  # the loop has closed: too late to matter
            self._loop.call_soon_threadsafe(self._stop_now if self._signalled_at else self._leave.set)
        self._signalled_at = self._signalled_at or now

    def run(self) -> None:
        """Work until told to stop, and everything is settled or time is up."""
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(end_on_defect)
        try:
            self._loop.run_until_complete(self._work())
        except BaseException:
            log.exception("supervisor_failed")
            os._exit(EXIT_UNSETTLED)  # without a supervisor the handlers run for nobody
        finally:
            self._loop.close()

    async def _work(self) -> None:
        session = asyncio.create_task(self._session.run(), name="session")
        others = [
            asyncio.create_task(self._parent.listen(self._leave.set, self._stop_now), name="lifeline"),
            asyncio.create_task(self._send_heartbeats(), name="heartbeats"),
            asyncio.create_task(self._watch(), name="watch"),
        ]
        if self._meter is not None:
            others.append(asyncio.create_task(self._parent.report(self._counted), name="counts"))
        leave = asyncio.create_task(self._leave.wait(), name="leave")
        done, _ = await asyncio.wait([session, leave, *others], return_when=asyncio.FIRST_COMPLETED)
        if session in done:
            self._refuse(session)
        elif leave not in done:
            done.pop().result()  # raises: none of the others ends by itself
        else:
            await self._wind_up()
        for task in (session, leave, *others):
            task.cancel()
        await asyncio.gather(session, leave, *others, return_exceptions=True)
        if self._meter is not None:
            self._parent.report_last(self._counted)

    def _counted(self) -> Counted:
        assert self._meter is not None
        return counted_of(self._meter, self._desk, self._session, self._process)

    def _refuse(self, session: "asyncio.Task[None]") -> None:
        error = session.exception()
        if not isinstance(error, TqError):
            session.result()  # a defect: raises
            return
        self._parent.tell(Refused(code=error.code, message=error.message, hint=error.hint))
        self.exit_code = EXIT_REFUSED

    # The parent.

    def _stop_now(self) -> None:
        self._is_now = True
        self._leave.set()
        self._changed.set()

    def _ask_for_replacement(self, reason: str) -> None:
        if not self._asked_for_replacement:
            self._asked_for_replacement = True
            log.info("replacement_wanted", extra={"reason": reason})
            self._parent.tell(Replace(reason))

    # The broker.

    def _hello(self) -> Hello:
        options, settings = self._options, self._settings
        worker = WorkerHello(
            name=options.name,
            incarnation=bytes.fromhex(options.incarnation),
            host=options.host,
            pid=os.getpid(),
            task_types=list(self._handlers),
            queues=parse_queues(settings.queues),
            concurrency=settings.concurrency,
            version=__version__,
            held=self._desk.held(),
            signatures=self._signatures,
        )
        return Hello(0, PROTOCOL_VERSION, f"tq worker {__version__}", options.token, worker)

    def _welcomed(self, connection: Connection) -> None:
        limits = connection.welcome.limits
        if not self._was_connected:
            self._was_connected = True
            self._parent.tell(Connected())
        self._heartbeat_seconds = min(self._settings.heartbeat_interval_secs, limits.heartbeat_interval_ms / 1000)
        self._desk.connected(connection.welcome.lost, limits.payload_bytes_max)
        self._beat.set()
        self._flush()

    def _pushed(self, push: Push) -> None:
        match push:
            case Deliver():
                self._desk.deliver(push.deliveries)
                self._active.set()
                if self._desk.outbox.has_waiting:
                    self._flush()
            case CancelRun():
                self._desk.cancel(push.token)
            case LeaseRevoked():
                self._desk.revoke(push.token)
            case StackWanted():
                self._take_stack(push)
            case DrainPush():
                log.info("drained_by_broker")
                self._parent.tell(Leaving())
                self._leave.set()
            case Stopping():
                log.info("broker_stopping")

    def _take_stack(self, wanted: StackWanted) -> None:
        """Ask the executor of a handler where it is, and tell the broker as soon as that is known."""

        def answer(run: Run, stack: Stack) -> None:
            report = stack_report(wanted.number, stack, time.monotonic() - run.started_at if run.started_at else 0)
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody will ask any more
                self._loop.call_soon_threadsafe(self._send, report)

        reason = self._desk.take_stack(wanted.token, answer)
        if reason:
            self._send(StackTaken(0, wanted.number, reason))

    def _take_finished(self, item: tuple[list[Outcome], float]) -> None:
        self._desk.finished(*item)

    def _flush(self) -> None:
        """Send what waits: outcomes, and how many tasks are wanted."""
        self._changed.set()
        connection = self._session.connection
        if connection is None or connection.is_ended:
            return
        if not connection.has_room:
            if not self._is_flushing_later:
                self._is_flushing_later = True
                asyncio.create_task(self._flush_when_there_is_room(connection), name="flush")  # noqa: RUF006
            return
        self._send_log()  # before the outcomes: with those, the broker forgets the leases that prove the lines
        outbox = self._desk.outbox
        if outbox.has_waiting:
            for request in outbox.take(connection.next_id):
                try:
                    future = connection.request(request)
                except PayloadTooLarge as error:
                    self._give_up_outcomes(request, error)
                except TqError:
                    outbox.unanswered(request)
                    self._loop.call_later(RETRY_SECONDS, self._flush)
                else:
                    future.add_done_callback(functools.partial(self._answered, connection, request))
        if not (self._takes_nothing or self._pulse.is_blocked):
            credit = self._desk.credit.to_ask(self._desk.in_hand)
            if credit:
                self._send(Fetch(0, credit))

    async def _flush_when_there_is_room(self, connection: Connection) -> None:
        with contextlib.suppress(TqError):
            await connection.drain()
        self._is_flushing_later = False
        self._flush()

    def _answered(self, connection: Connection, request: Settlement, future: "Future[Reply]") -> None:
        """The broker answered for outcomes, or will not any more."""
        outbox = self._desk.outbox
        error = future.exception()
        if error is None:
            reply = future.result()
            assert isinstance(reply, Settled)
            outbox.answered(request)
            if reply.lost:
                log.warning("leases_lost", extra={"task_ids": [format_id(task_id) for task_id in reply.lost]})
        elif connection is not self._session.connection or connection.is_ended:
            return  # all that is unsettled is sent again on the next connection
        elif isinstance(error, TqError) and error.kind is Kind.INVALID:
            self._give_up_outcomes(request, error)
        else:
            log.warning("outcomes_not_taken", extra={"reason": str(error), "again_in_ms": int(RETRY_SECONDS * 1000)})
            outbox.unanswered(request)
            self._loop.call_later(RETRY_SECONDS, self._flush)
        self._changed.set()

    def _give_up_outcomes(self, request: Settlement, error: TqError) -> None:
        log.error("outcome_refused", extra={"reason": str(error), "request": type(request).__name__})
        for outcome in self._desk.outbox.refused(request, error):
            log.error("outcome_given_up", extra={"task_id": format_id(outcome.task_id)})
        self._loop.call_soon(self._flush)

    def _send(self, request: Fetch | Heartbeat | ReportProgress | ReportLog | StackTaken) -> None:
        connection = self._session.connection
        if connection is not None:
            with contextlib.suppress(TqError):  # it has ended: a new one will be told anew
                connection.send(request)

    def _take_credit_back(self, credit: int) -> None:
        """Want no more than `credit` tasks from now on."""
        self._desk.credit.outstanding = credit
        self._send(Fetch(0, credit, self._desk.credit.delivered))

    async def _send_heartbeats(self) -> None:
        """At the broker's pace, and at once when there is news. An empty Ack goes along: the answer to it is what tells
        this side that the broker lives."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._beat.wait()
            self._beat.clear()
            self._send(heartbeat_of(self._desk, self._pulse, self._process, is_draining=self._leave.is_set()))
            connection = self._session.connection
            if connection is not None and connection.has_room and not connection.is_ended:
                connection.request(Ack(connection.next_id(), [])).add_done_callback(_forget)

    # The watchdog.

    async def _watch(self) -> None:
        """While there is anything in hand: timeouts, tasks that do not start, the loop, progress, log lines, memory."""
        desk, is_blocked, delivered = self._desk, False, -1
        while True:
            if not desk.in_hand and desk.credit.delivered == delivered:  # nothing came for a whole tick
                if desk.credit.excess(0):
                    self._take_credit_back(desk.credit.reset(0))
                self._active.clear()
                await self._active.wait()
            delivered = desk.credit.delivered
            await asyncio.sleep(TICK_SECONDS)
            was_blocked = is_blocked
            stalled = desk.tick()
            if self._pulse.check():
                self._beat.set()
            is_blocked = self._pulse.is_blocked
            if is_blocked and not was_blocked:
                self._take_credit_back(0)
            elif stalled and not self._takes_nothing:
                self._take_credit_back(desk.credit.reset(desk.in_hand))
            if desk.outbox.has_waiting or (was_blocked and not is_blocked):
                self._flush()
            self._check_recycling()
            self._send_progress()

    def _check_recycling(self) -> None:
        settings, desk = self._settings, self._desk
        stuck_max = max(1, min(STUCK_MAX, settings.concurrency // 2))
        if desk.stuck and (desk.stuck >= stuck_max or self._pulse.is_blocked) and not self._takes_nothing:
            self._takes_nothing = True
            self._take_credit_back(0)
            self._ask_for_replacement(f"{desk.stuck} handlers do not stop")
        if settings.max_tasks and desk.ended >= settings.max_tasks:
            self._ask_for_replacement(f"{desk.ended} tasks done, max_tasks is {settings.max_tasks}")
        now = self._loop.time()
        if settings.max_rss_mb and now >= self._rss_at + _RSS_SECONDS:
            self._rss_at = now
            self._rss_bytes = self._process.memory_info().rss
            if self._rss_bytes > settings.max_rss_mb << 20:
                megabytes = self._rss_bytes >> 20
                self._ask_for_replacement(f"{megabytes} MiB of memory, max_rss_mb is {settings.max_rss_mb}")

    def _send_log(self) -> None:
        connection = self._session.connection
        if self._caller.lines and connection is not None and connection.has_room and not connection.is_ended:
            for lines in batches(self._caller.lines.take(), BATCH_MAX):
                self._send(ReportLog(0, lines))

    def _send_progress(self) -> None:
        now = self._loop.time()
        if now >= self._progress_at + PROGRESS_SECONDS:
            notes = self._caller.take_notes()
            if notes or self._caller.lines:
                self._progress_at = now
            for first in range(0, len(notes), BATCH_MAX):
                self._send(ReportProgress(0, notes[first : first + BATCH_MAX]))
            self._send_log()

    # The end.

    async def _wind_up(self) -> None:
        """Finish what runs within the time allowed, hand back the rest, and have all of it confirmed."""
        desk = self._desk
        grace, began_at = self._settings.graceful_shutdown_timeout_secs, self._loop.time()
        log.info("draining", extra={"running": desk.in_hand - desk.unstarted, "unstarted": desk.unstarted})
        self._takes_nothing = desk.is_closing = True
        self._take_credit_back(0)
        desk.hand_back_unstarted()
        self._beat.set()
        self._flush()
        await self._until(lambda: not desk.in_hand or self._is_now, grace)
        if desk.in_hand:
            seconds = round(self._loop.time() - began_at, 1)
            log.warning("handing_back", extra={"running": desk.in_hand, "after_seconds": seconds})
            desk.stop_all()
            self._flush()
            await self._until(lambda: not desk.in_hand, NOW_SECONDS if self._is_now else STOP_SECONDS)
            desk.give_up_all()
            self._flush()
        await self._until(lambda: not desk.outbox, NOW_SECONDS if self._is_now else SETTLE_SECONDS)
        if desk.outbox:
            log.error("outcomes_unsettled", extra={"tasks": len(desk.outbox)})
        else:
            self.exit_code = 0
        log.info("drained", extra={"ended": desk.ended, "stuck": desk.stuck})

    async def _until(self, is_true: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition on the state of this object; whether it came about in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_true():
                    self._changed.clear()
                    await self._changed.wait()
        return is_true()


def _forget(future: "Future[Reply]") -> None:
    """Nobody waits for this answer; an error is not to be reported as forgotten."""
    if not future.cancelled():
        future.exception()

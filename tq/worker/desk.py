"""The worker's desk: tasks come in as deliveries, go to executors, and leave as outcomes. Decides who runs when, what
is too late, and what to ask for next. Lives in the supervisor's thread; no socket, and the clock is handed in.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import assert_never

import msgspec

from tq.app.app import AnyTask
from tq.app.task import RunIn
from tq.model.commands import Failure, LeaseRef, Success
from tq.model.durations import format_ms
from tq.model.replies import Delivery
from tq.model.task import StoredTask
from tq.worker.counts import Meter
from tq.worker.credit import STALL_SECONDS, Credit
from tq.worker.outbox import HandedBack, Outbox, Outcome, Stopped
from tq.worker.runs import Executor, Run, Why
from tq.worker.stacks import Stack
from tq.worker.task_log import TaskLog, facts_of, write_end

STOP_SECONDS = 5.0
"""How long a handler that was asked to stop may take; then a process is killed, and any other loses its slot."""

log = logging.getLogger("tq.worker")
_decode_stored: Callable[[bytes], StoredTask] = msgspec.msgpack.Decoder(StoredTask).decode


class Desk:
    """All tasks in this process.

    Args:
        handlers: of the application, by every name.
        executors: by the kind of handler that they run; all kinds.
        slots: handlers of all kinds at once.
        prefetch_max: see Credit.
        clock: monotonic, in seconds.
        meter: counts the tasks that end, if somebody wants to know.

    Attributes:
        outbox: the outcomes that are not confirmed yet.
        credit: what to ask the broker for.
        ended: tasks that ended here, counted.
        stuck: handlers that did not stop when asked, and still run without a slot.
        is_closing: nothing more is started; what arrives goes back.
    """

    def __init__(
        self,
        handlers: Mapping[str, AnyTask],
        executors: Mapping[RunIn, Executor],
        *,
        slots: int,
        prefetch_max: int,
        clock: Callable[[], float],
        meter: Meter | None = None,
    ) -> None:
        self.outbox = Outbox()
        self.credit = Credit(slots, prefetch_max)
        self.ended = 0
        self.stuck = 0
        self.is_closing = False
        self._kinds: dict[str, RunIn] = {name: task.run_in for name, task in handlers.items()}
        self._executors = executors
        self._slots = slots
        self._clock = clock
        self._meter = meter
        self._task_log = TaskLog(clock)
        self._runs: dict[int, Run] = {}  # in hand, by token
        self._given: dict[RunIn, int] = dict.fromkeys(executors, 0)  # to each executor, and not ended
        self._waiting: deque[Run] = deque()  # for a slot, and not given to an executor yet
        self._busy_since = 0.0

    @property
    def in_hand(self) -> int:
        """Tasks delivered and not ended."""
        return len(self._runs)

    @property
    def unstarted(self) -> int:
        """Those of them that have not started."""
        return len(self._waiting) + sum(executor.unstarted() for executor in self._executors.values())

    def held(self) -> list[LeaseRef]:
        """All leases of this process: in hand, or ended and not confirmed."""
        return [run.lease for run in self._runs.values() if run.why is not Why.LOST] + self.outbox.held()

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Tasks arrived."""
        now = self._clock()
        if not self._runs:
            self._busy_since = now
        self.credit.received(len(deliveries))
        runs, waiting, kinds = self._runs, self._waiting, self._kinds
        for delivery in deliveries:
            stored = _decode_stored(delivery.task)
            token, spec = delivery.token, stored.spec
            # A type that nobody has cannot come; if it does, the executor's answer is that there is no such handler.
            run = Run(spec.id, token, delivery.attempt, stored, kinds.get(spec.task_type, "loop"), now)
            runs[token] = run
            waiting.append(run)
        if self.is_closing:
            self.hand_back_unstarted()
        else:
            self._dispatch()

    def finished(self, outcomes: list[Outcome], run_seconds: float) -> None:
        """Handlers ended."""
        now = self._clock()
        self.credit.measure(len(outcomes), run_seconds, now - self._busy_since)
        self._busy_since = now
        take, given, add = self._runs.pop, self._given, self.outbox.add
        meter, lines = self._meter, self._task_log.room(len(outcomes))
        for outcome in outcomes:
            run = take(outcome.token, None)
            if run is not None:  # else it was given up, and reported then
                given[run.kind] -= 1
                self.ended += 1
                if run.why is not Why.LOST:
                    add(outcome)
                if lines or type(outcome) is Failure:
                    lines -= lines > 0
                    write_end(run, outcome, now)
                if meter is not None:
                    meter.count(run.stored.spec.task_type, _outcome_word(run, outcome), run.run_seconds(now))
        if self._waiting:
            self._dispatch()

    def _dispatch(self) -> None:
        """Give waiting runs to their executors: in order, and so that all kinds together fill no more than the slots.

        Each executor keeps to that by itself. So one kind alone may be given more, to start as its slots get free; of
        different kinds no more than there are slots.
        """
        waiting, given = self._waiting, self._given
        total = sum(given.values())
        batches: dict[RunIn, list[Run]] = {}
        while waiting:
            kind = waiting[0].kind
            if total >= self._slots and given[kind] != total:
                break
            given[kind] += 1
            total += 1
            batches.setdefault(kind, []).append(waiting.popleft())
        for kind, runs in batches.items():
            self._executors[kind].start(runs)

    def cancel(self, token: int) -> None:
        """The broker asks for a handler to stop, because its task was cancelled."""
        run = self._runs.get(token)
        if run is not None and run.why is None:
            self._stop(run, Why.CANCEL)

    def revoke(self, token: int) -> None:
        """The broker took a lease back: the handler is stopped, and whatever comes of it dropped."""
        run = self._runs.get(token)
        if run is not None and run.why is not Why.LOST:
            log.warning("lease_revoked", extra=facts_of(run))
            self._stop(run, Why.LOST)

    def connected(self, lost: list[bytes], result_bytes_max: int) -> None:
        """A new connection: outcomes are sent again, and what the broker gave to others meanwhile is dropped."""
        gone = set(lost)
        self.credit.connected()
        self.outbox.result_bytes_max = result_bytes_max
        dropped = self.outbox.reconnected(gone)
        if dropped:
            log.warning("outcomes_lost", extra={"tasks": dropped})
        for run in [run for run in self._runs.values() if run.task_id in gone]:
            self.revoke(run.token)

    def take_stack(self, token: int, answer: Callable[[Run, Stack], None]) -> str:
        """Have `answer` called with the stack of a handler, from any thread; or say why there is none.

        Returns:
            the reason, for people; empty if `answer` will be called, unless the handler ends first.
        """
        run = self._runs.get(token)
        if run is None:
            return "it has just ended"
        executor = self._executors[run.kind]
        if all(other is not run for other in executor.started()):
            return "its worker has fetched it, and waits for a free slot to start it"
        executor.take_stack(run, lambda stack: answer(run, stack))
        return ""

    def tick(self) -> bool:
        """Look at the clock: to be called a few times a second while there is anything in hand.

        Returns:
            whether tasks did not start in time, and were handed back.
        """
        now = self._clock()
        for executor in self._executors.values():
            for run in executor.started():
                if run.token not in self._runs:
                    continue
                if run.why is not None:
                    if now >= run.stop_at:
                        self._give_up(run)
                elif (
                    (timeout_ms := run.stored.spec.timeout_ms)
                    and (started_at := run.started_at)  # 0 while its process is being started
                    and now >= started_at + timeout_ms / 1000
                ):
                    log.warning("task_timed_out", extra=facts_of(run) | {"at": executor.place_of(run)})
                    self._stop(run, Why.TIMEOUT)
        oldest = [self._waiting[0]] if self._waiting else []
        oldest += [one for executor in self._executors.values() if (one := executor.oldest_unstarted()) is not None]
        if all(now - run.arrived_at <= STALL_SECONDS for run in oldest):
            return False
        self.credit.stalled()
        count = self.hand_back_unstarted()
        log.debug("unstarted_handed_back", extra={"tasks": count})
        return True

    def hand_back_unstarted(self) -> int:
        """All that waits for a slot goes back to the broker; how many."""
        for kind, executor in self._executors.items():
            taken = executor.take_back()
            self._given[kind] -= len(taken)
            self._waiting.extend(taken)
        count = len(self._waiting)
        for run in self._waiting:
            del self._runs[run.token]
            if run.why is Why.CANCEL:
                self.outbox.add(Stopped(run.task_id, run.token))
            elif run.why is not Why.LOST:
                self.outbox.add(HandedBack(run.task_id, run.token))
        self._waiting.clear()
        return count

    def stop_all(self) -> None:
        """This process ends: what has not started goes back now, what runs is asked to stop, and goes back then."""
        self.hand_back_unstarted()
        for run in list(self._runs.values()):
            if run.why is None:
                self._stop(run, Why.SHUTDOWN)

    def give_up_all(self) -> None:
        """What has not stopped goes back all the same: this process ends now."""
        for run in list(self._runs.values()):
            self._give_up(run)

    def _stop(self, run: Run, why: Why) -> None:
        run.why = why
        run.stop_at = self._clock() + STOP_SECONDS
        self._executors[run.kind].stop(run)

    def _give_up(self, run: Run) -> None:
        """A handler did not stop: its slot is taken from it, and its task is settled without it."""
        executor = self._executors[run.kind]
        place = executor.place_of(run)
        if executor.abandon(run):
            self.stuck += 1
            why = run.why.value if run.why is not None else ""
            log.error("handler_does_not_stop", extra=facts_of(run) | {"at": place, "asked_because": why})
        del self._runs[run.token]
        self._given[run.kind] -= 1
        self.ended += 1
        outcome = _outcome_of_stuck(run, place)
        if run.why is not Why.LOST:
            self.outbox.add(outcome)
        if self._meter is not None:
            now = self._clock()
            self._meter.count(run.stored.spec.task_type, _outcome_word(run, outcome), run.run_seconds(now))


def _outcome_of_stuck(run: Run, place: str) -> Outcome:
    """What is reported of a handler that was asked to stop and did not; it was last seen at `place`."""
    match run.why:
        case Why.TIMEOUT:
            timeout = format_ms(run.stored.spec.timeout_ms)
            message = f"ran longer than its timeout of {timeout}, and did not stop within {STOP_SECONDS:g} s"
            message += f"; last seen at {place}" if place else ""
            return Failure(run.task_id, run.token, "TimeoutError", message, is_timeout=True)
        case Why.CANCEL:
            return Stopped(run.task_id, run.token)
        case Why.SHUTDOWN | Why.LOST | None:
            return HandedBack(run.task_id, run.token)
        case _:
            assert_never(run.why)


def _outcome_word(run: Run, outcome: Outcome) -> str:
    """How an outcome is counted."""
    if run.why is Why.LOST:
        return "lost"
    match outcome:
        case Success():
            return "completed"
        case Failure():
            return "timed_out" if outcome.is_timeout else "failed"
        case HandedBack():
            return "snoozed" if outcome.delay_ms else "handed_back"
        case Stopped():
            return "cancelled"
        case _:
            assert_never(outcome)

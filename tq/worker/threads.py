"""Handlers that are plain functions: threads, started as they are needed.

The slots of handlers that run in processes are such threads too (processes.py): each waits for its process.
"""

import os
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable

from tq.worker.interrupts import Guard, Interrupted, follows_interrupt
from tq.worker.outbox import Outcome
from tq.worker.running_table import RunningTable
from tq.worker.runs import Caller, Finish, Run
from tq.worker.stacks import Answer, Stack
from tq.worker.watchdog import place_of_thread, stack_of_handler


class Slot(ABC):
    """A thread that runs one handler at a time."""

    def __init__(self) -> None:
        self.place = 0
        self.run: Run | None = None
        self.ended = 0
        self.is_abandoned = False
        self.thread_id = 0

    @abstractmethod
    def execute(self, run: Run) -> Outcome:
        """Run a handler to its end. Called in the slot's thread."""

    @abstractmethod
    def stop(self, run: Run) -> None:
        """Ask the handler to stop, which `run.why` says why; by the supervisor, while `self.run` is `run`."""

    @abstractmethod
    def abandon(self) -> bool:
        """The handler did not stop: end it by force where that can be done; whether it still runs."""

    @abstractmethod
    def place_of_handler(self) -> str:
        """Where the handler is now, or empty."""

    @abstractmethod
    def take_stack(self, run: Run, answer: Answer) -> None:
        """Have `answer` called with the stack of the handler; see Executor."""

    @abstractmethod
    def close(self) -> None:
        """This process ends."""


class Threads:
    """The executor of threads.

    Args:
        name: of the threads, for people who look at stacks.
        slots: handlers at once.
        table: where started tasks are entered, at the places from `first_place` on.
    """

    def __init__(
        self,
        name: str,
        slots: int,
        make_slot: Callable[[], Slot],
        finish: Finish,
        table: RunningTable,
        first_place: int,
    ) -> None:
        self._name = name
        self._slots_max = slots
        self._make_slot = make_slot
        self._finish = finish
        self._table = table
        self._free_places = list(reversed(range(first_place, first_place + slots)))
        self._slots: list[Slot] = []
        self._backlog: deque[Run] = deque()
        self._tickets: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each run in the backlog, or more
        self._accepted = 0
        self._is_closed = False

    def start(self, runs: list[Run]) -> None:
        """See Executor."""
        self._accepted += len(runs)
        self._backlog.extend(runs)
        in_hand = self._accepted - sum(slot.ended for slot in self._slots)
        while len(self._slots) < min(in_hand, self._slots_max):
            self._open()
        for _ in runs:
            self._tickets.put(None)

    def oldest_unstarted(self) -> Run | None:
        """See Executor."""
        try:
            return self._backlog[0]
        except IndexError:
            return None

    def unstarted(self) -> int:
        """See Executor."""
        return len(self._backlog)

    def take_back(self) -> list[Run]:
        """See Executor."""
        taken: list[Run] = []
        try:
            while True:
                taken.append(self._backlog.popleft())
        except IndexError:
            self._accepted -= len(taken)
            return taken

    def started(self) -> Iterable[Run]:
        """See Executor."""
        return [run for slot in self._slots if (run := slot.run) is not None]

    def stop(self, run: Run) -> None:
        """See Executor."""
        slot = self._slot_of(run)
        if slot is not None:
            if run.context is not None:
                run.context.cancelled = True
            slot.stop(run)

    def abandon(self, run: Run) -> bool:
        """See Executor: the thread leaves when its handler ends, and another takes its place."""
        slot = self._slot_of(run)
        if slot is None:
            return False
        slot.is_abandoned = True
        self._slots.remove(slot)
        self._accepted -= slot.ended + 1
        self._table.leave(slot.place)
        self._free_places.append(slot.place)
        return slot.abandon()

    def place_of(self, run: Run) -> str:
        """See Executor."""
        slot = self._slot_of(run)
        return slot.place_of_handler() if slot is not None else ""

    def take_stack(self, run: Run, answer: Answer) -> None:
        """See Executor."""
        slot = self._slot_of(run)
        if slot is not None:
            slot.take_stack(run, answer)

    def close(self) -> None:
        """End the threads that are idle; the others end with the process."""
        self._is_closed = True
        for slot in self._slots:
            slot.close()
            self._tickets.put(None)

    def _slot_of(self, run: Run) -> Slot | None:
        return next((slot for slot in self._slots if slot.run is run), None)

    def _open(self) -> None:
        slot = self._make_slot()
        slot.place = self._free_places.pop()
        self._slots.append(slot)
        # A daemon: a handler that hangs must not keep the process from ending.
        threading.Thread(target=self._serve, args=(slot,), name=f"{self._name}-{slot.place}", daemon=True).start()

    def _serve(self, slot: Slot) -> None:
        """Run handler after handler, in a thread."""
        slot.thread_id = threading.get_ident()
        while not slot.is_abandoned:
            self._tickets.get()
            if self._is_closed:
                return
            try:
                run = self._backlog.popleft()
            except IndexError:  # taken back
                continue
            run.started_at = time.monotonic()
            slot.run = run
            self._table.enter(slot.place, run.task_id)
            outcome = slot.execute(run)
            run.ended_at = time.monotonic()
            seconds = run.ended_at - run.started_at
            slot.run = None
            if not slot.is_abandoned:
                self._table.leave(slot.place)
                slot.ended += 1
                self._finish([outcome], seconds)
            del run, outcome  # a result must not stay in memory until the next task


class ThreadSlot(Slot):
    """A slot whose handlers run in its own thread."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller = caller
        self._guard = Guard()

    def execute(self, run: Run) -> Outcome:
        """See Slot."""
        return execute_guarded(self._guard, self._caller, run)

    def stop(self, run: Run) -> None:
        """See Slot."""
        self._guard.interrupt(run.token)

    def abandon(self) -> bool:
        """See Slot: nothing ends a thread by force."""
        return True

    def place_of_handler(self) -> str:
        """See Slot."""
        return place_of_thread(self.thread_id)

    def take_stack(self, run: Run, answer: Answer) -> None:
        """See Slot."""
        place, text = stack_of_handler(self.thread_id, self._caller.code_of(run))
        answer(Stack("thread", os.getpid(), place, text))

    def close(self) -> None:
        """See Slot."""


def execute_guarded(guard: Guard, caller: Caller, run: Run) -> Outcome:
    """Run a plain handler to its end in this thread, which `guard` may interrupt meanwhile."""
    try:
        invocation = caller.prepare(run)
    except Exception as error:  # most are InvalidArgument, but arguments may be of the application's types
        return caller.refused(run, error)
    outcome: Outcome | None = None
    try:
        guard.arm(run.token)
        if run.why is not None:  # since before it was armed, so that no interrupt comes
            guard.disarm(run.token)
            return caller.not_started(run)
        try:
            value = invocation.call(caller.context_for(run) if invocation.needs_context else None)
        except BaseException as error:  # what a handler raises, SystemExit included, ends the handler alone
            if isinstance(error, Interrupted):
                raise
            outcome = caller.raised(run, invocation, error, was_stopped=follows_interrupt(error))
        else:
            outcome = caller.returned(run, invocation, value)
        guard.disarm(run.token)
    except Interrupted as error:
        if outcome is None:  # else it came too late: the handler had ended
            outcome = caller.stopped(run, invocation, error)
    return outcome

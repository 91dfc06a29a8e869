"""Handlers that are `async def`: slots on the event loop of the main thread.

A slot is an asyncio task that lives as long as the process and runs handler after handler: a delivery costs no task of
its own, and a handler that never waits no turn of the loop. Each handler has its own copy of the context variables.
"""

import asyncio
import os
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context as Scope
from contextvars import copy_context
from typing import Any

from tq.app.invoke import Invocation
from tq.worker.outbox import Outcome
from tq.worker.running_table import RunningTable
from tq.worker.runs import Caller, Finish, Run
from tq.worker.stacks import Answer, Stack
from tq.worker.watchdog import place_of_coroutine, place_of_thread, stack_of_coroutine, stack_of_handler

BURST_TASKS = 128
BURST_SECONDS = 0.005
"""Handlers that never wait run one after another for so long before the loop turns; their outcomes leave in bursts."""


class _Slot:
    """Where one handler runs at a time."""

    __slots__ = ("coroutine", "is_abandoned", "is_stopped", "place", "run", "task", "waiter")

    task: asyncio.Task[None]

    def __init__(self, place: int, waiter: "asyncio.Future[None]") -> None:
        self.place = place
        self.waiter = waiter
        self.run: Run | None = None
        self.coroutine: Coroutine[Any, Any, Any] | None = None  # of a handler that has waited for something
        self.is_stopped = False
        self.is_abandoned = False


class Coroutines:
    """The executor of coroutines; made and served on its event loop, used by the supervisor's thread.

    Args:
        slots: handlers at once.
        table: where started tasks are entered, at the places from `first_place` on.
    """

    def __init__(self, slots: int, caller: Caller, finish: Finish, table: RunningTable, first_place: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._caller = caller
        self._finish = finish
        self._table = table
        self._places = range(first_place, first_place + slots)
        self._slots: list[_Slot] = []
        self._idle: list[_Slot] = []
        self._backlog: deque[Run] = deque()
        self._closing = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._is_waking = False
        self._done: list[Outcome] = []
        self._done_seconds = 0.0
        self._is_publishing = False

    async def serve(self) -> None:
        """Run handlers until `close`; those that still run then are cancelled."""
        async with self._group:  # a defect in one slot ends the process, with its trace
            for place in self._places:
                self._slots.append(self._open(place))
            await self._closing.wait()
            for slot in self._slots:
                slot.is_abandoned = True
                slot.task.cancel()

    def close(self) -> None:
        """Let `serve` end."""
        self._loop.call_soon_threadsafe(self._closing.set)

    def ping(self, pong: Callable[[], None]) -> None:
        """Have `pong` called when the loop next turns."""
        self._loop.call_soon_threadsafe(pong)

    def place_on_loop(self) -> str:
        """Where the thread of the loop is now, as "app.py:88"."""
        return place_of_thread(self._thread_id)

    def run_on_loop(self) -> Run | None:
        """Whose handler the loop is in now, if in any."""
        task = asyncio.current_task(self._loop)
        return next((slot.run for slot in self._slots if slot.task is task), None)

    # The Executor.

    def start(self, runs: list[Run]) -> None:
        """See Executor."""
        self._backlog.extend(runs)
        if not self._is_waking:
            self._is_waking = True
            self._loop.call_soon_threadsafe(self._wake)

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
            return taken

    def started(self) -> Iterable[Run]:
        """See Executor."""
        return [run for slot in self._slots if (run := slot.run) is not None]

    def stop(self, run: Run) -> None:
        """See Executor: the handler is cancelled where it waits, as soon as the loop turns."""
        self._loop.call_soon_threadsafe(self._stop, run)

    def abandon(self, run: Run) -> bool:
        """See Executor: a new slot takes the place of the one that the handler keeps."""
        self._loop.call_soon_threadsafe(self._abandon, run)
        return True

    def place_of(self, run: Run) -> str:
        """See Executor."""
        if self.run_on_loop() is run:
            return self.place_on_loop()
        coroutine = next((slot.coroutine for slot in self._slots if slot.run is run), None)
        return place_of_coroutine(coroutine) if coroutine is not None else ""

    def take_stack(self, run: Run, answer: Answer) -> None:
        """See Executor."""
        slot = self._slot_of(run)
        if self.run_on_loop() is run:
            place, text = stack_of_handler(self._thread_id, self._caller.code_of(run))
        elif slot is not None and slot.coroutine is not None:
            place, text = stack_of_coroutine(slot.coroutine, slot.task)
        else:
            place, text = "", ""
        answer(Stack("coroutine", os.getpid(), place, text))

    # On the loop.

    def _open(self, place: int) -> _Slot:
        slot = _Slot(place, self._loop.create_future())
        slot.task = self._group.create_task(self._serve(slot), name=f"tq-slot-{place}")
        return slot

    def _wake(self) -> None:
        self._is_waking = False
        idle = self._idle
        for _ in range(min(len(idle), len(self._backlog))):
            slot = idle.pop()
            if not slot.waiter.done():
                slot.waiter.set_result(None)

    def _slot_of(self, run: Run) -> _Slot | None:
        return next((slot for slot in self._slots if slot.run is run), None)

    def _stop(self, run: Run) -> None:
        slot = self._slot_of(run)
        if slot is not None:
            slot.is_stopped = True
            if run.context is not None:
                run.context.cancelled = True
            slot.task.cancel()

    def _abandon(self, run: Run) -> None:
        slot = self._slot_of(run)
        if slot is not None:
            slot.is_abandoned = True
            self._table.leave(slot.place)
            self._slots[self._slots.index(slot)] = self._open(slot.place)

    async def _serve(self, slot: _Slot) -> None:
        """Run handler after handler. The hot path of the worker: a handler that does not wait is called, and its
        outcome noted, without a pause."""
        backlog, caller, table, monotonic = self._backlog, self._caller, self._table, time.monotonic
        now = burst_at = monotonic()
        while True:
            try:
                run = backlog.popleft()
            except IndexError:
                await self._wait(slot)
                now = burst_at = monotonic()
                continue
            run.started_at = now
            slot.run = run
            table.enter(slot.place, run.task_id)
            if run.why is not None:
                self._done.append(caller.not_started(run))
                continue
            try:
                invocation = caller.prepare(run)
            except Exception as error:  # most are InvalidArgument, but arguments may be of the application's types
                outcome = caller.refused(run, error)
            else:
                scope = copy_context()
                try:
                    context = caller.context_for(run) if invocation.needs_context else None
                    coroutine = scope.run(invocation.call, context)
                    awaited = scope.run(coroutine.send, None)
                except StopIteration as stop:
                    outcome = caller.returned(run, invocation, stop.value)
                except BaseException as error:  # what a handler raises, SystemExit included, ends the handler alone
                    outcome = caller.raised(run, invocation, error, was_stopped=False)
                else:
                    outcome = await self._finish_waiting(slot, run, invocation, coroutine, awaited, scope)
                    burst_at = monotonic()  # the loop has turned
                    if slot.is_abandoned:
                        return  # the place is another's, and the outcome was reported by the supervisor
            now = run.ended_at = monotonic()
            self._done.append(outcome)
            self._done_seconds += now - run.started_at
            if len(self._done) >= BURST_TASKS:
                self._publish()
            if now - burst_at > BURST_SECONDS:
                self._publish()
                slot.run = None
                await self._yield(slot)
                now = burst_at = monotonic()

    async def _wait(self, slot: _Slot) -> None:
        """Until there may be something to run."""
        slot.run = None
        self._table.leave(slot.place)
        if self._done and not self._is_publishing:
            self._is_publishing = True
            self._loop.call_soon(self._publish)  # with those of the other slots that end in this turn
        slot.waiter = self._loop.create_future()
        self._idle.append(slot)
        try:
            await slot.waiter
        except asyncio.CancelledError:
            self._outlive_cancel(slot)
            if slot in self._idle:
                self._idle.remove(slot)

    async def _yield(self, slot: _Slot) -> None:
        """One turn of the loop."""
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self._outlive_cancel(slot)

    def _outlive_cancel(self, slot: _Slot) -> None:
        """A slot between two handlers was cancelled: by `serve`, or by code that an ended handler left behind."""
        if self._closing.is_set():
            raise asyncio.CancelledError
        _forget_cancels(slot)

    async def _finish_waiting(
        self,
        slot: _Slot,
        run: Run,
        invocation: Invocation,
        coroutine: Coroutine[Any, Any, Any],
        awaited: Any,
        scope: Scope,
    ) -> Outcome:
        """Run a handler on to its end that has waited for something."""
        slot.coroutine = coroutine
        try:
            value = await _rest_of(coroutine, awaited, scope)
        except BaseException as error:
            outcome = self._caller.raised(run, invocation, error, was_stopped=slot.is_stopped)
        else:
            outcome = self._caller.returned(run, invocation, value)
        slot.coroutine = None
        if slot.is_stopped:
            slot.is_stopped = False
            _forget_cancels(slot)
        return outcome

    def _publish(self) -> None:
        self._is_publishing = False
        if self._done:
            done, self._done = self._done, []
            seconds, self._done_seconds = self._done_seconds, 0.0
            self._finish(done, seconds)


def _forget_cancels(slot: _Slot) -> None:
    """The next handler in this slot must not think that it is being cancelled; asyncio.timeout() looks at that."""
    while slot.task.cancelling():
        slot.task.uncancel()


@types.coroutine
def _rest_of(coroutine: Coroutine[Any, Any, Any], awaited: Any, scope: Scope) -> Generator[Any, Any, Any]:
    """What `await coroutine` does, for one that has been started and has given `awaited`, inside `scope`."""
    try:
        while True:
            try:
                value = yield awaited
            except BaseException as error:
                # This frame would stand between the handler and what it waited for.
                error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
                awaited = scope.run(coroutine.throw, error)
            else:
                awaited = scope.run(coroutine.send, value)
    except StopIteration as stop:
        return stop.value

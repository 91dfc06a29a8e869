"""Running what is ready, one task after the other, in the order of production."""

import asyncio
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tq.app.app import AnyTask
from tq.app.invoke import Snoozed
from tq.model.commands import LeaseRef
from tq.model.errors import WrongState
from tq.testing.machine import Machine
from tq.testing.runs import CrashPoint, Report, Run

RUNS_MAX = 10_000
"""Runs of one drain; a task that enqueues itself would go on for ever."""


class Drains:
    """Runs the tasks of one test.

    Args:
        handlers: by name and alias; looked at anew for each drain.
    """

    def __init__(self, handlers: Mapping[str, AnyTask]) -> None:
        self.machine = Machine(self._cancel)
        self._handlers = handlers
        self._crashes: dict[str, CrashPoint] = {}
        self._running: dict[LeaseRef, Run] = {}
        self._random = random.Random(0)  # noqa: S311 - jitter, the same in every run of a test

    def crash_next(self, task: AnyTask, at: CrashPoint) -> None:
        """The next run of this task takes its worker down."""
        self._crashes[task.name] = at

    async def run(self, queue: str | None, *, raise_errors: bool, runs_max: int | None = None) -> int:
        """Run what is ready until nothing is, or `runs_max` have run; how many did.

        Raises:
            WrongState: 10,000 have run, and no `runs_max` was given.
        """
        with self._worker(queue, runs_max) as worker:
            while (run := worker.next()) is not None:
                with worker.holding(run):
                    report = await (run.run_in_loop() if run.is_async else asyncio.to_thread(run.run))
                    worker.settle(run, report)
                if raise_errors and run.error is not None:
                    raise run.error
            return worker.runs

    def run_sync(self, queue: str | None, *, raise_errors: bool, runs_max: int | None = None) -> int:
        """As `run`, where no event loop runs: plain handlers in the calling thread, async ones in a loop made here."""
        loops = asyncio.Runner()
        try:
            with self._worker(queue, runs_max) as worker:
                while (run := worker.next()) is not None:
                    with worker.holding(run):
                        worker.settle(run, loops.run(run.run_in_loop()) if run.is_async else run.run())
                    if raise_errors and run.error is not None:
                        raise run.error
                return worker.runs
        finally:
            loops.close()

    def started(self, run: Run) -> None:
        """From now on the run can be cancelled."""
        self._running[run.lease] = run

    def ended(self, run: Run) -> None:
        """From now on it cannot."""
        self._running.pop(run.lease, None)

    def is_to_crash(self, run: Run, at: CrashPoint) -> bool:
        """Whether the worker crashes here; once."""
        task = self._handlers[run.leased.stored.spec.task_type]
        if self._crashes.get(task.name) != at:
            return False
        del self._crashes[task.name]
        return True

    def next_run(self, session: int) -> Run | None:
        """The next task that is ready, leased."""
        leased = self.machine.lease(session)
        if leased is None:
            return None
        return Run(
            leased,
            self._handlers,
            now_ms=self.machine.now_ms,
            chance=self._random.random(),
            progress=self.machine.report_progress,
        )

    @contextmanager
    def _worker(self, queue: str | None, runs_max: int | None) -> Iterator["_Worker"]:
        worker = _Worker(self, tuple(self._handlers), queue, runs_max)
        try:
            yield worker
        finally:
            worker.leave()

    def _cancel(self, lease: LeaseRef) -> None:
        run = self._running.get(lease)
        if run is not None:
            run.cancel()


class _Worker:
    """Takes one task at a time; another takes its place when it crashes."""

    def __init__(self, drains: Drains, task_types: tuple[str, ...], queue: str | None, runs_max: int | None) -> None:
        self._drains = drains
        self._machine = drains.machine
        self._task_types = task_types
        self._queue = queue
        self._runs_max = runs_max
        self._session = self._machine.register(task_types, queue)
        self.runs = 0

    def next(self) -> Run | None:
        """The next task to run; None if nothing is ready, or enough has run."""
        while self._runs_max is None or self.runs < self._runs_max:
            run = self._drains.next_run(self._session)
            if run is None:
                return None
            if self.runs >= RUNS_MAX:
                self._machine.release(run.lease, 0)
                raise WrongState(
                    f"{RUNS_MAX} tasks have run and more are ready", hint="does a task enqueue itself without a delay?"
                )
            self.runs += 1
            if not self._drains.is_to_crash(run, "before_start"):
                return run
            self._crash()
        return None

    @contextmanager
    def holding(self, run: Run) -> Iterator[None]:
        """Around the handler: what interrupts the test itself hands the task back."""
        self._drains.started(run)
        try:
            yield
        except BaseException:
            self._machine.release(run.lease, 0)
            raise
        finally:
            self._drains.ended(run)

    def settle(self, run: Run, report: Report | None) -> None:
        """Tell the broker how the handler ended, if the worker lives to do so."""
        if self._drains.is_to_crash(run, "before_ack"):
            run.error = None
            self._crash()
        elif report is None:
            self._machine.stopped(run.lease)
        elif isinstance(report, Snoozed):
            self._machine.release(run.lease, report.delay_ms)
        else:
            self._machine.settle(report)

    def leave(self) -> None:
        """No more of this worker."""
        self._machine.leave(self._session)

    def _crash(self) -> None:
        self._machine.crash(self._session)
        self._session = self._machine.register(self._task_types, self._queue)

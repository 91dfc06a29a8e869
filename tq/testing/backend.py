"""Where an application's tasks go in a test: the machine in memory. Waiting for a task runs what is ready."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tq.model.durations import format_ms
from tq.model.errors import TimedOut
from tq.model.ids import format_id, parse_id
from tq.model.task import Outcome, TaskSpec, TaskView
from tq.testing.drains import Drains

_R = TypeVar("_R")


class MemoryBackend:
    """See Backend.

    Args:
        on_submit: told of the tasks that were not there already.
    """

    def __init__(self, drains: Drains, on_submit: Callable[[list[TaskSpec]], None]) -> None:
        self._drains = drains
        self._machine = drains.machine
        self._on_submit = on_submit

    def make_id(self) -> bytes:
        """See Backend."""
        return self._machine.make_id()

    def submit_sync(self, specs: Sequence[TaskSpec]) -> list[str]:
        """See Backend."""
        ids, new = self._machine.submit(specs) if specs else ([], [])
        self._on_submit(new)
        return [format_id(task_id) for task_id in ids]

    async def submit(self, specs: Sequence[TaskSpec]) -> list[str]:
        """See Backend."""
        return self.submit_sync(specs)

    async def wait(self, task_id: str, timeout_ms: int) -> Outcome:
        """Run what is ready until the task has ended; where it waits for a moment, the clock moves there.

        Raises:
            TimedOut: it would take longer than `timeout_ms`, by which the clock has moved.
        """
        until_ms = self._machine.now_ms + timeout_ms
        while (outcome := self._machine.outcome(parse_id(task_id))) is None:
            if not await self._drains.run(None, raise_errors=False, runs_max=1):
                self._pass_time(task_id, timeout_ms, until_ms)
        return outcome

    def wait_sync(self, task_id: str, timeout_ms: int) -> Outcome:
        """As `wait`."""
        return without_loop(lambda: self._wait_sync(task_id, timeout_ms))

    def get_sync(self, task_id: str) -> TaskView:
        """See Backend."""
        return self._machine.get(parse_id(task_id))

    async def get(self, task_id: str) -> TaskView:
        """See Backend."""
        return self.get_sync(task_id)

    def cancel_sync(self, task_id: str, reason: str) -> bool:
        """See Backend."""
        return self._machine.cancel(parse_id(task_id), reason)

    async def cancel(self, task_id: str, reason: str) -> bool:
        """See Backend."""
        return self.cancel_sync(task_id, reason)

    async def close(self) -> None:
        """Nothing is open."""

    def close_sync(self) -> None:
        """Nothing is open."""

    def _wait_sync(self, task_id: str, timeout_ms: int) -> Outcome:
        until_ms = self._machine.now_ms + timeout_ms
        while (outcome := self._machine.outcome(parse_id(task_id))) is None:
            if not self._drains.run_sync(None, raise_errors=False, runs_max=1):
                self._pass_time(task_id, timeout_ms, until_ms)
        return outcome

    def _pass_time(self, task_id: str, timeout_ms: int, until_ms: int) -> None:
        moment_ms = self._machine.next_deadline_ms()
        if moment_ms is not None and moment_ms <= until_ms:
            self._machine.advance(moment_ms)
            return
        self._machine.advance(until_ms)
        raise TimedOut(
            f"task {task_id} has not ended within {format_ms(timeout_ms)} of the test's clock; "
            f"it is {self.get_sync(task_id).state}",
            hint="is its application in use: tq_app.use(app)?",
        )


def without_loop(call: Callable[[], _R]) -> _R:
    """Call in this thread, or in another one where an event loop runs in this: handlers must find none."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    with ThreadPoolExecutor(1, thread_name_prefix="tq_app") as threads:
        return threads.submit(call).result()

"""One task being run in a test: the same preparing and reporting as in a worker, without its threads and processes."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal, cast

from tq.app.app import AnyTask
from tq.app.context import Context
from tq.app.invoke import Invocation, Snoozed, prepare, refuse
from tq.model.commands import Failure, LeaseRef, Success
from tq.model.errors import InvalidArgument
from tq.testing.machine import Leased

CrashPoint = Literal["before_start", "before_ack"]
Report = Success | Failure | Snoozed


class Run:
    """From the lease to the report.

    Args:
        progress: takes the lease, the fraction and the note.
        chance: for the jitter of a rule's backoff.
    """

    def __init__(
        self,
        leased: Leased,
        handlers: Mapping[str, AnyTask],
        *,
        now_ms: int,
        chance: float,
        progress: Callable[[LeaseRef, float, str], None],
    ) -> None:
        self.leased = leased
        self.lease = leased.lease
        self.error: BaseException | None = None
        self._chance = chance
        self._lock = threading.Lock()
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._invocation: Invocation | None = None
        self.context = Context(
            leased.stored,
            attempt=leased.attempt,
            started_at_ms=now_ms,
            report=lambda fraction, note: progress(leased.lease, fraction, note),
        )
        try:
            self._invocation = prepare(handlers, leased.stored, leased.attempt)
        except InvalidArgument as error:
            self.error = error

    @property
    def is_async(self) -> bool:
        """Whether the handler needs an event loop."""
        return self._invocation is not None and self._invocation.task.run_in == "loop"

    def cancel(self) -> None:
        """Somebody asked for this task to stop."""
        with self._lock:
            self.context.cancelled = True
            waiting = self._waiting
        if waiting is not None:
            loop, task = waiting
            loop.call_soon_threadsafe(task.cancel)

    def run(self) -> Report | None:
        """Call a plain handler, here. None: it was cancelled."""
        if self._invocation is None:
            return self._refused()
        try:
            value = self._invocation.call(self.context)
        except Exception as error:
            return self._raised(error)
        return self._invocation.succeeded(self.lease, value)

    async def run_in_loop(self) -> Report | None:
        """Await an async handler. None: it was cancelled."""
        assert self._invocation is not None
        coroutine = cast(Coroutine[Any, Any, Any], self._invocation.call(self.context))
        task = asyncio.ensure_future(coroutine)
        with self._lock:
            self._waiting = (asyncio.get_running_loop(), task)
        try:
            value = await task
        except Exception as error:
            return self._raised(error)
        except asyncio.CancelledError:
            if not self.context.cancelled:
                task.cancel()
                raise
            return None
        finally:
            with self._lock:
                self._waiting = None
        return self._invocation.succeeded(self.lease, value)

    def _raised(self, error: Exception) -> Report:
        assert self._invocation is not None
        report = self._invocation.raised(self.lease, error, attempt=self.leased.attempt, chance=self._chance)
        if isinstance(report, Failure):
            self.error = error
        return report

    def _refused(self) -> Report:
        assert isinstance(self.error, InvalidArgument)
        return refuse(self.lease, self.error)

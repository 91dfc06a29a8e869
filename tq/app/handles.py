"""What `enqueue` returns: one submitted task, whose result has the type that its handler returns."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Generic, TypeVar

from tq.model.durations import duration_ms
from tq.model.task import Outcome, TaskView

if TYPE_CHECKING:
    from tq.app.backend import Backend
    from tq.app.options import Duration
    from tq.app.tracing import Tracing

R = TypeVar("R")


class TaskHandle(Generic[R]):
    """A task by its id. Methods that end in `_sync` are for plain code, the others for a running event loop.

    Args:
        backend: gives the application's backend of the moment.
        read_result: the bytes and the content type of a result to the value.
        tracing: of the application, if it has one.
    """

    __slots__ = ("_backend", "_read_result", "_tracing", "id", "task_type")

    def __init__(
        self,
        task_id: str,
        task_type: str,
        backend: "Callable[[], Backend]",
        read_result: Callable[[bytes, str], R],
        tracing: "Tracing | None" = None,
    ) -> None:
        self.id = task_id
        self.task_type = task_type
        self._backend = backend
        self._read_result = read_result
        self._tracing = tracing

    def __repr__(self) -> str:
        return f"<TaskHandle {self.task_type} {self.id}>"

    async def result(self, timeout: "Duration" = "1m") -> R:
        """What the handler returned, as soon as it has.

        Raises:
            TaskFailed: the task ended in the dead letters.
            TaskCancelled: it was cancelled, purged, or expired before it ran.
            TimedOut: it has not ended within `timeout`; it goes on.
            TaskNotFound: its record was removed after its retention.
            InvalidArgument: the result does not fit the handler's return annotation.
        """
        return self._value(await self.wait(timeout))

    async def wait(self, timeout: "Duration" = "1m") -> Outcome:
        """How the task ended, as soon as it has, well or not.

        Raises:
            TimedOut, TaskNotFound: as for `result`.
        """
        with self._waiting():
            return await self._backend().wait(self.id, duration_ms(timeout, "timeout"))

    async def status(self) -> TaskView:
        """All that the broker knows of the task now.

        Raises:
            TaskNotFound: its record was removed after its retention.
        """
        return await self._backend().get(self.id)

    async def cancel(self, reason: str = "") -> bool:
        """Stop the task: one that waits never runs, a running one is asked to stop. False if it has ended already.

        Raises:
            TaskNotFound: its record was removed after its retention.
        """
        return await self._backend().cancel(self.id, reason)

    def result_sync(self, timeout: "Duration" = "1m") -> R:
        """As `result`, blocking."""
        return self._value(self.wait_sync(timeout))

    def wait_sync(self, timeout: "Duration" = "1m") -> Outcome:
        """As `wait`, blocking."""
        with self._waiting():
            return self._backend().wait_sync(self.id, duration_ms(timeout, "timeout"))

    def status_sync(self) -> TaskView:
        """As `status`, blocking."""
        return self._backend().get_sync(self.id)

    def cancel_sync(self, reason: str = "") -> bool:
        """As `cancel`, blocking."""
        return self._backend().cancel_sync(self.id, reason)

    def _waiting(self) -> AbstractContextManager[None]:
        return nullcontext() if self._tracing is None else self._tracing.waiting(self.id, self.task_type)

    def _value(self, outcome: Outcome) -> R:
        # Imported here: a program that never waits for a result does without the network code.
        from tq.client.tasks import result_of

        return self._read_result(result_of(outcome), outcome.content_type)

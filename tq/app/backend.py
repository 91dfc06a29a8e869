"""The port of an application: where its tasks go. A broker in production, an engine in memory in tests."""

from collections.abc import Sequence
from typing import Protocol

from tq.model.task import Outcome, TaskSpec, TaskView


class Backend(Protocol):
    """Takes tasks and tells of them. Ids are in the form that is shown. Every method has a blocking twin."""

    def make_id(self) -> bytes:
        """A new task id."""
        ...

    async def submit(self, specs: Sequence[TaskSpec]) -> list[str]:
        """Returns when all are on disk: their ids, which differ from those given where a key was there already."""
        ...

    async def wait(self, task_id: str, timeout_ms: int) -> Outcome:
        """How the task ended, once it has. Raises TimedOut, TaskNotFound."""
        ...

    async def get(self, task_id: str) -> TaskView:
        """Raises TaskNotFound."""
        ...

    async def cancel(self, task_id: str, reason: str) -> bool:
        """Whether there was anything left to stop. Raises TaskNotFound."""
        ...

    async def close(self) -> None:
        """Close what the running event loop uses. The next call opens it again."""
        ...

    def submit_sync(self, specs: Sequence[TaskSpec]) -> list[str]:
        """As `submit`."""
        ...

    def wait_sync(self, task_id: str, timeout_ms: int) -> Outcome:
        """As `wait`."""
        ...

    def get_sync(self, task_id: str) -> TaskView:
        """As `get`."""
        ...

    def cancel_sync(self, task_id: str, reason: str) -> bool:
        """As `cancel`."""
        ...

    def close_sync(self) -> None:
        """Close what plain code uses. The next call opens it again."""
        ...

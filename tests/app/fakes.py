"""A backend that keeps what it is given, and tells what the test told it."""

import itertools
from collections.abc import Sequence

from tq.model.errors import TaskNotFound
from tq.model.ids import format_id
from tq.model.task import Outcome, StoredTask, TaskSpec, TaskView


class RecordingBackend:
    """Ids count up from 1. See Backend."""

    def __init__(self) -> None:
        self.specs: list[TaskSpec] = []
        self.batches: list[int] = []
        self.outcomes: dict[str, Outcome] = {}
        self.calls: list[tuple[object, ...]] = []
        self._numbers = itertools.count(1)

    def make_id(self) -> bytes:
        """The next number."""
        return next(self._numbers).to_bytes(16, "big")

    def submit_sync(self, specs: Sequence[TaskSpec]) -> list[str]:
        """Keep them."""
        self.specs += specs
        self.batches.append(len(specs))
        return [format_id(spec.id) for spec in specs]

    async def submit(self, specs: Sequence[TaskSpec]) -> list[str]:
        """Keep them."""
        return self.submit_sync(specs)

    def wait_sync(self, task_id: str, timeout_ms: int) -> Outcome:
        """What the test told."""
        self.calls.append(("wait", task_id, timeout_ms))
        return self.outcomes[task_id]

    async def wait(self, task_id: str, timeout_ms: int) -> Outcome:
        """What the test told."""
        return self.wait_sync(task_id, timeout_ms)

    def get_sync(self, task_id: str) -> TaskView:
        """There is none."""
        raise TaskNotFound(task_id)

    async def get(self, task_id: str) -> TaskView:
        """There is none."""
        return self.get_sync(task_id)

    def cancel_sync(self, task_id: str, reason: str) -> bool:
        """Noted."""
        self.calls.append(("cancel", task_id, reason))
        return True

    async def cancel(self, task_id: str, reason: str) -> bool:
        """Noted."""
        return self.cancel_sync(task_id, reason)

    async def close(self) -> None:
        """Noted."""
        self.calls.append(("close",))

    def close_sync(self) -> None:
        """Noted."""
        self.calls.append(("close_sync",))

    def last(self) -> StoredTask:
        """The last task, as a worker would get it."""
        return StoredTask(0, 1, 0, 0, self.specs[-1])

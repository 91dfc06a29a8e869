"""What an application needs of what traces it; tq/otel.py has it for OpenTelemetry. Without, nothing is traced."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tq.model.task import StoredTask, TaskSpec


class Tracing(Protocol):
    """Opens spans around what an application and its workers do. Every method is called in the thread, and in the
    context, of what it surrounds."""

    def submitting(self, specs: Sequence[TaskSpec]) -> AbstractContextManager[list[TaskSpec]]:
        """Around the submit of tasks, at least one; gives them as they are to be submitted, with their trace."""
        ...

    def waiting(self, task_id: str, task_type: str) -> AbstractContextManager[None]:
        """Around the wait for the end of a task."""
        ...

    def running(self, stored: StoredTask, attempt: int) -> AbstractContextManager[None]:
        """Around a handler; what it raises passes through."""
        ...

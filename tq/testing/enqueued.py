"""A task that a test saw enqueued."""

from functools import cached_property
from typing import Any

from tq.app.app import AnyTask
from tq.app.codec import decode, encode
from tq.model.errors import InvalidArgument
from tq.model.ids import format_id
from tq.model.task import AttemptRecord, State, TaskOptions, TaskSpec, TaskView
from tq.testing.machine import Machine


class EnqueuedTask:
    """One task: what it was enqueued with, and what has become of it since."""

    def __init__(self, machine: Machine, task: AnyTask, spec: TaskSpec) -> None:
        self._machine = machine
        self._spec = spec
        self.task = task
        self.id = format_id(spec.id)
        self.task_type = spec.task_type
        self.queue = spec.queue
        self.priority = spec.priority

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.task_type}({arguments})"

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """By the name of the parameter, defaults included, as the handler receives them."""
        signature = self.task.signature
        return signature.named(signature.decode(self._spec.payload, self._spec.content_type))

    @property
    def options(self) -> TaskOptions:
        """The less common options: delay, key, expiry and so on, in ms."""
        return self._spec.options or TaskOptions()

    @property
    def view(self) -> TaskView:
        """All that the broker knows of the task now. Raises TaskNotFound after its retention."""
        return self._machine.get(self._spec.id)

    @property
    def state(self) -> State:
        """Where the task is in its life now."""
        return self.view.state

    @property
    def error(self) -> AttemptRecord | None:
        """How the last attempt that did not end well ended."""
        history = self.view.history
        return history[-1] if history else None

    def matches(self, expected: dict[str, Any]) -> bool:
        """Whether these of its arguments are equal to what is expected; the others may be anything."""
        return all(
            name in self.arguments and _is_equal(self.arguments[name], value) for name, value in expected.items()
        )


def _is_equal(actual: Any, expected: Any) -> bool:
    if actual == expected:
        return True
    try:
        # The same once both have been on the wire: a tuple that no annotation restores is a list there.
        return bool(decode(encode(actual)) == decode(encode(expected)))
    except InvalidArgument:
        return False  # something that only compares, such as unittest.mock.ANY, and did not

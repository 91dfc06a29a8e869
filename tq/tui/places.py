"""Every screen of the dashboard, by the name that the command line uses. One line for each; all else finds it here.

Each is imported when it is first opened: nobody waits for the others before the first frame.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from tq.tui.screens.base import TopScreen


def _screen(module: str, name: str) -> Callable[..., TopScreen]:
    def make(*about: str) -> TopScreen:
        screen = cast("Callable[..., TopScreen]", getattr(import_module(f"tq.tui.screens.{module}"), name))
        return screen(*about)

    return make


MODES: Mapping[str, Callable[[], TopScreen]] = {
    "queues": _screen("queues", "QueuesScreen"),
    "workers": _screen("workers", "WorkersScreen"),
    "dead": _screen("dead", "DeadScreen"),
    "tasks": _screen("tasks", "TasksScreen"),
    "activity": _screen("activity", "ActivityScreen"),
}
"""The tabs, in their order: the keys 1, 2, ..."""

_doctor = _screen("doctor", "DoctorScreen")

OPENS: Mapping[str, Callable[[str], TopScreen]] = {
    "doctor": lambda _: _doctor(),
    "found": _screen("tasks", "FoundScreen"),
    "task": _screen("task", "TaskScreen"),
    "queue": _screen("queue", "QueueScreen"),
    "worker": _screen("worker", "WorkerScreen"),
}
"""Screens that are opened on top of another, from what they are about: a queue, a worker, a task, a selector."""

"""Every screen of the dashboard, by the name that the command line uses. One line for each; all else finds it here."""

from collections.abc import Callable, Mapping

from tq.tui.screens.activity import ActivityScreen
from tq.tui.screens.base import TopScreen
from tq.tui.screens.dead import DeadScreen
from tq.tui.screens.doctor import DoctorScreen
from tq.tui.screens.queue import QueueScreen
from tq.tui.screens.queues import QueuesScreen
from tq.tui.screens.task import TaskScreen
from tq.tui.screens.tasks import FoundScreen, TasksScreen
from tq.tui.screens.worker import WorkerScreen
from tq.tui.screens.workers import WorkersScreen

MODES: Mapping[str, type[TopScreen]] = {
    "queues": QueuesScreen,
    "workers": WorkersScreen,
    "dead": DeadScreen,
    "tasks": TasksScreen,
    "activity": ActivityScreen,
}
"""The tabs, in their order: the keys 1, 2, ..."""

OPENS: Mapping[str, Callable[[str], TopScreen]] = {
    "doctor": lambda _: DoctorScreen(),
    "found": FoundScreen,
    "task": TaskScreen,
    "queue": QueueScreen,
    "worker": WorkerScreen,
}
"""Screens that are opened on top of another, from what they are about: a queue, a worker, a task, a selector."""

"""What tests get as `tq_app`: the engine of production in memory, tasks that run on demand, a clock to move."""

from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from tq.app.app import AnyTask, App
from tq.app.backend import Backend
from tq.app.handles import TaskHandle
from tq.app.task import TaskType
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument, WrongState
from tq.model.ids import parse_id
from tq.model.task import State, TaskSpec
from tq.testing.backend import MemoryBackend, without_loop
from tq.testing.drains import Drains
from tq.testing.enqueued import EnqueuedTask
from tq.testing.runs import CrashPoint

P = ParamSpec("P")
C = TypeVar("C")
R = TypeVar("R")


class MemoryBroker:
    """A broker for one test: same decisions, same bytes, no sockets.

    Nothing runs by itself. `drain` runs what is ready; what waits for a moment is ready when `advance` has moved the
    clock there. Waiting for a result does both, by itself.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, AnyTask] = {}
        self._drains = Drains(self._handlers)
        self._machine = self._drains.machine
        self._backend = MemoryBackend(self._drains, self._remember)
        self._before: dict[App, Backend | None] = {}
        self._enqueued: list[EnqueuedTask] = []

    def use(self, app: App) -> None:
        """Send the tasks of an application here until the test ends, and run its handlers.

        Raises:
            InvalidArgument: a name of one of its tasks is that of another application in use.
        """
        if app in self._before:
            return
        app.check()
        taken = sorted(self._handlers.keys() & app.handlers.keys())
        if taken:
            raise InvalidArgument(f"two applications in use have a task {taken[0]!r}")
        self._before[app] = app.use_backend(self._backend)
        self._learn()

    def close(self) -> None:
        """Give the applications back what they used before. The fixture does so when the test ends."""
        for app, backend in self._before.items():
            app.use_backend(backend)
        self._before.clear()

    @property
    def now(self) -> datetime:
        """The clock of this broker; UTC. It begins with the real time and stands still."""
        return datetime.fromtimestamp(self._machine.now_ms / 1000, UTC)

    @property
    def enqueued(self) -> list[EnqueuedTask]:
        """Every task that was enqueued, in order, whatever has become of it."""
        return list(self._enqueued)

    def assert_enqueued(self, task: TaskType[P, C, R], /, *args: Any, **kwargs: Any) -> EnqueuedTask:
        """That this task was enqueued with these arguments; those that are left out may have been anything.

        Returns:
            the first such task, to look at its queue, its options or its state.
        """
        found = self._find(task, args, kwargs)
        if not found:
            raise AssertionError(f"{_call(task, args, kwargs)} was not enqueued; {self._listing()}")
        return found[0]

    def refute_enqueued(self, task: TaskType[P, C, R], /, *args: Any, **kwargs: Any) -> None:
        """That this task was not enqueued with these arguments; with none, that it was not enqueued at all."""
        found = self._find(task, args, kwargs)
        if found:
            raise AssertionError(f"{_call(task, args, kwargs)} was enqueued {len(found)} times; {self._listing()}")

    async def drain(self, queue: str | None = None, *, raise_errors: bool = True) -> int:
        """Run what is ready, and what that makes ready, until nothing is.

        Args:
            queue: only tasks of this queue.
            raise_errors: raise what a handler raises, once the failure is recorded; else the task is retried, or dead,
                as in production.

        Returns:
            how many ran.
        """
        return await self._drains.run(queue, raise_errors=raise_errors)

    def drain_sync(self, queue: str | None = None, *, raise_errors: bool = True) -> int:
        """As `drain`, for plain tests."""
        return without_loop(lambda: self._drains.run_sync(queue, raise_errors=raise_errors))

    def advance(self, by: str | timedelta) -> None:
        """Move the clock, such as by "10m": delays and backoffs end, tasks expire, records go. Runs nothing."""
        self._machine.advance(self._machine.now_ms + duration_ms(by, "advance"))

    def dead_letters(self) -> list[EnqueuedTask]:
        """The tasks that are in the dead letters now."""
        return [task for task in self._enqueued if self._state(task) is State.DEAD_LETTER]

    def result(self, handle: TaskHandle[R]) -> R:
        """What the handler returned. Runs nothing, unlike the handle's own `result`.

        Raises:
            WrongState: the task has not ended.
            TaskFailed, TaskCancelled: it did not end well.
        """
        if self._machine.outcome(parse_id(handle.id)) is None:
            raise WrongState(f"task {handle.id} ({handle.task_type}) has not ended", hint="drain() first")
        return handle.result_sync("0")

    def crash_during(self, task: TaskType[P, C, R], at: CrashPoint = "before_ack") -> None:
        """Kill the worker of this task's next run, which then runs again: is the handler safe to repeat?

        Args:
            at: "before_ack", when the handler has done its work and the broker does not know; or "before_start".
        """
        if at not in ("before_ack", "before_start"):
            raise InvalidArgument(f'a worker cannot crash at {at!r}, but "before_ack" or "before_start"')
        self._drains.crash_next(task, at)

    def _learn(self) -> None:
        for app in self._before:
            self._handlers.update(app.handlers)

    def _remember(self, specs: list[TaskSpec]) -> None:
        self._learn()  # a task may have been declared since
        self._enqueued += [EnqueuedTask(self._machine, self._handlers[spec.task_type], spec) for spec in specs]

    def _find(self, task: AnyTask, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[EnqueuedTask]:
        expected = task.signature.bind_partly(args, kwargs)
        return [one for one in self._enqueued if one.task_type == task.name and one.matches(expected)]

    def _state(self, task: EnqueuedTask) -> State | None:
        return self._machine.state(parse_id(task.id))

    def _listing(self) -> str:
        if not self._enqueued:
            return "nothing was"
        lines = [f"  {task!r} in queue {task.queue!r}" for task in self._enqueued]
        return "enqueued were:\n" + "\n".join(lines)


def _call(task: AnyTask, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    given = [repr(value) for value in args] + [f"{name}={value!r}" for name, value in kwargs.items()]
    return f"{task.name}({', '.join(given)})"

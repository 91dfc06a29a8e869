"""One attempt of one task in this process, from its delivery to its end."""

import time
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from random import Random
from types import CodeType, TracebackType
from typing import Any, Protocol

import msgspec

from tq.app.app import AnyTask
from tq.app.context import Context
from tq.app.invoke import Invocation, Snoozed, describe_message, describe_type, prepare, refuse
from tq.app.task import RunIn
from tq.model.commands import Failure, LeaseRef, ProgressNote
from tq.model.durations import format_ms
from tq.model.errors import InvalidArgument
from tq.model.task import StoredTask
from tq.worker.log_lines import LogLines
from tq.worker.outbox import HandedBack, Outcome, Stopped
from tq.worker.stacks import Answer, sendable

_OWN_CODE = f"{Path(__file__).parent.parent}/"


class Why(Enum):
    """Why a handler is asked to stop before its end."""

    TIMEOUT = "timeout"  # the attempt fails
    CANCEL = "cancel"  # somebody cancelled the task
    SHUTDOWN = "shutdown"  # this process ends: the task goes back, no attempt used
    LOST = "lost"  # the lease is another's by now: whatever comes of it is dropped


class Run(msgspec.Struct, eq=False):
    """An attempt. Moments are of the monotonic clock, in seconds; 0 for not yet.

    The fields that change are each written by one thread: `started_at`, `ended_at` and `context` by the one that runs
    the handler, `why` and `stop_at` by the supervisor.
    """

    task_id: bytes
    token: int
    attempt: int
    stored: StoredTask
    kind: RunIn
    arrived_at: float
    started_at: float = 0.0
    context: Context | None = None
    why: Why | None = None
    stop_at: float = 0.0
    ended_at: float = 0.0

    def run_seconds(self, now: float) -> float | None:
        """How long the handler ran, or runs; None if it has not started."""
        return (self.ended_at or now) - self.started_at if self.started_at else None

    @property
    def lease(self) -> LeaseRef:
        """The proof that it is ours."""
        return LeaseRef(self.task_id, self.token)


Finish = Callable[[list[Outcome], float], None]
"""Takes outcomes of runs and the sum of their run times in seconds; called from any thread."""


class Executor(Protocol):
    """Runs handlers of one kind. All methods are called by the supervisor, and return at once."""

    def start(self, runs: list[Run]) -> None:
        """Run these, in this order, as slots get free."""
        ...

    def oldest_unstarted(self) -> Run | None:
        """The next to start, if one waits for a slot."""
        ...

    def unstarted(self) -> int:
        """How many wait for a slot."""
        ...

    def take_back(self) -> list[Run]:
        """All that wait for a slot: they will not start any more."""
        ...

    def started(self) -> Iterable[Run]:
        """Those that run."""
        ...

    def stop(self, run: Run) -> None:
        """Ask a handler to stop, for the reason in `run.why`."""
        ...

    def abandon(self, run: Run) -> bool:
        """Take the slot from a handler that does not stop; whether it still runs, out of reach."""
        ...

    def place_of(self, run: Run) -> str:
        """Where a started handler is now, as "app.py:88"; empty if that cannot be known."""
        ...

    def take_stack(self, run: Run, answer: Answer) -> None:
        """Have `answer` called with the stack of a started handler: at once or later, from any thread; or never, if
        the handler ends first."""
        ...


class Caller:
    """Turns runs into calls of handlers, and what they did into outcomes; the same for every kind of executor.

    Args:
        handlers: of the application, by every name.
        source: jitter of backoffs.

    Attributes:
        lines: what handlers have logged and is not sent yet.
    """

    def __init__(self, handlers: Mapping[str, AnyTask], source: Random) -> None:
        self._handlers = handlers
        self._chance = source.random
        self._notes: dict[int, ProgressNote] = {}
        self.lines = LogLines()

    def prepare(self, run: Run) -> Invocation:
        """The call of a run's handler.

        Raises:
            InvalidArgument: no such handler, or the payload does not fit it.
        """
        return prepare(self._handlers, run.stored, run.attempt)

    def context_for(self, run: Run) -> Context:
        """What the handler is told of its task."""

        def report(fraction: float, note: str) -> None:
            self.note(run, fraction, note)

        def keep_line(level: str, text: str) -> None:
            self.lines.put(run.task_id, run.token, level, text)

        context = Context(
            run.stored,
            attempt=run.attempt,
            started_at_ms=time.time_ns() // 1_000_000,
            report=report,
            keep_line=keep_line,
        )
        context.cancelled = run.why is not None
        run.context = context
        return context

    def note(self, run: Run, fraction: float, note: str) -> None:
        """A handler says how far it is."""
        self._notes[run.token] = ProgressNote(run.task_id, run.token, fraction, sendable(note))

    def take_notes(self) -> list[ProgressNote]:
        """The latest progress of each handler that reported since the last call."""
        # One by one: handlers write meanwhile.
        return [self._notes.popitem()[1] for _ in range(len(self._notes))]

    def code_of(self, run: Run) -> CodeType | None:
        """The code of a run's handler, by which its frames are known; None if it is no plain function."""
        task = self._handlers.get(run.stored.spec.task_type)
        return getattr(task.function, "__code__", None) if task is not None else None

    def refused(self, run: Run, error: Exception) -> Outcome:
        """The outcome of a run that `prepare` raised `error` for."""
        if not isinstance(error, InvalidArgument):  # a type of the application's own that cannot be built
            error = InvalidArgument(f"the arguments of {run.stored.spec.task_type!r}: {type(error).__name__}: {error}")
        return refuse(run.lease, error)

    def not_started(self, run: Run) -> Outcome:
        """The outcome of a run that was asked to stop before its handler was called."""
        if run.why is Why.TIMEOUT:
            error = _timeout_error(run)
            return Failure(run.task_id, run.token, describe_type(error), describe_message(error), is_timeout=True)
        if run.why is Why.SHUTDOWN:
            return HandedBack(run.task_id, run.token)
        return Stopped(run.task_id, run.token)

    def returned(self, run: Run, invocation: Invocation, value: Any) -> Outcome:
        """The outcome of a handler that returned, asked to stop or not: what it did is done."""
        try:
            return invocation.succeeded(run.lease, value)
        except Exception as error:  # the value's own code, asked for its plain form
            return self.raised(run, invocation, error, was_stopped=False)

    def raised(self, run: Run, invocation: Invocation, error: BaseException, *, was_stopped: bool) -> Outcome:
        """The outcome of a handler that raised.

        Args:
            was_stopped: it was asked to stop before it raised, so that `error` follows from that, whatever it is.
        """
        if was_stopped:
            return self.stopped(run, invocation, error)
        report = invocation.raised(run.lease, error, attempt=run.attempt, chance=self._chance())
        if isinstance(report, Snoozed):
            return HandedBack(run.task_id, run.token, report.delay_ms)
        return report

    def stopped(self, run: Run, invocation: Invocation, error: BaseException) -> Outcome:
        """The outcome of a handler that was asked to stop, and did so with `error`."""
        if run.why is not Why.TIMEOUT:
            return self.not_started(run)
        timeout = _timeout_error(run).with_traceback(_without_end(error.__traceback__))
        report = invocation.raised(run.lease, timeout, attempt=run.attempt, chance=self._chance(), is_timeout=True)
        assert not isinstance(report, Snoozed)
        return report


def _timeout_error(run: Run) -> TimeoutError:
    return TimeoutError(f"ran longer than its timeout of {format_ms(run.stored.spec.timeout_ms)}")


def _without_end(trace: TracebackType | None) -> TracebackType | None:
    """A traceback that ends with the last frame that is not tq's: a signal handler may have raised."""
    last, step = None, trace
    while step is not None:
        if not step.tb_frame.f_code.co_filename.startswith(_OWN_CODE):
            last = step
        step = step.tb_next
    if last is not None:
        last.tb_next = None
    return trace

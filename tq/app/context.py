"""What a running handler knows of its own task, and the two things it can raise to end it in another way."""

import logging
import sys
import traceback
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument
from tq.model.ids import ID_BYTES, format_id
from tq.model.task import StoredTask, TaskSpec

NOTE_CHARS_MAX = 2_000

Report = Callable[[float, str], None]
"""Takes the fraction and the note of a handler's progress; called from the thread that the handler runs in."""

KeepLine = Callable[[str, str], None]
"""Takes the level and the text of a line that a handler logs; called from the thread that logs."""


class Snooze(Exception):
    """Raised by a handler: not now, run me again after `delay`. No attempt is used.

    Args:
        delay: with a unit, such as "5m", or a timedelta.
    """

    def __init__(self, delay: str | timedelta) -> None:
        super().__init__(f"again in {delay}")
        self.delay_ms = duration_ms(delay, "snooze")


class Fail(Exception):
    """Raised by a handler: this task failed and a retry would not help. It goes to the dead letters."""


class Context:
    """The task that a handler runs for: a parameter annotated `tq.Context` receives it.

    Args:
        attempt: counts from 1; a crash of the worker or a snooze does not use one up.
        started_at_ms: when the handler started, ms since the epoch; None outside of a worker.
        report: where progress goes.
        keep_line: where lines of `log` go besides the logger.
    """

    __slots__ = ("_keep_line", "_log", "_report", "_started_at_ms", "_stored", "attempt", "cancelled")

    attempt: int
    cancelled: bool
    """Whether somebody asked for this task to stop. An `async def` handler is cancelled too; a plain one looks here."""

    def __init__(
        self,
        stored: StoredTask,
        *,
        attempt: int,
        started_at_ms: int | None,
        report: Report,
        keep_line: KeepLine | None = None,
    ) -> None:
        self._stored = stored
        self._started_at_ms = started_at_ms
        self._report = report
        self._keep_line = keep_line
        self._log: logging.LoggerAdapter[logging.Logger] | None = None
        self.attempt = attempt
        self.cancelled = False

    @classmethod
    def detached(cls, task_type: str = "detached") -> "Context":
        """A context without a broker, for a direct call: the first attempt of a task with an id of zeros. Its progress
        goes nowhere."""
        spec = TaskSpec(bytes(ID_BYTES), task_type, b"")
        return cls(StoredTask(0, 0, 0, 0, spec), attempt=1, started_at_ms=None, report=_report_to_nobody)

    @property
    def task_id(self) -> str:
        """The id, as every interface shows it."""
        return format_id(self._stored.spec.id)

    @property
    def task_type(self) -> str:
        """The name that the task was submitted under; one of the aliases, perhaps."""
        return self._stored.spec.task_type

    @property
    def queue(self) -> str:
        """The queue that it came from."""
        return self._stored.spec.queue

    @property
    def max_retries(self) -> int:
        """How many attempts may follow the first."""
        return self._stored.spec.max_retries

    @property
    def submitted_at(self) -> datetime:
        """When the broker took the task; UTC."""
        return _moment(self._stored.submitted_at_ms)

    @property
    def deadline(self) -> datetime | None:
        """When the timeout strikes; UTC. None in a direct call."""
        if self._started_at_ms is None:
            return None
        return _moment(self._started_at_ms + self._stored.spec.timeout_ms)

    @property
    def log(self) -> "logging.LoggerAdapter[logging.Logger]":
        """A standard logger, `tq.task.<task type>`, whose records carry task_id, task_type, queue and attempt.

        In a worker, the broker keeps the latest 500 lines of a task as well, 1,000 characters of each, as long as the
        task is kept: `tq task log ID` shows them.
        """
        if self._log is None:
            self._log = _TaskLog(
                logging.getLogger(f"tq.task.{self.task_type}"),
                {"task_id": self.task_id, "task_type": self.task_type, "queue": self.queue, "attempt": self.attempt},
                self._keep_line,
            )
        return self._log

    def progress(self, fraction: float, note: str = "") -> None:
        """Say how far this task is. Cheap, from any thread; dashboards show the latest.

        Args:
            fraction: from 0 to 1.
            note: what it is doing; cut after 2,000 characters.

        Raises:
            InvalidArgument: the fraction is not from 0 to 1.
        """
        if not 0 <= fraction <= 1:
            raise InvalidArgument(f"progress {fraction!r} is not from 0 to 1", hint="divide by the total")
        self._report(float(fraction), note[:NOTE_CHARS_MAX])


class _TaskLog(logging.LoggerAdapter[logging.Logger]):
    def __init__(self, logger: logging.Logger, facts: dict[str, object], keep_line: KeepLine | None) -> None:
        super().__init__(logger, facts)
        self._keep_line = keep_line

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        if not self.isEnabledFor(level):
            return
        if self._keep_line is not None:
            self._keep_line(logging.getLevelName(level).lower(), _line(msg, args, kwargs.get("exc_info")))
        # This frame is not where it was logged.
        super().log(level, msg, *args, **{**kwargs, "stacklevel": kwargs.get("stacklevel", 1) + 1})

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        # LoggerAdapter of Python 3.11 would throw the caller's own extra away.
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def _line(msg: object, args: tuple[object, ...], exc_info: object) -> str:
    """A record as text: its message, and under it the error that it carries."""
    try:
        text = logging.LogRecord("", 0, "", 0, msg, args, None).getMessage()
    except Exception:  # as logging does with a format that does not fit: the handler must not fail by what it logs
        text = str(msg)
    error = sys.exc_info()[1] if exc_info is True else exc_info
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        text += "\n" + "".join(traceback.format_exception_only(error)).rstrip()
    return text


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _report_to_nobody(fraction: float, note: str) -> None:
    """A direct call has no dashboard."""


INJECTED = Context.detached("injected")
"""The default of a context parameter, for type checkers: `*, ctx: tq.Context = tq.INJECTED`. A worker always gives a
Context of its own; this one is seen in a direct call alone."""

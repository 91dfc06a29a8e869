"""What a worker logs of each task that ended: every failure, and of the rest no more than people can read."""

import logging
from collections.abc import Callable
from typing import assert_never

from tq.model.commands import Failure, Success
from tq.model.ids import format_id
from tq.worker.outbox import HandedBack, Outcome, Stopped
from tq.worker.runs import Run

LINES_PER_SECOND = 100
"""Of one process, for tasks that did not fail, unless the level is debug: a line costs more than a short task."""

log = logging.getLogger("tq.worker")


class TaskLog:
    """Writes the lines, and counts those that it does not write.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = 0
        self._written = 0
        self._left_out = 0

    def room(self, count: int) -> int:
        """How many of so many tasks, which have just ended, are to be written if they did not fail."""
        if not log.isEnabledFor(logging.INFO):
            return 0
        if log.isEnabledFor(logging.DEBUG):
            return count
        second = int(self._clock())
        if second != self._second:
            self._second, self._written = second, 0
            if self._left_out:
                log.info("task_lines_left_out", extra={"tasks": self._left_out, "lines_per_second": LINES_PER_SECOND})
                self._left_out = 0
        room = min(count, LINES_PER_SECOND - self._written)
        self._written += room
        self._left_out += count - room
        return room


def write_end(run: Run, outcome: Outcome, now: float) -> None:
    """The line of one task that ended. What it was given and what it returned is not in it."""
    facts = facts_of(run) | {"duration_ms": round((run.run_seconds(now) or 0) * 1_000)}
    match outcome:
        case Success():
            log.info("task_completed", extra=facts)
        case Failure():
            log.warning("task_failed", extra=facts | {"error_type": outcome.error_type, "error": outcome.message})
        case HandedBack():
            log.info("task_handed_back", extra=facts | {"delay_ms": outcome.delay_ms})
        case Stopped():
            log.info("task_cancelled", extra=facts)
        case _:
            assert_never(outcome)


def facts_of(run: Run) -> dict[str, object]:
    """What every line about a task says of it."""
    spec = run.stored.spec
    facts: dict[str, object] = {
        "task_id": format_id(spec.id),
        "task_type": spec.task_type,
        "queue": spec.queue,
        "attempt": run.attempt,
    }
    if spec.options is not None and spec.options.trace:
        facts["trace_id"] = spec.options.trace.split("-")[1]
    return facts

"""What handlers log, on its way to the broker: in batches, and never more than the broker is meant to keep up with."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable

from tq.model.commands import LOG_CHARS_MAX, LOG_LINES_MAX, LogEntry
from tq.worker.stacks import sendable

LINES_PER_SECOND = 1_000
"""Of one process, all its handlers together, in the long run: each line is a write of the broker."""
LINES_AT_ONCE = 2_000
"""After a while in which little was logged."""
LINES_HELD_MAX = 5_000
"""Between two batches, and while there is no connection: of more than these the oldest go."""
_LEVEL_CHARS_MAX = 20


class LogLines:
    """Lines that wait to be sent. `put` is for any thread, and for one that may be interrupted: it takes no lock.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: deque[LogEntry] = deque(maxlen=LINES_HELD_MAX)
        self._numbers = itertools.count(1)
        self._put = 0  # about: written by all threads, and only told to people
        self._taken = 0
        self._allowed = float(LINES_AT_ONCE)
        self._counted_at = clock()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, task_id: bytes, token: int, level: str, text: str) -> None:
        """The handler of a lease logs a line."""
        at_ms = time.time_ns() // 1_000_000
        self.put_entry(LogEntry(task_id, token, at_ms, level[:_LEVEL_CHARS_MAX], sendable(text[:LOG_CHARS_MAX])))

    def put_entry(self, entry: LogEntry) -> None:
        """The same, of a line that was made in another process."""
        self._put = next(self._numbers)
        self._waiting.append(entry)

    def take_all(self) -> list[LogEntry]:
        """All lines that wait, in their order."""
        taken: list[LogEntry] = []
        try:
            while True:
                taken.append(self._waiting.popleft())
        except IndexError:
            self._taken += len(taken)
            return taken

    def take(self) -> list[LogEntry]:
        """The lines to send now, in their order: of each task the latest LOG_LINES_MAX, and of all no more than the
        rate allows. A line of its own says how many were left out."""
        now = self._clock()
        self._allowed = min(LINES_AT_ONCE, self._allowed + (now - self._counted_at) * LINES_PER_SECOND)
        self._counted_at = now
        entries = self.take_all()
        lost = max(0, self._put - self._taken)  # pushed out of `_waiting` by later ones
        self._taken += lost
        by_lease: dict[int, list[LogEntry]] = {}
        for entry in entries:
            by_lease.setdefault(entry.token, []).append(entry)
        share = min(1.0, self._allowed / max(1, len(entries)))
        kept: list[LogEntry] = []
        for lines in by_lease.values():
            count = min(LOG_LINES_MAX, max(1, int(len(lines) * share)))
            left_out = len(lines) - count + lost
            lost = 0
            if left_out:
                kept.append(_gap(lines[-count], left_out))
                count = max(1, count - 1)
            kept += lines[-count:]
        self._allowed = max(0.0, self._allowed - len(kept))
        return kept


def _gap(entry: LogEntry, count: int) -> LogEntry:
    text = f"[{count} lines left out: a worker process sends {LINES_PER_SECOND} lines/s at most]"
    return LogEntry(entry.task_id, entry.token, entry.at_ms, "warning", text)


def batches(entries: list[LogEntry], size: int) -> Iterable[list[LogEntry]]:
    """The entries in requests of at most `size` lines."""
    return (entries[first : first + size] for first in range(0, len(entries), size))

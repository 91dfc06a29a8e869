"""A lane: the ready tasks of one queue, task type and tier, first in, first out; in memory only a window of them.

One lane for each type, because a worker must get only what it can run: a type that nobody handles then waits in its
own lane and blocks no other.
"""

from bisect import insort
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from tq.engine.bounds import Bounds
from tq.engine.changes import Changes
from tq.engine.tables import READY_KEY, READY_ROW, LaneRow, Table

if TYPE_CHECKING:
    from tq.engine.queues import Queue

SEQUENCE_MAX = (1 << 64) - 1
sequence_of = attrgetter("sequence")


class Ready(msgspec.Struct, gc=False):
    """A task that may be leased now. `body` is its stored row if it is still in memory from its submit."""

    id: bytes
    sequence: int
    attempt: int
    crashes: int
    ready_at_ms: int
    body: bytes | None = None
    timeout_ms: int = 0
    result_ttl_ms: int = 0


class BodyBudget:
    """What all windows together hold: the bytes of task bodies, of at most `bytes_max`, and tasks."""

    __slots__ = ("bytes_max", "tasks", "used")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.used = 0
        self.tasks = 0


class Lane:
    """The window over the READY rows of a lane.

    Invariant: every row with a sequence up to `window_end` is in `window`, or is in `gone`; rows above it are on
    disk alone. `row.ready` counts both.
    """

    __slots__ = ("bounds", "budget", "gone", "number", "queue", "row", "window", "window_end")

    def __init__(self, number: int, queue: "Queue", row: LaneRow, budget: BodyBudget, bounds: Bounds) -> None:
        self.number = number
        self.bounds = bounds
        self.budget = budget
        self.queue = queue
        self.row = row
        self.window: deque[Ready] = deque()
        self.window_end = row.low_water - 1 if row.low_water else 0
        self.gone: set[int] = set()

    def key(self, sequence: int) -> bytes:
        """The key of a READY row."""
        return READY_KEY.pack(self.number, sequence)

    @property
    def low_water(self) -> int:
        """The lowest sequence that may be ready: where reading starts after a restart, above all tombstones."""
        return self.window[0].sequence if self.window else self.window_end + 1

    def add(self, ready: Ready) -> None:
        """Count a task in whose READY row was just written."""
        row = self.row
        row.ready += 1
        window = self.window
        if ready.sequence > self.window_end:
            is_window_complete = row.ready - 1 == len(window) - len(self.gone)
            bounds = self.bounds
            if not is_window_complete or len(window) >= bounds.window_max or self.budget.tasks >= bounds.windows_max:
                return
            self._keep_body(ready)
            self.budget.tasks += 1
            window.append(ready)
            self.window_end = ready.sequence
            return
        if ready.sequence in self.gone:  # it left, and comes back to its old place before that was forgotten
            self.gone.discard(ready.sequence)
            return
        self._keep_body(ready)
        self.budget.tasks += 1
        if not window or ready.sequence < window[0].sequence:
            window.appendleft(ready)
        else:
            insort(window, ready, key=sequence_of)
        if len(window) > 2 * self.bounds.window_max:
            self._forget_tail()

    def _keep_body(self, ready: Ready) -> None:
        if ready.body is None:
            return
        used = self.budget.used + len(ready.body)
        if used > self.budget.bytes_max:
            ready.body = None
        else:
            self.budget.used = used

    def _leave(self, ready: Ready) -> None:
        self.budget.tasks -= 1
        if ready.body is not None:
            self.budget.used -= len(ready.body)

    def _forget_tail(self) -> None:
        while len(self.window) > self.bounds.window_max:
            self._forget(self.window.pop())
        self.window_end = self.window[-1].sequence

    def _forget(self, ready: Ready) -> None:
        self._leave(ready)
        self.gone.discard(ready.sequence)

    def head(self, changes: Changes) -> Ready | None:
        """The next task, None if the lane is empty; refills the window if it has to."""
        window = self.window
        while True:
            if not window:
                if self.row.ready == 0 or not self._refill(changes):
                    return None
            elif self.gone and window[0].sequence in self.gone:
                self._forget(window.popleft())
            else:
                return window[0]

    def _refill(self, changes: Changes) -> bool:
        start, end = self.key(self.window_end + 1), READY_KEY.pack(self.number + 1, 0)
        bounds, budget = self.bounds, self.budget
        limit = bounds.refill if budget.tasks < bounds.windows_max else min(bounds.refill, bounds.refill_min)
        rows = changes.range(Table.READY, start, end, limit)
        for key, value in rows:
            sequence = READY_KEY.unpack(key)[1]
            task_id, attempt, crashes, ready_at_ms = READY_ROW.unpack(value)
            self.window.append(Ready(task_id, sequence, attempt, crashes, ready_at_ms))
            self.window_end = sequence
        budget.tasks += len(rows)
        return bool(rows)

    def oldest_ready_at_ms(self, changes: Changes) -> int | None:
        """Since when the first task is ready, None if the lane is empty. For showing: fills no window."""
        window = self.window
        for ready in window:
            if ready.sequence not in self.gone:
                return ready.ready_at_ms
        rows = changes.range(Table.READY, self.key(self.window_end + 1), READY_KEY.pack(self.number + 1, 0), 1)
        return READY_ROW.unpack(rows[0][1])[3] if rows else None

    def pop(self) -> Ready:
        """Take the task that `head` just returned."""
        self.row.ready -= 1
        ready = self.window.popleft()
        self._leave(ready)
        return ready

    def remove(self, sequence: int) -> None:
        """Count a task out that leaves from the middle; its READY row is deleted by the caller."""
        self.row.ready -= 1
        if sequence > self.window_end:
            return
        window, gone = self.window, self.gone
        gone.add(sequence)
        # Tasks may come and expire for ever in a lane that nobody takes from: it must not fill up with what is gone.
        while window and window[0].sequence in gone:
            self._forget(window.popleft())
        while window and window[-1].sequence in gone:
            self._forget(window.pop())

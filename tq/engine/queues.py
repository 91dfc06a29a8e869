"""A queue: its lanes by tier, its counters, and whether it may be dispatched from."""

from bisect import bisect_left

from tq.engine.lanes import Lane
from tq.engine.tables import QueueRow
from tq.model.metrics import PROCESSING_MS_BOUNDS

TYPES_MAX = 1_000
"""Different task types in one queue."""


class Queue:
    """A queue in memory.

    `ready` counts ready tasks by tier, `passed_over` the dispatches to higher tiers since a tier that had ready tasks
    last had one. `served` orders the turns between queues. `filled` grows whenever an empty lane gets a task.
    `processing_counts` and `processing_ms_sum` are those of a Distribution over PROCESSING_MS_BOUNDS, in memory alone.
    """

    __slots__ = (
        "filled", "lanes", "number", "passed_over", "processing_counts", "processing_ms_sum", "ready", "row", "served",
    )  # fmt: skip

    def __init__(self, number: int, row: QueueRow) -> None:
        self.number = number
        self.row = row
        self.lanes: tuple[dict[str, Lane], dict[str, Lane], dict[str, Lane]] = ({}, {}, {})
        self.ready = [0, 0, 0]
        self.filled = 0
        self.passed_over = [0, 0, 0]
        self.served = 0
        self.processing_counts = [0] * (len(PROCESSING_MS_BOUNDS) + 1)
        self.processing_ms_sum = 0

    def note_processing(self, length_ms: int) -> None:
        """A handler had a task for so long, and has settled it."""
        self.processing_counts[bisect_left(PROCESSING_MS_BOUNDS, length_ms)] += 1
        self.processing_ms_sum += length_ms

    @property
    def waiting(self) -> int:
        """Tasks that will still run and do not yet: ready, scheduled and between retries."""
        return sum(self.ready) + self.row.scheduled + self.row.retrying

    def all_lanes(self) -> list[Lane]:
        """The lanes of all tiers, the highest tier first."""
        return [lane for lanes in reversed(self.lanes) for lane in lanes.values()]

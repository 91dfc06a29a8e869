"""What a worker process did, in numbers: counted in its supervisor, told to its parent, which adds up all of them.

Nothing is counted where nobody asked for it with `worker.metrics_port`.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from itertools import islice

import msgspec

RUN_US_BOUNDS = (
    100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
    30_000_000, 60_000_000, 300_000_000, 1_800_000_000,
)  # fmt: skip
"""The upper ends, inclusive, of the classes in which the run times of handlers are counted, in us."""

TYPES_MAX = 200
"""Task types that are counted by name, the first that ran; all others together as OTHER_TYPES."""
OTHER_TYPES = "_other"

REPORT_SECONDS = 1.0
"""Between two reports to the parent: how old a number is at most."""
REPORT_TYPES_MAX = 20
"""Task types in one report: a line of 30 KB at most. The others come with the next."""


class TypeCounts(msgspec.Struct):
    """Tasks of one type that ended in a process, or in all. `run_counts` are over RUN_US_BOUNDS, and one more."""

    outcomes: dict[str, int] = {}
    run_counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(RUN_US_BOUNDS) + 1))
    run_us_sum: int = 0

    def add(self, other: "TypeCounts") -> None:
        """Count in what was counted elsewhere."""
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
        self.run_counts = [one + another for one, another in zip(self.run_counts, other.run_counts, strict=True)]
        self.run_us_sum += other.run_us_sum


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """A process says how it does. `types` are those that changed, counted since the process began."""

    types: dict[str, TypeCounts]
    is_connected: bool
    connects: int  # connections made to the broker since it began
    running: int
    waiting: int  # fetched, and not started
    unconfirmed: int  # outcomes that the broker has not confirmed
    stuck: int  # handlers that do not stop
    cpu_ms: int
    rss_bytes: int


class Meter:
    """The tasks that ended in this process, by type and outcome."""

    def __init__(self) -> None:
        self._types: dict[str, TypeCounts] = {}
        self._changed: dict[str, TypeCounts] = {}

    def count(self, task_type: str, outcome: str, run_seconds: float | None) -> None:
        """A task ended.

        Args:
            run_seconds: how long its handler ran; None: it never started.
        """
        counts = self._types.get(task_type)
        if counts is None:
            task_type = task_type if len(self._types) < TYPES_MAX else OTHER_TYPES
            counts = self._types.setdefault(task_type, TypeCounts())
        self._changed[task_type] = counts
        counts.outcomes[outcome] = counts.outcomes.get(outcome, 0) + 1
        if run_seconds is not None:
            run_us = int(run_seconds * 1_000_000)
            counts.run_counts[bisect_left(RUN_US_BOUNDS, run_us)] += 1
            counts.run_us_sum += run_us

    def take_changed(self) -> dict[str, TypeCounts]:
        """Some of the types that changed and were not taken since."""
        taken = dict(islice(self._changed.items(), REPORT_TYPES_MAX))
        for task_type in taken:
            del self._changed[task_type]
        return taken


async def report_counts(read: Callable[[], Counted], tell: Callable[[Counted], Awaitable[None]]) -> None:
    """Tell the parent now and then, until cancelled."""
    while True:
        report = read()
        await tell(report)
        await asyncio.sleep(0 if len(report.types) == REPORT_TYPES_MAX else REPORT_SECONDS)

"""What an edge was asked for, counted in it and told to the broker, which shows it with its own metrics."""

import asyncio
import time
from bisect import bisect_left

import psutil

from tq.client.async_client import AsyncClient
from tq.model.commands import ReportEdge
from tq.model.errors import TqError
from tq.model.metrics import EDGE_OPERATIONS_MAX, EDGE_STATUSES_MAX, EDGE_US_BOUNDS, Distribution
from tq.model.metrics import EdgeRequests as Requests
from tq.model.metrics import EdgeStatus as Status

REPORT_SECONDS = 1.0
"""Between two reports: how old a number is at most."""
OTHERS = "_other"
"""Operations and statuses beyond as many as there may be, together."""


class _Operation:
    __slots__ = ("counts", "statuses", "us_sum")

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.counts = [0] * (len(EDGE_US_BOUNDS) + 1)
        self.us_sum = 0


class Counting:
    """The requests of one edge process since it began, and how the process is. For one event loop."""

    def __init__(self) -> None:
        self._started_at_ms = time.time_ns() // 1_000_000
        self._process = psutil.Process()
        self._operations: dict[str, _Operation] = {}
        self._in_progress = 0
        self._is_news = True

    def began(self) -> int:
        """A request came: the moment, for `ended`."""
        self._in_progress += 1
        self._is_news = True
        return time.perf_counter_ns()

    def ended(self, operation: str, status: str, began_ns: int) -> None:
        """It was answered, or its caller has gone.

        Args:
            operation: by its name in the description of the interface, of which there are few; never what was asked.
            status: as the interface has it, such as "200" or "NOT_FOUND".
        """
        self._in_progress -= 1
        self._is_news = True
        us = (time.perf_counter_ns() - began_ns) // 1_000
        found = self._operations.get(operation)
        if found is None:
            name = operation if len(self._operations) < EDGE_OPERATIONS_MAX - 1 else OTHERS
            found = self._operations.setdefault(name, _Operation())
        if status not in found.statuses and len(found.statuses) >= EDGE_STATUSES_MAX - 1:
            status = OTHERS
        found.statuses[status] = found.statuses.get(status, 0) + 1
        found.counts[bisect_left(EDGE_US_BOUNDS, us)] += 1
        found.us_sum += us

    def report(self) -> ReportEdge:
        """All of it."""
        times = self._process.cpu_times()
        return ReportEdge(
            0,
            self._started_at_ms,
            self._process.memory_info().rss,
            round((times.user + times.system) * 1_000),
            self._in_progress,
            [
                Requests(
                    name,
                    [Status(status, count) for status, count in operation.statuses.items()],
                    Distribution(EDGE_US_BOUNDS, list(operation.counts), operation.us_sum),
                )
                for name, operation in self._operations.items()
            ],
        )

    async def tell(self, client: AsyncClient) -> None:
        """Tell the broker whenever there is news, until cancelled.

        Args:
            client: the edge's own connection.
        """
        while True:
            if self._is_news:
                self._is_news = False
                try:
                    await client.request(self.report())
                except TqError:  # the broker is gone, or busy; the next report has all of it
                    self._is_news = True
            await asyncio.sleep(REPORT_SECONDS)

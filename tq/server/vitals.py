"""The broker process in numbers."""

import os
from bisect import bisect_left
from collections import deque

import psutil

from tq.model.metrics import DISK_US_BOUNDS, Distribution, EdgeMetrics, ProcessMetrics
from tq.model.stats import ProcessStats

COMMITS_KEPT = 1_024


class _Durations:
    """A Distribution in the making, of us over DISK_US_BOUNDS."""

    def __init__(self) -> None:
        self._counts = [0] * (len(DISK_US_BOUNDS) + 1)
        self._sum = 0

    def add(self, duration_us: int) -> None:
        self._counts[bisect_left(DISK_US_BOUNDS, duration_us)] += 1
        self._sum += duration_us

    def read(self) -> Distribution:
        return Distribution(DISK_US_BOUNDS, list(self._counts), self._sum)


class Vitals:
    """Collects what ProcessStats and ProcessMetrics show. Cheap to feed, so that the hot path may."""

    def __init__(self, *, version: str, boot_id: str, started_at_ms: int, data_dir: str, sync: str) -> None:
        self.addresses: tuple[str, ...] = ()
        self.disk_free_bytes = 0
        self.why_not_accepting = ""
        self.connections_max = 0
        self.connections_total = 0
        self.edges: dict[str, EdgeMetrics] = {}
        """What each edge said last, by its name."""
        self.commits_total = 0
        self._commits_us: deque[int] = deque(maxlen=COMMITS_KEPT)
        self._commits, self._syncs = _Durations(), _Durations()
        self._version = version
        self._boot_id = boot_id
        self._started_at_ms = started_at_ms
        self._data_dir = data_dir
        self._sync = sync
        self._process = psutil.Process()

    def record_commit(self, duration_us: int) -> None:
        """One commit, from the hand-over to the store until it was on disk."""
        self.commits_total += 1
        self._commits_us.append(duration_us)
        self._commits.add(duration_us)

    def record_sync(self, duration_us: int) -> None:
        """One fsync, as the commit thread waited for it."""
        self._syncs.add(duration_us)

    def process_stats(self, connections: int) -> ProcessStats:
        """The numbers as they are now."""
        ordered = sorted(self._commits_us) or [0]
        return ProcessStats(
            version=self._version,
            boot_id=self._boot_id,
            pid=os.getpid(),
            started_at_ms=self._started_at_ms,
            addresses=self.addresses,
            data_dir=self._data_dir,
            sync=self._sync,
            is_accepting=not self.why_not_accepting,
            why_not_accepting=self.why_not_accepting,
            connections=connections,
            commits_total=self.commits_total,
            commit_us_p50=ordered[len(ordered) // 2],
            commit_us_p99=ordered[len(ordered) * 99 // 100],
            rss_bytes=self._process.memory_info().rss,
            disk_free_bytes=self.disk_free_bytes,
        )

    def process_metrics(self, connections: int, denied_total: int) -> ProcessMetrics:
        """The numbers, with what monitoring counts.

        Args:
            denied_total: connections turned away since the broker started.
        """
        times = self._process.cpu_times()
        return ProcessMetrics(
            stats=self.process_stats(connections),
            cpu_ms=round((times.user + times.system) * 1_000),
            connections_max=self.connections_max,
            connections_total=self.connections_total,
            denied_total=denied_total,
            commit_us=self._commits.read(),
            sync_us=self._syncs.read(),
        )

    def edge_metrics(self) -> list[EdgeMetrics]:
        """What the edges said last, by name."""
        return [self.edges[name] for name in sorted(self.edges)]

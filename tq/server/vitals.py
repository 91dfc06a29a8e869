"""The broker process in numbers."""

import os
from collections import deque

import psutil

from tq.model.stats import ProcessStats

COMMITS_KEPT = 1_024


class Vitals:
    """Collects what ProcessStats shows. Cheap to feed, so that the hot path may."""

    def __init__(self, *, version: str, boot_id: str, started_at_ms: int, data_dir: str, sync: str) -> None:
        self.addresses: tuple[str, ...] = ()
        self.disk_free_bytes = 0
        self.why_not_accepting = ""
        self.commits_total = 0
        self._commits_us: deque[int] = deque(maxlen=COMMITS_KEPT)
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

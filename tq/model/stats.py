"""The broker in numbers. Counters are kept as tasks move; none of these is computed by a scan."""

import msgspec


class QueueStats(msgspec.Struct, frozen=True, kw_only=True):
    """One queue. The first block is what it holds now, the second what happened since the queue was made, the third
    what happened just now."""

    name: str
    ready_high: int
    ready_normal: int
    ready_low: int
    scheduled: int  # pending, not yet due
    retrying: int  # failed, will be pending again
    in_progress: int
    dead: int
    no_handler: int  # of the ready ones: those whose type no connected worker can run
    oldest_ready_ms: int  # age of the longest waiting ready task, 0 if none
    is_paused: bool
    paused_at_ms: int
    pause_reason: str
    paused_by: str

    submitted_total: int
    completed_total: int
    failed_total: int  # attempts
    crashed_total: int
    dead_total: int
    cancelled_total: int

    submitted_10s: int = 0  # in the last ten whole seconds
    completed_10s: int = 0
    failed_60s: int = 0  # attempts, in the last sixty
    dead_60s: int = 0

    @property
    def ready(self) -> int:
        """Pending tasks that may be leased now."""
        return self.ready_high + self.ready_normal + self.ready_low

    @property
    def waiting(self) -> int:
        """All that will still run and does not yet."""
        return self.ready + self.scheduled + self.retrying


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process. `status`: connected, draining, or lost (its grace is running). `note`: what is wrong with
    it, in its own words."""

    name: str
    incarnation: bytes
    host: str
    pid: int
    status: str
    version: str
    queues: tuple[str, ...]
    task_types: tuple[str, ...]
    concurrency: int
    leases: int
    running: int
    prefetched: int
    rss_bytes: int
    connected_at_ms: int
    last_seen_at_ms: int
    note: str = ""
    cpu_percent: int = 0  # between its last two heartbeats; 100: one core
    loop_blocked_ms: int = 0  # the longest, between them, that its event loop did not turn
    stuck: int = 0  # handlers that did not stop when asked, and run on without a slot
    reported_at_ms: int = 0  # its last heartbeat: the moment of what it says of itself; 0: none yet


class EngineStats(msgspec.Struct, frozen=True, kw_only=True):
    """All queues together."""

    queues: int
    ready: int
    scheduled: int
    retrying: int
    in_progress: int
    dead: int
    workers_connected: int
    submitted_total: int
    completed_total: int
    failed_total: int
    crashed_total: int
    dead_total: int
    cancelled_total: int
    sequence: int
    waiters: int

    submitted_10s: int = 0  # in the last ten whole seconds
    completed_10s: int = 0
    failed_60s: int = 0  # attempts, in the last sixty
    dead_60s: int = 0


class ProcessStats(msgspec.Struct, frozen=True, kw_only=True):
    """The broker process. Commit figures are over the last commits, in microseconds."""

    version: str
    boot_id: str
    pid: int
    started_at_ms: int
    addresses: tuple[str, ...]
    data_dir: str
    sync: str
    is_accepting: bool
    why_not_accepting: str
    connections: int
    commits_total: int
    commit_us_p50: int
    commit_us_p99: int
    rss_bytes: int
    disk_free_bytes: int

"""The workers that the engine knows, and which queues and types each may be given."""

from collections import deque

import msgspec

from tq.engine.lanes import Lane
from tq.engine.queues import Queue
from tq.model.commands import QueuePreference, WorkerHello
from tq.model.signatures import TaskSignature

MISSED_HEARTBEATS = 3


class Lease(msgspec.Struct, gc=False):
    """A task in progress. `has_state` tells that a STATES row exists, whose history must be kept."""

    id: bytes
    token: int
    lane: Lane
    sequence: int
    attempt: int  # of this lease, from 1
    crashes: int
    leased_at_ms: int
    ready_at_ms: int
    deadline_ms: int  # the worker should have settled it by then; 0: no timeout
    result_ttl_ms: int
    has_state: bool
    worker: "Worker"
    cancel_reason: str | None = None
    progress: tuple[float, str, int] | None = None
    extended_to_ms: int = 0


class Profile:
    """Workers with the same catalogue and queues, and of these the ones that wait for tasks."""

    __slots__ = (
        "announced_at_ms", "barren", "priorities", "serves_all", "signatures", "task_types", "turns", "waiting",
        "workers",
    )  # fmt: skip

    def __init__(self, task_types: frozenset[str], queues: tuple[QueuePreference, ...]) -> None:
        self.task_types = task_types
        self.priorities = {preference.name: preference.priority for preference in queues}
        self.serves_all = not queues
        self.waiting: deque[Worker] = deque()
        self.workers = 0
        self.turns = 0
        self.barren: dict[int, int] = {}
        """Queues, by number, that had nothing for this profile when their lanes had been filled so many times."""
        self.signatures: dict[str, TaskSignature] = {}
        """What its handlers take, as the last of its workers said; once for all of them, for they may be thousands."""
        self.announced_at_ms = 0

    def serves(self, queue: Queue) -> bool:
        """Whether workers of this profile take tasks of the queue."""
        return self.serves_all or queue.row.name in self.priorities

    def can_run(self, lane: Lane) -> bool:
        """Whether workers of this profile can run the tasks of a lane."""
        return lane.row.task_type in self.task_types and self.serves(lane.queue)


class Worker:
    """One incarnation of a worker. `session` is None while its connection is gone and its grace runs."""

    __slots__ = (
        "connected_at_ms", "cpu_percent", "credit", "deadline_ms", "delivered", "excused_at_ms", "hello",
        "is_draining", "is_held", "is_waiting", "last_seen_at_ms", "leases", "loop_blocked_ms", "note", "prefetched",
        "profile", "reported_at_ms", "rss_bytes", "running", "session", "stuck",
    )  # fmt: skip

    def __init__(self, hello: WorkerHello, profile: Profile | None, now_ms: int) -> None:
        self.hello = hello
        self.profile = profile
        self.session: int | None = None
        self.credit = 0
        self.delivered = 0  # on this connection
        self.is_waiting = False
        self.is_held = False  # has not read yet what it was given
        self.is_draining = False
        self.leases: dict[bytes, Lease] = {}
        self.connected_at_ms = now_ms
        self.last_seen_at_ms = now_ms
        self.excused_at_ms = 0  # when the broker last woke up from a sleep, in which it could hear nothing
        self.deadline_ms = 0  # without a session: lost at this moment
        self.running = 0
        self.prefetched = 0
        self.rss_bytes = 0
        self.note = ""
        self.cpu_percent = 0
        self.loop_blocked_ms = 0
        self.stuck = 0
        self.reported_at_ms = 0

    def lost_at_ms(self, heartbeat_interval_ms: int) -> int:
        """When this worker is given up, if nothing more is heard of it."""
        if self.session is None:
            return self.deadline_ms
        return max(self.last_seen_at_ms, self.excused_at_ms) + MISSED_HEARTBEATS * heartbeat_interval_ms

    @property
    def status(self) -> str:
        """The word that interfaces show."""
        if self.session is None:
            return "lost"
        return "draining" if self.is_draining else "connected"

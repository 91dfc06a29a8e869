"""What a queue did, second by second for five minutes and minute by minute for a day."""

import msgspec

SECONDS_KEPT = 300
MINUTES_KEPT = 1_440
POINTS_MAX = 20_000
"""Points that one request may ask for, all its queues together: about 15 ms of the broker."""


class HistoryPoint(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One second or minute of one queue in which something changed; where there is no point, nothing did.

    `at_ms` is its beginning, `ready` the number of ready tasks at its end, the rest what happened in it: tasks taken,
    tasks done, failed attempts, and tasks that went to the dead letters.
    """

    at_ms: int
    submitted: int
    completed: int
    failed: int
    dead: int
    ready: int


class QueueHistory(msgspec.Struct, array_like=True, frozen=True):
    """The points of one queue, the oldest first; none where the queue was idle or does not exist."""

    queue: str
    points: list[HistoryPoint]


class Rates(msgspec.Struct, frozen=True, gc=False):
    """How fast a queue goes, over its last whole seconds: tasks taken and done in 10 s, failed attempts and new dead
    letters in 60 s. `behind_since_ms`: for how long it has been taking in more than it gets done; 0: it has not.
    """

    submitted_10s: int = 0
    completed_10s: int = 0
    failed_60s: int = 0
    dead_60s: int = 0
    behind_since_ms: int = 0

"""A short wait between two commits of a busy broker, so that the second one carries more.

What a commit costs is mostly not its size: an fsync, two thread switches, and one send for every connection that gets
an answer. At 5,000 tasks a second, commits one right after the other carry three or four requests each and cost half
as much again as with the wait. PostgreSQL's commit_delay and commit_siblings are the same idea.

Nobody waits in vain: not a client that is alone, and not clients that wait for answers themselves. As soon as as many
requests have come as there usually are in a commit, there are no others to wait for.
"""

import asyncio
from collections.abc import Callable, Mapping, Sized

GATHER_SECONDS = 0.002
ANSWERS_MIN = 3
"""Fewer answers than this in a batch, and there is nobody else to wait for."""
GATHERED_BYTES = 16 << 10
"""Requests of this size make a batch that is worth its commit."""
USUAL_DECAY = 0.125
"""How much of what was usual is forgotten with each commit that had less."""


class Gathering:
    """Tells whether the next commit had better wait.

    Args:
        on_over: called when the time is up.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_over: Callable[[], None]) -> None:
        self._loop = loop
        self._on_over = on_over
        self._timer: asyncio.TimerHandle | None = None
        self._usual = 0.0  # requests in a commit: the most of late

    def begin(self, answered: Mapping[int, Sized], requests: int, size: int) -> None:
        """A commit has ended; the next one waits, if it had better.

        Args:
            answered: the answers of the batch that was committed, by session.
            requests: how many have been taken since.
            size: their bytes.
        """
        is_busy = sum(map(len, answered.values())) >= ANSWERS_MIN
        if is_busy and not self._is_enough(requests, size):
            self._timer = self._loop.call_later(GATHER_SECONDS, self._end)

    def is_on(self, requests: int, size: int) -> bool:
        """Whether it still waits; not once enough has gathered."""
        if self._timer is not None and self._is_enough(requests, size):
            self.cancel()
        return self._timer is not None

    def _is_enough(self, requests: int, size: int) -> bool:
        return size >= GATHERED_BYTES or requests >= self._usual

    def note_commit(self, requests: int) -> None:
        """A commit begins, with so many requests."""
        self._usual = max(float(requests), self._usual * (1 - USUAL_DECAY))

    def cancel(self) -> None:
        """Wait no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        self._on_over()

"""The broker's clock: milliseconds since the epoch that never go back and never stand still."""

import time
from collections.abc import Callable


class Clock:
    """Wall time, except where wall time is set back: then it goes on at the pace of the monotonic clock.

    A clock that stood still until the wall catches up would freeze every lease and delay for as long as the step was.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._offset_ns = wall_ns() - monotonic_ns()

    def now_ms(self) -> int:
        """The moment, at or after every one given before."""
        monotonic_ns = self._monotonic_ns()
        offset_ns = self._wall_ns() - monotonic_ns
        if offset_ns > self._offset_ns:
            self._offset_ns = offset_ns
        return (monotonic_ns + self._offset_ns) // 1_000_000

    def ahead_ms(self) -> int:
        """How far the wall clock was set back since the start: 0 while both agree."""
        return (self._monotonic_ns() + self._offset_ns - self._wall_ns()) // 1_000_000

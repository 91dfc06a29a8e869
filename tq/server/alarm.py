"""One timer for the earliest moment at which something is due."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Rings at the earliest moment it was set to, or somewhat early: who is called looks at the clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_ring: Callable[[], None]) -> None:
        self._loop = loop
        self._on_ring = on_ring
        self._timer: asyncio.TimerHandle | None = None
        self._at_ms = 0

    def set(self, at_ms: int, now_ms: int) -> None:
        """Ring at `at_ms` at the latest. A later moment does not move an earlier one: ringing in vain is cheaper."""
        if self._timer is None or at_ms < self._at_ms:
            self.cancel()
            self._at_ms = at_ms
            self._timer = self._loop.call_later((at_ms - now_ms) / 1000, self._ring)

    def cancel(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._on_ring()

"""Whether the event loop of the main thread still turns, and what holds it up if not."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from tq.model.ids import format_id
from tq.worker.credit import STALL_SECONDS
from tq.worker.runs import Run
from tq.worker.watchdog import stack_of

REPORT_SECONDS = 2.0
"""A loop that has not turned for so long is reported; again each time that this has doubled."""

log = logging.getLogger("tq.worker")


class WatchedLoop(Protocol):
    """The event loop of the handlers; see Coroutines."""

    def ping(self, pong: Callable[[], None]) -> None:
        """Have `pong` called when the loop next turns."""
        ...

    def place_on_loop(self) -> str:
        """Where its thread is now."""
        ...

    def run_on_loop(self) -> Run | None:
        """Whose handler it is in now."""
        ...


class Pulse:
    """Pings the loop and waits for the pong.

    Args:
        clock: monotonic, in seconds.

    Attributes:
        note: "loop blocked 14 s at app.py:88", or empty.
    """

    def __init__(self, loop: WatchedLoop, thread_id: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.note = ""
        self._loop = loop
        self._thread_id = thread_id
        self._clock = clock
        self._pinged_at = 0.0
        self._pong = threading.Event()
        self._pong.set()
        self._report_after = REPORT_SECONDS
        self._longest = 0.0  # seconds; written by both threads: at worst one turn is counted twice, or not

    @property
    def is_blocked(self) -> bool:
        """Whether the loop has not turned for longer than a delivery may wait."""
        return not self._pong.is_set() and self._clock() - self._pinged_at > STALL_SECONDS

    def take_longest_ms(self) -> int:
        """The longest that the loop did not turn, in ms, since this was last asked. Measured with every `check`."""
        longest, self._longest = self._longest, 0.0
        if not self._pong.is_set():
            longest = max(longest, self._clock() - self._pinged_at)
        return round(longest * 1_000)

    def _ponged(self) -> None:
        self._longest = max(self._longest, self._clock() - self._pinged_at)
        self._pong.set()

    def check(self) -> bool:
        """Look whether the pong came, and ping again if so. Whether `note` changed."""
        now = self._clock()
        if self._pong.is_set():
            was_blocked, self.note = bool(self.note), ""
            if was_blocked:
                log.info("loop_turns_again", extra={"blocked_ms": round((now - self._pinged_at) * 1000)})
            self._report_after = REPORT_SECONDS
            self._pong.clear()
            self._pinged_at = now
            self._loop.ping(self._ponged)
            return was_blocked
        blocked = now - self._pinged_at
        if blocked < self._report_after:
            return False
        self._report_after *= 2
        place, run = self._loop.place_on_loop(), self._loop.run_on_loop()
        self.note = f"loop blocked {blocked:.0f} s at {place}"
        facts: dict[str, object] = {}
        if run is not None:
            facts = {"task_id": format_id(run.task_id), "task_type": run.stored.spec.task_type}
        facts |= {"blocked_ms": round(blocked * 1_000), "at": place, "stack": stack_of(self._thread_id)}
        log.warning("loop_blocked", extra=facts)
        return True

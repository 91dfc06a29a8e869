"""The commit thread: the one place that waits for the disk, so that the loop never does."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue


class CommitThread:
    """Runs one `sync` at a time in a thread of its own and reports the end on the loop.

    A plain thread and a queue: an executor makes a future, a work item and two locks for every commit.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_done: Callable[[Exception | None, int], None]) -> None:
        """`on_done` is called on `loop` after each sync, with what it raised and how many us it took."""
        self._loop = loop
        self._on_done = on_done
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tq-commit", daemon=True)
        self._thread.start()

    def sync(self, sync: Callable[[], None]) -> None:
        """Start `sync`; the one before must have been reported."""
        self._jobs.put(sync)

    def stop(self, seconds_max: float) -> bool:
        """End the thread, after what was started; whether that ended in time."""
        self._jobs.put(None)
        self._thread.join(seconds_max)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (sync := self._jobs.get()) is not None:
            failure: Exception | None = None
            started_ns = time.perf_counter_ns()
            try:
                sync()
            except Exception as error:  # handed to the loop, which decides
                failure = error
            duration_us = (time.perf_counter_ns() - started_ns) // 1_000
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                self._loop.call_soon_threadsafe(self._on_done, failure, duration_us)

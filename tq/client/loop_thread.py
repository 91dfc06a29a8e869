"""An event loop in a thread of its own, for callers that have none."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tq.model.errors import ConnectionLost, InvalidArgument

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for any thread. Starts with the first; `stop` ends loop and thread and leaves nothing behind."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run what `make` makes on the loop, and wait for what it returns or raises.

        An interrupted wait (Ctrl-C) cancels it.

        Raises:
            ConnectionLost: `stop` was called before it was done.
            InvalidArgument: called in a process that was forked later, where the thread is not, or on the loop itself.
        """
        if os.getpid() != self._pid:
            raise InvalidArgument(
                f"this client was made by process {self._pid}, of which this one is a fork",
                hint="make a new tq.Client after the fork",
            )
        if threading.current_thread() is self._thread:
            raise InvalidArgument("a blocking client was called on its own loop", hint="use tq.AsyncClient there")
        with self._lock:
            if self._is_stopped:
                raise _stopped()
            if self._loop is None:
                self._loop = self._start()
            future = asyncio.run_coroutine_threadsafe(make(), self._loop)
        try:
            return future.result()
        except BaseException:
            if future.cancelled() and self._is_stopped:
                raise _stopped() from None
            future.cancel()
            raise

    def stop(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run what `last` makes, cancel what still runs, end loop and thread. May be called again, in any thread."""
        if os.getpid() != self._pid:
            return  # in a forked process there is no such thread, and the sockets are the parent's
        with self._lock:
            is_stopped, self._is_stopped = self._is_stopped, True
            loop, thread = self._loop, self._thread
        if is_stopped or loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_then_stop(last), loop)
        if threading.current_thread() is not thread:  # a garbage collection on the loop may end up here
            thread.join()

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = _new_loop()
        self._thread = threading.Thread(target=_run, args=(loop,), name=self._name, daemon=True)
        self._thread.start()
        return loop


async def _then_stop(last: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await last()
    finally:
        asyncio.get_running_loop().stop()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()  # leaving the block cancels what is left and closes the loop


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def _stopped() -> ConnectionLost:
    return ConnectionLost("this client is closed", hint="make a new one")

"""Stopping a plain function in the middle: an exception raised in its thread from outside.

CPython raises it between two bytecodes of that thread (https://docs.python.org/3/c-api/init.html,
PyThreadState_SetAsyncExc), so a function that sleeps or reads in C sees it when it comes back. In a main thread a
signal does the same and ends a sleep as well. What makes both safe here: a thread is interrupted at most once for each
handler, only inside of it, and never in the next one.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)
_set_async_exc.restype = ctypes.c_int
_take_async_exc_back = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)
_ARRIVAL_SECONDS = 0.001
_TRACED_TRIES = 50


class Interrupted(BaseException):
    """Raised inside a plain handler that is asked to stop: its timeout struck, its task was cancelled, or its worker
    shuts down. Not an Exception, so that `except Exception` lets it pass, as with asyncio.CancelledError: clean up in
    `finally`, and let it go on."""


def raise_in_thread(thread_id: int) -> None:
    """Raise Interrupted in a thread, as soon as it runs Python."""
    if sys.version_info < (3, 12) and sys.gettrace() is not None:
        _raise_in_traced_thread(thread_id)
    else:
        _set_async_exc(thread_id, Interrupted)


class _Calm(BaseException):
    """Raised by this module in its own thread, and caught at once."""


def _raise_in_traced_thread(thread_id: int) -> None:
    """The same under a debugger or coverage in CPython 3.11, within some tries or not at all.

    There, traced threads spin at their next call of a Python function while an exception waits for a thread that is
    busy in C. So it waits for a moment only, again and again until it has arrived, which its `__init__` tells; what
    ends the spinning is an exception that does arrive. No Python function may be called in between.
    """
    waiting = [True]
    exception = type("Interrupted", (Interrupted,), {"__init__": waiting.clear})
    for _ in range(_TRACED_TRIES):
        _set_async_exc(thread_id, exception)
        time.sleep(_ARRIVAL_SECONDS)
        _take_async_exc_back(thread_id, None)
        try:  # noqa: SIM105 - that would call a Python function
            _set_async_exc(threading.get_ident(), _Calm)
        except _Calm:
            pass
        if not waiting:
            break


class Guard:
    """The right to interrupt a thread: armed by it before a handler starts, disarmed by it when the handler has ended.

    Arming puts a ticket down. Whoever picks it up has won: the thread, then no interrupt comes; or `interrupt`, then
    exactly one does, and the thread waits for it where it can do no harm. There is no lock, because an exception
    between two bytecodes could leave it locked.

    Args:
        send: makes Interrupted be raised in the thread of this id.
    """

    def __init__(self, send: Callable[[int], None] = raise_in_thread) -> None:
        self._send = send
        self._tickets: dict[int, int] = {}
        self._is_sent = False

    def arm(self, number: int) -> None:
        """From now on this thread may be interrupted. To be called inside the `try` that catches Interrupted.

        Args:
            number: of the handler, no other's.
        """
        self._is_sent = False
        self._tickets[number] = threading.get_ident()

    def disarm(self, number: int) -> None:
        """From now on this thread is not interrupted. To be called inside the same `try`.

        Raises:
            Interrupted: it was on its way. One that the handler got, and kept to itself, is not raised again.
        """
        if self._tickets.pop(number, None) is None:
            while not self._is_sent:
                time.sleep(_ARRIVAL_SECONDS)
            time.sleep(_ARRIVAL_SECONDS)  # what was sent and has not arrived arrives here

    def interrupt(self, number: int) -> bool:
        """Interrupt the handler of this number; called by another thread. Whether it was armed."""
        thread_id = self._tickets.pop(number, None)
        if thread_id is None:
            return False
        self._send(thread_id)
        self._is_sent = True
        return True


def follows_interrupt(error: BaseException) -> bool:
    """Whether an exception is Interrupted, or was raised while that was being handled."""
    seen: BaseException | None = error
    for _ in range(100):  # a chain may be a circle
        if seen is None or isinstance(seen, Interrupted):
            break
        seen = seen.__context__
    return isinstance(seen, Interrupted)

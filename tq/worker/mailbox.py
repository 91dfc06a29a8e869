"""Things handed to an event loop by other threads, in batches: one wake-up for all that came since the last."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Takes items from any thread.

    Args:
        on_item: gets them on the loop, those of one thread in their order.
        on_batch: called after some of them.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_item: Callable[[T], None], on_batch: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._on_item = on_item
        self._on_batch = on_batch
        self._items: deque[T] = deque()
        self._is_called = False

    def put(self, item: T) -> None:
        """Hand over an item. After the loop has closed it is dropped."""
        self._items.append(item)
        if not self._is_called:
            self._is_called = True
            with contextlib.suppress(RuntimeError):  # closed
                self._loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        self._is_called = False  # first: what is put from now on calls again
        items = self._items
        while items:
            self._on_item(items.popleft())
        self._on_batch()

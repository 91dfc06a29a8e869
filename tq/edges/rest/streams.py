"""What does not end by itself: how much of it there is, and the end of it all."""

import asyncio

from tq.model.errors import TooManyRequests

STREAMS_MAX = 256
"""Streams at once, of all callers: each is a connection to the broker too."""


class Streams:
    """The streams that there are, and the end of them all."""

    def __init__(self) -> None:
        self._count = 0
        self.ending = asyncio.Event()

    def enter(self) -> None:
        """Count one more.

        Raises:
            TooManyRequests: there are as many as may be.
        """
        if self._count >= STREAMS_MAX:
            raise TooManyRequests(f"{STREAMS_MAX} streams are open", hint="watch several scopes in one stream")
        self._count += 1

    def leave(self) -> None:
        """Count one less."""
        self._count -= 1

"""The parent, as its worker process sees it: the other end of the lifeline."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from tq.worker.counts import REPORT_TYPES_MAX, Counted, report_counts
from tq.worker.lifeline import Drain, ToParent, decode_for_child, encode_line

log = logging.getLogger("tq.worker")


class ParentLine:
    """Hears what the parent says, and tells it what it has to know.

    Args:
        lifeline: the socket, from which the options have been read.
    """

    def __init__(self, lifeline: socket.socket) -> None:
        self._lifeline = lifeline
        self._writer: asyncio.StreamWriter | None = None
        self._is_open = asyncio.Event()  # binds to the loop when it is first waited for

    async def listen(self, drain: Callable[[], object], stop: Callable[[], None]) -> None:
        """Call what the parent says; if it is gone, `stop`. Ends when it is cancelled."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._lifeline)
        self._is_open.set()
        while line := await reader.readline():
            if isinstance(decode_for_child(line), Drain):
                drain()
            else:
                stop()
        log.error("parent_gone")
        stop()
        await asyncio.Event().wait()

    def tell(self, message: ToParent) -> None:
        """Say something, at once; a dead parent does not mind."""
        with contextlib.suppress(OSError):  # it is gone, and `listen` sees that too
            if self._writer is None:
                self._lifeline.send(encode_line(message))
            elif not self._writer.is_closing():
                self._writer.write(encode_line(message))

    async def report(self, read: Callable[[], Counted]) -> None:
        """Tell how this process does, now and then; no faster than the parent reads."""
        await self._is_open.wait()
        writer = self._writer
        assert writer is not None

        async def tell(counted: Counted) -> None:
            self.tell(counted)
            with contextlib.suppress(OSError):
                await writer.drain()

        await report_counts(read, tell)

    def report_last(self, read: Callable[[], Counted]) -> None:
        """Tell all that was not told yet: this process ends."""
        while True:
            counted = read()
            self.tell(counted)
            if len(counted.types) < REPORT_TYPES_MAX:
                return

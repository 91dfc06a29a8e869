"""TLS handshakes that a limit knows of, for the broker and its edges.

asyncio's own server for TLS tells nobody of a socket until its handshake has ended: as many strangers as like to could
hold one each.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from functools import partial

from structlog.typing import FilteringBoundLogger

from tq.model.errors import TooManyConnections

HANDSHAKE_SECONDS = 5.0
SHUTDOWN_SECONDS = 5.0
RETRY_SECONDS = 1.0
"""After which a process without a free file descriptor tries to accept again."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Handshakes:
    """Those that go on, on all sockets that a process listens on.

    Args:
        count_max: at once. Whoever comes while so many go on is cut off: to be told so would take a handshake.
        on_end: called when one has ended, well or not.
    """

    def __init__(self, count_max: int, log: FilteringBoundLogger, on_end: Callable[[], None] | None = None) -> None:
        self.under_way: set[asyncio.Task[None]] = set()
        self.log = log
        self._count_max = count_max
        self._on_end = on_end

    def begin(self, accepted: socket.socket, make: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext) -> None:
        """Have one with who was accepted; `make` makes the connection if it ends well."""
        if len(self.under_way) >= self._count_max:
            reason = "too many TLS handshakes at once"
            self.log.warning("connection_refused", code=TooManyConnections.code, reason=reason)
            accepted.close()
            return
        accepted.setblocking(False)
        handshake = asyncio.ensure_future(_shake_hands(accepted, make, context))
        self.under_way.add(handshake)
        handshake.add_done_callback(partial(self._note_end, accepted))

    def cancel(self) -> None:
        """End all of them."""
        for handshake in list(self.under_way):
            handshake.cancel()

    def _note_end(self, accepted: socket.socket, handshake: asyncio.Task[None]) -> None:
        """Its socket is that of a connection now, unless the handshake failed, perhaps before it began."""
        self.under_way.discard(handshake)
        if handshake.cancelled():
            accepted.close()
        elif (error := handshake.exception()) is not None:
            self.log.debug("handshake_failed", reason=str(error))
            accepted.close()
        if self._on_end is not None:
            self._on_end()


async def _shake_hands(
    accepted: socket.socket, make: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext
) -> None:
    await asyncio.get_running_loop().connect_accepted_socket(
        make,
        accepted,
        ssl=context,
        ssl_handshake_timeout=HANDSHAKE_SECONDS,
        ssl_shutdown_timeout=SHUTDOWN_SECONDS,
    )


class TlsServer:
    """Accepts on one socket, and makes a connection of what ends its handshake in time."""

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        context: ssl.SSLContext,
        handshakes: Handshakes,
    ) -> None:
        """`sock` listens and does not block; `close` closes it."""
        self._socket = sock
        self._make = make
        self._context = context
        self._handshakes = handshakes
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """Accept no more. Handshakes go on."""
        if self._retry is not None:
            self._retry.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _listen(self) -> None:
        self._retry = None
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        """One socket; the event loop calls again while there are more."""
        try:
            accepted, _ = self._socket.accept()
        except OSError as error:  # the other side has gone already, or there is no file descriptor left
            if error.errno in _EXHAUSTED:
                self._handshakes.log.warning("accept_failed", error=str(error))
                self._loop.remove_reader(self._socket)
                self._retry = self._loop.call_later(RETRY_SECONDS, self._listen)
            return
        self._handshakes.begin(accepted, self._make, self._context)

"""TLS handshakes that a limit knows of.

asyncio's own server for TLS tells nobody of a socket until its handshake has ended: as many strangers as like to could
hold one each.
"""

import asyncio
import errno
import socket
import ssl
from functools import partial

from tq.model.errors import TooManyConnections
from tq.server.connection import Connections

HANDSHAKE_SECONDS = 5.0
SHUTDOWN_SECONDS = 5.0
RETRY_SECONDS = 1.0
"""After which a process without a free file descriptor tries to accept again."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class TlsServer:
    """Accepts on one socket, and makes a Connection of what ends its handshake in time.

    At most `connections_max` handshakes go on at once, beside the connections: whoever comes while those are full is
    told so, which takes a handshake.
    """

    def __init__(self, sock: socket.socket, connections: Connections, context: ssl.SSLContext) -> None:
        """`sock` listens and does not block; `close` closes it."""
        self._connections = connections
        self._log = connections.log
        self._context = context
        self._socket = sock
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
                self._log.warning("accept_failed", error=str(error))
                self._loop.remove_reader(self._socket)
                self._retry = self._loop.call_later(RETRY_SECONDS, self._listen)
            return
        connections = self._connections
        if len(connections.handshakes) >= connections.limits.connections_max:
            reason = "too many TLS handshakes at once"
            self._log.warning("connection_refused", code=TooManyConnections.code, reason=reason)
            accepted.close()
            return
        accepted.setblocking(False)
        handshake = asyncio.ensure_future(self._shake_hands(accepted))
        handshake.add_done_callback(partial(self._note_end, accepted))
        connections.add_handshake(handshake)

    async def _shake_hands(self, accepted: socket.socket) -> None:
        await self._loop.connect_accepted_socket(
            self._connections.make,
            accepted,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )

    def _note_end(self, accepted: socket.socket, handshake: asyncio.Task[None]) -> None:
        """Its socket is that of a connection now, unless the handshake failed, perhaps before it began."""
        if handshake.cancelled():
            accepted.close()
        elif (error := handshake.exception()) is not None:
            self._log.debug("handshake_failed", reason=str(error))
            accepted.close()

"""asyncssh in place of the system's ssh: it reads ~/.ssh/config and known_hosts too, and asks nothing.

It comes with `pip install 'tq[door]'`; this module is imported only where it is needed.
"""

import asyncio
import socket
from typing import Final, Self, cast

import asyncssh

from tq.client.addresses import SshAddress
from tq.client.ssh import KEEP_ALIVE_COUNT, KEEP_ALIVE_SECONDS, failure, remote_command

SAID_CHARS_MAX: Final = 8_192
LEAVE_SECONDS: Final = 0.5


class LibraryTunnel:
    """See tq.client.ssh.Tunnel. Made by `open` alone."""

    def __init__(self, sock: socket.socket, connection: asyncssh.SSHClientConnection, ends: "_Ends") -> None:
        self.sock = sock
        self._connection = connection
        self._ends = ends

    @classmethod
    async def open(cls, address: SshAddress, *, seconds: float) -> Self:
        """Connect, log in, and start the command.

        Raises:
            ConnectFailed: the host was not reached, or did not let us in.
        """
        try:
            connection = await asyncssh.connect(
                address.host,
                address.port or (),
                username=address.user or (),
                connect_timeout=seconds,
                login_timeout=seconds,
                keepalive_interval=KEEP_ALIVE_SECONDS,
                keepalive_count_max=KEEP_ALIVE_COUNT,
                agent_forwarding=False,
            )
        except (OSError, asyncssh.Error, ValueError) as cause:
            raise failure(address, _in_words(cause), str(cause)) from None
        ours, theirs = socket.socketpair()
        ends = _Ends()
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: ends.local, sock=theirs)
            await connection.create_session(lambda: ends.remote, remote_command(address), encoding=None)
        except BaseException as cause:
            for sock in (ours, theirs):
                sock.close()
            connection.abort()
            if isinstance(cause, OSError | asyncssh.Error):
                raise failure(address, _in_words(cause), str(cause)) from None
            raise
        return cls(ours, connection, ends)

    def said(self) -> str:
        """See Tunnel."""
        return self._ends.said

    async def close(self) -> None:
        """See Tunnel."""
        await asyncio.wait([self._ends.ended], timeout=LEAVE_SECONDS)  # the command there ends when its stdin does
        self._connection.abort()
        await self._connection.wait_closed()


class _Ends:
    """The two ends that are joined: our socket and the channel of the command. Each holds the other back when full."""

    def __init__(self) -> None:
        self.said = ""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.local = _Local(self)
        self.remote = _Remote(self)


class _Local(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, ends: _Ends) -> None:
        self._ends = ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.pause_reading()  # until there is a channel to write to

    def data_received(self, data: bytes) -> None:
        self._ends.remote.channel.write(data)

    def eof_received(self) -> bool:
        self._ends.remote.channel.write_eof()
        return True

    def pause_writing(self) -> None:
        self._ends.remote.channel.pause_reading()

    def resume_writing(self) -> None:
        self._ends.remote.channel.resume_reading()


class _Remote(asyncssh.SSHClientSession[bytes]):
    channel: asyncssh.SSHClientChannel[bytes]

    def __init__(self, ends: _Ends) -> None:
        self._ends = ends

    def connection_made(self, chan: "asyncssh.SSHClientChannel[bytes]") -> None:
        self.channel = chan

    def session_started(self) -> None:
        self._ends.local.transport.resume_reading()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._ends.said = (self._ends.said + data.decode(errors="replace"))[-SAID_CHARS_MAX:]
        else:
            self._ends.local.transport.write(data)

    def pause_writing(self) -> None:
        self._ends.local.transport.pause_reading()

    def resume_writing(self) -> None:
        self._ends.local.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and not self._ends.said:
            self._ends.said = _in_words(exc)
        self._ends.local.transport.close()
        if not self._ends.ended.done():
            self._ends.ended.set_result(None)


def _in_words(cause: Exception) -> str:
    return getattr(cause, "strerror", None) or getattr(cause, "reason", None) or str(cause)

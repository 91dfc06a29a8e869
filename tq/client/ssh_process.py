"""The `ssh` of the system as a subprocess, with one end of a socket pair for its stdin and stdout."""

import asyncio
import contextlib
import math
import os
import socket
import subprocess
from collections.abc import Sequence
from typing import Final

from tq.client.addresses import SshAddress
from tq.client.ssh import KEEP_ALIVE_COUNT, KEEP_ALIVE_SECONDS, failure, remote_command

SAID_BYTES_MAX: Final = 8_192
LEAVE_SECONDS: Final = 0.5
"""How long ssh may take to pass on what it was given last, and to say goodbye."""

_POLL_SECONDS: Final = 0.01
# A Ctrl-C on the terminal is meant for us: a worker, or a dashboard, wants to finish over this connection.
_SHELL: Final = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")


class ProcessTunnel:
    """See tq.client.ssh.Tunnel. Belongs to the event loop on which it was made.

    Args:
        command: ssh, and options that go before all others.
        can_ask, seconds: see tq.client.ssh.open_tunnel.

    Raises:
        ConnectFailed: it cannot be started.
    """

    def __init__(self, address: SshAddress, command: Sequence[str], *, can_ask: bool, seconds: float) -> None:
        self.sock, theirs = socket.socketpair()
        self._said = bytearray()
        self._stderr, stderr = os.pipe()
        os.set_blocking(self._stderr, False)
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - arguments, no shell text: names were checked by the address
                [*_SHELL, *command, *_options(can_ask=can_ask, seconds=seconds), *_target(address)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=stderr,
            )
        except OSError as cause:
            self.sock.close()
            os.close(self._stderr)
            raise failure(address, "", f"{command[0]} cannot be started: {cause.strerror}") from None
        finally:
            theirs.close()
            os.close(stderr)
        # Read all the time: a pipe that is full would stop ssh.
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._stderr, self._read)
        self._is_read = True

    @property
    def pid(self) -> int:
        """Of ssh."""
        return self._process.pid

    def said(self) -> str:
        """See Tunnel."""
        self._read()
        return self._said.decode(errors="replace")

    async def close(self) -> None:
        """See Tunnel."""
        try:
            await self._wait(LEAVE_SECONDS)
            if self._process.poll() is None:
                self._process.terminate()
                await self._wait(LEAVE_SECONDS)
        finally:
            # Cancelled, or an ssh that does not listen: it must not outlive us, nor stay as a zombie.
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._read()
            self._stop_reading()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                # Not by the signal of its end: an event loop in a thread gets none.
                while self._process.poll() is None:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECONDS)

    def _read(self) -> None:
        while self._is_read:
            try:
                data = os.read(self._stderr, SAID_BYTES_MAX)
            except BlockingIOError:
                return
            if not data:
                self._stop_reading()
                return
            self._said = (self._said + data)[-SAID_BYTES_MAX:]

    def _stop_reading(self) -> None:
        if self._is_read:
            self._is_read = False
            self._loop.remove_reader(self._stderr)
            os.close(self._stderr)


def _options(*, can_ask: bool, seconds: float) -> list[str]:
    settings = {
        "ServerAliveInterval": KEEP_ALIVE_SECONDS,
        "ServerAliveCountMax": KEEP_ALIVE_COUNT,
        "ConnectTimeout": max(1, math.ceil(seconds)),
        "BatchMode": "no" if can_ask else "yes",
        "ClearAllForwardings": "yes",  # those of the user's configuration are for a shell
        "RemoteCommand": "none",
    }
    return ["-T", "-a", "-x", *(f"-o{name}={value}" for name, value in settings.items())]


def _target(address: SshAddress) -> list[str]:
    user = ["-l", address.user] if address.user else []
    port = ["-p", str(address.port)] if address.port else []
    return [*user, *port, "--", address.host, remote_command(address)]

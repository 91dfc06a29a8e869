"""The `ssh` of the system as a subprocess, with one end of a socket pair for its stdin and stdout."""

import asyncio
import contextlib
import math
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tq.client.addresses import SshAddress
from tq.client.ssh import CONTROL, KEEP_ALIVE_COUNT, KEEP_ALIVE_SECONDS, control_path, remote_command
from tq.model.errors import ConnectFailed

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
        if shutil.which(command[0]) is None:
            raise ConnectFailed(f"{address} needs ssh: there is no program {command[0]}", hint="see TQ_SSH_COMMAND")
        arguments = [*command, *options_of(can_ask=can_ask, seconds=seconds), *_shared(address), *place_of(address)]
        self.sock, theirs = socket.socketpair()
        self._said = bytearray()
        self._stderr, stderr = os.pipe()
        os.set_blocking(self._stderr, False)
        try:
            # Arguments, no text for a shell but the last one: the names in it were checked by the address.
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603
                [*_SHELL, *arguments, remote_command(address)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=stderr,
            )
        except OSError as cause:
            self.sock.close()
            os.close(self._stderr)
            raise ConnectFailed(f"{address} needs ssh, which cannot be started: {cause.strerror}") from None
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


def options_of(*, can_ask: bool, seconds: float) -> list[str]:
    """What every ssh is told; see tq.client.ssh.open_tunnel."""
    settings = {
        "ServerAliveInterval": KEEP_ALIVE_SECONDS,
        "ServerAliveCountMax": KEEP_ALIVE_COUNT,
        "ConnectTimeout": max(1, math.ceil(seconds)),
        "BatchMode": "no" if can_ask else "yes",
        "ClearAllForwardings": "yes",  # those of the user's configuration are for a shell
        "RemoteCommand": "none",
    }
    return ["-T", "-a", "-x", *(f"-o{name}={value}" for name, value in settings.items())]


def place_of(address: SshAddress) -> list[str]:
    """Where to go; what is run there comes after it."""
    user = ["-l", address.user] if address.user else []
    port = ["-p", str(address.port)] if address.port else []
    return [*user, *port, "--", address.host]


def _shared(address: SshAddress) -> list[str]:
    """Go through the login that is there already, see tq.client.ssh_login; without one, as the configuration says."""
    directory = os.environ.get(CONTROL)
    if not directory:
        return []
    path = control_path(Path(directory), address)
    return ["-S", str(path), "-oControlMaster=no"] if path.is_socket() else []

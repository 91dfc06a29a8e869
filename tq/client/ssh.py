"""A broker behind ssh: the other host's `tq stdio` as a connected socket.

Two ways to get one, behind one port: the `ssh` of the system, which honours all that its user has set up (jump hosts,
agents, hardware keys, ControlMaster), and asyncssh where there is none or TQ_SSH_CLIENT asks for it.
"""

import hashlib
import os
import shlex
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from tq.client.addresses import SshAddress
from tq.model.errors import ConnectFailed, InvalidArgument

OPENSSH, ASYNCSSH = "openssh", "asyncssh"
KEEP_ALIVE_SECONDS: Final = 5
KEEP_ALIVE_COUNT: Final = 3
"""A host that does not answer so many times in a row, so far apart, is taken for gone."""

SECONDS_MIN: Final = 20.0
"""Logging in takes a second or two, and a host under load starts Python slowly: no shorter limit of time holds."""

ASKING_SECONDS: Final = 120.0
"""The least where ssh may ask the person at the terminal for a passphrase, or about the key of a host."""

CONTROL: Final = "TQ_SSH_CONTROL"
"""The directory with the control sockets of the hosts that this process is logged in to, see tq.client.ssh_login; for
those that it starts, too."""

SAID_CHARS_MAX: Final = 500
_OURS: Final = "Error: "
_NOISE: Final = ("Warning: Permanently added", "** ")  # ** begins the lines of a warning that every login shows


class Tunnel(Protocol):
    """An ssh connection that runs `tq stdio` on its other side."""

    sock: socket.socket
    """Connected to it; whoever takes the tunnel closes this socket."""

    def said(self) -> str:
        """What ssh, or the command there, has written to its stderr so far: the end of it."""

    async def close(self) -> None:
        """End it, once the socket is closed: within a second, the last bytes passed on if the other side takes them.

        What `said` says is complete then.
        """


async def open_tunnel(address: SshAddress, *, can_ask: bool, seconds: float) -> Tunnel:
    """Start one. Whether it gets through shows only by what then comes from its socket.

    Args:
        can_ask: ssh may ask for passphrases and about host keys on the terminal.
        seconds: for the host to answer at all.

    Raises:
        ConnectFailed: it could not even be started, or (asyncssh) the host was not reached or did not let us in.
        InvalidArgument: TQ_SSH_CLIENT is neither openssh nor asyncssh.
    """
    if client_of(os.environ) == ASYNCSSH:
        try:
            from tq.client.ssh_library import LibraryTunnel
        except ModuleNotFoundError:
            raise ConnectFailed(
                f"{address} needs ssh, and here is neither the program ssh nor the library asyncssh",
                hint="install OpenSSH's client, or: pip install 'tq[door]'",
            ) from None
        return await LibraryTunnel.open(address, seconds=seconds)
    from tq.client.ssh_process import ProcessTunnel

    return ProcessTunnel(address, ssh_command(os.environ), can_ask=can_ask, seconds=seconds)


def seconds_for(timeout: float, *, can_ask: bool) -> float:
    """How long a whole connecting may take, where `timeout` is enough without ssh."""
    return max(timeout, ASKING_SECONDS if can_ask and has_terminal() else SECONDS_MIN)


def remote_command(address: SshAddress) -> str:
    """What the shell of the other host is asked to run. An authorized_keys line with command="..." overrides it."""
    words = [address.program or "tq", "stdio"]
    if address.socket:
        words += ["--socket", address.socket]
    return shlex.join(words)


def failure(address: SshAddress, said: str, why: str) -> ConnectFailed:
    """Why there is no broker behind this address, from what ssh said and, if it said nothing, `why`."""
    return ConnectFailed(f"no broker answers at {address}: {in_short(said) or why}", hint=_hint(address, said))


def in_short(said: str) -> str:
    """The last lines of what ssh said, as one, without what it says to everybody; or the error of the tq there."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    ours = [line.removeprefix(_OURS) for line in lines if line.startswith(_OURS)]
    lines = ours[-1:] or [line for line in lines if not line.startswith(_NOISE)][-2:]
    return " ".join(lines)[-SAID_CHARS_MAX:]


def _hint(address: SshAddress, said: str) -> str:
    target = f"{address.user}@{address.host}" if address.user else address.host
    login = f"ssh {f'-p {address.port} ' if address.port else ''}{target}"
    if "HOST IDENTIFICATION HAS CHANGED" in said or "not match" in said:
        return f"the host has another key than the one you know: find out why before you go on. `{login}` says more"
    if "ost key" in said:
        return f"run `{login}` once, compare the fingerprint that it shows with that of the host, and accept it"
    if "ermission denied" in said:
        return f"the host accepts none of your keys: does `{login}` work without a question, and is your agent running?"
    if "no broker answers" in said:
        return f"start one there, or name its socket: ssh://{target}/run/tq/tq.sock"
    if "not found" in said or "No such file" in said:
        return f"is tq in the PATH of that host's shells? Else say where it is: ssh://{target}?tq=/opt/tq/bin/tq"
    return f"try it by hand: {login} {remote_command(address)} < /dev/null"


def control_path(directory: Path, address: SshAddress) -> Path:
    """The control socket for this address: a short name, for the path of a socket has 100 characters."""
    return directory / hashlib.sha256(str(address).encode()).hexdigest()[:16]


def ssh_command(environment: Mapping[str, str]) -> list[str]:
    """The ssh of the system, and options that go before all others."""
    return shlex.split(environment.get("TQ_SSH_COMMAND", "")) or ["ssh"]


def client_of(environment: Mapping[str, str]) -> str:
    """Which implementation is used.

    Raises:
        InvalidArgument: TQ_SSH_CLIENT is neither openssh nor asyncssh.
    """
    has_openssh = shutil.which(ssh_command(environment)[0]) is not None
    chosen = environment.get("TQ_SSH_CLIENT") or (OPENSSH if has_openssh else ASYNCSSH)
    if chosen not in (OPENSSH, ASYNCSSH):
        raise InvalidArgument(f"TQ_SSH_CLIENT is {chosen[:40]!r}", hint=f"say {OPENSSH} or {ASYNCSSH}")
    return chosen


def has_terminal() -> bool:
    """Whether ssh could ask anything."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True

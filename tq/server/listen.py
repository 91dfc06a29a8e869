"""Sockets to listen on: who may reach the broker, and which port it gets."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from tq.model.errors import ConfigInvalid
from tq.model.peers import is_loopback
from tq.model.settings import Settings

BACKLOG = 1_024
PORTS_TRIED = 100
"""How far `next_free` looks beyond the port that was asked for."""


def check_exposure(settings: Settings) -> None:
    """Whether a broker may listen where its settings say, as far as one can tell before its data is opened.

    Raises:
        ConfigInvalid: others could reach it, without TLS; or not an address of this machine.
    """
    exposed = _exposed_hosts(settings)
    if exposed and not (settings.broker.tls_cert or settings.broker.insecure):
        raise ConfigInvalid(
            f"{exposed[0]} is not loopback, and there is no TLS: others could read along, and connect",
            hint="set broker.tls_cert and make a token, or use 127.0.0.1 and an SSH tunnel, or say --insecure",
        )


def check_credentials(settings: Settings, *, has_token: bool) -> None:
    """The rest of `check_exposure`: who reaches a broker over the network must have something to show.

    Raises:
        ConfigInvalid: others can reach it, and nobody has credentials.
    """
    exposed = _exposed_hosts(settings)
    if exposed and not (has_token or settings.broker.tls_client_ca or settings.broker.insecure):
        raise ConfigInvalid(
            f"{exposed[0]} is not loopback, and there are no credentials: nobody has a token",
            hint="start it on 127.0.0.1 once and make one there: tq token create NAME --role admin; "
            "or set broker.tls_client_ca, or say --insecure",
        )


def _exposed_hosts(settings: Settings) -> list[str]:
    """The settings of addresses that others reach, with their values: of the native port, and of the edges."""
    hosts = {"broker.host": settings.broker.host}
    if (settings.api.rest_enabled or settings.api.grpc_enabled) and settings.api.host:
        hosts["api.host"] = settings.api.host
    return [f"{name} {host}" for name, host in hosts.items() if is_exposed(host)]


def is_exposed(host: str) -> bool:
    """Whether others than this machine reach what listens on this host.

    Raises:
        ConfigInvalid: not an address of this machine.
    """
    return not all(is_loopback(address.partition("%")[0]) for _, address in _resolve(host))


def listen_tcp(host: str, port: int, *, next_free: bool = False, flag: str = "--port") -> list[socket.socket]:
    """Listen on all addresses of a host, on one port. Whether it may: see `check_exposure`.

    Args:
        host: a name or an address.
        port: 0 takes a free one.
        next_free: take the first free port from `port` on instead of insisting.
        flag: which says the port, for errors.

    Raises:
        ConfigInvalid: not an address of this machine, or the port is in use.
    """
    return _on_one_port(host, port, next_free, flag, _listen)


def hold_tcp(host: str, port: int, *, next_free: bool = False, flag: str = "--port") -> list[socket.socket]:
    """As `listen_tcp`, for a library that insists on making its own listening socket: these only keep the port for
    this process and those of the same user, who may bind it with SO_REUSEPORT as well, and start again.
    """
    return _on_one_port(host, port, next_free, flag, _hold)


Bind = Callable[[socket.AddressFamily, str, int], socket.socket]


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    sock = socket.create_server((address, port), family=family, backlog=BACKLOG)
    sock.setblocking(False)
    return sock


def _hold(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # With SO_REUSEPORT alone, two brokers of one user would share a port and never know: so it must be free first.
    with socket.create_server((address, port), family=family) as probe:
        port = probe.getsockname()[1]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def _on_one_port(host: str, port: int, next_free: bool, flag: str, bind: Bind) -> list[socket.socket]:
    addresses = _resolve(host)
    last = min(port + PORTS_TRIED, 65_535) if next_free and port else port
    for candidate in range(port, last + 1):
        try:
            return _bind_all(addresses, candidate, bind)
        except OSError as cause:
            if cause.errno != errno.EADDRINUSE:
                raise ConfigInvalid(
                    f"cannot listen on port {candidate} of {host}: {cause.strerror}",
                    hint=f"choose another --host or {flag}",
                ) from cause
    busy = f"port {port} of {host} is" if last == port else f"ports {port} to {last} of {host} are all"
    raise ConfigInvalid(f"{busy} in use", hint=f"is another broker running? choose another with {flag}, or {flag} 0")


def listen_unix(path: Path) -> socket.socket:
    """Listen on a unix socket that only this user can open; its directory is made, for this user alone, if missing.

    The socket of a broker that was killed is replaced, that of a living one is not.

    Raises:
        ConfigInvalid: the path is in use, is something else, is too long, or cannot be made.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(path)
        # The mask, not a chmod afterwards: there is no moment at which others could connect.
        previous = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(previous)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as cause:
        sock.close()
        raise ConfigInvalid(
            f"cannot listen on socket {path}: {cause.strerror or cause}",
            hint="choose another with --socket, or none with --socket none",
        ) from cause
    except BaseException:
        sock.close()
        raise
    return sock


def shown(sock: socket.socket, *, is_tls: bool = False) -> str:
    """The address of a listening socket as clients write it."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix://{name}"
    host, port = name[:2]
    scheme = "tls" if is_tls else "tcp"
    return f"{scheme}://[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{scheme}://{host}:{port}"


def _resolve(host: str) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as cause:
        raise ConfigInvalid(f"host {host!r} is not an address of this machine: {cause.strerror}") from cause
    return list(dict.fromkeys((socket.AddressFamily(family), str(address[0])) for family, _, _, _, address in found))


def _bind_all(addresses: list[tuple[socket.AddressFamily, str]], port: int, bind: Bind) -> list[socket.socket]:
    """One socket an address, all on the same port: the one that the first of them got, where `port` is 0."""
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, address in addresses:
        try:
            sock = bind(family, address, port)
        except OSError as cause:
            # "localhost" may have an address of a family that is switched off here.
            if cause.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                failure = cause
                continue
            for other in sockets:
                other.close()
            raise
        sockets.append(sock)
        port = sock.getsockname()[1]
    if not sockets:
        assert failure is not None, "a name has at least one address"
        raise failure
    return sockets


def _remove_stale(path: Path) -> None:
    """Remove the socket that a dead broker left."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigInvalid(f"{path} is there and is not a socket", hint="choose another with --socket")
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        else:
            raise ConfigInvalid(
                f"a broker is listening on {path}", hint="stop it, or choose another with --socket or --data-dir"
            )

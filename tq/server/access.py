"""Who is at the other end of a connection, as the socket tells it, and what they turned out to be allowed."""

import pwd
import socket
import struct
from asyncio import BaseTransport
from functools import lru_cache

import msgspec

from tq.model.identity import ANONYMOUS, Actor, Role
from tq.model.peers import is_loopback, names_of

_UCRED = struct.Struct("3i")  # pid, uid, gid: unix(7)


class Peer(msgspec.Struct, frozen=True):
    """What the kernel, or TLS, says of the other end.

    `uid` is set on a unix socket alone; `certificate_names` are those of a client certificate that a CA of
    broker.tls_client_ca has signed.
    """

    origin: str
    is_local: bool
    uid: int | None = None
    certificate_names: tuple[str, ...] = ()


class Access(msgspec.Struct, frozen=True):
    """Who a connection is, and what it may do. `token_id` is empty without a token, `expires_at_ms` 0 without an end;
    `is_open`: let in because there is no token yet."""

    actor: Actor
    role: Role
    token_id: bytes = b""
    expires_at_ms: int = 0
    is_open: bool = False

    @property
    def is_confined(self) -> bool:
        """Whether it may touch some queues only."""
        return bool(self.actor.queues)


NOBODY = Access(ANONYMOUS, Role.NONE)
"""A connection that was not greeted yet, or whose access has ended."""


def peer_of(transport: BaseTransport) -> Peer:
    """The other end of a connection that was just made."""
    sock = transport.get_extra_info("socket")
    if sock.family == socket.AF_UNIX:
        return Peer("unix", is_local=True, uid=_peer_uid(sock))
    name = transport.get_extra_info("peername") or ("an unknown address",)  # it may be gone already
    address = str(name[0]).partition("%")[0]
    certificate = transport.get_extra_info("peercert")
    scheme = "tcp" if transport.get_extra_info("sslcontext") is None else "tls"
    return Peer(f"{scheme} {address}", is_loopback(address), certificate_names=names_of(certificate or {}))


@lru_cache(maxsize=256)
def user_name(uid: int) -> str:
    """How the audit calls a user of this machine."""
    try:
        return f"uid:{uid} {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"uid:{uid}"


def _peer_uid(sock: socket.socket) -> int | None:
    """The user at the other end of a unix socket; None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    uid: int = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))[1]
    return uid

"""Who asks: read from the call, decided by the broker."""

from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from tq.edges.gateway import Caller
from tq.edges.grpc.errors import Unauthenticated
from tq.model.peers import is_loopback

_NAMES = ("peer_dns", "peer_uri", "peer_email")  # what counts on the native port: no addresses, no common name
_ORIGINS_REMEMBERED = 1_024


def caller_of(context: Any) -> Caller:
    """The caller of a call.

    Raises:
        Unauthenticated: the metadata `authorization` is there and no bearer token.
    """
    token = ""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            token = _bearer(value)
            break
    origin, is_local = _origin(context.peer().rpartition(":")[0])
    return Caller(token, origin, is_local, _certificate_names(context.auth_context()))


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("the metadata authorization is not a bearer token")
    return token.strip()


@lru_cache(_ORIGINS_REMEMBERED)
def _origin(peer: str) -> tuple[str, bool]:
    """The address of a peer, such as "ipv4:127.0.0.1", and whether it is of this machine."""
    host = unquote(peer.partition(":")[2]).strip("[]")
    return host or "unknown", is_loopback(host)


def _certificate_names(shown: Any) -> tuple[str, ...]:
    """The names in a client's certificate, which was verified before the call was let in."""
    if not shown:
        return ()
    return tuple(dict.fromkeys(name.decode(errors="replace") for key in _NAMES for name in shown.get(key, ())))

"""Requests that a browser sends for a page of another site: refused, for the browser may reach what the page may not.

A caller on this machine counts for more than others as long as there is no token, and every page that is open in a
browser here can send requests to a port of this machine (CVE-2018-5702 is the classic). Two ways, and what stops each:

- straight, which a browser marks with `Origin`: it must be this very address. Answers never have a header of CORS;
- under a name of its own that was made to point to this machine (DNS rebinding): callers of this machine must say in
  `Host` that they mean this machine.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from litestar.types import ASGIApp, Receive, Scope, Send

from tq.edges.rest.answers import encode
from tq.edges.rest.problems import PROBLEM_JSON, document_of
from tq.model.error_statuses import of_error
from tq.model.errors import AccessDenied, ProtocolViolation, TqError
from tq.model.peers import is_loopback
from tq.model.plain import preview

_HINT = "a proxy on this machine: set api.allowed_hosts to the name by which its callers know it"


def names_in(allowed_hosts: str) -> frozenset[str]:
    """The names of the setting api.allowed_hosts."""
    return frozenset(name.strip().lower() for name in allowed_hosts.split(",") if name.strip())


class SameSiteOnly:
    """An application that passes on what no page of another site can have sent.

    Args:
        allowed: names, beside those of this machine, that `Host` and `Origin` may have.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        error = self._fault(scope)
        if error is None:
            await self._app(scope, receive, send)
        else:
            await _refuse(error, scope["path"], send)

    def _fault(self, scope: Scope) -> TqError | None:
        hosts, origins = [], []
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value.decode("latin-1"))
            elif name == b"origin":
                origins.append(value.decode("latin-1"))
        if len(hosts) != 1 and not (not hosts and scope["http_version"] == "1.0"):
            return ProtocolViolation(f"{len(hosts)} headers Host: a request has one", hint="RFC 9112, section 3.2")
        host = hosts[0] if hosts else ""
        client = scope["client"]
        is_local = client is not None and is_loopback(client[0])
        if hosts and is_local and not self._is_this_machine(name_of(host)):
            return AccessDenied(f"Host {preview(host, 100)} is not a name of this machine", hint=_HINT)
        for origin in origins:
            if not self._is_own(origin, host):
                return AccessDenied(f"the page at {preview(origin, 100)} is of another site", hint=_HINT)
        return None

    def _is_this_machine(self, name: str) -> bool:
        return name == "localhost" or is_loopback(name) or name in self._allowed

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether an origin is where this request was sent. The scheme may differ: a proxy may have removed TLS."""
        try:
            address = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return bool(address) and (address == host.lower() or name_of(address) in self._allowed)


def name_of(host: str) -> str:
    """The name, or the address in numbers, of a host with or without a port; empty if it is neither."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


async def _refuse(error: TqError, path: str, send: Send) -> None:
    body = encode(document_of(error, path))
    headers = [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": of_error(error).http, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})

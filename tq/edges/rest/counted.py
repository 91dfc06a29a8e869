"""Counts what the REST edge is asked for, around all of it: what the framework refuses too."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from tq.edges.counting import Counting

NO_ROUTE = "none"
"""The operation of a request for an address where nothing is."""
NO_STATUS = "none"
"""The status of a request whose caller was gone before it was answered."""


def counted(app: ASGIApp, counting: Counting) -> ASGIApp:
    """The application, each request to it counted by its route and by the status of its answer."""

    async def edge(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        status = NO_STATUS

        async def note_and_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        began = counting.began()
        try:
            await app(scope, receive, note_and_send)
        finally:
            counting.ended(_operation_of(scope), status, began)

    return edge


def _operation_of(scope: Scope) -> str:
    handler = scope.get("route_handler")
    return NO_ROUTE if handler is None else str(handler.fn.__name__).rstrip("_")

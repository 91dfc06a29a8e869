"""Who asks: read from the request, decided by the broker."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from litestar import Request
from litestar.di import NamedDependency

from tq.client.async_client import AsyncClient
from tq.edges.gateway import Caller, Gateway, is_refused
from tq.edges.rest.problems import Unauthenticated, mark_unknown
from tq.edges.rest.streams import Streams
from tq.model.errors import AccessDenied, ConnectionLost, ShuttingDown
from tq.model.peers import is_loopback

Connected = NamedDependency[AsyncClient]
"""The `client` of a handler: the connection to the broker of whoever asks."""
TheGateway = NamedDependency[Gateway]

CERTIFICATE_NAMES = "tq.certificate_names"
"""Where the server puts into the scope what the caller's certificate says."""

T = TypeVar("T")


def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """The caller of a request.

    Raises:
        Unauthenticated: the header Authorization is there and no bearer token.
    """
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if header and (scheme.lower() != "bearer" or not token.strip()):
        raise Unauthenticated("Authorization is not a bearer token")
    origin = request.client.host if request.client is not None else ""
    scope: dict[str, Any] = request.scope  # type: ignore[assignment]
    return Caller(token.strip(), origin, is_loopback(origin), scope.get(CERTIFICATE_NAMES, ()))


async def provide_client(request: Request[Any, Any, Any], gateway: TheGateway) -> AsyncGenerator[AsyncClient, None]:
    """The connection to the broker of whoever asks: a dependency of the routes.

    Raises:
        Unauthenticated: the broker knows nobody by what the caller shows.
    """
    async with AsyncExitStack() as stack:
        with _knowing_nobody():
            client = await stack.enter_async_context(gateway.client(caller_of(request)))
        try:
            yield client
        except AccessDenied:
            if await is_refused(client):
                mark_unknown(request)  # and not another error: the framework wants back what it threw in here
            raise


@contextmanager
def _knowing_nobody() -> Iterator[None]:
    """What is refused here is the caller, and not what they ask for."""
    try:
        yield
    except AccessDenied as error:
        raise Unauthenticated(error.message) from None


async def while_connected(request: Request[Any, Any, Any], asking: Coroutine[Any, Any, T]) -> T:
    """The answer to a question that may take long, given up when the caller is gone, who waits for nobody then, or when
    this edge is to end.

    Raises:
        ConnectionLost: the caller is gone.
        ShuttingDown: this edge ends.
    """
    streams: Streams = request.app.state.streams
    answering = asyncio.create_task(asking, name="long poll")
    leaving = asyncio.create_task(_gone(request), name="long poll: caller")
    ending = asyncio.create_task(streams.ending.wait(), name="long poll: edge")
    try:
        await asyncio.wait({answering, leaving, ending}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        if ending.done():
            raise ShuttingDown("the broker is stopping", hint="try again soon")
        raise ConnectionLost("the caller is gone")
    finally:
        answering.cancel()
        leaving.cancel()
        ending.cancel()


async def _gone(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

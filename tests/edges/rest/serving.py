"""The REST edge in a thread of this process, to show what a broker cannot that starts its edges: that it is gone."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import structlog
import uvicorn

from tq.client.async_client import AsyncClient
from tq.edges.gateway import Caller, Gateway
from tq.edges.rest.app import make_app
from tq.edges.rest.streams import Streams


class PlainGateway(Gateway):
    """A connection for each token."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._clients: dict[str, AsyncClient] = {}
        self.own = AsyncClient(address)

    @asynccontextmanager
    async def client(self, caller: Caller) -> AsyncIterator[AsyncClient]:
        if caller.token not in self._clients:
            client = AsyncClient(self._address, token=caller.token)
            await client.connect()
            self._clients[caller.token] = client
        yield self._clients[caller.token]

    async def close(self) -> None:
        for client in (self.own, *self._clients.values()):
            await client.close()


@contextmanager
def serving(address: str) -> Iterator[str]:
    """Where the edge listens, over the broker at `address`."""
    gateway = PlainGateway(address)
    streams = Streams()
    app = make_app(gateway, structlog.get_logger(), streams, max_body_bytes=1 << 20)
    config = uvicorn.Config(app, port=0, http="httptools", log_level="error", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()

    loop = asyncio.new_event_loop()

    async def run() -> None:
        await server.serve([socket])
        await gateway.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(streams.ending.set)
        server.should_exit = True
        thread.join(30)
        loop.close()
        socket.close()


def code_of(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which has to be a problem document."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    return response.status_code, problem["code"]

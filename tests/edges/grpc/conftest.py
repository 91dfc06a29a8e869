"""A real broker and a gRPC server over it, both in the test's own loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from tests.edges.grpc.stubs import Stubs
from tests.server.edges import Edges, edges
from tq.client.async_client import AsyncClient
from tq.edges.gateway import Gateway
from tq.edges.grpc.server import GrpcServer, Limits


class Edge(NamedTuple):
    """A server, a client of it, and the same broker seen natively, by its own user."""

    port: int
    stubs: Stubs
    native: AsyncClient
    server: GrpcServer
    broker: Edges


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Edges]:
    async with edges(tmp_path / "s") as running:
        yield running


@asynccontextmanager
async def serving(broker: Edges, limits: Limits | None = None, *, port: int = 0) -> AsyncIterator[Edge]:
    """A gRPC server over a broker."""
    gateway = Gateway(f"unix://{broker.socket}", broker.broker.edge_key, "grpc")
    server = GrpcServer(gateway, limits)
    port = await server.start([("127.0.0.1", port)])
    telling = asyncio.create_task(gateway.counting.tell(gateway.own))
    async with (
        AsyncClient(f"unix://{broker.socket}", name="test") as native,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Edge(port, Stubs(channel), native, server, broker)
    telling.cancel()
    await server.stop(0)
    await gateway.close()


@pytest.fixture
async def edge(broker: Edges) -> AsyncIterator[Edge]:
    async with serving(broker) as made:
        yield made

"""One broker, its edges and one worker for the tests of all edges; each test uses a queue of its own."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from tests.cli.processes import daemon
from tests.edges.grpc.behaving import channel_to
from tests.edges.real import EdgeBroker, edge_broker, http
from tq.client.blocking import Client


@pytest.fixture(scope="session")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeBroker]:
    """A real broker process with its edges, as `tq broker` starts them."""
    with edge_broker(tmp_path_factory.mktemp("broker"), TQ_API_GRPC_ENABLED="true") as broker:
        yield broker
        assert broker.process.end() == 0


@pytest.fixture(scope="session")
def address(edges: EdgeBroker) -> str:
    """Of the broker itself."""
    return edges.address


@pytest.fixture(scope="session")
def native(address: str) -> Iterator[Client]:
    with Client(address, name="tests") as client:
        yield client


@pytest.fixture(scope="session")
def rest(edges: EdgeBroker) -> Iterator[httpx.Client]:
    """An HTTP client of the edge; addresses are below /api/v1."""
    with http(edges) as client:
        yield client


@pytest.fixture(scope="session")
def rpc(edges: EdgeBroker) -> Iterator[grpc.Channel]:
    """A connection to the edge of gRPC."""
    with channel_to(edges) as channel:
        yield channel


@pytest.fixture(scope="session")
def worker(address: str) -> Iterator[str]:
    """The queue of a real worker process of tests/cli/handlers.py."""
    queue = f"w-{secrets.token_hex(4)}"
    flags = ("--url", address, "--queues", queue, "--log-format", "json")
    with daemon("worker", "tests.cli.handlers:app", *flags, cwd=Path(__file__).parents[2]) as process:
        process.wait_for("connected")
        yield queue
        assert process.end() == 0


@pytest.fixture
def queue() -> str:
    """A queue that no other test uses, and no worker serves."""
    return f"q-{secrets.token_hex(4)}"

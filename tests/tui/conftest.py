"""What the tests over a real broker have in common: a broker for a module, a client of it, a queue for a test."""

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.client.real import RealBroker, real_broker
from tq.client.async_client import AsyncClient


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    """A real broker process."""
    with real_broker(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
async def client(broker: RealBroker) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(broker.address) as opened:
        yield opened


@pytest.fixture
def queue() -> str:
    """A queue that no other test uses."""
    return f"q{secrets.token_hex(4)}"

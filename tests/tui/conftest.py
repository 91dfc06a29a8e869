"""What the tests over a real broker have in common: a broker for a module, a client of it, a queue for a test."""

import asyncio
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


@pytest.fixture(autouse=True)
def idle_when_nothing_is_left_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's pilot calls an application idle once the process uses next to no CPU for 20 ms, and gives up after a
    second: with ten frames a second to draw, most keys would take that second. Here it is when all messages are dealt
    with; what comes from the broker, or by the clock, a test waits for by itself."""

    async def nothing_is_ready(*_: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        while loop._ready:  # type: ignore[attr-defined]
            await asyncio.sleep(0)

    for module in ("textual.app", "textual.pilot"):
        monkeypatch.setattr(f"{module}.wait_for_idle", nothing_is_ready)

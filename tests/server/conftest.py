"""The broker's tests run on the event loop that the broker runs on."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from tests.certificates import Certificates, broker_certificates


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def short_socket(tmp_path: Path) -> Iterator[Path]:
    """A socket whose name leaves room in its 107 bytes."""
    link = Path(f"/tmp/tq-test-{os.getpid()}-{os.urandom(4).hex()}")
    link.symlink_to(tmp_path)
    yield link / "s"
    link.unlink()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of a broker on this machine, and of its clients."""
    return broker_certificates(tmp_path_factory.mktemp("tls"))

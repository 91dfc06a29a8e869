"""One broker for all tests of the CLI that need one; each test uses queues of its own."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.cli.processes import Daemon, daemon
from tq.client.blocking import Client


class RunningBroker(NamedTuple):
    address: str
    client: Client
    process: Daemon


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A real broker process, and a client of it."""
    data = tmp_path_factory.mktemp("broker")
    flags = ("--port", "0", "--data-dir", str(data), "--log-format", "json")
    with daemon("broker", *flags) as process:
        process.wait_for("broker_started")
        address = f"unix://{data}/tq.sock"
        with Client(address, name="tests") as client:
            yield RunningBroker(address, client, process)
        assert process.end() == 0


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """A queue that no other test uses."""
    return f"q-{abs(hash(request.node.nodeid)) % 10**9}"

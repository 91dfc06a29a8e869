"""One broker for all tests of the CLI that need one; each test uses queues of its own."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.processes import Daemon, daemon
from tq.client.blocking import Client
from tq.model.operations import RATE_MAX


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


class RunningWorker(NamedTuple):
    queue: str
    process: Daemon


@pytest.fixture(scope="module")
def _worker(broker: RunningBroker) -> Iterator[RunningWorker]:
    queue = f"w-{secrets.token_hex(4)}"
    flags = ("--url", broker.address, "--queues", queue, "--log-format", "json")
    with daemon("worker", "tests.cli.handlers:app", *flags, cwd=Path(__file__).parents[2]) as process:
        process.wait_for("connected")
        yield RunningWorker(queue, process)
        assert process.end() == 0


@pytest.fixture
def worker(_worker: RunningWorker, broker: RunningBroker) -> RunningWorker:
    """A real worker process of tests/cli/handlers.py, its queue without dead letters."""
    if _has(broker, _worker.queue):
        prepared = broker.client.prepare("purge", f"queue:{_worker.queue} state:dead_letter")
        broker.client.wait_for_operation(broker.client.commit(prepared.token, rate=RATE_MAX).id)
    return _worker


def _has(broker: RunningBroker, queue: str) -> bool:
    return any(stats.name == queue for stats in broker.client.queues())

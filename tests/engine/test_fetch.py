"""Credit, the number of tasks that a worker is ready to take, and how it takes some back."""

import pytest

from tq.engine.engine import Engine
from tq.model.commands import Fetch, Hello, Submit, WorkerHello
from tq.model.replies import Deliver
from tq.model.settings import Settings
from tq.model.task import TaskSpec
from tq.storage.memory import MemoryStore

WORKER = WorkerHello("w", b"i" * 16, "h", 1, ["noop"])


class _Broker:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.engine = Engine(self.store, Settings(), seed=1)
        self.engine.open(0)
        self.engine.step(1, Hello(0, 1, worker=WORKER), 0)

    def fetch(self, credit: int, seen: int | None = None) -> int:
        """How many tasks come of it."""
        self.engine.step(1, Fetch(0, credit, seen), 0)
        return self.delivered()

    def submit(self, count: int) -> int:
        self.number = getattr(self, "number", 0)
        ids = range(self.number, self.number + count)
        self.number += count
        self.engine.step(2, Submit(1, [TaskSpec(number.to_bytes(16, "big"), "noop", b"") for number in ids]), 0)
        return self.delivered()

    def delivered(self) -> int:
        self.engine.advance(0)
        writes, messages = self.engine.take()
        self.store.apply(writes)
        return sum(len(message.deliveries) for _, message in messages if isinstance(message, Deliver))


@pytest.fixture
def broker() -> _Broker:
    return _Broker()


def test_credit_adds_up(broker: _Broker) -> None:
    broker.fetch(2)
    broker.fetch(3)

    assert broker.submit(10) == 5


def test_credit_that_was_taken_back_delivers_nothing(broker: _Broker) -> None:
    broker.fetch(100)
    broker.fetch(0, seen=0)

    assert broker.submit(10) == 0
    assert broker.fetch(4) == 4


def test_deliveries_that_the_worker_has_not_seen_yet_count_against_the_new_credit(broker: _Broker) -> None:
    """Taking back crosses deliveries on the wire; the sum must be right all the same."""
    broker.fetch(100)
    assert broker.submit(3) == 3

    broker.fetch(4, seen=1)  # said when one of the three had arrived

    assert broker.submit(10) == 2

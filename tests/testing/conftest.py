"""The application, in use."""

from collections.abc import Iterator

import pytest

from tests.testing.shop import Journal, app, journal
from tq.testing import MemoryBroker


@pytest.fixture
def broker(tq_app: MemoryBroker) -> MemoryBroker:
    tq_app.use(app)
    return tq_app


@pytest.fixture(autouse=True)
def done(broker: MemoryBroker) -> Iterator[Journal]:
    yield journal
    journal.lines.clear()
    journal.hooks.clear()

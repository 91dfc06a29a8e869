"""The pytest plugin: the fixture `tq_app`. Loaded by every pytest run of an environment with tq, so it imports nothing
of tq until a test asks for the fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tq.testing.broker import MemoryBroker


@pytest.fixture
def tq_app() -> Iterator[MemoryBroker]:
    """A broker in memory with a clock that the test moves; `tq_app.use(app)` makes an application use it."""
    from tq.testing.broker import MemoryBroker

    broker = MemoryBroker()
    try:
        yield broker
    finally:
        broker.close()

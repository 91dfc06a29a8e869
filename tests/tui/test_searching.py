"""Tasks by selector, in a broker with many others: what is rare is found, however far behind it lies."""

import secrets
from typing import NamedTuple

import pytest

from tests.client.real import RealBroker
from tests.tui.dumps import text
from tests.tui.live import dashboard
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.tui.commandline import Place
from tq.tui.screens import tasks

OTHERS = 3_000
"""More than the broker looks at for one page, and than are fetched."""


class Crowd(NamedTuple):
    """Tasks of a queue in the order in which they were submitted: the first, with a tag, many others, the last."""

    queue: str
    first: str
    last: str


@pytest.fixture
async def crowd(broker: RealBroker) -> Crowd:
    queue = f"q{secrets.token_hex(4)}"
    async with AsyncClient(broker.address) as client:
        first = await client.submit_task(Task("send", queue=queue, tags=["rare"]))
        *_, last = await client.submit_tasks([Task("send", queue=queue)] * OTHERS)
    return Crowd(queue, first, last)


async def test_a_search_goes_on_until_it_has_found_something(broker: RealBroker, crowd: Crowd) -> None:
    async with dashboard(broker.address) as seat:
        await seat.app.go(Place("tasks", f"queue:{crowd.queue} tag:rare"))

        await seat.until(lambda: crowd.first in text(seat.app), "the rare task")


async def test_a_search_that_has_looked_far_rests_says_so_and_goes_on_with_a_key(
    broker: RealBroker, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "REQUESTS_MAX", 1)
    async with dashboard(broker.address) as seat:
        await seat.app.go(Place("tasks", f"queue:{crowd.queue} tag:rare"))
        await seat.until(lambda: "looked at (m)" in text(seat.app), "that it rests")
        assert crowd.first not in text(seat.app)

        while crowd.first not in text(seat.app):
            await seat.press("m")
            await seat.until(lambda: "searching" not in text(seat.app), "its rest")


async def test_the_newest_come_first_of_all_there_are_and_the_oldest_when_they_are_asked_for(
    broker: RealBroker, crowd: Crowd
) -> None:
    async with dashboard(broker.address) as seat:
        await seat.app.go(Place("tasks", f"queue:{crowd.queue}"))
        await seat.until(lambda: crowd.last in text(seat.app), "the newest")
        assert crowd.first not in text(seat.app)

        await seat.press("s")
        await seat.until(lambda: crowd.first in text(seat.app), "the oldest")
        await seat.press("S")
        await seat.until(lambda: crowd.last in text(seat.app), "the newest again")

"""Tasks stand as the broker has them, and are asked for in the order that is shown."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, cast

import msgspec
from textual.pilot import Pilot

from tests.tui.dumps import lines, settled, text
from tests.tui.fakes import NOW_MS, FakeFeed, part, queue, totals
from tq.client.async_client import AsyncClient
from tq.model.commands import Order
from tq.model.ids import format_id
from tq.model.replies import TaskPage
from tq.model.task import State, TaskSummary
from tq.tui.app import Look, TopApp
from tq.tui.commandline import Place
from tq.tui.glyphs import ASCII
from tq.tui.screens.tasks import PAGE, REQUESTS_MAX

STEP = 1_000
"""What the broker looks at for a page."""


class Asked(NamedTuple):
    selector: str
    order: Order
    is_descending: bool
    limit: int
    cursor: bytes


class Broker:
    """Has `found` among very many tasks, the last of them first, `per_page` on each page."""

    def __init__(self, found: Sequence[TaskSummary], per_page: int, pages: int, *, is_exact: bool = True) -> None:
        self.asked: list[Asked] = []
        self._found, self._per_page, self._pages, self._is_exact = found, per_page, pages, is_exact

    async def list_tasks(
        self, selector: str, order: Order, descending: bool, limit: int, cursor: bytes, as_of: int
    ) -> TaskPage:
        self.asked.append(Asked(selector, order, descending, limit, cursor))
        number = int(cursor or b"0")
        first = number * self._per_page
        return TaskPage(
            1,
            list(self._found[first : first + min(self._per_page, limit)]),
            str(number + 1).encode() if number + 1 < self._pages else b"",
            as_of or 88,
            len(self._found),
            self._is_exact,
            "rows",
            STEP,
        )

    async def history(self, _: str, **__: object) -> dict[str, object]:
        return {}

    async def close(self) -> None:
        pass


def summary(number: int, **fields: object) -> TaskSummary:
    row = TaskSummary(
        id=number.to_bytes(16), task_type=f"type{number}", queue="mail", priority=128, state=State.PENDING,
        submitted_at_ms=NOW_MS, scheduled_at_ms=0, ended_at_ms=0, attempt=0, worker="", error_type="", message="",
        group="", key="", tags=(),
    )  # fmt: skip
    return msgspec.structs.replace(row, **fields)


@asynccontextmanager
async def searching(broker: Broker, place: Place) -> AsyncIterator[tuple[TopApp, "Pilot[None]"]]:
    feed = FakeFeed()
    app = TopApp(feed, Look(ASCII), cast("AsyncClient", broker))
    async with app.run_test(size=(120, 40)) as pilot:
        feed.greet()
        feed.frame(part("totals", [totals()]), part("queues", [queue("mail")]), part("attention", []))
        await settled(pilot)
        app.open(place)
        await settled(pilot)
        yield app, pilot


def types_shown(app: TopApp) -> list[str]:
    return [word for line in lines(app) for word in line.split() if word.startswith("type")]


async def test_the_newest_tasks_are_asked_for_and_stand_as_the_broker_has_them() -> None:
    broker = Broker([summary(number) for number in (3, 9, 1)], 3, 1)
    async with searching(broker, Place("found", "state:pending")) as (app, pilot):
        assert types_shown(app) == ["type3", "type9", "type1"]
        await pilot.press("s")
        await settled(pilot)

    assert broker.asked == [
        Asked("state:pending", Order.AGE, False, PAGE, b""),
        Asked("state:pending", Order.AGE, True, PAGE, b""),
    ]


async def test_a_search_goes_on_over_pages_that_hold_nothing() -> None:
    broker = Broker([summary(1)], 0, 4, is_exact=False)
    async with searching(broker, Place("found", "type:rare")) as (app, _):
        assert len(broker.asked) == 4
        assert "No task matches." in text(app)


async def test_a_search_stops_once_all_that_were_counted_are_there() -> None:
    broker = Broker([summary(number) for number in range(1, 6)], 5, 1_000)
    async with searching(broker, Place("found", "queue:mail")) as (app, _):
        assert len(broker.asked) == 1
        assert "5 of 5 tasks  sort: newest" in text(app)


async def test_a_long_search_stops_at_a_bound_says_so_and_goes_on_when_asked() -> None:
    broker = Broker([summary(1), summary(2)], 0, 1_000)
    async with searching(broker, Place("found", "type:rare")) as (app, pilot):
        assert len(broker.asked) == REQUESTS_MAX
        assert "None found yet." in text(app)
        assert "0 of 2 tasks  more below, 200,000 looked at (m)" in text(app)

        await pilot.press("m")
        await settled(pilot)
        assert len(broker.asked) == 2 * REQUESTS_MAX


async def test_what_waits_in_a_queue_is_shown_in_the_order_in_which_it_will_run() -> None:
    broker = Broker([summary(8), summary(2)], 2, 1)
    async with searching(broker, Place("queue", "mail")) as (app, pilot):
        assert types_shown(app) == ["type8", "type2"]
        await pilot.press("tab", "tab", "tab")
        await settled(pilot)

    assert [(one.selector, one.order) for one in (broker.asked[0], broker.asked[-1])] == [
        ("queue:mail state:pending,failed", Order.ANY),
        ("queue:mail state:dead_letter", Order.AGE),
    ]


async def test_the_error_of_a_task_begins_with_what_a_selector_calls_it() -> None:
    failed = summary(1, error_type="httpx.errors.ConnectTimeout", message="no answer")
    async with searching(Broker([failed], 1, 1), Place("found", "")) as (app, _):
        assert "ConnectTimeout: no" in text(app)
        assert "httpx" not in text(app)
        assert format_id(failed.id) in text(app)

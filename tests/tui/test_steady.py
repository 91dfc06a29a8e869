"""What the dashboard does not do: draw rows that did not change, run while paused, or keep what it has shown."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import active_count

import pytest
from textual.events import AppBlur, AppFocus
from textual.pilot import Pilot
from textual.strip import Strip

from tests.tui.dumps import settled, text
from tests.tui.fakes import NOW_MS, FakeFeed, event, finding, part, queue, totals
from tq.model.watching import QueueLive
from tq.tui.app import BLURRED_CLOCK_SECONDS, CLOCK_SECONDS, Look, TopApp
from tq.tui.glyphs import ASCII
from tq.tui.widgets.table import VTable

QUEUES = 1_000
FRAMES = 300


def a_queue(number: int, ready: int) -> QueueLive:
    return queue(f"q{number:04}", ready=ready)


def ticks(app: TopApp) -> bool:
    """Whether its clock goes on."""
    return app._timer is not None and app._timer._active.is_set()


@asynccontextmanager
async def crowded() -> AsyncIterator[tuple[TopApp, FakeFeed, "Pilot[None]"]]:
    """A dashboard over many queues."""
    feed = FakeFeed()
    app = TopApp(feed, Look(ASCII))
    async with app.run_test(size=(120, 40)) as pilot:
        feed.greet()
        feed.frame(part("queues", [a_queue(number, 1) for number in range(QUEUES)]), part("totals", [totals()]))
        await settled(pilot)
        assert "q0001" in text(app)
        yield app, feed, pilot


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lines of tables that were drawn, as they are."""
    lines: list[int] = []
    draw = VTable.render_line

    def render_line(self: "VTable[QueueLive]", y: int) -> Strip:
        lines.append(y)
        return draw(self, y)

    monkeypatch.setattr(VTable, "render_line", render_line)
    return lines


async def test_a_frame_without_news_draws_no_row(drawn: list[int]) -> None:
    async with crowded() as (_, feed, pilot):
        drawn.clear()

        feed.frame(at_ms=NOW_MS + 500)
        await settled(pilot)

        assert drawn == []


async def test_a_frame_draws_the_rows_that_changed_and_are_seen_and_no_other(drawn: list[int]) -> None:
    async with crowded() as (app, feed, pilot):
        drawn.clear()

        feed.frame(part("queues", [a_queue(3, 5), a_queue(7, 5), a_queue(900, 5)], is_whole=False), at_ms=NOW_MS + 500)
        await settled(pilot)

        assert "q0900" not in text(app)
        assert sorted(drawn) == [4, 8]  # the titles are line 0


async def test_while_paused_no_clock_ticks_and_no_frame_is_asked_for() -> None:
    async with crowded() as (app, feed, pilot):
        assert ticks(app)

        await pilot.press("Z")

        assert not ticks(app)
        assert feed.watched[-1][1] == 0


async def test_without_the_focus_the_clock_ticks_half_as_often_and_a_pause_stays_one() -> None:
    async with crowded() as (app, _, pilot):

        async def seen(event: AppBlur | AppFocus) -> tuple[float, bool]:
            app.post_message(event)
            await settled(pilot)
            assert app._timer is not None
            return app._timer._interval, ticks(app)

        assert await seen(AppBlur()) == (BLURRED_CLOCK_SECONDS, True)
        assert await seen(AppFocus()) == (CLOCK_SECONDS, True)
        await pilot.press("Z")
        assert await seen(AppBlur()) == (BLURRED_CLOCK_SECONDS, False)
        await pilot.press("Z")
        assert ticks(app)


async def test_what_was_shown_for_long_leaves_no_task_no_thread_no_file_and_no_row_behind() -> None:
    async with crowded() as (app, feed, pilot):

        async def show(number: int) -> None:
            ready = number % 7
            changed = [a_queue(one, ready) for one in range(number % 10, QUEUES, 10)]
            news = [finding(f"q{number % 50:04}", f"{number} ready"), finding("q0001", "slow")]
            feed.frame(
                part("queues", changed, is_whole=False, gone=[f"gone-{number}"]),
                part("totals", [totals(ready=number)], is_whole=False),
                part("attention", news),
                part("events", [event(number, "retry")], is_whole=False, gone=[str(number - 200)]),
                at_ms=NOW_MS + number * 500,
            )
            await settled(pilot)

        def held() -> tuple[int, int, int, int]:
            gc.collect()
            rows = sum(len(app.mirror.rows(scope)) for scope in app.mirror.scopes)
            return len(asyncio.all_tasks()), active_count(), len([*Path("/proc/self/fd").iterdir()]), rows

        for number in range(1, 201):  # events are at their most by then
            await show(number)
        before = held()
        for number in range(201, 201 + FRAMES):
            await show(number)

        assert held() == before

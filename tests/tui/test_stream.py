"""The stream as the dashboard takes it: repeated, huge, with a clock that is off.

What the connection does is tested in tests/client/test_stream_trouble.py, what the broker keeps for a slow reader in
tests/engine/test_watching.py.
"""

from hypothesis import given
from hypothesis import strategies as st

from tests.tui.dumps import lines, settled
from tests.tui.fakes import NOW_MS, part, queue
from tests.tui.test_app import running
from tq.client.watching import Change
from tq.model.watching import QUEUE_ROWS_MAX
from tq.tui.mirror import Mirror

NAMES = ("a", "b", "c", "d")


@st.composite
def change(draw: st.DrawFn) -> Change:
    """What a broker may say of queues: all there are, or those that changed and those that went."""
    ready = draw(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9)))
    is_whole = draw(st.booleans())
    gone = [] if is_whole else draw(st.lists(st.sampled_from([name for name in NAMES if name not in ready] or ["z"])))
    return Change("queues", is_whole, [queue(name, ready=n) for name, n in ready.items()], gone, 0)


@given(st.lists(change(), max_size=8), st.integers(0, 7))
def test_a_frame_that_is_taken_in_twice_changes_nothing_more(changes: list[Change], twice: int) -> None:
    once, repeated = Mirror(), Mirror()
    for number, one in enumerate(changes):
        once.apply([one], NOW_MS, 0.0)
        for _ in range(1 + (number == twice)):
            repeated.apply([one], NOW_MS, 0.0)

    assert dict(once.rows("queues")) == dict(repeated.rows("queues"))


@given(st.lists(change(), min_size=1, max_size=8))
def test_all_of_a_scope_says_what_its_frames_said_together(changes: list[Change]) -> None:
    followed, resumed = Mirror(), Mirror()
    for one in changes:
        followed.apply([one], NOW_MS, 0.0)
    resumed.apply([followed.whole("queues")], NOW_MS, 0.0)

    assert dict(resumed.rows("queues")) == dict(followed.rows("queues"))
    assert list(resumed.rows("queues")) == list(followed.rows("queues"))


async def test_the_largest_frame_is_drawn_and_costs_no_key() -> None:
    async with running() as (app, feed, pilot, _):
        rows = [queue(f"{'q' * 200}{number:05}", ready=number) for number in range(QUEUE_ROWS_MAX)]
        feed.frame(Change("queues", True, rows, [], 5_000))
        await settled(pilot)
        await pilot.press("end")
        await settled(pilot)

        assert any("2,000 of 7,000 queues" in line for line in lines(app))
        assert all(len(line) <= 120 for line in lines(app))
        assert app.here is not None
        selected = app.here.selection()
        assert selected is not None
        assert selected.ids == (f"{'q' * 200}01999",)


async def test_ages_are_by_the_brokers_clock_however_wrong_it_is() -> None:
    tomorrow = NOW_MS + 86_400_000
    async with running() as (app, feed, pilot, clock):
        feed.frame(part("queues", [queue("mail", ready=1, oldest_at_ms=tomorrow - 90_000)]), at_ms=tomorrow)
        await settled(pilot)
        assert "1m30s" in next(line for line in lines(app) if "mail" in line)

        clock.now += 1.0
        assert app.now_ms == tomorrow + 1_000
        assert not app.is_locked


async def test_a_clock_that_is_set_back_gives_no_age_below_zero_and_nothing_stale() -> None:
    async with running() as (app, feed, pilot, _):
        earlier = NOW_MS - 3_600_000
        feed.frame(part("queues", [queue("mail", ready=1, oldest_at_ms=NOW_MS - 5_000)]), at_ms=earlier)
        await settled(pilot)

        shown = next(line for line in lines(app) if "mail" in line)
        assert "0ms" in shown
        assert "-3" not in shown
        assert not app.is_locked

"""A recording as a feed: played, stopped, scrubbed; and the dashboard over it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from tests.tui.dumps import lines, settled, text
from tests.tui.fakes import GREETING, NOW_MS, FakeFeed, finding, part, queue, totals
from tests.tui.test_recording import Clock, recorded, unreadable
from tq.client.watching import Change
from tq.model.errors import InvalidArgument
from tq.model.watching import WorkerLive
from tq.tui.app import Look
from tq.tui.feed import Connected, Disconnected, Frame, Noted, Refused, Told
from tq.tui.glyphs import ASCII
from tq.tui.mirror import Mirror
from tq.tui.record_feed import RECORDED, RecordingFeed
from tq.tui.recording import KEY_MS, Recorder, Recording
from tq.tui.replay import Player, ReplayFeed
from tq.tui.replay_app import WHY_NOT, ReplayApp
from tq.tui.screens.help import help_text

WORKER = WorkerLive("ab" * 16, "web-1", "host", 7, "connected", 8, 3, 3, 0, 1 << 20, NOW_MS, NOW_MS)


def depth(ready: int, *, is_whole: bool = False) -> Frame:
    return Frame([part("queues", [queue("mail", ready=ready)], is_whole=is_whole)], NOW_MS + ready * 1_000)


BEGINNING = Frame(
    [
        part("totals", [totals()]), part("queues", [queue("mail"), queue("orders")]), part("workers", [WORKER]),
        part("attention", [finding("mail", "late")]), part("events", []), part("ops", []),
    ],
    NOW_MS,
)  # fmt: skip
STORY: tuple[Told, ...] = (Connected(GREETING), BEGINNING, *(depth(second) for second in range(1, 31)))
"""A frame a second: the queue has as many tasks as seconds have gone, less one."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    recorder = recorded(tmp_path / "r")
    recorder.turn_to(("totals", "queues", "workers", "attention", "events", "ops"))
    clock = recorder._clock
    assert isinstance(clock, Clock)
    for told in STORY:
        recorder.write(told)
        clock.now += 1.0
    recorder.close()
    return tmp_path / "r"


def ready_in(image: Mirror) -> int:
    return int(image.rows("queues")["mail"].ready)


# -- any place from anywhere ------------------------------------------------------------------------------------

NAMES = ["a", "b", "c"]
changes = st.builds(
    lambda is_whole, ready, gone: Change(
        "queues", is_whole, [queue(name, ready=n) for name, n in ready.items()], [] if is_whole else gone, 0
    ),
    st.booleans(),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9), max_size=3),
    st.lists(st.sampled_from(NAMES), max_size=2),
)
steps = st.lists(st.tuples(st.integers(0, KEY_MS // 2), changes), min_size=1, max_size=12)


@given(story=steps, jumps=st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_a_jump_from_anywhere_shows_what_playing_up_to_there_shows(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[int, Change]], jumps: list[float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "jumps"
    path.unlink(missing_ok=True)
    clock = Clock()
    recorder = Recorder(path, clock)
    recorder.turn_to(("queues",))
    for pause_ms, change in story:
        clock.now += pause_ms / 1_000
        recorder.write(Frame([change], NOW_MS))
    recorder.close()
    recording = Recording(path)

    jumping, shown = Player(recording), Mirror()
    for jump in jumps:
        to_ms = recording.length_ms * jump
        played, expected = Player(recording), Mirror()
        for told in played.play(to_ms):
            assert isinstance(told, Frame)
            expected.apply(told.changes, told.at_ms, 0.0)
        for told in jumping.jump(to_ms):
            assert isinstance(told, Frame)
            shown.apply(told.changes, told.at_ms, 0.0)
        assert dict(shown.rows("queues")) == dict(expected.rows("queues")) == dict(played.image.rows("queues"))
    recording.close()


def test_a_jump_says_who_was_there_then(tmp_path: Path) -> None:
    later = Connected(GREETING._replace(boot_id="boot-2"))
    recorded(tmp_path / "r", Connected(GREETING), BEGINNING, Disconnected("gone"), later, depth(1)).close()
    recording = Recording(tmp_path / "r")
    player = Player(recording)

    assert player.jump(4_000)[0] == later
    assert player.jump(2_500)[:2] == [Connected(GREETING), Disconnected("gone")]
    assert player.jump(1_000)[0] == Connected(GREETING)
    recording.close()


# -- as a feed --------------------------------------------------------------------------------------------------


async def taken(feed: ReplayFeed, count: int) -> list[Told]:
    """The next things that are told."""
    told = feed.told()
    try:
        return [await asyncio.wait_for(anext(told), 10) for _ in range(count)]
    finally:
        await told.aclose()  # type: ignore[attr-defined]


async def test_it_goes_as_fast_as_it_is_told_to(path: Path) -> None:
    clock = Clock()
    feed = ReplayFeed(Recording(path), clock=clock)

    clock.now += 2.0
    assert feed.position_ms == 2_000
    for _ in range(9):
        feed.faster(1)
    assert feed.speed == 16.0
    clock.now += 0.5
    assert feed.position_ms == 10_000
    for _ in range(9):
        feed.faster(-1)
    assert feed.speed == 0.25
    clock.now += 4.0
    assert feed.position_ms == 11_000
    await feed.close()


async def test_stopped_it_stands_still_and_at_the_end_it_begins_again(path: Path) -> None:
    clock = Clock()
    feed = ReplayFeed(Recording(path), clock=clock)

    clock.now += 5.0
    feed.toggle()
    clock.now += 100.0
    assert (feed.position_ms, feed.is_playing) == (5_000, False)
    feed.toggle()
    clock.now += 100.0
    assert (feed.position_ms, feed.is_playing) == (feed.length_ms, False)
    feed.toggle()
    assert (feed.position_ms, feed.is_playing) == (0, True)
    await feed.close()


async def test_scrubbing_stays_within_the_recording(path: Path) -> None:
    feed = ReplayFeed(Recording(path), clock=Clock())
    for wanted, position in ((-5, 0), (3_000, 3_000), (10**9, feed.length_ms)):
        feed.seek(wanted)
        assert feed.position_ms == position
    await feed.close()


async def test_a_step_stops_at_the_next_frame_and_the_one_before(path: Path) -> None:
    clock = Clock()
    feed = ReplayFeed(Recording(path), start_ms=5_500, clock=clock)

    feed.step(1)
    assert (feed.position_ms, feed.is_playing) == (6_000, False)
    feed.step(1)
    assert feed.position_ms == 7_000
    feed.step(-1)
    feed.step(-1)
    assert feed.position_ms == 5_000
    feed.seek(0)
    feed.step(-1)
    assert feed.position_ms == 0
    await feed.close()


async def test_it_tells_first_all_that_was_known_where_it_begins(path: Path) -> None:
    feed = ReplayFeed(Recording(path), start_ms=12_000, clock=Clock())

    who, frame = await taken(feed, 2)

    assert who == Connected(GREETING)
    assert isinstance(frame, Frame)
    image = Mirror()
    image.apply(frame.changes, frame.at_ms, 0.0)
    assert ready_in(image) == 11
    assert feed.now_ms == NOW_MS + 11_000
    await feed.close()


async def test_workers_in_another_order_are_the_workers_that_were_recorded(path: Path) -> None:
    feed = ReplayFeed(Recording(path), start_ms=2_000, clock=Clock())
    feed.watch(("totals", "workers:busy"), 2.0)

    _, frame = await taken(feed, 2)

    assert isinstance(frame, Frame)
    assert [change.rows for change in frame.changes if change.scope == "workers:busy"] == [[WORKER]]
    await feed.close()


async def test_what_was_not_recorded_is_said_once(path: Path) -> None:
    feed = ReplayFeed(Recording(path), start_ms=2_000, clock=Clock())
    feed.watch(("totals", "queue:mail"), 2.0)

    told = await taken(feed, 3)

    assert told[-1] == Noted("nothing was recorded here of queue:mail")
    feed.seek(3_000)
    again = await taken(feed, 2)
    assert not [one for one in again if isinstance(one, Noted)]
    await feed.close()


async def test_a_recording_that_cannot_be_read_ends_with_the_reason(tmp_path: Path) -> None:
    feed = ReplayFeed(unreadable(tmp_path / "r"), clock=Clock())

    (told,) = await taken(feed, 1)

    assert isinstance(told, Refused)
    assert isinstance(told.error, InvalidArgument)
    await feed.close()


# -- recording while it is shown ----------------------------------------------------------------------------------


@asynccontextmanager
async def both(path: Path) -> AsyncIterator[tuple[FakeFeed, RecordingFeed, AsyncIterator[Told]]]:
    inner = FakeFeed()
    feed = RecordingFeed(inner, Recorder(path, Clock()))
    yield inner, feed, feed.told()
    await feed.close()


async def test_what_every_screen_needs_is_recorded_whatever_is_looked_at(tmp_path: Path) -> None:
    async with both(tmp_path / "r") as (inner, feed, _):
        feed.watch(("totals", "queue:mail"), 2.0)
        assert inner.watched == [(("totals", "queue:mail", *RECORDED[1:]), 2.0)]
        assert feed.facts().kept == RECORDED


async def test_a_pause_stops_what_is_shown_and_not_what_is_recorded(tmp_path: Path) -> None:
    async with both(tmp_path / "r") as (inner, feed, told):
        feed.watch(("queues",), 2.0)
        inner.push(depth(1, is_whole=True))
        await anext(told)
        feed.watch(("queues",), 0.0)
        assert inner.watched[-1][1] == 1.0
        inner.push(depth(2))
        inner.push(Disconnected("gone"))
        assert await anext(told) == Disconnected("gone")
        feed.watch(("queues",), 2.0)
        inner.push(Frame([], NOW_MS))
        shown = await anext(told)

    assert isinstance(shown, Frame)
    assert [(change.is_whole, change.rows[0].ready) for change in shown.changes] == [(True, 2)]
    recording = Recording(tmp_path / "r")
    assert len(recording.entries) == 4
    recording.close()


async def test_a_recording_that_ends_is_said_and_the_dashboard_goes_on(tmp_path: Path) -> None:
    inner = FakeFeed()
    feed = RecordingFeed(inner, Recorder(tmp_path / "r", Clock(), bytes_max=10))
    feed.watch(("queues",), 2.0)
    inner.push(depth(1))
    inner.push(depth(2))
    told = feed.told()

    said = [await anext(told) for _ in range(3)]

    assert [type(one) for one in said] == [Noted, Frame, Frame]
    assert feed.facts().remark == "REC ended"
    await feed.close()


# -- the dashboard over it --------------------------------------------------------------------------------------


@asynccontextmanager
async def replaying(path: Path, start_ms: int = 10_000) -> AsyncIterator[tuple[ReplayApp, "Pilot[None]", Clock]]:
    clock = Clock()
    app = ReplayApp(ReplayFeed(Recording(path), start_ms=start_ms, clock=clock), Look(ASCII), clock)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await settled(pilot)
        yield app, pilot, clock


def cells_of(app: ReplayApp, name: str) -> Sequence[str]:
    return next(line for line in lines(app) if name in line.split()[:2]).split()


async def test_the_header_says_where_one_is(path: Path) -> None:
    async with replaying(path) as (app, pilot, _):
        assert "REPLAY 0:10/0:31 ###....... x1" in lines(app)[0]
        assert lines(app)[0].endswith("22:13:29Z")
        await pilot.press("space", "plus")
        assert "REPLAY 0:10/0:31 ###....... stopped" in lines(app)[0]


async def test_brackets_go_ten_seconds_back_and_on(path: Path) -> None:
    async with replaying(path) as (app, pilot, _):
        await pilot.press("right_square_bracket")
        await settled(pilot)
        assert "19" in cells_of(app, "mail")
        await pilot.press("left_square_bracket", "left_square_bracket")
        await settled(pilot)
        assert "REPLAY 0:00" in lines(app)[0]
        await pilot.press("full_stop", "full_stop", "full_stop")
        await settled(pilot)
        assert cells_of(app, "mail")[4] == "2"


async def test_actions_are_dim_and_say_why(path: Path) -> None:
    async with replaying(path) as (app, pilot, _):
        await pilot.press("question_mark")
        await settled(pilot)
        assert WHY_NOT in text(app)
        await pilot.press("escape", "P")
        await settled(pilot)
        assert [one.message for one in app._notifications] == [WHY_NOT]


async def test_the_help_has_the_keys_of_time(path: Path) -> None:
    async with replaying(path) as (app, _, _):
        assert app.here is not None
        page = help_text(app.here, app).plain

    assert "from 0.25x to 16x" in page
    assert "pause the stream" not in page


async def test_typed_text_keeps_its_spaces(path: Path) -> None:
    async with replaying(path) as (app, pilot, _):
        await pilot.press("slash", *"a", "space", "b", "enter")
        await settled(pilot)
        assert app.here is not None
        assert app.here.filter_text == "a b"
        assert app._replay.is_playing


async def test_a_loss_in_the_recording_is_shown_where_it_was(tmp_path: Path) -> None:
    here = Connected(GREETING)
    recorded(tmp_path / "r", here, BEGINNING, Disconnected("gone"), here, depth(1)).close()
    async with replaying(tmp_path / "r", start_ms=2_500) as (app, pilot, _):
        assert "prod@broker-1" in lines(app)[0]
        assert "LOST" in lines(app)[0]
        await pilot.press("full_stop")
        await settled(pilot)
        assert "LOST" not in lines(app)[0]


async def test_it_never_gets_stale(path: Path) -> None:
    async with replaying(path) as (app, _, clock):
        clock.now += 1_000.0
        app.draw_header()
        assert not app.is_locked
        assert app.status().freshness == "REPLAY"


async def test_a_screen_that_asks_a_broker_says_that_there_is_none(path: Path) -> None:
    async with replaying(path) as (app, pilot, _):
        await pilot.press("4")
        await settled(pilot)
        assert [one.message for one in app._notifications] == [
            "only a broker could be asked for this: it is in no recording"
        ]
        assert "A recording holds no tasks." in text(app)
        assert "No task matches" not in text(app)

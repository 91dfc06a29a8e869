"""The screen of workers: the broker looks for a name among all of them."""

from tests.tui.dumps import settled, text
from tests.tui.fakes import part
from tests.tui.scenes import SCENES, Stage, World, stage
from tq.model.watching import WORKER_ROWS_MAX


async def type_filter(on: Stage, words: str) -> None:
    keys = ["space" if char == " " else char for char in words]
    await on.pilot.press("slash", "ctrl+u", *keys, "enter")
    await settled(on.pilot)


def watched(on: Stage) -> tuple[str, ...]:
    return on.feed.watched[-1][0]


async def test_a_filter_is_the_brokers_and_shows_those_that_were_not_among_the_first() -> None:
    world = World(3)
    async with stage(world) as on:
        await on.play(SCENES["workers"])
        await type_filter(on, "  ip-10*   -old ")
        scope = "workers:attention:ip-10* -old"
        assert scope in watched(on)

        on.feed.frame(part(scope, [World().worker(number) for number in (1, 7)], left_out=12))
        await settled(on.pilot)
        assert "ip-10-0-3-7" in text(on.app)
        assert "ip-10-0-3-2" not in text(on.app)
        assert "the first 2 of 14 workers" in text(on.app)


async def test_what_is_known_and_matches_is_there_at_once_and_counted() -> None:
    async with stage(World(9)) as on:
        await on.play(SCENES["workers"])
        await type_filter(on, "3-7")

        assert "ip-10-0-3-7" in text(on.app)
        assert "1 of 1 worker" in text(on.app)


async def test_without_a_filter_all_are_watched_again() -> None:
    async with stage(World(9)) as on:
        await on.play(SCENES["workers"])
        await type_filter(on, "3-7")
        await type_filter(on, "")

        assert "workers:attention" in watched(on)


async def test_a_filter_that_the_broker_would_refuse_is_refused_before_it_is_asked() -> None:
    async with stage(World(WORKER_ROWS_MAX)) as on:
        await on.play(SCENES["workers"])
        before = watched(on)
        await type_filter(on, " ".join("a" * 11))

        assert "at most 10 words" in str([one.title for one in on.app._notifications])
        assert watched(on) == before


async def test_a_filter_that_leaves_no_row_does_not_say_that_there_is_no_worker() -> None:
    async with stage(World(9)) as on:
        await on.play(SCENES["workers"])
        await type_filter(on, "nobody")
        assert "No worker matches the filter." in text(on.app)
        on.feed.frame(part("workers:attention:nobody", []))
        await settled(on.pilot)
        assert "No worker matches the filter." in text(on.app)
        assert "No worker is connected" not in text(on.app)

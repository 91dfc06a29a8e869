"""Rows that are marked: on the screen, and until they were used."""

from tests.tui.dumps import settled, text
from tests.tui.scenes import SCENES, Stage, World, stage
from tq.tui.screens.confirm import Confirm
from tq.tui.screens.listing import ListScreen
from tq.tui.widgets.footer import Footer


def table(on: Stage) -> ListScreen[object]:
    assert isinstance(on.app.here, ListScreen)
    return on.app.here


async def press(on: Stage, *keys: str) -> None:
    await on.pilot.press(*keys)
    await settled(on.pilot)


async def test_a_marks_the_rows_on_the_screen_and_no_others_and_again_none() -> None:
    async with stage(World(1_000), size=(80, 24)) as on:
        await on.play(SCENES["queues"])
        await press(on, "pagedown", "a")
        seen = table(on).table.seen
        assert table(on).list.marked == seen
        assert f"{len(seen)} marked (*)" in text(on.app)

        await press(on, "a")
        assert table(on).list.marked == []
        assert "marked" not in text(on.app)


async def test_marks_of_other_rows_stay() -> None:
    async with stage(World(1_000), size=(80, 24)) as on:
        await on.play(SCENES["queues"])
        await press(on, "space", "end", "a")

        assert len(table(on).list.marked) == 1 + len(table(on).table.seen)


async def test_the_keys_are_in_the_footer() -> None:
    async with stage(size=(240, 40)) as on:
        await on.play(SCENES["queues"])
        hints = {hint.key: hint.label for hint in on.app.screen.query_one(Footer)._hints}

        assert (hints["a"], hints["!"]) == ("mark all seen", "attention")


async def test_marks_go_when_something_is_begun_on_their_rows_and_only_then() -> None:
    async with stage() as on:
        await on.play(SCENES["dead"])
        await press(on, "space", "space", "R")
        await on.until(lambda: isinstance(on.app.screen, Confirm))
        await press(on, "escape")
        assert len(table(on).list.marked) == 2

        await press(on, "R")
        await on.until(lambda: isinstance(on.app.screen, Confirm))
        await press(on, "y")
        await on.until(lambda: not table(on).list.marked)
        assert "marked" not in text(on.app)


async def test_all_that_match_are_not_selected_any_more_either() -> None:
    async with stage() as on:
        await on.play(SCENES["found"])
        await press(on, "A")
        assert "ALL 9 selected" in text(on.app)
        await press(on, "R")
        await on.until(lambda: isinstance(on.app.screen, Confirm))
        await press(on, "y")
        await on.until(lambda: "selected" not in text(on.app))

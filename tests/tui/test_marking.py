"""Rows that are marked: on the screen, and until they were used."""

from tests.tui.dumps import settled, text
from tests.tui.scenes import SCENES, Stage, World, stage
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

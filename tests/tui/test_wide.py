"""Columns for which there is no room: on a key."""

import pytest

from tests.tui.dumps import lines, settled
from tests.tui.scenes import SCENES, TABS, Stage, stage
from tq.tui.screens.listing import ListScreen
from tq.tui.widgets.footer import Footer


def titles(on: Stage) -> list[str]:
    """The titles of the columns that are seen."""
    assert isinstance(on.app.here, ListScreen)
    return on.app.here.table.titles


def line_of_titles(on: Stage) -> str:
    assert isinstance(on.app.here, ListScreen)
    return lines(on.app)[on.app.here.table.region.y]


@pytest.mark.parametrize("size", [(80, 24), (60, 12)])
@pytest.mark.parametrize("name", [*TABS, "queue", "worker"])
async def test_every_column_can_be_seen_in_any_width_and_the_first_ones_come_again(
    name: str, size: tuple[int, int]
) -> None:
    async with stage(size=size) as on:
        await on.play(SCENES[name])
        assert isinstance(on.app.here, ListScreen)
        all_titles = {column.title for column in on.app.here.columns}
        first, seen = titles(on), set(titles(on))
        assert line_of_titles(on).startswith("w+ ")

        for _ in all_titles:
            await on.pilot.press("w")
            if titles(on) == first:
                break
            seen |= set(titles(on))
            assert line_of_titles(on).startswith("w+ ")

        assert seen == all_titles
        assert titles(on) == first


async def test_a_row_keeps_its_name_and_shows_its_other_figures() -> None:
    async with stage(size=(80, 24)) as on:
        await on.play(SCENES["queues"])
        await on.pilot.press("w")
        await settled(on.pilot)

        assert titles(on) == ["QUEUE", "IN/s", "ETA", "OLDEST", "LAST 5 MIN"]
        row = next(line for line in lines(on.app) if line.startswith(" > orders.charge"))
        assert row.split()[2:5] == ["402.0", "never", "17s"]


async def test_where_all_columns_are_seen_nothing_is_said_of_more() -> None:
    async with stage(size=(160, 40)) as on:
        await on.play(SCENES["queues"])
        assert not line_of_titles(on).startswith("w")
        assert "w" not in [hint.key for hint in on.app.screen.query_one(Footer)._hints]

        await on.pilot.press("w")
        assert len(titles(on)) == 11


async def test_a_terminal_that_becomes_wide_shows_all_columns_at_once() -> None:
    async with stage(size=(60, 12)) as on:
        await on.play(SCENES["queues"])
        await on.pilot.press("w", "w")
        await on.resize(160, 40)

        assert len(titles(on)) == 11


async def test_the_key_is_in_the_footer_with_how_many_there_are() -> None:
    async with stage(size=(80, 24)) as on:
        await on.play(SCENES["queues"])

        assert "w +4 columns" in lines(on.app)[-1]


async def test_why_a_worker_is_lost_is_said_on_a_narrow_terminal_too() -> None:
    async with stage(size=(60, 12)) as on:
        await on.play(SCENES["workers"])
        shown = lines(on.app)

    assert next(line for line in shown if "ip-10-0-3-0 " in line).endswith("silent for 2.0s")
    assert next(line for line in shown if "ip-10-0-3-2 " in line).endswith("event loop blocked~")

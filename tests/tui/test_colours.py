"""Few colours, none, or no Unicode: everything can still be told apart."""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import msgspec
import pytest
from rich.color import ColorType
from rich.segment import Segment

from tests.tui.dumps import text
from tests.tui.fakes import NOW_MS, queue
from tests.tui.scenes import SCENES, Stage, World, stage
from tq.model.operations import OperationState
from tq.model.task import State
from tq.tui.app import Look
from tq.tui.columns import Cell
from tq.tui.glyphs import ASCII, UNICODE, Glyphs
from tq.tui.screens import activity, queues, tasks, workers
from tq.tui.theme import NAMES, theme_for
from tq.tui.widgets.header import LIVE, LOST, PAUSED, REPLAY, STALE, Status, status_pieces

ANSI = {ColorType.DEFAULT, ColorType.STANDARD}
"""The terminal's own 16 colours, and those that it has without any."""


def segments(on: Stage) -> list[Segment]:
    """All that is drawn."""
    return [one for strip in on.app.screen._compositor.render_strips() for one in strip]


def colours(on: Stage) -> set[ColorType]:
    """The kinds of colour that are drawn."""
    styles = [segment.style for segment in segments(on) if segment.style is not None]
    return {color.type for style in styles for color in (style.color, style.bgcolor) if color is not None}


@asynccontextmanager
async def playing(name: str, look: Look, world: World | None = None) -> AsyncIterator[Stage]:
    """A scene, with a note over it."""
    async with stage(world, look=look) as on:
        await on.play(SCENES[name])
        on.app.notify("the broker is busy", title="BUSY", severity="error", markup=False)
        await on.until(lambda: "BUSY" in text(on.app))
        yield on


@pytest.mark.parametrize("name", SCENES)
async def test_a_terminal_with_16_colours_is_sent_none_but_its_own(name: str) -> None:
    async with playing(name, Look(UNICODE, theme_for({"TERM": "linux"}))) as on:
        assert colours(on) <= ANSI


@pytest.mark.parametrize("name", [name for name in SCENES if name != "doctor"])  # which measures, and names the theme
async def test_without_colour_the_same_is_said_without_any(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with playing(name, Look(UNICODE)) as on:
        colourful = text(on.app)

    monkeypatch.setenv("NO_COLOR", "1")
    async with playing(name, Look(UNICODE, theme_for(os.environ))) as on:
        assert colours(on) <= {ColorType.DEFAULT}
        assert text(on.app) == colourful


@pytest.mark.parametrize("name", SCENES)
async def test_without_unicode_not_even_a_name_is_more_than_ascii(name: str) -> None:
    world = World(said=lambda said: f"{said} \N{LATIN SMALL LETTER U WITH DIAERESIS}\N{CJK UNIFIED IDEOGRAPH-4E2D}")
    async with playing(name, Look(ASCII), world) as on:
        assert text(on.app).isascii()


async def test_without_colour_the_cursor_and_the_place_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with playing("queues", Look(UNICODE, theme_for(os.environ))) as on:
        looks = {one.text.strip(): one.style for one in segments(on) if one.style is not None}
        assert f" {UNICODE.cursor} " in "".join(one.text for one in segments(on))
        tab, other = looks["1 Queues"], looks["2 Workers"]
        assert (tab.bold, tab.underline) != (other.bold, other.underline)


@pytest.mark.parametrize("theme", NAMES)
async def test_every_theme_draws_the_same_text(theme: str) -> None:
    async with playing("queues", Look(ASCII)) as on:
        usual = text(on.app)
    async with playing("queues", Look(ASCII, theme)) as on:
        assert text(on.app) == usual


def _differ(cells: Iterable[Cell]) -> bool:
    texts = [cell.text for cell in cells]
    return len(set(texts)) == len(texts) and all(any(char.isalpha() for char in one) for one in texts)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_no_state_is_told_by_colour_alone(glyphs: Glyphs) -> None:
    states = [("ok", 0), ("behind", 2), ("dead+", 2), ("no_worker", 2), ("slow", 1), ("paused", 0)]
    assert _differ(queues.state_cell(queue("a", state=state, severity=severity), glyphs) for state, severity in states)
    assert _differ(tasks.state_cell(state, glyphs) for state in State)

    live = World().worker(4)
    processes = [
        live,
        msgspec.structs.replace(live, status="lost"),
        msgspec.structs.replace(live, status="draining"),
        msgspec.structs.replace(live, note="blocked"),
        msgspec.structs.replace(live, seen_at_ms=NOW_MS - 60_000),
    ]
    assert _differ(workers.status_cell(one, NOW_MS, glyphs) for one in processes)

    done = World().operation(1)
    operations = [msgspec.structs.replace(done, state=state) for state in OperationState]
    operations.append(msgspec.structs.replace(done, undone_by=b"8"))
    assert _differ(activity.state_cell(one, glyphs) for one in operations)


def test_how_fresh_it_is_is_a_word() -> None:
    shown = [status_pieces(Status("db1", freshness=one, lag_ms=6_000)) for one in (LIVE, STALE, PAUSED, LOST, REPLAY)]
    assert len({" ".join(piece.text for piece in pieces) for pieces in shown}) == len(shown)

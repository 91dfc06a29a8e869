"""Names, errors and payloads are written by others: they reach the terminal as text and nothing else, and
move nothing that stands beside them."""

from itertools import cycle

import pytest
from rich.cells import cell_len

from tests.tui.dumps import lines
from tests.tui.scenes import SCENES, Stage, World, stage
from tq.tui.app import Look
from tq.tui.glyphs import ASCII, UNICODE, Glyphs
from tq.tui.screens.base import TopScreen
from tq.tui.widgets.footer import Footer
from tq.tui.widgets.header import Header
from tq.tui.widgets.prompt import Prompt

WIDTH = 120
HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31m",  # title, clear, colour
    "\x9b31m\x90q\x9c\x85\x00\x7f",  # the same in one byte each
    "a\r\nb\tc\x0b\x0c\u2028d",  # lines
    "\u202egnp.exe\u2066\u200b\u200d\ufeff",  # what is read the other way round, or not at all
    "[red]x[/red][@click=app.quit]y[/] [link=http://evil] \\[",  # markup
    "\N{CJK UNIFIED IDEOGRAPH-4E2D}\N{CJK UNIFIED IDEOGRAPH-6587}" * 40,  # two cells each
    "e\N{COMBINING ACUTE ACCENT}\U0001f469\u200d\U0001f680\U0001f1e9\U0001f1ea\ufe0f",  # several make one
    "\ud800\udfff\ue000\U0010ffff",  # no characters at all
    "state:dead_letter queue:'\"`$(rm -rf ~)`; group:",  # what selectors and shells take for theirs
)


def in_a_bad_world(text: str) -> World:
    """Whatever is said begins with such a text, and ends as usual."""
    return World(said=lambda said: f"{text}{said}")


def is_laid_out(on: Stage) -> None:
    """Nothing but text is drawn, each line has its width, header and footer stand where they belong."""
    shown = "".join(lines(on.app))
    assert [char for char in shown if not char.isprintable()] == []
    strips = on.app.screen._compositor.render_strips()
    assert {strip.cell_length for strip in strips} == {WIDTH}
    assert {cell_len("".join(segment.text for segment in strip)) for strip in strips} == {WIDTH}
    if isinstance(on.app.screen, TopScreen):
        assert lines(on.app)[0].startswith(" tq  prod@broker-1")
        assert on.app.screen.query_one(Header).region.y == 0
        assert on.app.screen.query_one(Footer).region.bottom == on.app.screen.size.height
        assert lines(on.app)[-1].endswith("Esc leave" if isinstance(on.app.focused, Prompt) else "? help")


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("name", SCENES)
async def test_text_of_others_is_text_wherever_it_is_shown(name: str, glyphs: Glyphs) -> None:
    texts = cycle(HOSTILE)
    world = World(rows=len(HOSTILE) + 2, said=lambda said: f"{next(texts)}{said}")
    async with stage(world, size=(WIDTH, 40), look=Look(glyphs)) as on:
        await on.play(SCENES[name])
        is_laid_out(on)


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_column_stands_where_it_stands_whatever_is_in_the_one_before(text: str) -> None:
    async with stage(in_a_bad_world(text), size=(WIDTH, 40), look=Look(UNICODE)) as on:
        await on.play(SCENES["queues"])
        [title] = [line for line in lines(on.app) if line.lstrip().startswith("QUEUE")]
        rows = [line for line in lines(on.app) if "! behind" in line]
        assert {cell_len(line[: line.index("! behind")]) for line in rows} == {title.index("STATE")}


async def test_a_line_of_a_megabyte_is_cut_where_the_column_ends() -> None:
    async with stage(in_a_bad_world("x" * 1_000_000), size=(WIDTH, 40), look=Look(UNICODE)) as on:
        for name in ("queues", "workers", "dead", "tasks", "activity", "queue"):
            await on.play(SCENES[name])
            is_laid_out(on)

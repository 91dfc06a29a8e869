"""The screens that are seen most, as pictures: colours and weights, which the texts in `looks/` have not.

`make looks` draws them anew, and a browser shows what they became.
"""

from collections.abc import Callable
from typing import Any

import pytest
import textual
from textual.pilot import Pilot

from tests.tui.scenes import SCENES, World, dashboard
from tq.model.identity import Role
from tq.tui.app import Look
from tq.tui.glyphs import UNICODE
from tq.tui.theme import DARK, LIGHT, TERMINAL_DARK

DRAWN_WITH = "8.2.8"
"""Of Textual: another version may draw a border or a shade otherwise, which is for a person to look at."""
HEROES = [
    ("queues", DARK.name, Role.OPERATOR),
    ("queues", LIGHT.name, Role.OPERATOR),
    ("queues", TERMINAL_DARK, Role.OPERATOR),
    ("queue", DARK.name, Role.OPERATOR),
    ("workers", DARK.name, Role.VIEWER),
    ("dead", DARK.name, Role.OPERATOR),
    ("task", DARK.name, Role.OPERATOR),
    ("purge", DARK.name, Role.OPERATOR),
]


@pytest.mark.skipif(textual.__version__ != DRAWN_WITH, reason=f"drawn with Textual {DRAWN_WITH}: make looks, and look")
@pytest.mark.parametrize(("name", "theme", "role"), HEROES)
def test_a_hero_looks_as_was_agreed(snap_compare: Callable[..., bool], name: str, theme: str, role: Role) -> None:
    app, set_up = dashboard(World(), Look(UNICODE, theme), role)

    async def play(pilot: "Pilot[Any]") -> None:
        await (await set_up(pilot)).play(SCENES[name])

    assert snap_compare(app, terminal_size=(120, 40), run_before=play)

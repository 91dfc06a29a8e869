"""How each screen looks, as text, in three sizes and in whatever state it can be in.

The files in `looks/` are what was agreed to; `make looks` draws them anew, and the diff is to be read.
"""

import os
from itertools import product
from pathlib import Path

import pytest

from tests.tui.dumps import text
from tests.tui.scenes import SCENES, TABS, Stage, World, stage
from tq.model.identity import Role

SIZES = ((120, 40), (80, 24), (60, 12))
STATES = ("empty", "one", "thousand", "viewer", "stale", "lost")
LOOKS = Path(__file__).parent / "looks"
CASES = [*product(TABS, STATES), *((name, "") for name in SCENES if name not in TABS and name != "doctor")]
"""Doctor tells of this machine; what it says is in test_doctor.py."""
RENEW = "TQ_RENEW_LOOKS"


def file_of(name: str, state: str) -> Path:
    """Where a look is kept."""
    return LOOKS / f"{'-'.join(filter(None, (name, state)))}.txt"


async def drawn(on: Stage) -> str:
    """What is seen, in all sizes."""
    parts = []
    for width, height in SIZES:
        await on.resize(width, height)
        parts.append(f"{f' {width} x {height} ':=^{width}}\n{text(on.app)}\n")
    return "".join(parts)


@pytest.mark.parametrize(("name", "state"), CASES)
async def test_a_screen_looks_as_was_agreed(name: str, state: str) -> None:
    world = World({"empty": 0, "one": 1, "thousand": 1_000}.get(state, 9))
    async with stage(world, role=Role.VIEWER if state == "viewer" else Role.OPERATOR) as on:
        await on.play(SCENES[name])
        if state == "stale":
            await on.silence(6.0)
        if state == "lost":
            await on.lose()
        shown = await drawn(on)

    file = file_of(name, state)
    if os.environ.get(RENEW):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown)
    agreed = file.read_text() if file.exists() else ""
    assert shown == agreed, "if this is meant: make looks, and read the diff"


@pytest.mark.parametrize("name", [*TABS, "queue"])
async def test_a_small_terminal_shows_the_same_as_one_that_became_small(name: str) -> None:
    state = "one" if name in TABS else ""
    async with stage(World(1 if state else 9), size=SIZES[-1]) as on:
        await on.play(SCENES[name])

        assert file_of(name, state).read_text().endswith(f"=\n{text(on.app)}\n")


def test_there_is_no_look_of_a_screen_that_there_is_not() -> None:
    assert {file.name for file in LOOKS.iterdir()} == {file_of(*case).name for case in CASES}

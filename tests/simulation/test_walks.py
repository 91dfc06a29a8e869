"""Seeded random walks over all actions, the engine beside the plain model. A failure names its seed; `walk(seed)`
replays it."""

import os
import random
from collections.abc import Sequence
from typing import TypeVar

import pytest

from tests.engine.rows import Rows
from tests.simulation.actions import ACTIONS, settle_down
from tests.simulation.world import World

T = TypeVar("T")

STEPS = 120


class Dice:
    """A Draw from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def choose(self, options: Sequence[T]) -> T:
        return options[int(self._random.random() * len(options))]

    def number(self, low: int, high: int) -> int:
        return low + int(self._random.random() * (high - low + 1))


def walk(seed: int, steps: int = STEPS, rows: Rows | None = None, *, to_the_end: bool = True) -> World:
    """One universe from its beginning to its end.

    Args:
        rows: where they are kept, in a plain dict if not told.
        to_the_end: then let every task end.
    """
    dice = Dice(seed)
    world = World(seed, rows=rows)
    actions = [action for action, weight in ACTIONS.items() for _ in range(weight)]
    trace: list[str] = []
    try:
        for _ in range(steps):
            action = dice.choose(actions)
            trace.append(action.__name__)
            action(world, dice)
        if to_the_end:
            settle_down(world)
    except Exception as failure:
        raise AssertionError(f"walk(seed={seed}) failed after {len(trace)} actions, at {trace[-1]}") from failure
    return world


@pytest.mark.parametrize("seed", range(40))
def test_a_random_life_of_a_broker_is_as_the_plain_model_has_it(seed: int) -> None:
    walk(seed)


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_campaign_of_walks() -> None:
    """TQ_WALKS seeds from TQ_WALK_FIRST on; the first failure ends it, with its seed."""
    first = int(os.environ.get("TQ_WALK_FIRST", "1000"))
    count = int(os.environ.get("TQ_WALKS", "2000"))
    steps = crashes = 0
    for seed in range(first, first + count):
        world = walk(seed)
        steps += world.steps
        crashes += world.crashes
    print(f"\n{count} walks from seed {first}: {steps} requests, {crashes} crashes")

"""kill -9 of the broker at random points under load: what was said stays true."""

import asyncio
import os
from collections import Counter
from random import Random, SystemRandom

import pytest

from tests.crash.planted import DEFECTS
from tests.crash.siege import Plan, besiege

SEED = int(os.environ.get("SEED", "0")) or SystemRandom().randrange(1, 1 << 31)
KILLS = int(os.environ.get("KILLS", "100"))
KILLS_A_LIFE = 25
"""Kills of one data directory before a new one: how far back a failure can reach."""


@pytest.mark.parametrize("sync", ["always", "interval", "never"])
def test_no_promise_is_broken_by_brokers_that_are_killed(sync: str) -> None:
    """A killed process loses nothing that it wrote, synced or not: that takes a power cut."""
    kills = 10 if sync == "always" else 3
    counts = asyncio.run(besiege(Plan(kills=kills, seed=SEED, sync=sync, has_real_worker=sync == "always")))

    assert counts["kills"] == kills
    assert counts["tasks completed"] > 20 * kills
    assert counts["deliveries repeated"] > 0


def test_a_broker_that_keeps_no_log_is_found_out() -> None:
    """The one defect that any such test must find; the campaign tries others."""
    with pytest.raises((AssertionError, ExceptionGroup)):
        asyncio.run(besiege(Plan(kills=3, seed=SEED, doctor_every=1), program=("tests.crash.planted", "writes_no_log")))


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_campaign_of_kills() -> None:
    """KILLS=1000 make campaign-kills"""
    counts: Counter[str] = Counter()
    random = Random(SEED)
    while counts["kills"] < KILLS:
        plan = Plan(
            kills=min(KILLS_A_LIFE, KILLS - counts["kills"]),
            seed=random.randrange(1, 1 << 31),
            sync=random.choice(("always", "always", "always", "interval", "never")),
            load_seconds_max=random.choice((0.1, 0.5, 1.5)),
            doctor_every=1,
            has_real_worker=random.random() < 0.3,
        )
        counts += asyncio.run(besiege(plan))
        print(f"{counts['kills']} of {KILLS} kills: {tell(counts)}", flush=True)
    print(f"seed {SEED}: nothing lost, nothing settled twice")


@pytest.mark.campaign
@pytest.mark.timeout(0)
@pytest.mark.parametrize("defect", [defect.__name__ for defect in DEFECTS])
def test_campaign_finds_a_defect_that_was_put_in(defect: str) -> None:
    """What this tool does not find, it cannot rule out."""
    plan = Plan(kills=10, seed=SEED, doctor_every=1)
    with pytest.raises((AssertionError, ExceptionGroup)) as found:
        asyncio.run(besiege(plan, program=("tests.crash.planted", defect)))
    print(f"{defect}: {found.value.exceptions[0] if isinstance(found.value, ExceptionGroup) else found.value}")


def tell(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))

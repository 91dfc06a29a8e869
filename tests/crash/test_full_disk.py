"""A disk that fills up under load, and is cleared: nothing acknowledged is lost, and nobody has to help."""

import asyncio
import os
from collections import Counter
from random import Random, SystemRandom

import pytest

from tests.crash.broker import a_broker
from tests.crash.disk import SmallDisk, small_disk
from tests.crash.siege import Plan, Siege

MIB = 1 << 20
DISK_BYTES = 192 * MIB
SEED = int(os.environ.get("SEED", "0")) or SystemRandom().randrange(1, 1 << 31)
FILLS = int(os.environ.get("FILLS", "50"))
LOW_BYTES = 96 * MIB
"""Far more than a broker under load writes in the second between two looks at the disk."""
PATIENCE_SECONDS = 60.0


class Flood:
    """Fills the disk under a besieged broker, again and again."""

    def __init__(self, siege: Siege, disk: SmallDisk, fills: int, *, kills: float) -> None:
        self._siege = siege
        self._broker = siege.broker
        self._disk = disk
        self._fills = fills
        self._kills = kills

    async def run(self) -> None:
        for _ in range(self._fills):
            await self._grow()
            await self._fill()
            self._siege.check()
        await self._grow()

    async def _grow(self) -> None:
        """Until some more tasks were taken: the broker works."""
        counts = self._siege.ledger.counts
        goal = counts["submits acknowledged"] + 200
        async with asyncio.timeout(PATIENCE_SECONDS):
            while counts["submits acknowledged"] < goal:
                await asyncio.sleep(0.01)

    async def _fill(self) -> None:
        siege, broker, disk, random = self._siege, self._broker, self._disk, self._siege.random
        known = broker.counts.get("disk_full", 0)
        disk.fill(leave=random.randint(0, 3 * MIB))
        await broker.logged("disk_full", known + 1)
        siege.ledger.counts["disks filled"] += 1
        async with asyncio.timeout(PATIENCE_SECONDS):
            await siege.look_at_some()
        if random.random() < self._kills:
            siege.town.close()
            await broker.kill()
            siege.ledger.counts["kills on a full disk"] += 1
            disk.clear()
            await siege.examine(broker.data_dir)
            await broker.start()
            siege.town.open()
        else:
            await asyncio.sleep(random.uniform(0, 1.5))  # a look at the disk or two
            disk.clear()


async def flood(fills: int, seed: int, kills: float) -> Counter[str]:
    plan = Plan(kills=0, seed=seed, may_log=frozenset({"engine_reloaded"}))
    with small_disk(DISK_BYTES) as disk:
        async with a_broker(TQ_BROKER_RECONNECT_GRACE_MS="700") as broker:
            broker.data_dir = disk.path / "data"
            siege = Siege(plan, broker)
            await siege.run(Flood(siege, disk, fills, kills=kills).run)
            assert broker.counts.get("broker_failed", 0) == 0
            return siege.ledger.counts


def test_a_broker_under_load_comes_back_from_a_full_disk_by_itself() -> None:
    counts = asyncio.run(flood(2, SEED, kills=0.5))

    assert counts["disks filled"] == 2
    assert counts["tasks completed"] > 400


async def test_on_a_nearly_full_disk_what_runs_is_finished_and_nothing_new_is_taken() -> None:
    with small_disk(DISK_BYTES) as disk:
        async with a_broker(TQ_PERSISTENCE_MIN_FREE_BYTES=str(LOW_BYTES)) as broker:
            broker.data_dir = disk.path / "data"
            siege = Siege(Plan(kills=0, seed=SEED), broker)

            async def nearly_fill() -> None:
                counts = siege.ledger.counts
                while counts["submits acknowledged"] < 1_000:
                    await asyncio.sleep(0.01)
                disk.fill(leave=LOW_BYTES * 3 // 4)
                await broker.logged("disk_low", 1)
                while counts["acks acknowledged"] < 0.7 * counts["submits acknowledged"]:
                    await asyncio.sleep(0.01)
                await siege.look_at_some()
                before = counts["submits acknowledged"]
                disk.clear()
                await broker.logged("disk_recovered", 1)
                while counts["submits acknowledged"] <= before:
                    await asyncio.sleep(0.01)

            async with asyncio.timeout(PATIENCE_SECONDS):
                await siege.run(nearly_fill)
            assert "disk_full" not in broker.counts


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_campaign_of_full_disks() -> None:
    """FILLS=500 make campaign-disk"""
    counts: Counter[str] = Counter()
    random = Random(SEED)
    while counts["disks filled"] < FILLS:
        fills = min(10, FILLS - counts["disks filled"])
        counts += asyncio.run(flood(fills, random.randrange(1, 1 << 31), kills=random.choice((0.0, 0.3, 0.9))))
        told = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
        print(f"{counts['disks filled']} of {FILLS} disks filled: {told}", flush=True)
    print(f"seed {SEED}: nothing lost, nothing settled twice")

"""A broker under attack: it stays up, its memory stays bounded, and others are served."""

import asyncio
import os
import signal
import time
from collections import Counter
from random import Random, SystemRandom

import pytest

from tests.crash.broker import Broker, a_broker
from tests.crash.fuzzing import Attacker
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.engine.engine import Engine
from tq.model.commands import LeaseRef
from tq.model.errors import TqError
from tq.model.replies import Deliver
from tq.model.settings import Settings
from tq.protocol.codec import decode_request, encode_frame
from tq.protocol.frames import HEADER_BYTES
from tq.storage.doctor import examine_directory
from tq.storage.memory import MemoryStore

SEED = int(os.environ.get("SEED", "0")) or SystemRandom().randrange(1, 1 << 31)
FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS", "120"))
MIB = 1 << 20
RSS_BYTES_MAX = 512 * MIB
LATENCY_SECONDS_MAX = 30.0
"""Of the others: no promise, but far from being shut out."""
ATTACKERS = 6


class Bystander:
    """Somebody who uses the broker as it is meant, all the time.

    Attributes:
        slowest: seconds that one call took.
        calls: how many were answered.
    """

    def __init__(self, broker: Broker) -> None:
        self.calls = 0
        self.slowest = 0.0
        self.rss_max = 0
        self._broker = broker

    async def use(self) -> None:
        async with AsyncClient(self._broker.address) as client:
            while True:
                began_at = time.monotonic()
                async with asyncio.timeout(LATENCY_SECONDS_MAX):
                    task_id = await client.submit_task(Task("bystander", b"mine", queue="bystander"))
                    view = await client.get_task(task_id)
                assert view.payload == b"mine"
                self.calls += 1
                self.slowest = max(self.slowest, time.monotonic() - began_at)
                self.rss_max = max(self.rss_max, self._broker.rss_bytes())
                assert self.rss_max < RSS_BYTES_MAX, f"seed {SEED}: the broker holds {self.rss_max >> 20} MiB"
                await asyncio.sleep(0.01)


async def siege_with_noise(seconds: float, seed: int) -> Counter[str]:
    """Attack a broker for so long; what was tried."""
    random = Random(seed)
    async with a_broker(TQ_BROKER_MAX_WRITE_BUFFER_BYTES=str(16 * MIB)) as broker:
        await broker.start()
        bystander = Bystander(broker)
        attackers = [
            Attacker(broker.address.removeprefix("unix://"), Random(random.randrange(1 << 62)))
            for _ in range(ATTACKERS)
        ]

        async def attack(attacker: Attacker) -> None:
            while True:
                await attacker.attack()

        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                group.create_task(bystander.use())
                for attacker in attackers:
                    group.create_task(attack(attacker))
        except TimeoutError:
            pass
        finally:
            for attacker in attackers:
                attacker.release()
        assert broker.is_running, f"seed {seed}: {broker.rest}"
        assert broker.trouble() == [], f"seed {seed}"
        rss_after = broker.rss_bytes()
        assert await broker.kill(signal.SIGTERM) == 0
        assert list(await asyncio.to_thread(lambda: list(examine_directory(broker.data_dir)))) == []
    counts: Counter[str] = sum((attacker.counts for attacker in attackers), Counter())
    counts["calls of a bystander"] = bystander.calls
    print(
        f"seed {seed}: {', '.join(f'{number:,} {name}' for name, number in sorted(counts.items()))}; "
        f"slowest call {bystander.slowest * 1000:.0f} ms, memory at most {bystander.rss_max >> 20} MiB, "
        f"after it {rss_after >> 20} MiB",
        flush=True,
    )
    return counts


def test_a_broker_under_attack_stays_up_and_serves_others() -> None:
    counts = asyncio.run(siege_with_noise(6, SEED))

    assert counts["inputs"] > 1_000
    assert counts["calls of a bystander"] >= 5


def attack_engine(seed: int, inputs: int, counts: Counter[str]) -> None:
    """Hand an engine whatever decodes, as fast as it goes.

    Raises:
        Exception: it met a defect; a TqError is none.
    """
    store = MemoryStore()
    random, now_ms = Random(seed), 1_000_000_000_000
    attacker = Attacker("", Random(seed))
    engine = Engine(store, Settings(), seed)
    engine.open(now_ms)
    for number in range(inputs):
        frame = attacker.frame()
        try:
            engine.step(random.randrange(1, 9), decode_request(frame[HEADER_BYTES:]), now_ms)
            counts["done"] += 1
        except TqError as error:
            counts[error.code] += 1
        if random.random() < 0.05:
            engine.disconnect(random.randrange(1, 9), now_ms)
        if random.random() < 0.2:
            now_ms += random.choice((0, 1, 100, 10_000))
            engine.advance(now_ms)
            writes, messages = engine.take()
            store.apply(writes)
            for _, message in messages:
                encode_frame(message)
                if isinstance(message, Deliver):
                    attacker.leases += [
                        LeaseRef(delivery.stored().spec.id, delivery.token) for delivery in message.deliveries
                    ]
        if number % 20_000 == 19_999:  # and all of it can be read again
            engine = Engine(store, Settings(), seed)
            engine.open(now_ms)
    counts["inputs"] += inputs


def test_an_engine_meets_nothing_but_errors_of_its_own_in_what_it_is_sent() -> None:
    counts: Counter[str] = Counter()
    print(f"seed {SEED}")

    attack_engine(SEED, 10_000, counts)

    assert counts["done"] > 1_000
    assert counts["PROTOCOL_VIOLATION"] > 1_000


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_campaign_against_the_engine() -> None:
    """FUZZ_SECONDS=3600 make campaign-fuzz"""
    random, counts, ends_at = Random(SEED), Counter[str](), time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < ends_at:
        seed = random.randrange(1, 1 << 31)
        try:
            attack_engine(seed, 50_000, counts)
        except BaseException:
            print(f"seed {seed}", flush=True)
            raise
    print(f"seed {SEED}, the engine: {', '.join(f'{number:,} {name}' for name, number in sorted(counts.items()))}")


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_campaign_of_attacks() -> None:
    """FUZZ_SECONDS=3600 make campaign-fuzz"""
    random, counts, ends_at = Random(SEED), Counter[str](), time.monotonic() + FUZZ_SECONDS
    while (left := ends_at - time.monotonic()) > 0:
        counts += asyncio.run(siege_with_noise(min(60, max(5, left)), random.randrange(1, 1 << 31)))
    print(f"seed {SEED}, all in all: {', '.join(f'{number:,} {name}' for name, number in sorted(counts.items()))}")

"""A whole broker on a small disk that fills up: reads go on, nothing acknowledged is lost, and it comes back alone."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.fakes import recording_logger
from tests.server.wire import Wire
from tq.model.commands import GetTask, Submit
from tq.model.replies import ErrorReply, FromBroker, Submitted, TaskReply
from tq.model.settings import BrokerSettings, PersistenceSettings, Settings
from tq.model.task import TaskSpec
from tq.server.broker import Broker, open_store

DISK_BYTES = 64 << 20
PAYLOAD = bytes(range(256)) * 64


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def submit(number: int) -> Submit:
    return Submit(number, [TaskSpec(number.to_bytes(16, "big"), "send", PAYLOAD)])


def get(number: int) -> GetTask:
    return GetTask(number, number.to_bytes(16, "big"))


async def test_a_broker_comes_back_from_a_full_disk_with_all_that_it_acknowledged(small_disk: Path) -> None:
    log, recorder = recording_logger()
    settings = Settings(
        broker=BrokerSettings(port=0, socket="none"),
        persistence=PersistenceSettings(data_dir=str(small_disk / "data"), min_free_bytes=0),
    )
    broker = Broker(settings, open_store(settings, log), log)
    await broker.start()
    host, _, port = broker.addresses[0].removeprefix("tcp://").rpartition(":")
    wires: list[Wire] = []

    async def ask(request: GetTask | Submit) -> FromBroker:
        """As a client does: over a new connection when the old one was ended."""
        while True:
            if not wires:
                wires.append(Wire(*await asyncio.open_connection(host, int(port))))
                await wires[0].greet()
            try:
                return await wires[0].ask(request)
            except (EOFError, ConnectionError):
                wires.pop().writer.close()

    filler = small_disk / "filler"
    filler.write_bytes(bytes(44 << 20))
    acknowledged: list[int] = []
    refusal: FromBroker = Submitted(0)
    try:
        async with asyncio.timeout(60):
            number = 0
            while isinstance(refusal, Submitted):
                number += 1
                refusal = await ask(submit(number))
                if isinstance(refusal, Submitted):
                    acknowledged.append(number)
            refused = await ask(submit(number + 1))
            shown = [await ask(get(known)) for known in acknowledged]

            filler.unlink()
            broker.check()
            again = await ask(submit(number + 2))
            kept = [await ask(get(known)) for known in [*acknowledged, number + 2]]
    finally:
        for wire in wires:
            wire.writer.close()
        await broker.stop()

    assert isinstance(refusal, ErrorReply)
    assert refusal.code == "OUTCOME_UNKNOWN"
    assert isinstance(refused, ErrorReply)
    assert refused.code == "DISK_FULL"
    assert len(acknowledged) > 10
    assert all(isinstance(answer, TaskReply) for answer in shown)
    assert again == Submitted(number + 2)
    assert all(isinstance(answer, TaskReply) for answer in kept)
    assert {"disk_full", "disk_recovered"} <= set(recorder.names())

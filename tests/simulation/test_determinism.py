"""The same requests, times, seed and rows give the same writes and messages, byte for byte. What a replicated log, and
every replay of a failure, stands on."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.engine.rows import Rows
from tests.simulation import world
from tests.simulation.test_walks import walk
from tq.engine.engine import Engine, Messages
from tq.engine.tables import Writes
from tq.model.commands import Request
from tq.model.errors import TqError
from tq.model.replies import Reply

SEEDS = range(3)


class Recorder(Engine):
    """An engine that digests everything said to it and by it."""

    digest = hashlib.sha256()

    def step(self, session: int, request: Request, now_ms: int) -> Reply | None:
        try:
            reply = super().step(session, request, now_ms)
        except TqError as error:
            self.digest.update(error.message.encode())
            raise
        if session:  # session 0 is the test's own looking, in no fixed order
            self.digest.update(msgspec.msgpack.encode([session, request, now_ms, reply]))
        return reply

    def take(self) -> tuple[Writes, Messages]:
        writes, messages = super().take()
        # Dicts in their own order: the order of a batch's writes is part of what must not change.
        self.digest.update(msgspec.msgpack.encode([[list(table.items()) for table in writes], messages]))
        return writes, messages


def digest(seed: int, monkeypatch: pytest.MonkeyPatch) -> str:
    Recorder.digest = hashlib.sha256()
    monkeypatch.setattr(world, "Engine", Recorder)
    walk(seed)
    return Recorder.digest.hexdigest()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_walk_gives_the_same_bytes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert digest(seed, monkeypatch) == digest(seed, monkeypatch)


def test_another_walk_gives_other_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({digest(seed, monkeypatch) for seed in SEEDS}) == len(SEEDS)


def test_the_bytes_are_the_same_in_another_process_with_another_hash_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python orders sets of strings anew in every process: no such order may reach a decision."""
    script = (
        "import pytest, tests.simulation.test_determinism as t\n"
        "with pytest.MonkeyPatch.context() as patch:\n"
        f"    print([t.digest(seed, patch) for seed in range({len(SEEDS)})])"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout.strip()
        for hash_seed in ("1", "2")
    ]

    assert outputs == [str([digest(seed, monkeypatch) for seed in SEEDS])] * 2


def test_an_engine_continues_from_rows_as_the_one_that_wrote_them_does_after_a_restart() -> None:
    """I5: what is on disk is all there is; two engines over equal rows decide alike."""
    left = walk(7, steps=80)
    rows = left.synced_rows
    results = []
    for copy in (rows.copy(), rows.copy()):
        engine = Engine(copy, left.settings, 3, left.bounds)
        engine.open(left.now_ms)
        engine.advance(left.now_ms + 3_600_000)
        writes, messages = engine.take()
        results.append(msgspec.msgpack.encode([[list(table.items()) for table in writes], messages]))
    assert results[0] == results[1]
    assert isinstance(rows, Rows)

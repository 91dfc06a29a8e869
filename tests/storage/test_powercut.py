"""A disk that fails, played by a library preloaded into the writing process: power cuts at any write, and EIO.

After a cut every file keeps only what was synced of it: the worst that an honest disk does.
"""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage.samples import whole_batches
from tq.storage.rocks import RocksStore

SOURCE = Path(__file__).with_name("powercut.c")

# Syncs after every batch, or after every tenth; says so each time.
WRITER = """
import sys
from pathlib import Path
from tests.storage.samples import batch
from tq.storage.rocks import RocksStore

store = RocksStore.open(Path(sys.argv[1]))
number, every = store.report.applied, int(sys.argv[2])
while number < 400:
    number += 1
    store.apply(batch(number))
    if number % every == 0:
        store.sync()
        print("synced", number, flush=True)
    if number % 97 == 0:
        store._database.flush()
store.close()
print("closed", number, flush=True)
"""

EIO_WRITER = """
import sys
from pathlib import Path
from tests.storage.samples import batch
from tq.model.errors import StorageFailed
from tq.storage.rocks import RocksStore

store = RocksStore.open(Path(sys.argv[1]))
number = 0
try:
    while number < 100:
        number += 1
        store.apply(batch(number))
        store.sync()
        print("synced", number, flush=True)
except StorageFailed as failed:
    print("failed", failed.message, flush=True)
for attempt in (store.sync, store.reopen, lambda: store.apply(batch(1))):
    try:
        attempt()
    except StorageFailed:
        print("refused", flush=True)
store.close()
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and Linux")
    built = tmp_path_factory.mktemp("powercut") / "powercut.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(built), str(SOURCE), "-ldl"]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"cannot compile: {made.stderr.strip()[-200:]}")
    return built


def run(library: Path, program: str, data: Path, *arguments: str, **disk: str) -> list[list[str]]:
    """The words that the process said before it ended."""
    environment = os.environ | disk | {"POWERCUT_DIR": str(data), "LD_PRELOAD": str(library)}
    # It ends in the middle of anything: a report of coverage would be one more thing cut in half.
    environment.pop("COVERAGE_PROCESS_START", None)
    command = [sys.executable, "-c", program, str(data), *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert ended.returncode in (0, 137), ended.stderr
    return [line.split(" ", 1) for line in ended.stdout.splitlines()]


def cuts(library: Path, directory: Path, count: int, *, every: int, seed: int) -> None:
    """Cut the power again and again, also while starting; nothing that was synced may be missing afterwards."""
    chance = random.Random(seed)
    data = directory / "data"
    synced = 0
    for number in range(count):
        said = run(
            library, WRITER, data, str(every), POWERCUT_AT=str(chance.choice([40, 300, 900]) + chance.randrange(300))
        )
        synced = max([synced, *(int(word[1]) for word in said)])
        store = RocksStore.open(data)
        found = whole_batches(store)
        assert found == list(range(1, len(found) + 1)), (seed, number)
        assert len(found) >= synced, (seed, number)
        store.close()
        synced = len(found)
        if synced >= 390:
            shutil.rmtree(data)
            synced = 0


@pytest.mark.parametrize("every", [1, 10])
def test_no_power_cut_loses_what_was_synced(library: Path, tmp_path: Path, every: int) -> None:
    cuts(library, tmp_path, 5, every=every, seed=every)


@pytest.mark.campaign
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("every", [1, 10])
def test_campaign_power_cuts(library: Path, tmp_path: Path, every: int) -> None:
    cuts(library, tmp_path, 300, every=every, seed=100 + every)


def test_a_sync_that_the_disk_refuses_is_never_tried_again(library: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"

    said = run(library, EIO_WRITER, data, POWERCUT_EIO="30")

    synced = [int(words[1]) for words in said if words[0] == "synced"]
    (failure,) = (words[1] for words in said if words[0] == "failed")
    assert "cannot sync the log" in failure
    assert "Input/output error" in failure
    assert [words[0] for words in said[-3:]] == ["refused"] * 3
    store = RocksStore.open(data)
    assert whole_batches(store)[: len(synced)] == synced
    store.close()

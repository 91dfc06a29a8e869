"""What was synced outlives the process, whenever it is killed; what was not fsynced may go in a power cut."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.storage.samples import batch, crash_image, fill, newest_log, whole_batches
from tq.storage.rocks import RocksStore

WRITER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tests.storage.samples import batch
from tq.storage.rocks import RocksStore

store = RocksStore.open(Path(sys.argv[1]))
number = store.report.applied
with ThreadPoolExecutor(1) as committer:
    while True:
        number += 1
        store.apply(batch(number))
        committer.submit(store.sync).result()
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


def kills(directory: Path, ledger: Path, count: int, seed: int) -> None:
    """Kill a writing process again and again; the ledger, fsynced here, holds what it said was synced."""
    chance = random.Random(seed)
    acknowledged = 0
    for kill in range(count):
        with (
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, text=True
            ) as writer,
            ledger.open("a") as book,
        ):
            assert writer.stdout is not None
            until = acknowledged + chance.randrange(1, 60)
            for line in writer.stdout:
                acknowledged = int(line)
                book.write(line)
                book.flush()
                os.fsync(book.fileno())
                if acknowledged >= until:
                    time.sleep(chance.random() * 0.003)  # anywhere in the work on the next batches
                    writer.send_signal(signal.SIGKILL)
                    break
            # What was written to the pipe before the kill was acknowledged too.
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split("\n")[:-1])])
        store = RocksStore.open(directory)
        found = whole_batches(store)
        assert found == list(range(1, len(found) + 1)), (seed, kill)
        assert len(found) >= acknowledged, (seed, kill)
        assert store.report.applied == len(found), (seed, kill)
        acknowledged = len(found)
        store.close()


def test_nothing_synced_is_lost_and_no_batch_is_torn_when_the_process_is_killed(tmp_path: Path) -> None:
    kills(tmp_path / "data", tmp_path / "ledger", 6, seed=1)


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
def test_campaign_kills(tmp_path: Path) -> None:
    kills(tmp_path / "data", tmp_path / "ledger", 300, seed=2)


def test_a_power_cut_loses_no_more_than_what_was_not_synced(tmp_path: Path) -> None:
    """The log is cut at every place behind the last sync, as a disk may have it that lost its cache."""
    store = RocksStore.open(tmp_path / "live")
    fill(store, range(1, 11))
    synced_bytes = newest_log(tmp_path / "live").stat().st_size
    for number in range(11, 15):
        store.apply(batch(number))
    image = crash_image(tmp_path / "live", tmp_path / "image")
    store.close()
    size = newest_log(image).stat().st_size
    for cut in random.Random(4).sample(range(synced_bytes, size + 1), 8):
        data = crash_image(image, tmp_path / str(cut))
        os.truncate(newest_log(data), cut)

        again = RocksStore.open(data)

        found = whole_batches(again)
        assert found == list(range(1, len(found) + 1)), cut
        assert 10 <= len(found) <= 14, cut
        again.close()


def test_a_restart_after_a_large_intake_replays_little(tmp_path: Path) -> None:
    """Memory and the time of a restart are bounded by the memtables, not by what was taken in."""
    store = RocksStore.open(tmp_path / "live")
    for number in range(1, 401):
        store.apply(batch(number, rows=1_000, size=300))
    store.sync()
    logs = sum(path.stat().st_size for path in (tmp_path / "live" / "db").glob("*.log"))
    store.close()

    assert logs < 100 << 20

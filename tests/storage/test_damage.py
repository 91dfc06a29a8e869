"""A sweep of random damage: the outcome is all that was acknowledged, or a refusal; never silence, never a hang."""

import random
import shutil
from pathlib import Path

import pytest

from tests.storage.samples import batch, crash_image, fill, flip, newest_log, overwrite, whole_batches
from tq.engine.tables import Table
from tq.model.errors import StorageCorrupt, StorageFailed
from tq.storage.damage import cut_off, damaged_manifest, examine
from tq.storage.database import Database
from tq.storage.rocks import RocksStore

BATCHES = 60


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a process that was killed after 60 synced batches left."""
    directory = tmp_path_factory.mktemp("image")
    store = RocksStore.open(directory / "live")
    fill(store, range(1, BATCHES + 1))
    image = crash_image(directory / "live", directory / "image")
    store.close()
    return image


def damage(path: Path, chance: random.Random) -> tuple[str, int]:
    """Do something bad to a file; what it was, and how many bytes behind it are as they were."""
    size = path.stat().st_size
    offset = chance.randrange(size)
    match chance.randrange(5):
        case 0 | 1:
            flip(path, offset)
            return f"flip at {offset}", size - offset - 1
        case 2:
            length = min(chance.randrange(1, 5_000), size - offset)
            overwrite(path, offset, bytes(length))
            return f"{length} zeroes at {offset}", size - offset - length
        case 3:
            length = min(chance.randrange(1, 300), size - offset)
            overwrite(path, offset, chance.randbytes(length))
            return f"{length} random bytes at {offset}", size - offset - length
        case _:
            overwrite(path, size, chance.randbytes(chance.randrange(1, 3_000)))
            return "random bytes at the end", 0


def sweep_log(image: Path, directory: Path, seeds: range) -> None:
    for seed in seeds:
        data = crash_image(image, directory / str(seed))
        what, behind = damage(newest_log(data), random.Random(seed))
        try:
            store = RocksStore.open(data)
        except StorageCorrupt:
            shutil.rmtree(data)
            continue
        found = whole_batches(store)
        assert found == list(range(1, len(found) + 1)), (seed, what)
        if len(found) < BATCHES:
            # Only what no later batch proves to have been synced may be missing, and never in silence.
            assert store.report.cut is not None, (seed, what)
            assert behind < 3_000, (seed, what)  # two batches
        store.close()
        shutil.rmtree(data)


def test_random_damage_to_the_log_is_never_passed_over(image: Path, tmp_path: Path) -> None:
    sweep_log(image, tmp_path, range(24))


def test_random_damage_to_the_manifest_is_never_passed_over(image: Path, tmp_path: Path) -> None:
    for seed in range(20):
        data = crash_image(image, tmp_path / str(seed))
        manifest = next((data / "db").glob("MANIFEST-*"))
        what, _ = damage(manifest, random.Random(seed))
        try:
            store = RocksStore.open(data)
        except (StorageCorrupt, StorageFailed):
            continue
        assert whole_batches(store) == list(range(1, BATCHES + 1)), (seed, what)
        store.close()


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
def test_campaign_random_damage_to_the_log(image: Path, tmp_path: Path) -> None:
    sweep_log(image, tmp_path, range(1_000, 3_000))


def test_a_type_in_the_manifest_that_rocksdb_hangs_on_is_refused(image: Path, tmp_path: Path) -> None:
    data = crash_image(image, tmp_path / "data")
    overwrite(next((data / "db").glob("MANIFEST-*")), 6, b"\x05")

    assert "byte 0" in damaged_manifest(data / "db")
    with pytest.raises(StorageCorrupt, match="list of the files"):
        RocksStore.open(data)


def test_a_cut_is_taken_back_when_the_database_cannot_be_opened(image: Path, tmp_path: Path) -> None:
    data = crash_image(image, tmp_path / "data")
    log = newest_log(data)
    before = log.read_bytes()[:-50]
    log.write_bytes(before)
    verdict = examine(data / "db")
    assert verdict is not None

    sizes = []

    def open_and_fail() -> None:
        with cut_off(data, verdict):
            sizes.append(log.stat().st_size)
            raise StorageFailed("on purpose")

    with pytest.raises(StorageFailed, match="on purpose"):
        open_and_fail()

    assert sizes == [verdict.offset + 1]
    assert log.read_bytes() == before
    assert not list(data.glob("damaged-*"))


def test_a_cut_that_was_killed_half_way_is_finished_by_the_next_opening(image: Path, tmp_path: Path) -> None:
    data = crash_image(image, tmp_path / "data")
    log = newest_log(data)
    log.write_bytes(log.read_bytes()[:-50])
    verdict = examine(data / "db")
    assert verdict is not None
    half_way = cut_off(data, verdict)
    half_way.__enter__()
    image = crash_image(data, tmp_path / "killed")

    store = RocksStore.open(image)

    assert whole_batches(store) == list(range(1, BATCHES))
    assert not list(image.glob("damaged-*"))
    store.close()


def test_damage_in_an_older_log_counts_what_the_newer_ones_hold(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "live")
    fill(store, range(1, 30))
    store._database._families[Table.META].flush(True)  # META: a new log begins, the others still need the old one
    fill(store, range(30, 60))
    data = crash_image(tmp_path / "live", tmp_path / "data")
    store.close()
    older, newer = sorted((data / "db").glob("*.log"))
    flip(older, older.stat().st_size - 300)

    verdict = examine(data / "db")

    assert verdict is not None
    assert verdict.path == older
    assert not verdict.may_cut
    assert newer.name in verdict.reason
    assert verdict.bytes_behind > newer.stat().st_size


def test_a_cut_behind_which_table_files_are_ahead_is_refused(tmp_path: Path) -> None:
    """A table that was flushed holds what the log has lost for the others: half of a batch would be there."""
    store = RocksStore.open(tmp_path / "live")
    fill(store, range(1, 30))
    store.apply(batch(30))
    store._database._families[Table.META].flush(True)
    data = crash_image(tmp_path / "live", tmp_path / "data")
    store.close()
    log = next(path for path in sorted((data / "db").glob("*.log")) if path.stat().st_size)
    before = log.read_bytes()[:-100]
    log.write_bytes(before)

    with pytest.raises(StorageCorrupt):
        RocksStore.open(data)

    assert log.read_bytes() == before
    with pytest.raises(StorageCorrupt):
        Database(data / "db")

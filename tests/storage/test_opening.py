"""Whatever happened to the directory, opening it gives all that was acknowledged, or says why not."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from rocksdict import Options

from tests.storage.samples import batch, crash_image, fill, flip, newest_log, overwrite, put, whole_batches
from tq.engine.tables import FORMAT_VERSION, META_FORMAT, U32, Table
from tq.model.errors import FormatTooNew, StorageCorrupt, StorageFailed, StorageInUse
from tq.storage.database import Database
from tq.storage.high_water import HIGH_WATER_NAME
from tq.storage.rocks import RocksStore

BATCHES = range(1, 201)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose process was killed after 200 synced batches, all in the log; no high-water mark beyond 0."""
    directory = tmp_path_factory.mktemp("crashed")
    store = RocksStore.open(directory / "live", clock=Clock())
    fill(store, BATCHES)
    image = crash_image(directory / "live", directory / "image")
    store.close()
    return image


@pytest.fixture
def crashed(image: Path, tmp_path: Path) -> Path:
    """A copy of the same, to be damaged."""
    return crash_image(image, tmp_path / "data")


def opened(directory: Path) -> list[int]:
    store = RocksStore.open(directory)
    try:
        return whole_batches(store)
    finally:
        store.close()


def test_a_new_directory_is_made_with_its_parents_for_its_owner_alone(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "a" / "data")
    store.close()

    assert store.report.is_new
    assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700
    for path in (tmp_path / "a" / "data").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_directory_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)

    RocksStore.open(tmp_path / "data").close()

    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_path_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageFailed, match="cannot use the data directory"):
        RocksStore.open(tmp_path / "file")


def test_all_that_was_applied_is_there_after_an_orderly_end(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    fill(store, BATCHES)
    store.close()

    again = RocksStore.open(tmp_path / "data")

    assert whole_batches(again) == list(BATCHES)
    assert (again.report.is_new, again.report.applied, again.report.cut) == (False, 200, None)
    assert again.report.database == store.report.database
    again.close()


def test_all_that_was_applied_is_there_after_a_kill(crashed: Path) -> None:
    assert opened(crashed) == list(BATCHES)


@pytest.mark.parametrize("lost", [1, 100, 2_000])
def test_a_torn_tail_is_cut_off_and_reported(crashed: Path, lost: int) -> None:
    log = newest_log(crashed)
    size = log.stat().st_size
    os.truncate(log, size - lost)

    store = RocksStore.open(crashed)

    found = whole_batches(store)
    assert found == list(range(1, len(found) + 1))
    assert 190 < len(found) < 200
    cut = store.report.cut
    assert cut is not None
    assert cut.path == log
    assert cut.bytes_behind == size - lost - cut.offset
    store.close()
    assert opened(crashed) == found


@pytest.mark.parametrize("tail", [b"\xff" * 5_000, bytes(range(1, 256)) * 200, b"\x07"])
def test_garbage_behind_the_last_batch_is_cut_off_and_nothing_else(crashed: Path, tail: bytes) -> None:
    log = newest_log(crashed)
    size = log.stat().st_size
    overwrite(log, size, tail)

    store = RocksStore.open(crashed)

    assert whole_batches(store) == list(BATCHES)
    cut = store.report.cut
    assert cut is not None
    assert (cut.offset, cut.bytes_behind) == (size, len(tail))
    store.close()


def test_zeroes_behind_the_last_batch_are_room_that_was_never_used(crashed: Path) -> None:
    log = newest_log(crashed)
    overwrite(log, log.stat().st_size, bytes(5_000))

    assert opened(crashed) == list(BATCHES)


def test_zeroes_from_the_middle_of_a_batch_to_the_end_are_cut_off(crashed: Path) -> None:
    log = newest_log(crashed)
    overwrite(log, log.stat().st_size - 5_000, bytes(5_000))

    store = RocksStore.open(crashed)

    found = whole_batches(store)
    assert found == list(range(1, len(found) + 1))
    assert store.report.cut is not None
    store.close()


@pytest.mark.parametrize("where", [0.1, 0.3, 0.5, 0.9])
def test_a_flipped_bit_in_the_middle_of_the_log_is_refused_with_the_place(crashed: Path, where: float) -> None:
    log = newest_log(crashed)
    offset = int(log.stat().st_size * where)
    flip(log, offset)

    with pytest.raises(StorageCorrupt) as refused:
        RocksStore.open(crashed)

    assert str(log) in refused.value.message
    assert "the write-ahead log is damaged at byte" in refused.value.message
    assert f"tq doctor {crashed}" in refused.value.hint


def test_a_page_of_zeroes_in_the_middle_of_the_log_is_refused(crashed: Path) -> None:
    overwrite(newest_log(crashed), 4_096 * 20, bytes(4_096))

    with pytest.raises(StorageCorrupt, match="they say that it had been synced"):
        RocksStore.open(crashed)


def test_a_refused_directory_is_left_as_it_was(crashed: Path, tmp_path: Path) -> None:
    log = newest_log(crashed)
    offset = log.stat().st_size // 2
    flip(log, offset)
    with pytest.raises(StorageCorrupt):
        RocksStore.open(crashed)

    flip(log, offset)

    assert opened(crashed) == list(BATCHES)


def test_a_hole_among_batches_that_no_sync_had_covered_is_a_power_cut_and_cut_off(tmp_path: Path) -> None:
    """The disk may write the pages that were not synced in any order: later ones may be there and earlier ones not."""
    store = RocksStore.open(tmp_path / "live", clock=Clock())
    fill(store, range(1, 101))
    synced_bytes = newest_log(tmp_path / "live").stat().st_size
    for number in range(101, 201):
        store.apply(batch(number))
    image = crash_image(tmp_path / "live", tmp_path / "data")
    store.close()
    overwrite(newest_log(image), synced_bytes + 20_000, bytes(8_192))

    again = RocksStore.open(image)

    found = whole_batches(again)
    assert found == list(range(1, len(found) + 1))
    assert 100 <= len(found) < 200
    assert again.report.cut is not None
    assert "before" in again.report.cut.reason
    again.close()


def test_a_deleted_log_is_refused(crashed: Path) -> None:
    newest_log(crashed).unlink()

    with pytest.raises(StorageCorrupt, match=r"there is no \*\.log file"):
        RocksStore.open(crashed)


def test_a_log_emptied_after_the_mark_was_made_is_refused(tmp_path: Path) -> None:
    clock = Clock()
    store = RocksStore.open(tmp_path / "live", clock=clock)
    fill(store, range(1, 51))
    clock.now = 2.0
    fill(store, [51])
    image = crash_image(tmp_path / "live", tmp_path / "data")
    store.close()
    os.truncate(newest_log(image), 0)

    with pytest.raises(StorageCorrupt, match="it ends at batch 0, but batch 51 had been synced"):
        RocksStore.open(image)


def test_the_mark_claims_nothing_that_was_not_synced(tmp_path: Path) -> None:
    clock = Clock()
    store = RocksStore.open(tmp_path / "live", clock=clock)
    fill(store, range(1, 11))
    size = newest_log(tmp_path / "live").stat().st_size
    clock.now = 2.0
    for number in range(11, 21):
        store.apply(batch(number))
    image = crash_image(tmp_path / "live", tmp_path / "data")
    store.close()
    os.truncate(newest_log(image), size)

    assert opened(image) == list(range(1, 11))


def test_an_older_copy_of_the_database_is_refused(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    fill(store, range(1, 11))
    store.close()
    shutil.copytree(tmp_path / "data" / "db", tmp_path / "older")
    store = RocksStore.open(tmp_path / "data")
    fill(store, range(11, 21))
    store.close()
    shutil.rmtree(tmp_path / "data" / "db")
    shutil.copytree(tmp_path / "older", tmp_path / "data" / "db")

    with pytest.raises(StorageCorrupt, match="ends at batch 10, but batch 20 had been synced") as refused:
        RocksStore.open(tmp_path / "data")

    assert "tq doctor --repair" in refused.value.hint


def test_another_database_in_the_place_of_the_own_one_is_refused(tmp_path: Path) -> None:
    for name in ("data", "other"):
        store = RocksStore.open(tmp_path / name)
        fill(store, [1])
        store.close()
    shutil.rmtree(tmp_path / "data" / "db")
    shutil.copytree(tmp_path / "other" / "db", tmp_path / "data" / "db")

    with pytest.raises(StorageCorrupt, match="its high-water mark is of"):
        RocksStore.open(tmp_path / "data")


def test_a_database_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    fill(store, [1])
    store.close()
    shutil.rmtree(tmp_path / "data" / "db")

    with pytest.raises(StorageCorrupt, match="is gone"):
        RocksStore.open(tmp_path / "data")


def test_files_of_a_database_without_its_root_are_not_taken_for_a_new_one(crashed: Path) -> None:
    (crashed / "db" / "CURRENT").unlink()

    with pytest.raises(StorageCorrupt, match="CURRENT is missing"):
        RocksStore.open(crashed)


def test_a_damaged_manifest_is_refused(crashed: Path) -> None:
    manifest = next((crashed / "db").glob("MANIFEST-*"))
    flip(manifest, manifest.stat().st_size // 2)

    with pytest.raises((StorageCorrupt, StorageFailed)):
        RocksStore.open(crashed)


def test_a_log_file_missing_between_two_others_is_refused(tmp_path: Path) -> None:
    """RocksDB would replay the two others, with a hole between them."""
    store = RocksStore.open(tmp_path / "live", clock=Clock())
    fill(store, range(1, 30))
    for table, numbers in ((Table.META, range(30, 60)), (Table.META, range(60, 90))):
        store._database._families[table].flush(True)  # a table file of one table: the others still need the old log
        fill(store, numbers)
    image = crash_image(tmp_path / "live", tmp_path / "data")
    store.close()
    logs = sorted((image / "db").glob("*.log"))
    assert len(logs) == 3
    logs[1].unlink()

    with pytest.raises(StorageCorrupt, match="the log before it ends before"):
        RocksStore.open(image)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    store.apply(put(Table.META, (META_FORMAT, U32.pack(FORMAT_VERSION + 1))))
    store.close()

    with pytest.raises(FormatTooNew, match=f"has format {FORMAT_VERSION + 1}"):
        RocksStore.open(tmp_path / "data")


def test_a_table_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    RocksStore.open(tmp_path / "data").close()
    database = Database(tmp_path / "data" / "db")
    database._rows.create_column_family("parcels", Options(raw_mode=True))
    database.close()

    with pytest.raises(FormatTooNew, match="parcels"):
        RocksStore.open(tmp_path / "data")


def test_making_a_database_may_be_interrupted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    Database(tmp_path / "data" / "db.new", create=True).close()

    store = RocksStore.open(tmp_path / "data")

    assert store.report.is_new
    store.close()


def test_rows_without_a_format_are_refused(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    fill(store, [1])
    store.apply(put(Table.META, (META_FORMAT, None)))
    store.close()
    (tmp_path / "data" / HIGH_WATER_NAME).unlink()

    with pytest.raises(StorageCorrupt, match="ends at batch 0"):
        RocksStore.open(tmp_path / "data")


def test_a_damaged_high_water_file_is_refused(crashed: Path) -> None:
    (crashed / HIGH_WATER_NAME).write_bytes(b"?" * 512)

    with pytest.raises(StorageCorrupt, match="should say how far the database had come"):
        RocksStore.open(crashed)


def test_a_missing_high_water_file_is_made_again(crashed: Path) -> None:
    (crashed / HIGH_WATER_NAME).unlink()

    assert opened(crashed) == list(BATCHES)
    assert (crashed / HIGH_WATER_NAME).exists()


def test_a_second_process_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    program = """
import sys
from pathlib import Path
from tq.model.errors import StorageInUse
from tq.storage.rocks import RocksStore
try:
    RocksStore.open(Path(sys.argv[1]))
except StorageInUse as error:
    print(error.message)
"""

    second = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "data")], capture_output=True, text=True, check=True, timeout=60
    )

    assert second.stdout.strip() == f"{tmp_path / 'data'} is in use by pid {os.getpid()}"
    store.close()


def test_the_same_process_cannot_open_a_directory_twice_and_can_after_closing(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    with pytest.raises(StorageInUse, match=str(os.getpid())):
        RocksStore.open(tmp_path / "data")
    store.close()

    RocksStore.open(tmp_path / "data").close()


def test_a_failed_opening_lets_go_of_the_directory(crashed: Path) -> None:
    (crashed / HIGH_WATER_NAME).write_bytes(b"?")
    for _ in range(2):
        with pytest.raises(StorageCorrupt):
            RocksStore.open(crashed)


def test_a_lock_inside_rocksdb_is_told_apart_from_damage(tmp_path: Path) -> None:
    RocksStore.open(tmp_path / "data").close()
    database = Database(tmp_path / "data" / "db")
    try:
        with pytest.raises(StorageInUse):
            RocksStore.open(tmp_path / "data")
    finally:
        database.close()


def test_a_damaged_table_file_raises_and_does_not_end_a_range_early(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    fill(store, BATCHES, rows=50)
    store._database.flush()
    store.close()
    for table_file in (tmp_path / "data" / "db").glob("*.sst"):
        if table_file.stat().st_size > 20_000:
            flip(table_file, table_file.stat().st_size // 2)

    again = RocksStore.open(tmp_path / "data")

    with pytest.raises(StorageCorrupt, match="cannot read from"):
        whole_batches(again, rows=50)
    with pytest.raises(StorageCorrupt, match="cannot read from"):
        sum(len(list(again._database.scan(table))) for table in Table)
    again.close()

"""`tq doctor` on a directory: every kind of damage is told, and a repair loses nothing that can be kept."""

import os
import shutil
from pathlib import Path

import pytest

from tests.engine.rig import Rig, task
from tests.storage.samples import crash_image, flip, newest_log, overwrite, put
from tq.engine.tables import FORMAT_VERSION, META_DATABASE, META_FORMAT, U32, Table
from tq.model.commands import Submit
from tq.model.errors import FormatTooNew, InvalidArgument, StorageCorrupt, StorageInUse
from tq.storage.consistency import Fault
from tq.storage.doctor import examine_directory
from tq.storage.high_water import HIGH_WATER_NAME
from tq.storage.rocks import RocksStore

BATCHES, PER_BATCH = 60, 5


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a broker that was killed left: 60 synced batches of 5 tasks, all in the log."""
    directory = tmp_path_factory.mktemp("image")
    rig = Rig()
    store = RocksStore.open(directory / "live")
    for batch in range(BATCHES):
        rig.step(Submit(1, [task(batch * PER_BATCH + number, payload=bytes(200)) for number in range(PER_BATCH)]))
        rig.commit()
        store.apply(rig.writes)
        store.sync()
    image = crash_image(directory / "live", directory / "image")
    store.close()
    return image


@pytest.fixture
def data(image: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return crash_image(image, tmp_path / "data")


def faults(directory: Path, *, repair: bool = False) -> list[Fault]:
    findings = list(examine_directory(directory, repair=repair))
    if repair:
        assert all(finding.is_repaired for finding in findings)
    else:
        assert not any(finding.is_repaired for finding in findings)
    return [finding.fault for finding in findings]


def tasks(directory: Path) -> int:
    store = RocksStore.open(directory)
    count = len(store.range(Table.BODIES, b"", b"\xff" * 17, 1 << 31))
    assert len(store.range(Table.READY, b"", b"\xff" * 17, 1 << 31)) == count
    store.close()
    return count


def files(directory: Path) -> dict[str, bytes]:
    """The files that hold data; RocksDB's own diary grows whenever it is opened."""
    return {
        path.name: path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith(("LOG", "tq.lock"))
    }


def test_a_sound_directory_has_no_findings_and_is_not_changed(data: Path) -> None:
    before = files(data)

    assert faults(data) == []

    assert files(data) == before
    assert tasks(data) == BATCHES * PER_BATCH


def test_a_repair_of_a_sound_directory_finds_nothing_to_do(data: Path) -> None:
    assert faults(data, repair=True) == []
    assert tasks(data) == BATCHES * PER_BATCH


def test_a_torn_tail_is_told_and_cut_by_a_repair(data: Path) -> None:
    log = newest_log(data)
    os.truncate(log, log.stat().st_size - 100)

    assert faults(data) == [Fault.LOG_TORN]
    assert faults(data, repair=True) == [Fault.LOG_TORN]

    assert faults(data) == []
    assert tasks(data) == (BATCHES - 1) * PER_BATCH


def test_a_repair_of_a_damaged_log_loses_the_damaged_batch_alone(data: Path) -> None:
    log = newest_log(data)
    before = log.stat().st_size
    flip(log, before // 2)

    assert faults(data) == [Fault.LOG_DAMAGED]
    with pytest.raises(StorageCorrupt):
        RocksStore.open(data)
    repaired = faults(data, repair=True)

    assert repaired[0] is Fault.LOG_DAMAGED
    assert faults(data) == []
    assert tasks(data) == (BATCHES - 1) * PER_BATCH
    (kept,) = data.glob("damaged-*/*.log")
    assert kept.stat().st_size == before


def test_a_type_of_record_that_rocksdb_hangs_on_is_repaired_too(data: Path) -> None:
    overwrite(newest_log(data), 32_768 + 6, b"\x05")

    assert faults(data) == [Fault.LOG_DAMAGED]
    assert Fault.LOG_DAMAGED in faults(data, repair=True)

    assert faults(data) == []
    assert tasks(data) in ((BATCHES - 1) * PER_BATCH, (BATCHES - 2) * PER_BATCH)


def test_a_missing_log_is_accepted_by_a_repair(image: Path, data: Path) -> None:
    store = RocksStore.open(data)
    store.close()
    shutil.copytree(data, data.with_name("older"))
    store = RocksStore.open(data)
    store.close()
    for log in (data / "db").glob("*.log"):
        log.unlink()

    assert faults(data) == [Fault.LOG_MISSING]
    assert faults(data, repair=True) == [Fault.LOG_MISSING]

    assert faults(data) == []
    assert tasks(data) == BATCHES * PER_BATCH


def test_an_older_copy_is_accepted_by_a_repair(data: Path) -> None:
    shutil.copytree(data / "db", data.with_name("older"))
    store = RocksStore.open(data)
    rig = Rig()
    for number in range(BATCHES + 10):
        rig.step(Submit(1, [task(10_000 + number)]))
        rig.commit()
    store.apply(rig.writes)
    store.close()
    shutil.rmtree(data / "db")
    shutil.copytree(data.with_name("older"), data / "db")
    with pytest.raises(StorageCorrupt, match="went back in time"):
        RocksStore.open(data)

    assert faults(data) == [Fault.WENT_BACK]
    assert faults(data, repair=True) == [Fault.WENT_BACK]

    assert faults(data) == []
    assert tasks(data) == BATCHES * PER_BATCH


def test_another_database_is_accepted_by_a_repair(data: Path) -> None:
    RocksStore.open(data).close()
    store = RocksStore.open(data)
    store.apply(put(Table.META, (META_DATABASE, bytes(16))))
    store.close()

    assert faults(data) == [Fault.WENT_BACK]
    assert faults(data, repair=True) == [Fault.WENT_BACK]
    assert tasks(data) == BATCHES * PER_BATCH


def test_a_damaged_high_water_file_is_made_again_by_a_repair(data: Path) -> None:
    (data / HIGH_WATER_NAME).write_bytes(b"?" * 512)

    assert faults(data) == [Fault.WENT_BACK]
    assert faults(data, repair=True) == [Fault.WENT_BACK]
    assert tasks(data) == BATCHES * PER_BATCH


def test_a_database_that_does_not_say_what_it_is_is_told(data: Path) -> None:
    store = RocksStore.open(data)
    store.apply(put(Table.META, (META_FORMAT, None)))
    store.close()

    assert Fault.ROW_MISSING in faults(data)
    assert Fault.ROW_MISSING in faults(data, repair=True)
    assert tasks(data) == BATCHES * PER_BATCH


def test_a_damaged_table_file_is_told_and_cannot_be_repaired(data: Path) -> None:
    store = RocksStore.open(data)
    store._database.flush()
    store.close()
    for table_file in (data / "db").glob("*.sst"):
        if table_file.stat().st_size > 5_000:
            flip(table_file, table_file.stat().st_size // 2)

    for repair in (False, True):
        findings = list(examine_directory(data, repair=repair))
        assert findings[-1].fault is Fault.FILE_DAMAGED
        assert not findings[-1].is_repaired
        assert findings[-1].remedy == ""


@pytest.mark.parametrize("what", ["manifest", "root"])
def test_a_damaged_list_of_files_is_told_and_left_alone(data: Path, what: str) -> None:
    if what == "manifest":
        overwrite(next((data / "db").glob("MANIFEST-*")), 6, b"\x05")
    else:
        (data / "db" / "CURRENT").write_text("MANIFEST-999999\n")
    before = files(data)

    (finding,) = examine_directory(data, repair=True)

    assert finding.fault is Fault.FILE_DAMAGED
    assert files(data) == before


def test_wrong_indexes_are_found_and_repaired(data: Path) -> None:
    store = RocksStore.open(data)
    rows = store.range(Table.READY, b"", b"\xff" * 17, 3)
    store.apply(put(Table.READY, *((key, None) for key, _ in rows)))
    store.close()

    assert faults(data) == [Fault.ROW_MISSING] * 3
    assert faults(data, repair=True) == [Fault.ROW_MISSING] * 3
    assert faults(data) == []


def test_a_running_broker_keeps_the_doctor_out(data: Path) -> None:
    store = RocksStore.open(data)
    with pytest.raises(StorageInUse, match=str(os.getpid())):
        list(examine_directory(data))
    store.close()


def test_the_doctor_keeps_a_broker_out_until_it_is_done_or_given_up(data: Path) -> None:
    (data / HIGH_WATER_NAME).write_bytes(b"?" * 512)
    examination = examine_directory(data)
    next(examination)
    with pytest.raises(StorageInUse):
        RocksStore.open(data)

    examination.close()  # type: ignore[attr-defined]  # a generator

    with pytest.raises(StorageCorrupt):  # the high-water mark, no longer the lock
        RocksStore.open(data)


def test_a_newer_format_is_refused(data: Path) -> None:
    store = RocksStore.open(data)
    store.apply(put(Table.META, (META_FORMAT, U32.pack(FORMAT_VERSION + 1))))
    store.close()

    with pytest.raises(FormatTooNew):
        list(examine_directory(data))


def test_a_directory_without_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="holds no database"):
        list(examine_directory(tmp_path))
    assert list(tmp_path.iterdir()) == []

"""A backup is a consistent state taken while the store is used; it is put back whole, or not at all."""

import threading
from pathlib import Path

import msgspec
import pytest

from tests.storage.samples import batch, fill, flip, whole_batches
from tq.engine.tables import FORMAT_VERSION
from tq.model.errors import DiskFull, FormatTooNew, InvalidArgument, StorageCorrupt, StorageInUse, WrongState
from tq.storage import backup as backups
from tq.storage.backup import restore_backup
from tq.storage.high_water import read_high_water
from tq.storage.lock import DirectoryLock
from tq.storage.manifest import MANIFEST_NAME, BackupFile, Manifest, read_manifest, write_manifest
from tq.storage.memory import MemoryStore
from tq.storage.rocks import RocksStore


@pytest.fixture
def backed_up(tmp_path: Path) -> Path:
    """A backup of ten batches; the store went on to twenty."""
    store = RocksStore.open(tmp_path / "data")
    fill(store, range(1, 11))
    store.backup(tmp_path / "backup")
    fill(store, range(11, 21))
    store.close()
    return tmp_path / "backup"


def test_a_backup_restores_the_state_of_its_moment(backed_up: Path, tmp_path: Path) -> None:
    manifest = restore_backup(backed_up, tmp_path / "restored")

    store = RocksStore.open(tmp_path / "restored")
    assert whole_batches(store) == list(range(1, 11))
    assert (manifest.applied, store.report.applied) == (10, 10)
    fill(store, [11])
    store.close()


def test_a_restored_copy_is_a_database_of_its_own(backed_up: Path, tmp_path: Path) -> None:
    restore_backup(backed_up, tmp_path / "restored")

    store = RocksStore.open(tmp_path / "restored")
    mark = read_high_water(tmp_path / "restored")
    assert store.report.database != read_manifest(backed_up).database
    assert mark is not None
    assert (mark.applied, mark.database) == (10, store.report.database)
    store.close()


def test_one_backup_can_be_restored_many_times(backed_up: Path, tmp_path: Path) -> None:
    databases = set()
    for name in ("one", "two"):
        restore_backup(backed_up, tmp_path / name)
        store = RocksStore.open(tmp_path / name)
        databases.add(store.report.database)
        assert whole_batches(store) == list(range(1, 11))
        store.close()

    assert len(databases) == 2


def test_a_backup_while_others_write_is_a_whole_state(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    fill(store, range(1, 51))
    manifests: list[Manifest] = []

    def take_backups() -> None:
        manifests.extend(store.backup(tmp_path / f"backup-{number}") for number in range(3))

    thread = threading.Thread(target=take_backups)
    thread.start()
    number = 50
    while thread.is_alive() or number < 100:
        number += 1
        fill(store, [number])
    thread.join()
    store.close()

    applied = [manifest.applied for manifest in manifests]
    assert len(applied) == 3
    assert applied == sorted(applied)
    assert applied[0] >= 50
    for index, manifest in enumerate(manifests):
        restore_backup(tmp_path / f"backup-{index}", tmp_path / f"restored-{index}")
        restored = RocksStore.open(tmp_path / f"restored-{index}")
        assert whole_batches(restored) == list(range(1, manifest.applied + 1))
        restored.close()


def test_a_backup_contains_what_was_applied_and_not_yet_synced(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    store.apply(batch(1))

    assert store.backup(tmp_path / "backup").applied == 1
    store.close()


def test_a_backup_leaves_nothing_in_the_data_directory_and_is_private(backed_up: Path, tmp_path: Path) -> None:
    assert not list((tmp_path / "data").glob("checkpoint-*"))
    for path in [backed_up, *backed_up.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_manifest_names_every_file_as_sha256sum_would(backed_up: Path) -> None:
    manifest = read_manifest(backed_up)

    assert {file.name for file in manifest.files} == {path.name for path in (backed_up / "db").iterdir()}
    assert all(len(file.sha256) == 64 for file in manifest.files)
    assert manifest.size == sum(path.stat().st_size for path in (backed_up / "db").iterdir())
    assert manifest.format == FORMAT_VERSION


def test_a_directory_that_is_not_empty_is_not_written_to(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("keep")

    with pytest.raises(InvalidArgument, match="is not empty"):
        store.backup(tmp_path / "full")

    assert (tmp_path / "full" / "precious").read_text() == "keep"
    store.close()


@pytest.mark.parametrize("where", ["data", "data/inside"])
def test_a_backup_into_the_data_directory_is_refused(tmp_path: Path, where: str) -> None:
    store = RocksStore.open(tmp_path / "data")

    with pytest.raises(InvalidArgument, match="in the data directory"):
        store.backup(tmp_path / where)
    store.close()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    (tmp_path / "file").write_text("")

    with pytest.raises(InvalidArgument, match="cannot be made"):
        store.backup(tmp_path / "file" / "backup")
    store.close()


def test_a_backup_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RocksStore.open(tmp_path / "data")
    fill(store, [1])

    def no_room(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "_copy", no_room)
    with pytest.raises(DiskFull):
        store.backup(tmp_path / "backup")

    assert not (tmp_path / "backup").exists()
    assert not list((tmp_path / "data").glob("checkpoint-*"))
    fill(store, [2])  # the store itself goes on
    store.close()


def test_what_a_killed_backup_left_is_removed_by_the_next_start(tmp_path: Path) -> None:
    RocksStore.open(tmp_path / "data").close()
    (tmp_path / "data" / "checkpoint-1").mkdir()
    (tmp_path / "data" / "checkpoint-1" / "000001.sst").write_text("")

    RocksStore.open(tmp_path / "data").close()

    assert not list((tmp_path / "data").glob("checkpoint-*"))


def test_a_target_that_is_not_empty_is_not_restored_into(backed_up: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="is not empty"):
        restore_backup(backed_up, tmp_path / "data")

    store = RocksStore.open(tmp_path / "data")
    assert whole_batches(store) == list(range(1, 21))
    store.close()


def test_an_empty_target_is_restored_into(backed_up: Path, tmp_path: Path) -> None:
    (tmp_path / "restored").mkdir()

    restore_backup(backed_up, tmp_path / "restored")

    RocksStore.open(tmp_path / "restored").close()


def test_a_changed_file_is_refused_and_nothing_restored(backed_up: Path, tmp_path: Path) -> None:
    largest = max((backed_up / "db").iterdir(), key=lambda path: path.stat().st_size)
    flip(largest, largest.stat().st_size // 2)

    with pytest.raises(StorageCorrupt, match=f"{largest} is not as the backup wrote it: another checksum"):
        restore_backup(backed_up, tmp_path / "restored")

    assert not (tmp_path / "restored").exists()


def test_a_cut_file_is_refused(backed_up: Path, tmp_path: Path) -> None:
    largest = max((backed_up / "db").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])

    with pytest.raises(StorageCorrupt, match="bytes instead of"):
        restore_backup(backed_up, tmp_path / "restored")


def test_a_missing_file_is_refused(backed_up: Path, tmp_path: Path) -> None:
    next((backed_up / "db").glob("*.sst")).unlink()

    with pytest.raises(StorageCorrupt, match="is missing"):
        restore_backup(backed_up, tmp_path / "restored")


def test_a_manifest_that_tells_another_state_is_refused(backed_up: Path, tmp_path: Path) -> None:
    write_manifest(backed_up, msgspec.structs.replace(read_manifest(backed_up), applied=9))

    with pytest.raises(StorageCorrupt, match="its manifest says 9"):
        restore_backup(backed_up, tmp_path / "restored")

    assert not (tmp_path / "restored").exists()


def test_a_directory_without_a_manifest_is_no_backup(backed_up: Path, tmp_path: Path) -> None:
    (backed_up / MANIFEST_NAME).unlink()

    with pytest.raises(InvalidArgument, match="is not a finished backup"):
        restore_backup(backed_up, tmp_path / "restored")


def test_a_manifest_of_something_else_is_refused(backed_up: Path, tmp_path: Path) -> None:
    (backed_up / MANIFEST_NAME).write_text('{"name": "left-pad"}')

    with pytest.raises(InvalidArgument, match="is not the manifest of a backup"):
        restore_backup(backed_up, tmp_path / "restored")


def test_a_manifest_cannot_name_files_elsewhere(backed_up: Path, tmp_path: Path) -> None:
    manifest = read_manifest(backed_up)
    named = msgspec.structs.replace(manifest.files[0], name="../../outside")
    write_manifest(backed_up, msgspec.structs.replace(manifest, files=(named,)))

    with pytest.raises(InvalidArgument, match="names a file outside"):
        restore_backup(backed_up, tmp_path / "restored")


def test_a_backup_of_a_newer_version_is_refused(backed_up: Path, tmp_path: Path) -> None:
    write_manifest(backed_up, msgspec.structs.replace(read_manifest(backed_up), format=FORMAT_VERSION + 1))

    with pytest.raises(FormatTooNew):
        restore_backup(backed_up, tmp_path / "restored")


def test_nobody_can_open_a_directory_that_is_being_restored(
    backed_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backups._copy
    refusals = []

    def copy_while_locked(source: Path, target: Path) -> BackupFile:
        with pytest.raises(StorageInUse) as refused:
            DirectoryLock(tmp_path / "restored")
        refusals.append(refused)
        return copy(source, target)

    monkeypatch.setattr(backups, "_copy", copy_while_locked)
    restore_backup(backed_up, tmp_path / "restored")

    assert refusals


def test_an_ephemeral_store_has_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(WrongState, match="keeps its tasks in memory"):
        MemoryStore().backup(tmp_path / "backup")

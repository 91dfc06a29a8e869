"""A full disk: nothing acknowledged is lost, reads go on, and writing is taken up again when there is room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.samples import END, batch, fill, whole_batches
from tq.engine.tables import Table
from tq.model.errors import DiskFull, StorageFailed
from tq.storage.disk import BALLAST_NAME, Ballast, free_bytes
from tq.storage.rocks import RocksStore

DISK_BYTES = 48 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def take_all_room(disk: Path, leave: int) -> Path:
    hog = disk / "hog"
    size = free_bytes(disk) - leave
    handle = os.open(hog, os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(handle, 0, size)
    os.close(handle)
    return hog


def write_until_full(store: RocksStore, number: int) -> int:
    """The last batch that was acknowledged."""
    while True:
        try:
            store.apply(batch(number + 1, rows=100, size=400))
            store.sync()
        except DiskFull:
            return number
        number += 1


def test_a_full_disk_stops_writing_keeps_reading_and_loses_nothing(disk: Path) -> None:
    store = RocksStore.open(disk / "data")
    hog = take_all_room(disk, leave=1 << 20)
    last = write_until_full(store, 0)

    assert last > 3
    assert len(store.range(Table.BODIES, b"", END, 1 << 31)) >= last * 100
    with pytest.raises(DiskFull):
        store.apply(batch(last + 1))
    with pytest.raises(DiskFull):
        store.sync()

    hog.unlink()
    store.reopen()

    found = whole_batches(store, rows=100)
    assert found[:last] == list(range(1, last + 1))
    assert len(found) <= last + 1
    fill(store, range(len(found) + 1, len(found) + 4), rows=100)
    store.close()
    again = RocksStore.open(disk / "data")
    assert len(whole_batches(again, rows=100)) == len(found) + 3
    again.close()


def test_the_ballast_makes_room_to_come_back_even_if_nobody_frees_any(disk: Path) -> None:
    store = RocksStore.open(disk / "data")
    store._mark_at = 0.0
    store.sync()
    ballast = disk / "data" / BALLAST_NAME
    assert ballast.stat().st_blocks * 512 >= DISK_BYTES // 16
    take_all_room(disk, leave=256 << 10)
    last = write_until_full(store, 0)

    before = store.disk_free_bytes()
    try:
        store.reopen()
    except DiskFull:
        pytest.fail("the ballast was not enough")

    assert not ballast.exists()
    assert store.disk_free_bytes() > before
    assert whole_batches(store, rows=100)[:last] == list(range(1, last + 1))
    store.apply(batch(last + 2, rows=1))
    store.sync()
    store.close()


def test_without_room_the_store_stays_as_it_is(disk: Path) -> None:
    store = RocksStore.open(disk / "data")
    hog = take_all_room(disk, leave=128 << 10)
    last = write_until_full(store, 0)
    hog.unlink()
    take_all_room(disk, leave=0)

    with pytest.raises(DiskFull, match="too little room"):
        store.reopen()

    assert len(store.range(Table.BODIES, b"", END, 1 << 31)) >= last * 100
    with pytest.raises(DiskFull):
        store.apply(batch(last + 1))
    hog.unlink()
    store.reopen()
    assert whole_batches(store, rows=100)[:last] == list(range(1, last + 1))
    store.close()


def test_reads_go_on_though_the_room_is_gone_in_the_middle_of_opening(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old database is closed by then."""
    store = RocksStore.open(disk / "data")
    hog = take_all_room(disk, leave=128 << 10)
    last = write_until_full(store, 0)
    (disk / "data" / BALLAST_NAME).unlink(missing_ok=True)
    hog.unlink()
    take_all_room(disk, leave=0)
    monkeypatch.setattr(RocksStore, "_room_to_open", lambda self: 0)

    for _ in range(2):
        with pytest.raises(DiskFull):
            store.reopen()

        assert whole_batches(store, rows=100)[:last] == list(range(1, last + 1))
        with pytest.raises(DiskFull):
            store.apply(batch(last + 1))
    hog.unlink()
    store.reopen()
    found = whole_batches(store, rows=100)
    assert found[:last] == list(range(1, last + 1))
    fill(store, range(len(found) + 1, len(found) + 4), rows=100)
    store.close()


def test_closing_a_store_on_a_full_disk_lets_go_of_it(disk: Path) -> None:
    store = RocksStore.open(disk / "data")
    hog = take_all_room(disk, leave=512 << 10)
    last = write_until_full(store, 0)

    store.close()

    hog.unlink()
    again = RocksStore.open(disk / "data")
    assert whole_batches(again, rows=100)[:last] == list(range(1, last + 1))
    again.close()


def test_opening_on_a_full_disk_says_so(disk: Path) -> None:
    take_all_room(disk, leave=0)

    with pytest.raises(DiskFull, match="no space is left"):
        RocksStore.open(disk / "data")


def test_after_another_failure_than_a_full_disk_nothing_is_taken_up_again(tmp_path: Path) -> None:
    """A failed fsync must not be repeated: the kernel may have dropped the pages and say nothing the second time."""
    store = RocksStore.open(tmp_path / "data")
    fill(store, [1])
    os.close(store._high_water._file)
    store._mark_at = 0.0
    store.apply(batch(2))
    with pytest.raises(StorageFailed, match="cannot write the high-water mark"):
        store.sync()
    store._high_water._file = os.open("/dev/null", os.O_RDWR)

    for attempt in (store.sync, store.reopen, lambda: store.apply(batch(3))):
        with pytest.raises(StorageFailed):
            attempt()

    assert whole_batches(store) == [1, 2]
    store.close()


def test_the_ballast_is_made_again_when_there_is_plenty_of_room(disk: Path) -> None:
    ballast = Ballast(disk)
    hog = take_all_room(disk, leave=4 << 20)
    ballast.restore()
    assert not (disk / BALLAST_NAME).exists()

    hog.unlink()
    ballast.restore()

    assert (disk / BALLAST_NAME).stat().st_size == DISK_BYTES // 16
    ballast.release()
    assert not (disk / BALLAST_NAME).exists()

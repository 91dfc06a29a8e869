"""How far the database had come, kept outside of it: what tells an older copy, or a lost log, from the truth.

RocksDB opens whatever it finds. If its log was deleted, or an older copy of its directory was put in place, it opens an
older state without a word. The high-water file says which database this was and how many batches of it were on disk.

The file is two slots of 256 bytes, written in turn, in place: a write that a power cut tears leaves the other slot, and
a new mark costs one `fdatasync` and no change of the directory. It is made every second beside the commits.
"""

import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from tq.model.errors import StorageCorrupt

HIGH_WATER_NAME = "high-water.json"
_SLOT_BYTES = 256
_sync_data: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class HighWater(msgspec.Struct, frozen=True, order=True):
    """`applied` batches of the database with this id (hexadecimal) are on disk."""

    applied: int
    database: str


class _Slot(msgspec.Struct):
    applied: int
    database: str
    crc32: int


def read_high_water(directory: Path) -> HighWater | None:
    """The last mark that was written whole; None if there never was one.

    Raises:
        StorageCorrupt: the file is there and holds none.
    """
    path = directory / HIGH_WATER_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    marks = [mark for mark in _slots(data) if mark is not None]
    if not marks:
        raise StorageCorrupt(
            f"{path} is damaged: it should say how far the database had come",
            hint=f"check the disk; then accept the database as it is with: tq doctor --repair {directory}",
        )
    return max(marks)


def reset_high_water(directory: Path, mark: HighWater) -> None:
    """Replace the file: for a database that is new here, whatever was said of another. Atomic and on disk on return."""
    path = directory / HIGH_WATER_NAME
    fresh = path.with_suffix(".new")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, _encode(mark) * 2)
        os.fsync(file)
    finally:
        os.close(file)
    fresh.replace(path)
    sync_directory(directory)


class HighWaterFile:
    """The open file, for marks of one database. Any thread may mark."""

    def __init__(self, directory: Path, database: str, applied: int) -> None:
        """Open the file, or make it with the mark `applied`, which must be on disk."""
        self._database = database
        self._mutex = threading.Lock()
        mark = read_high_water(directory)
        if mark is None or mark.database != database:
            mark = HighWater(applied, database)
            reset_high_water(directory, mark)
        self._applied = mark.applied
        self._file = os.open(directory / HIGH_WATER_NAME, os.O_RDWR | os.O_CLOEXEC)
        self._slot = _slots(os.pread(self._file, 2 * _SLOT_BYTES, 0)).index(mark)

    def mark(self, applied: int) -> None:
        """Say that `applied` batches are on disk; less than was said before changes nothing."""
        with self._mutex:
            if applied <= self._applied:
                return
            self._slot = 1 - self._slot  # never over the highest mark
            os.pwrite(self._file, _encode(HighWater(applied, self._database)), self._slot * _SLOT_BYTES)
            _sync_data(self._file)
            self._applied = applied

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def sync_directory(directory: Path) -> None:
    """Put the names in a directory on disk: a new or renamed file may vanish in a power cut before."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _slots(data: bytes) -> tuple[HighWater | None, HighWater | None]:
    return _decode(data[:_SLOT_BYTES]), _decode(data[_SLOT_BYTES : 2 * _SLOT_BYTES])


def _crc32(applied: int, database: str) -> int:
    return zlib.crc32(f"{applied} {database}".encode())


def _encode(mark: HighWater) -> bytes:
    slot = msgspec.json.encode(_Slot(mark.applied, mark.database, _crc32(mark.applied, mark.database)))
    return slot.ljust(_SLOT_BYTES - 1) + b"\n"


def _decode(data: bytes) -> HighWater | None:
    try:
        slot = msgspec.json.decode(data, type=_Slot)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return HighWater(slot.applied, slot.database) if slot.crc32 == _crc32(slot.applied, slot.database) else None

"""RocksDB's log format, read and written without RocksDB.

The write-ahead log and the MANIFEST have it (rocksdb: db/log_format.h): blocks of 32 KiB; in them records of a masked
CRC-32C u32, a length u16, a type u8, then the data; all little-endian. A batch is one FULL record, or FIRST, MIDDLE...,
LAST. Its first 12 bytes are the sequence of its first change, u64, and the count of its changes, u32. There are more
types, for what tq does not use: recycled files, compression, timestamps.

RocksDB 9.8 never returns from opening a log in which the type of a record is one of those of recycled log files, which
one flipped bit can make of any other (FULL is 1, its recycled twin 5), and rocksdict holds the interpreter's lock
meanwhile. So no log is shown to RocksDB before its headers were read here.
"""

import os
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from tq.storage.checksum import masked_crc32c

BLOCK_BYTES = 32_768

SYNCED_KEY = b"synced"
"""Row of META, written by the store into every batch: the sequence up to which the log was on disk, u64 big-endian."""

_SYNCED_CHANGE = bytes([len(SYNCED_KEY)]) + SYNCED_KEY + b"\x08"  # as it stands in a batch: key and value, with lengths
_HEADER = struct.Struct("<IHB")
_BATCH_HEADER = struct.Struct("<QI")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_TYPE_AT = 6  # in the header; the checksum covers the rest of the record from here
_RECYCLED = (5, 6, 7, 8, 11, 131)
_TYPE = re.compile(b"[\x01-\x04]")


class Damage(msgspec.Struct, frozen=True):
    """The first bytes of a log file that are not a whole batch.

    `intact_at` is where the next intact record lies behind it, None if there is none; `synced` the highest sequence
    that the batches there knew to be on disk.
    """

    offset: int
    what: str
    intact_at: int | None = None
    synced: int = 0


class LogScan(msgspec.Struct, frozen=True):
    """What one log file holds. `next_sequence` follows the last change of the whole batches before any damage."""

    path: Path
    size: int
    first_sequence: int | None
    next_sequence: int | None
    damage: Damage | None


class _Record(msgspec.Struct, frozen=True, gc=False):
    offset: int
    kind: int
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + _HEADER.size + len(self.data)


class _Bad(msgspec.Struct, frozen=True, gc=False):
    offset: int
    what: str


def log_files(database: Path) -> list[Path]:
    """The log files of a database, oldest first."""
    return sorted(database.glob("*.log"), key=lambda path: int(path.stem))


def scan_log(path: Path, *, verify: bool) -> LogScan:
    """Read one log file, one block at a time.

    Args:
        verify: whether to check the checksums (90 MB/s); without, damage is noticed only where records do not line up.
    """
    with path.open("rb") as file:
        return _scan(path, file, verify=verify)


def recycled_type_at(path: Path) -> int | None:
    """Where a file has a record type that RocksDB would hang on; None: nowhere."""
    with path.open("rb") as file:
        for record in _records(file, verify=False):
            if isinstance(record, _Bad):
                file.seek(record.offset + _TYPE_AT)
                return record.offset if file.read(1) in map(_byte, _RECYCLED) else None
    return None


def synced_claims(path: Path) -> int:
    """The highest sequence that any intact record of a file knew to be on disk."""
    with path.open("rb") as file:
        return max((_synced_in(record.data) for record in _intact_records(file, 0)), default=0)


def intact_batches(path: Path) -> Iterator[bytes]:
    """Every batch of a file of which no part is damaged, before and behind any damage."""
    with path.open("rb") as file:
        parts: list[bytes] = []
        end = -1
        for record in _intact_records(file, 0):
            begins, ends = record.kind in (_FULL, _FIRST), record.kind in (_FULL, _LAST)
            if begins:
                parts = []
            elif not parts or record.offset - end >= _HEADER.size:
                parts = []  # something between this part and the one before is lost
                continue
            parts.append(record.data)
            end = record.end
            if ends:
                batch = b"".join(parts)
                parts = []
                if len(batch) >= _BATCH_HEADER.size:
                    yield batch


def write_log(path: Path, batches: Iterable[bytes]) -> None:
    """Make a log file of these batches; on disk on return, but for its name."""
    with path.open("xb") as file:
        for batch in batches:
            for chunk in _framed(batch, file.tell() % BLOCK_BYTES):
                file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _framed(batch: bytes, place: int) -> Iterator[bytes]:
    """The bytes of a batch's records, the first of which begins at `place` in its block."""
    begin, is_first = 0, True
    while is_first or begin < len(batch):
        room = BLOCK_BYTES - place
        if room < _HEADER.size:
            yield bytes(room)
            place, room = 0, BLOCK_BYTES
        data = batch[begin : begin + room - _HEADER.size]
        begin += len(data)
        is_last = begin == len(batch)
        kind = _FULL if is_first and is_last else _FIRST if is_first else _LAST if is_last else _MIDDLE
        yield _HEADER.pack(masked_crc32c(_byte(kind) + data), len(data), kind) + data
        place, is_first = (place + _HEADER.size + len(data)) % BLOCK_BYTES, False


def _scan(path: Path, file: BinaryIO, *, verify: bool) -> LogScan:
    first_sequence = next_sequence = None
    start = 0  # where the batch that is being read begins
    head = b""
    is_inside = False
    damage: Damage | None = None
    for record in _records(file, verify=verify):
        if isinstance(record, _Bad):
            damage = _look_behind(file, start if is_inside else record.offset, record)
            break
        begins, ends = record.kind in (_FULL, _FIRST), record.kind in (_FULL, _LAST)
        if begins == is_inside:
            what = "a batch begins inside another" if begins else "the middle of a batch without its beginning"
            damage = _look_behind(file, start if is_inside else record.offset, _Bad(record.offset, what))
            break
        if begins:
            start, head = record.offset, record.data[: _BATCH_HEADER.size]
        is_inside = not ends
        if ends and len(head) == _BATCH_HEADER.size:
            sequence, count = _BATCH_HEADER.unpack(head)
            first_sequence = sequence if first_sequence is None else first_sequence
            next_sequence = sequence + count
    else:
        if is_inside:
            damage = Damage(start, "the last batch is not complete")
    return LogScan(path, file.seek(0, os.SEEK_END), first_sequence, next_sequence, damage)


def _records(file: BinaryIO, *, verify: bool) -> Iterator[_Record | _Bad]:
    """The records of a file up to the first that is not one."""
    file.seek(0)
    base = 0
    while block := file.read(BLOCK_BYTES):
        place = 0
        while place < len(block):
            if place > BLOCK_BYTES - _HEADER.size and not any(block[place:]):
                break  # too short for a header: padding
            record = _record_at(block, place, base, verify=verify)
            if isinstance(record, _Bad):
                yield record
                return
            yield record
            place = record.end - base
        base += BLOCK_BYTES


def _intact_records(file: BinaryIO, begin: int) -> Iterator[_Record]:
    """What is intact from a place on. After a bad one, the lengths are not to be trusted: the next record may begin at
    any byte of that block that a type follows, and every later block begins with one again."""
    base = begin - begin % BLOCK_BYTES
    place = begin - base
    file.seek(base)
    while block := file.read(BLOCK_BYTES):
        while place <= len(block) - _HEADER.size:
            record = _record_at(block, place, base, verify=True)
            if isinstance(record, _Record):
                yield record
                place = record.end - base
            else:
                following = _TYPE.search(block, place + _TYPE_AT + 1)
                place = following.start() - _TYPE_AT if following else len(block)
        base, place = base + BLOCK_BYTES, 0


def _record_at(block: bytes, place: int, base: int, *, verify: bool) -> _Record | _Bad:
    offset = base + place
    begin = place + _HEADER.size
    if begin > len(block):
        return _Bad(offset, "the file ends inside the header of a record")
    checksum, length, kind = _HEADER.unpack_from(block, place)
    if not _FULL <= kind <= _LAST:
        is_empty = checksum == length == kind == 0
        return _Bad(offset, "zeroes where a record should be" if is_empty else f"{kind} is no type of record")
    end = begin + length
    if end > len(block):
        return _Bad(
            offset, "the file ends inside a record" if len(block) < BLOCK_BYTES else "a record leaves its block"
        )
    if verify and masked_crc32c(block[place + _TYPE_AT : end]) != checksum:
        return _Bad(offset, "the checksum of a record is wrong")
    return _Record(offset, kind, block[begin:end])


def _look_behind(file: BinaryIO, offset: int, bad: _Bad) -> Damage:
    """Whether anything behind a bad place is intact."""
    intact_at: int | None = None
    synced = 0
    for record in _intact_records(file, bad.offset + 1):
        if intact_at is None:
            intact_at = record.offset
        synced = max(synced, _synced_in(record.data))
    return Damage(offset, bad.what, intact_at, synced)


def _synced_in(data: bytes) -> int:
    """What a record claims. A payload could hold the same bytes by design: then it claims too much, and the log is
    refused where it could have been cut; never the other way about."""
    found = data.rfind(_SYNCED_CHANGE)
    value = data[found + len(_SYNCED_CHANGE) :][:8]
    return int.from_bytes(value, "big") if found >= 0 and len(value) == 8 else 0


def _byte(value: int) -> bytes:
    return value.to_bytes(1, "big")

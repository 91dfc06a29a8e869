"""RocksDB's write-ahead log, read without RocksDB: what is whole, what is damaged, and whether that may be cut off.

RocksDB can open a damaged log in two ways: refuse any damage, even the torn last record that every power cut may leave;
or stop in silence at the first damage, losing whatever follows. Neither tells the two apart; this module does.

The format (rocksdb: db/log_format.h): blocks of 32 KiB; in them records of a masked CRC-32C u32, a length u16, a type
u8, for recycled files a log number u32, then the data; all little-endian. A batch is one FULL record, or FIRST,
MIDDLE..., LAST. Its first 12 bytes are the sequence of its first change, u64, and the count of its changes, u32.

A batch of tq also says how far the log had been synced when it was written (`SYNCED_KEY`, the last change in every
batch). After a power cut the disk may hold some of the unsynced pages and not others, so a hole is legitimate where
nothing behind it says that the place of the hole was ever synced. Anything else was acknowledged, and is corruption.
"""

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
_RECYCLED_HEADER_BYTES = _HEADER.size + 4
_BATCH_HEADER = struct.Struct("<QI")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_RECYCLED = range(5, 9)  # the same four
_RECYCLED_META = (11, 131)
_META = (9, 10, 11, 130, 131)  # compression, timestamps, predecessor: nothing of ours


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


class Verdict(msgspec.Struct, frozen=True):
    """What to do about a damaged log: cut it off at `path`, `offset` (`may_cut`), or refuse.

    `bytes_behind` is how much log lies from there on, in this file and the later ones.
    """

    path: Path
    offset: int
    what: str
    may_cut: bool
    bytes_behind: int
    reason: str


class _Record(msgspec.Struct, frozen=True):
    offset: int
    kind: int  # _FULL, _FIRST, _MIDDLE or _LAST
    data: bytes


class _Bad(msgspec.Struct, frozen=True):
    offset: int
    what: str


def log_files(database: Path) -> list[Path]:
    """The log files of a database, oldest first."""
    return sorted(database.glob("*.log"), key=lambda path: int(path.stem))


def examine(database: Path) -> Verdict | None:
    """Read all logs of a closed database, checksums included, and judge the first damage. None: there is none."""
    scans = [scan_log(path) for path in log_files(database)]
    for index, scan in enumerate(scans):
        if scan.damage is not None:
            return _judge(scan, scan.damage, scans[:index], scans[index + 1 :])
    return None


def missing_log(database: Path) -> str:
    """Say which log file lacks a predecessor: the sequences of the files do not follow on each other. "": none does.

    Reads headers alone, and nothing if there is one file only; RocksDB itself would not notice.
    """
    paths = log_files(database)
    if len(paths) < 2:
        return ""
    expected: int | None = None
    for path in paths:
        scan = scan_log(path, verify=False)
        if scan.first_sequence is None:
            continue
        if expected is not None and scan.first_sequence > expected:
            return f"{path.name} begins at change {scan.first_sequence}, the log before it ends before {expected}"
        expected = scan.next_sequence
    return ""


def scan_log(path: Path, *, verify: bool = True) -> LogScan:
    """Read one log file, one block at a time.

    Args:
        verify: whether to check the checksums; without, damage is noticed only where the records do not line up.
    """
    with path.open("rb") as file:
        return _scan(path, file, verify=verify)


def _judge(scan: LogScan, damage: Damage, before: list[LogScan], after: list[LogScan]) -> Verdict:
    whole = [part.next_sequence for part in [*before, scan] if part.next_sequence is not None]
    synced = damage.synced
    intact_in = scan.path.name if damage.intact_at is not None else ""
    for later in after:
        if later.first_sequence is not None or (later.damage and later.damage.intact_at is not None):
            intact_in = intact_in or later.path.name
            synced = max(synced, _synced_of_file(later.path))
    if not intact_in:
        may_cut, reason = True, "nothing intact lies behind it"
    elif whole and synced < whole[-1]:
        may_cut, reason = True, f"what lies behind it was written before change {whole[-1]} was ever synced"
    else:
        may_cut = False
        reason = f"intact records lie behind it in {intact_in}, and they say that it had been synced"
    behind = scan.size - damage.offset + sum(later.size for later in after)
    return Verdict(scan.path, damage.offset, damage.what, may_cut, behind, reason)


def _scan(path: Path, file: BinaryIO, *, verify: bool) -> LogScan:
    first_sequence = next_sequence = None
    start = 0  # where the batch that is being read begins
    head = b""
    is_inside = False
    damage: Damage | None = None
    for part in _parts(file, verify=verify):
        if isinstance(part, _Bad):
            offset = start if is_inside else part.offset
            damage = _look_behind(file, offset, part)
            break
        begins, ends = part.kind in (_FULL, _FIRST), part.kind in (_FULL, _LAST)
        if begins == is_inside:
            what = "a batch begins inside another" if begins else "the middle of a batch without its beginning"
            damage = _look_behind(file, start if is_inside else part.offset, _Bad(part.offset, what))
            break
        if begins:
            start, head = part.offset, part.data[: _BATCH_HEADER.size]
        is_inside = not ends
        if ends and len(head) == _BATCH_HEADER.size:
            sequence, count = _BATCH_HEADER.unpack(head)
            first_sequence = sequence if first_sequence is None else first_sequence
            next_sequence = sequence + count
    else:
        if is_inside:
            damage = Damage(start, "the last batch is not complete")
    size = file.seek(0, 2)
    return LogScan(path, size, first_sequence, next_sequence, damage)


def _parts(file: BinaryIO, *, verify: bool) -> Iterator[_Record | _Bad]:
    """The records of a file up to the first that is not one."""
    file.seek(0)
    base = 0
    while block := file.read(BLOCK_BYTES):
        place = 0
        while place < len(block):
            if len(block) == BLOCK_BYTES and place > BLOCK_BYTES - _HEADER.size and not any(block[place:]):
                break  # too short for a header: padding
            record = _record_at(block, place, base, verify=verify)
            if isinstance(record, _Bad):
                yield record
                return
            if record.kind not in _META:
                yield record
            place = record.offset - base + _header_bytes(block[place + 6]) + len(record.data)
        base += BLOCK_BYTES


def _header_bytes(kind: int) -> int:
    return _RECYCLED_HEADER_BYTES if kind in _RECYCLED or kind in _RECYCLED_META else _HEADER.size


def _record_at(block: bytes, place: int, base: int, *, verify: bool) -> _Record | _Bad:
    offset = base + place
    if len(block) - place < _HEADER.size:
        return _Bad(offset, "the file ends inside the header of a record")
    checksum, length, kind = _HEADER.unpack_from(block, place)
    if kind == 0 and length == 0 and checksum == 0:
        return _Bad(offset, "zeroes where a record should be")
    if not (_FULL <= kind <= 8 or kind in _META):
        return _Bad(offset, f"no such type of record: {kind}")
    begin = place + _header_bytes(kind)
    end = begin + length
    if end > len(block):
        return _Bad(
            offset, "the file ends inside a record" if len(block) < BLOCK_BYTES else "a record leaves its block"
        )
    if verify and masked_crc32c(block[place + 6 : end]) != checksum:
        return _Bad(offset, "the checksum of a record is wrong")
    return _Record(offset, kind - 4 if kind in _RECYCLED else kind, block[begin:end])


def _look_behind(file: BinaryIO, offset: int, bad: _Bad) -> Damage:
    """Whether anything behind a bad place is intact."""
    intact_at: int | None = None
    synced = 0
    for record in _intact_records(file, bad.offset + 1):
        if intact_at is None:
            intact_at = record.offset
        synced = max(synced, _synced_in((record.data,)))
    return Damage(offset, bad.what, intact_at, synced)


def _intact_records(file: BinaryIO, begin: int) -> Iterator[_Record]:
    """What is intact from a bad place on: in its block a record may begin at any byte, for the lengths before it are
    not to be trusted; every later block begins with a record again."""
    base = begin - begin % BLOCK_BYTES
    place = begin - base
    is_first_block = True
    file.seek(base)
    while block := file.read(BLOCK_BYTES):
        while place <= len(block) - _HEADER.size:
            record = _record_at(block, place, base, verify=True)
            if isinstance(record, _Record):
                yield record
                place += _header_bytes(block[place + 6]) + len(record.data)
            elif is_first_block:
                place += 1
            else:
                break
        base, place, is_first_block = base + BLOCK_BYTES, 0, False


def _synced_of_file(path: Path) -> int:
    with path.open("rb") as file:
        return _synced_in(record.data for record in _intact_records(file, 0))


def _synced_in(chunks: Iterable[bytes]) -> int:
    """The highest claim among the changes in `chunks`. A payload could hold the same bytes by design: then it claims
    too much, and the log is refused where it could have been cut; never the other way about."""
    highest = 0
    for data in chunks:
        found = data.rfind(_SYNCED_CHANGE)
        value = data[found + len(_SYNCED_CHANGE) :][:8]
        if found >= 0 and len(value) == 8:
            highest = max(highest, int.from_bytes(value, "big"))
    return highest

"""Damage in the write-ahead log: found before RocksDB sees it, judged, and cut off or salvaged.

RocksDB can open a damaged log in two ways: refuse any damage, even the torn last record that every power cut may leave;
or stop in silence at the first damage, losing whatever follows. Neither tells the two apart; this module does.

Every batch of tq says how far the log had been synced when it was written (wal.SYNCED_KEY). After a power cut the disk
may hold some of the unsynced pages and not others, so a hole is legitimate where nothing intact behind it says that its
place was ever synced. Anything else was acknowledged, and is corruption.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tq.storage.high_water import sync_directory
from tq.storage.wal import (
    Damage,
    LogScan,
    intact_batches,
    log_files,
    recycled_type_at,
    scan_log,
    synced_claims,
    write_log,
)

KEPT_PREFIX = "damaged-"
_STUB = b"\x01"
"""Left behind a cut: the beginning of a record. RocksDB stops there and checks that no table file is ahead of it, which
it would not do at a clean end."""


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


def damaged_manifest(database: Path) -> str:
    """Say where the MANIFEST has damage that RocksDB would hang on, or take for a torn end; "": nowhere."""
    manifest = database / (database / "CURRENT").read_text("ascii", "replace").strip()
    if not manifest.is_file():
        return f"{database / 'CURRENT'} names no file"
    damage = scan_log(manifest, verify=True).damage
    if damage is None or (damage.intact_at is None and recycled_type_at(manifest) is None):
        return ""
    return f"byte {damage.offset:,} of {manifest}: {damage.what}"


def survey(database: Path) -> list[LogScan]:
    """Follow the headers of all logs, oldest first: 0.2 s for 64 MB in the smallest batches."""
    return [scan_log(path, verify=False) for path in log_files(database)]


def missing_log(scans: Sequence[LogScan]) -> str:
    """Say which log file is missing; "": none. RocksDB keeps one always, empty after an orderly end, and does not
    notice when the sequences of two files do not follow on each other."""
    if not scans:
        return "there is no *.log file"
    expected: int | None = None
    for scan in scans:
        if scan.first_sequence is not None and expected is not None and scan.first_sequence > expected:
            return f"{scan.path} begins at change {scan.first_sequence:,}, the log before it ends before {expected:,}"
        expected = scan.next_sequence or expected
    return ""


def examine(database: Path) -> Verdict | None:
    """Read all logs of a closed database, checksums included, and judge the first damage. None: there is none."""
    scans = [scan_log(path, verify=True) for path in log_files(database)]
    for index, scan in enumerate(scans):
        if scan.damage is not None:
            return _judge(scan, scan.damage, scans[:index], scans[index + 1 :])
    return None


@contextmanager
def cut_off(directory: Path, verdict: Verdict) -> Iterator[None]:
    """Cut the log where the verdict says, for as long as it takes to open the database. If that fails, put all back.

    Args:
        directory: the data directory, where what is cut off is kept meanwhile; little space is needed.
    """
    database = verdict.path.parent
    kept = directory / f"{KEPT_PREFIX}{verdict.path.stem}"
    tail = kept / verdict.path.name
    kept.mkdir(mode=0o700, exist_ok=True)
    if not tail.exists():  # else an earlier attempt was killed: it has the original
        _write(tail.with_suffix(".new"), _bytes_from(verdict.path, verdict.offset))
        tail.with_suffix(".new").rename(tail)
    later = [log for log in log_files(database) if int(log.stem) > int(verdict.path.stem)]
    for log in reversed(later):
        log.rename(kept / log.name)
    _replace_from(verdict.path, verdict.offset, _STUB)
    sync_directory(database)
    try:
        yield
    except BaseException:
        _replace_from(verdict.path, verdict.offset, tail.read_bytes())
        tail.unlink()
        for log in log_files(kept):
            log.rename(database / log.name)
        raise
    finally:
        shutil.rmtree(kept)


def salvage(directory: Path, verdict: Verdict) -> Path:
    """Replace every damaged log by one of its intact batches; the directory where the damaged ones are kept."""
    database = verdict.path.parent
    kept = directory / f"{KEPT_PREFIX}{verdict.path.stem}"
    kept.mkdir(mode=0o700, exist_ok=True)
    for log in log_files(database):
        if scan_log(log, verify=True).damage is not None:
            shutil.copy2(log, kept)
            fresh = log.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            write_log(fresh, intact_batches(log))
            fresh.replace(log)
    sync_directory(database)
    return kept


def _bytes_from(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _replace_from(path: Path, offset: int, data: bytes) -> None:
    """Put these bytes in the place of all from `offset` on; on disk on return."""
    with path.open("r+b") as file:
        file.truncate(offset)
        file.seek(offset)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _judge(scan: LogScan, damage: Damage, before: list[LogScan], after: list[LogScan]) -> Verdict:
    whole = [part.next_sequence for part in [*before, scan] if part.next_sequence is not None]
    synced = damage.synced
    intact_in = scan.path.name if damage.intact_at is not None else ""
    for later in after:
        if later.first_sequence is not None or (later.damage is not None and later.damage.intact_at is not None):
            intact_in = intact_in or later.path.name
            synced = max(synced, synced_claims(later.path))
    if not intact_in:
        may_cut, reason = True, "nothing intact lies behind it"
    elif whole and synced < whole[-1]:
        may_cut, reason = True, f"what lies behind it was written before change {whole[-1]:,} was ever synced"
    else:
        may_cut = False
        reason = f"intact records lie behind it in {intact_in}, and they say that it had been synced"
    behind = scan.size - damage.offset + sum(later.size for later in after)
    return Verdict(scan.path, damage.offset, damage.what, may_cut, behind, reason)

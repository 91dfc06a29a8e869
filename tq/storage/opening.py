"""How a data directory is opened: nothing that was acknowledged may be missing without a word.

    data directory/     0700
        tq.lock         who holds it
        high-water.json how far the database had come
        ballast         room to come back with when the disk is full
        db/             RocksDB

RocksDB by itself opens a directory whose log was damaged or deleted, or an older copy, as if nothing were lost. So:
refuse where a part is missing; open it insisting on a whole log; if that fails, read the log (wal.py) and cut off only
what no sync ever covered, telling the caller; then compare with the high-water mark. The caller holds the lock.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tq.engine.tables import META_ENGINE, Table
from tq.model.errors import StorageCorrupt, TqError
from tq.storage.damage import Verdict, cut_off, damaged_manifest, examine, missing_log, survey
from tq.storage.database import Database, Recovery
from tq.storage.failures import DOCTOR_HINT, storage_error
from tq.storage.high_water import HighWater, read_high_water, sync_directory
from tq.storage.rows import applied_of, database_id_of, format_of, identity_writes
from tq.storage.upgrade import upgrade

DATABASE_NAME = "db"


class OpenReport(msgspec.Struct, frozen=True, kw_only=True):
    """What opening found and did, for the log. `cut`: what was cut off the end of the write-ahead log, if anything."""

    directory: Path
    database: str  # id, hexadecimal
    applied: int
    is_new: bool
    format_before: int
    cut: Verdict | None


def prepare_directory(directory: Path) -> None:
    """Make the data directory if need be, readable for its owner alone.

    Raises:
        StorageFailed, DiskFull: it cannot be made, or belongs to somebody else.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            directory.chmod(0o700)
    except OSError as cause:
        raise storage_error(cause, "cannot use the data directory", directory) from cause


@contextmanager
def private_files() -> Iterator[None]:
    """Let files made meanwhile be readable for their owner alone. The mask is the process's: for the start, and short.

    What RocksDB makes later is protected by the directory.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def open_database(directory: Path) -> tuple[Database, OpenReport]:
    """Open or create the database of a locked data directory, or say what is wrong with it.

    Raises:
        StorageCorrupt: data that had been synced is damaged, missing, or older than the high-water mark.
        FormatTooNew: a newer tq wrote it.
        StorageFailed, DiskFull: RocksDB could not open it for another reason.
    """
    try:
        return _open_database(directory)
    except OSError as cause:
        raise storage_error(cause, "cannot open the database", directory) from cause


def _open_database(directory: Path) -> tuple[Database, OpenReport]:
    mark = read_high_water(directory)
    path = directory / DATABASE_NAME
    cut, is_new = None, False
    if (path / "CURRENT").exists():
        database, cut = _open_whole(directory)
    else:
        _refuse_remains(directory, mark)
        _make(path)
        is_new = True
        database = Database(path)
    try:
        version = format_of(database)
        if version is None:  # the first batch of all is gone
            raise _went_back(directory, 0, 0 if mark is None else mark.applied)
        upgrade(database, version, directory)
        report = OpenReport(
            directory=directory,
            database=database_id_of(database),
            applied=applied_of(database.get(Table.META, META_ENGINE)),
            is_new=is_new,
            format_before=version,
            cut=cut,
        )
        if mark is not None and not is_new:
            _compare(report, mark)
    except TqError:
        close_quietly(database)
        raise
    return database, report


def close_quietly(database: Database) -> None:
    """Close what failed already: what RocksDB says then is that it failed already."""
    with suppress(TqError):
        database.close()


def _open_whole(directory: Path) -> tuple[Database, Verdict | None]:
    path = directory / DATABASE_NAME
    hint = DOCTOR_HINT.format(directory=directory)
    if what := damaged_manifest(path):
        raise StorageCorrupt(f"the list of the files of the database is damaged: {what}", hint=hint)
    scans = survey(path)
    if what := missing_log(scans):
        raise StorageCorrupt(f"a part of the write-ahead log of {path} is missing: {what}", hint=hint)
    refused: StorageCorrupt | None = None
    if all(scan.damage is None for scan in scans):  # else RocksDB might not return from opening it
        try:
            return Database(path), None
        except StorageCorrupt as cause:
            refused = cause
    verdict = examine(path)
    if verdict is None:  # the damage is elsewhere
        assert refused is not None, "a log that does not line up is damaged"
        raise refused
    if not verdict.may_cut:
        raise StorageCorrupt(
            f"the write-ahead log is damaged at byte {verdict.offset:,} of {verdict.path}: {verdict.what}; "
            f"{verdict.reason}; {verdict.bytes_behind:,} bytes of log lie from there on",
            hint=hint,
        ) from refused
    with cut_off(directory, verdict):
        return Database(path, Recovery.PREFIX), verdict


def _refuse_remains(directory: Path, mark: HighWater | None) -> None:
    """A database is made only where there was none."""
    path = directory / DATABASE_NAME
    remains = sorted(entry.name for entry in path.iterdir()) if path.exists() else []
    if remains:
        raise StorageCorrupt(
            f"{path}/CURRENT is missing, while {len(remains)} files of a database are there, such as {remains[0]}",
            hint="put back a backup with: tq restore",
        )
    if mark is not None and mark.applied > 0:
        raise StorageCorrupt(
            f"{path} is gone: {directory} held a database with {mark.applied:,} batches",
            hint="put it back, or restore a backup into another directory with: tq restore",
        )


def _make(path: Path) -> None:
    """Make an empty database, under another name first: a kill half way leaves nothing that could be taken for one."""
    fresh = path.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    database = Database(fresh, create=True)
    try:
        database.apply(identity_writes(uuid.uuid4().bytes))
        database.sync()
    finally:
        close_quietly(database)
    fresh.rename(path)  # in the place of an empty directory, if there is one
    sync_directory(path.parent)


def _compare(report: OpenReport, mark: HighWater) -> None:
    if report.database != mark.database:
        raise StorageCorrupt(
            f"{report.directory} holds database {report.database}, but its high-water mark is of {mark.database}",
            hint=f"if it was put there on purpose, accept it with: tq doctor --repair {report.directory}",
        )
    if report.applied < mark.applied:
        raise _went_back(report.directory, report.applied, mark.applied)


def _went_back(directory: Path, found: int, synced: int) -> StorageCorrupt:
    return StorageCorrupt(
        f"the database in {directory} went back in time: it ends at batch {found:,}, but batch {synced:,} had been "
        f"synced; its log was cut, or an older copy was put in its place",
        hint=f"put the newer one back, or accept the loss with: tq doctor --repair {directory}",
    )

"""`tq doctor`: what is wrong with the data directory of a broker that does not run; and, if asked, its repair.

A repair loses nothing that can be kept: where the log is damaged it leaves out the damaged records and keeps those
behind them, then makes indexes and counters anew from the records. A task whose end was lost runs again, as promised:
at least once. The damaged log files are kept beside the database.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from tq.engine.tables import META_ENGINE, Table
from tq.model.errors import InvalidArgument, StorageCorrupt
from tq.storage.consistency import Examination, Fault, Finding
from tq.storage.database import Database, Recovery
from tq.storage.high_water import HighWater, read_high_water, reset_high_water
from tq.storage.lock import DirectoryLock
from tq.storage.opening import DATABASE_NAME, close_quietly, refuse_missing_log
from tq.storage.rows import applied_of, database_id_of, format_of
from tq.storage.upgrade import upgrade
from tq.storage.wal import Verdict, examine, log_files

DAMAGED_PREFIX = "damaged-"


def examine_directory(directory: Path, *, repair: bool = False) -> Iterator[Finding]:
    """Everything that is wrong, as it is found; nothing is changed unless `repair`. Holds the directory meanwhile.

    Raises:
        InvalidArgument: there is no database.
        StorageInUse: a broker runs on it.
        FormatTooNew: a newer tq wrote it.
        StorageFailed, DiskFull: it cannot be read, or a repair not be written.
    """
    directory = directory.absolute()
    if not (directory / DATABASE_NAME / "CURRENT").exists():
        raise InvalidArgument(
            f"{directory} holds no database", hint="name the data directory of a broker; if it is one, restore a backup"
        )
    lock = DirectoryLock(directory)
    try:
        yield from _examine(directory, repair=repair)
    finally:
        lock.release()


def _examine(directory: Path, *, repair: bool) -> Iterator[Finding]:
    path = directory / DATABASE_NAME
    recovery, finding = _judge_log(directory, repair=repair)
    if finding is not None:
        yield finding
    try:
        database = Database(path, recovery, read_only=not repair)
    except StorageCorrupt as cause:
        yield Finding(Fault.FILE_DAMAGED, cause.message)
        return
    try:
        version = format_of(database)
        if version is not None:
            upgrade(database, version, directory)
        lost = _compare(directory, database)
        if lost is not None:
            yield Finding(Fault.WENT_BACK, lost, "accepted as it is", repair)
        yield from Examination(database, repair=repair).run()
        if repair:
            _finish(directory, database)
    finally:
        close_quietly(database)


def _judge_log(directory: Path, *, repair: bool) -> tuple[Recovery, Finding | None]:
    """How the database can be opened, and what that says of its log."""
    path = directory / DATABASE_NAME
    try:
        refuse_missing_log(directory)
    except StorageCorrupt as cause:
        return Recovery.SALVAGE, Finding(Fault.LOG_MISSING, cause.message, "accepted as it is", repair)
    verdict = examine(path)
    if verdict is None:
        return Recovery.WHOLE, None
    where = f"the log is damaged at byte {verdict.offset:,} of {verdict.path}: {verdict.what}; {verdict.reason}"
    if verdict.may_cut:
        return Recovery.PREFIX, Finding(Fault.LOG_TORN, where, f"{verdict.bytes_behind:,} bytes cut off", repair)
    if repair:
        _keep_damaged(directory, verdict)
    return Recovery.SALVAGE, Finding(Fault.LOG_DAMAGED, where, "the damaged records left out", repair)


def _keep_damaged(directory: Path, verdict: Verdict) -> None:
    kept = directory / f"{DAMAGED_PREFIX}{verdict.path.stem}"
    kept.mkdir(mode=0o700, exist_ok=True)
    for log in log_files(directory / DATABASE_NAME):
        shutil.copy2(log, kept)


def _compare(directory: Path, database: Database) -> str | None:
    try:
        mark = read_high_water(directory)
    except StorageCorrupt as cause:
        return cause.message
    if mark is None:
        return None
    found = HighWater(applied_of(database.get(Table.META, META_ENGINE)), database_id_of(database))
    if found.database != mark.database:
        return f"the database is {found.database}, the high-water mark is of {mark.database}"
    if found.applied < mark.applied:
        return f"the database ends at batch {found.applied:,}; batch {mark.applied:,} had been synced"
    return None


def _finish(directory: Path, database: Database) -> None:
    """Put the repair on disk, and the high-water mark where the database is now."""
    database.flush()
    database.sync()
    applied = applied_of(database.get(Table.META, META_ENGINE))
    reset_high_water(directory, HighWater(applied, database_id_of(database)))

"""`tq doctor`: what is wrong with the data directory of a broker that does not run; and, if asked, its repair.

A repair loses nothing that can be kept: where the log is damaged it leaves out the damaged records and keeps those
behind them, then makes indexes and counters anew from the records. A task whose end was lost runs again, as promised:
at least once. The damaged log files are kept beside the database.
"""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tq.engine.tables import FORMAT_VERSION, META_ENGINE, Table
from tq.model.errors import InvalidArgument, StorageCorrupt
from tq.storage.consistency import Examination, Fault, Finding
from tq.storage.damage import Verdict, cut_off, damaged_manifest, examine, missing_log, salvage, survey
from tq.storage.database import Database, Recovery, missing_tables
from tq.storage.high_water import HighWater, read_high_water, reset_high_water
from tq.storage.lock import DirectoryLock
from tq.storage.opening import DATABASE_NAME, close_quietly
from tq.storage.rows import applied_of, database_id_of, format_of, identity_writes
from tq.storage.upgrade import upgrade


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
    if what := damaged_manifest(path):
        yield Finding(Fault.FILE_DAMAGED, what)
        return
    if what := missing_log(survey(path)):
        yield Finding(Fault.LOG_MISSING, what, "accepted as it is", repair)
    verdict = examine(path)
    if verdict is not None:
        yield _log_finding(verdict, is_repaired=repair)
        if not repair:
            return  # RocksDB might not return from opening it
    try:
        if not repair and missing_tables(path):
            yield _format_finding(is_repaired=False)
            return
        if verdict is None:
            database = Database(path, read_only=not repair)
        elif verdict.may_cut:
            with cut_off(directory, verdict):
                database = Database(path, Recovery.PREFIX)
        else:
            salvage(directory, verdict)
            database = Database(path)
    except StorageCorrupt as cause:
        yield Finding(Fault.FILE_DAMAGED, cause.message)
        return
    try:
        version = format_of(database)
        if version is not None:
            if version < FORMAT_VERSION:
                yield _format_finding(is_repaired=repair)
                if not repair:
                    return
            upgrade(database, version, directory)
        else:
            yield Finding(Fault.ROW_MISSING, "the database does not say what it is", "made anew", repair)
            if repair:
                database.apply(identity_writes(uuid.uuid4().bytes))
        lost = _compare(directory, database)
        if lost is not None:
            yield Finding(Fault.WENT_BACK, lost, "accepted as it is", repair)
        yield from Examination(database, repair=repair, now_ms=time.time_ns() // 1_000_000).run()
        if repair:
            _finish(directory, database)
    finally:
        close_quietly(database)


def _format_finding(*, is_repaired: bool) -> Finding:
    what = f"an older tq wrote it; the rest can be examined once it has format {FORMAT_VERSION}"
    return Finding(Fault.FORMAT_OLD, what, "upgraded", is_repaired)


def _log_finding(verdict: Verdict, *, is_repaired: bool) -> Finding:
    where = f"the log is damaged at byte {verdict.offset:,} of {verdict.path}: {verdict.what}; {verdict.reason}"
    if verdict.may_cut:
        return Finding(Fault.LOG_TORN, where, f"{verdict.bytes_behind:,} bytes cut off", is_repaired)
    return Finding(Fault.LOG_DAMAGED, where, "the damaged records left out, and kept beside the database", is_repaired)


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

"""Copies of a database: made while it is used, checked file by file when they are put back.

A backup is a directory with `db/`, a RocksDB database, and `manifest.json`, written last: without, it is no backup.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tq.engine.tables import META_DATABASE, META_ENGINE, Table
from tq.model.errors import InvalidArgument, StorageCorrupt, TqError
from tq.storage.database import Database, Recovery
from tq.storage.failures import storage_error
from tq.storage.high_water import HighWater, reset_high_water, sync_directory
from tq.storage.lock import DirectoryLock
from tq.storage.manifest import BackupFile, Manifest, read_manifest, write_manifest
from tq.storage.opening import DATABASE_NAME, close_quietly, prepare_directory, private_files
from tq.storage.rows import applied_of, database_id_of, format_of, no_writes

CHECKPOINT_PREFIX = "checkpoint-"
_CHUNK_BYTES = 1 << 20


def write_backup(database: Database, data_directory: Path, target: Path) -> Manifest:
    """Copy the rows of an open database, as they are now, into `target`; on disk on return.

    A checkpoint is made first, beside the database: hard links, so the broker stops for milliseconds only, whatever is
    then copied and wherever to.

    Raises:
        InvalidArgument: `target` is not empty, or lies in the data directory.
        DiskFull, StorageFailed: it could not be written; what was written of it is removed.
    """
    target = target.absolute()
    if target == data_directory or data_directory in target.parents:
        raise InvalidArgument(f"{target} lies in the data directory", hint="name a directory elsewhere")
    checkpoint = data_directory / f"{CHECKPOINT_PREFIX}{uuid.uuid4().hex}"
    with _new_directory(target, "the backup"):
        try:
            database.checkpoint(checkpoint)
            manifest = _copy_checkpoint(checkpoint, target)
            write_manifest(target, manifest)
        except OSError as cause:
            raise storage_error(cause, "cannot write the backup", target) from cause
        finally:
            shutil.rmtree(checkpoint, ignore_errors=True)
    return manifest


def restore_backup(backup: Path, directory: Path) -> Manifest:
    """Make a data directory from a backup. It gets a database id of its own: it is another history from here on.

    Raises:
        InvalidArgument: there is no finished backup, or `directory` is not empty.
        FormatTooNew: the backup is of a newer tq.
        StorageCorrupt: a file of the backup is missing or not as it was written.
        StorageInUse, DiskFull, StorageFailed: `directory` could not be written.
    """
    backup, directory = backup.absolute(), directory.absolute()
    manifest = read_manifest(backup)
    with _new_directory(directory, "the data directory"), private_files():
        prepare_directory(directory)
        lock = DirectoryLock(directory)
        try:
            fresh = directory / f"{DATABASE_NAME}.new"
            fresh.mkdir()
            for file in manifest.files:
                copied = _copy(backup / DATABASE_NAME / file.name, fresh / file.name)
                if copied != file:
                    raise _changed(backup / DATABASE_NAME / file.name, file, copied)
            database_id = _adopt(fresh, manifest)
            fresh.rename(directory / DATABASE_NAME)
            reset_high_water(directory, HighWater(manifest.applied, database_id))
        except FileNotFoundError as cause:
            raise StorageCorrupt(
                f"the backup in {backup} is not whole: {cause.filename} is missing", hint="use another backup"
            ) from None
        except OSError as cause:
            raise storage_error(cause, "cannot restore", directory) from cause
        finally:
            lock.release()
    return manifest


def remove_checkpoints(data_directory: Path) -> None:
    """Remove what a backup left when its process was killed."""
    for path in data_directory.glob(f"{CHECKPOINT_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _new_directory(target: Path, what: str) -> Iterator[None]:
    """Make `target`, which must not hold anything, and empty it again if filling it fails."""
    try:
        existed = target.exists()
        if existed and any(target.iterdir()):
            raise InvalidArgument(f"{target} is not empty", hint=f"name a new directory for {what}")
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as cause:
        raise InvalidArgument(f"{target} cannot be made: {cause.strerror}", hint=f"name another for {what}") from None
    try:
        yield
    except BaseException:
        for entry in target.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        if not existed:
            with suppress(OSError):
                target.rmdir()
        raise


def _copy_checkpoint(checkpoint: Path, target: Path) -> Manifest:
    (target / DATABASE_NAME).mkdir(mode=0o700)
    files = tuple(_copy(path, target / DATABASE_NAME / path.name) for path in sorted(checkpoint.iterdir()))
    sync_directory(target / DATABASE_NAME)
    database = Database(checkpoint, Recovery.PREFIX, read_only=True)
    try:
        return Manifest(
            format=format_of(database) or 0,
            database=database_id_of(database),
            applied=applied_of(database.get(Table.META, META_ENGINE)),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            files=files,
        )
    finally:
        close_quietly(database)


def _adopt(path: Path, manifest: Manifest) -> str:
    """Give the restored database its own id, and see that it is what the manifest says."""
    database = Database(path, Recovery.PREFIX)
    try:
        applied = applied_of(database.get(Table.META, META_ENGINE))
        if (applied, database_id_of(database)) != (manifest.applied, manifest.database):
            raise StorageCorrupt(
                f"the backup holds batch {applied:,} of {database_id_of(database)}, its manifest says "
                f"{manifest.applied:,} of {manifest.database}",
                hint="use another backup",
            )
        writes = no_writes()
        database_id = uuid.uuid4()
        writes[Table.META][META_DATABASE] = database_id.bytes
        database.apply(writes)
        database.flush()
        database.sync()
    except TqError:
        close_quietly(database)
        raise
    database.close()
    return database_id.hex


def _copy(source: Path, target: Path) -> BackupFile:
    """Copy and hash in one pass; on disk on return."""
    digest, size = hashlib.sha256(), 0
    private = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as reader, os.fdopen(private, "wb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
            size += len(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return BackupFile(source.name, size, digest.hexdigest())


def _changed(path: Path, expected: BackupFile, found: BackupFile) -> StorageCorrupt:
    what = f"{found.size:,} bytes instead of {expected.size:,}" if found.size != expected.size else "another checksum"
    return StorageCorrupt(f"{path} is not as the backup wrote it: {what}", hint="use another backup")

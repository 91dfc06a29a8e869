"""The store on disk: RocksDB in a data directory that one process holds."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tq.engine.tables import META_ENGINE, Table, Writes
from tq.model.errors import DiskFull, StorageFailed, TqError
from tq.storage.backup import remove_checkpoints, write_backup
from tq.storage.database import Database, Recovery
from tq.storage.disk import Ballast, free_bytes
from tq.storage.failures import FREE_SPACE_HINT, storage_error
from tq.storage.high_water import HighWaterFile
from tq.storage.lock import DirectoryLock
from tq.storage.manifest import Manifest
from tq.storage.opening import (
    DATABASE_NAME,
    OpenReport,
    close_quietly,
    open_database,
    prepare_directory,
    private_files,
)
from tq.storage.rows import applied_of
from tq.storage.tuning import MEMTABLE_BYTES
from tq.storage.wal import log_files

MARK_INTERVAL_S = 1.0
_ROOM_BYTES = 2 << 20


class RocksStore:
    """See Store for who may call what.

    After the first failure of a write or a sync nothing more is written, for what RocksDB holds in memory may then be
    ahead of the disk, and a failed fsync must not be repeated (the kernel may have dropped the page): reads go on,
    `reopen` helps if the disk was full, and otherwise only a new process does.
    """

    def __init__(
        self, directory: Path, lock: DirectoryLock, database: Database, report: OpenReport, clock: Callable[[], float]
    ) -> None:
        """For `open`, which see."""
        self.directory = directory
        self.report = report
        self._lock = lock
        self._database = database
        self._clock = clock
        self._ballast = Ballast(directory)  # made with the first mark: a start need not wait for it
        self._high_water = HighWaterFile(directory, report.database, report.applied)
        self._mark_at = clock() + MARK_INTERVAL_S
        self._engine_row = database.get(Table.META, META_ENGINE)
        self._failure: TqError | None = None
        self._is_closed = False

    @classmethod
    def open(cls, directory: Path, *, clock: Callable[[], float] = time.monotonic) -> Self:
        """Open or create the data directory, by the procedure of opening.py. Serves within a second or two.

        Args:
            clock: seconds, for the interval of the high-water marks.

        Raises:
            StorageInUse: another process has it.
            StorageCorrupt, FormatTooNew, StorageFailed, DiskFull: see `open_database`.
        """
        directory = directory.absolute()
        prepare_directory(directory)
        try:
            with private_files():
                return cls._open_locked(directory, DirectoryLock(directory), clock)
        except OSError as cause:
            raise storage_error(cause, "cannot open the store", directory) from cause

    @classmethod
    def _open_locked(cls, directory: Path, lock: DirectoryLock, clock: Callable[[], float]) -> Self:
        try:
            remove_checkpoints(directory)
            try:
                database, report = open_database(directory)
            except DiskFull:
                Ballast(directory).release()
                database, report = open_database(directory)
            try:
                return cls(directory, lock, database, report, clock)
            except BaseException:
                close_quietly(database)
                raise
        except BaseException:
            lock.release()
            raise

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See Reader."""
        return self._database.get(table, key)

    def range(
        self, table: Table, start: bytes, end: bytes, limit: int, is_descending: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See Reader."""
        return self._database.range(table, start, end, limit, is_descending)

    def apply(self, writes: Writes) -> None:
        """See Store."""
        self._refuse_after_failure()
        try:
            self._database.apply(writes)
        except TqError as failure:
            self._failure = failure
            raise
        row = writes[Table.META].get(META_ENGINE)
        if row is not None:
            self._engine_row = row

    def sync(self) -> None:
        """See Store. About once a second it also marks how far the disk is."""
        self._refuse_after_failure()
        row = self._engine_row  # before the sync: a batch that is applied meanwhile may not be covered
        try:
            self._database.sync()
            now = self._clock()
            if now >= self._mark_at:
                self._mark_at = now + MARK_INTERVAL_S
                self._mark(applied_of(row))
                self._ballast.restore()
        except TqError as failure:
            self._failure = failure
            raise

    def reopen(self) -> None:
        """See Store."""
        if self._failure is None:
            return
        if not isinstance(self._failure, DiskFull):
            raise StorageFailed(
                f"the store in {self.directory} failed and cannot be taken up again: {self._failure.message}",
                hint="start the broker again",
            )
        self._ballast.release()
        if self.disk_free_bytes() < self._room_to_open():
            raise DiskFull(f"there is too little room on the disk of {self.directory}", hint=FREE_SPACE_HINT)
        close_quietly(self._database)
        try:
            self._database, self.report = open_database(self.directory)
        except DiskFull:
            # Others took the room meanwhile. Reads go on; what may be cut off the log was found out before that failed.
            self._database = Database(self.directory / DATABASE_NAME, Recovery.PREFIX, read_only=True)
            raise
        self._engine_row = self._database.get(Table.META, META_ENGINE)
        self._failure = None

    def disk_free_bytes(self) -> int:
        """See Store. The ballast counts as taken."""
        return free_bytes(self.directory)

    def backup(self, directory: Path) -> Manifest:
        """See Store."""
        manifest = write_backup(self._database, self.directory, directory)
        self._mark(manifest.applied)
        return manifest

    def close(self) -> None:
        """See Store.

        Raises:
            DiskFull, StorageFailed: the last sync failed; everything is let go of all the same.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._failure is None:
                self.sync()
                self._mark(applied_of(self._engine_row))
        finally:
            close_quietly(self._database)
            self._high_water.close()
            self._lock.release()

    def _mark(self, applied: int) -> None:
        try:
            self._high_water.mark(applied)
        except OSError as cause:
            raise storage_error(cause, "cannot write the high-water mark", self.directory) from cause

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(self._failure.message, hint=self._failure.hint)

    def _room_to_open(self) -> int:
        """What opening may write at most: the rows of the log that were not yet in table files."""
        logs = sum(path.stat().st_size for path in log_files(self.directory / DATABASE_NAME))
        return min(logs, MEMTABLE_BYTES) + _ROOM_BYTES

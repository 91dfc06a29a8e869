"""The tables as column families of one RocksDB: the only module, with tuning.py, that knows rocksdict.

The traps of rocksdict 0.3 that shape this file: `set_iterate_lower_bound` sets the upper bound; an iterator over a
damaged file ends early without an error unless `status()` is asked; a live family or iterator keeps the lock of a
closed database; `write` holds the interpreter's lock, `flush_wal` does not.
"""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NoReturn

from rocksdict import AccessType, Checkpoint, DBRecoveryMode, Rdict, RdictIter, ReadOptions, WriteBatch

from tq.engine.tables import Table, Writes
from tq.model.errors import FormatTooNew, StorageFailed
from tq.storage.failures import storage_error
from tq.storage.tuning import Tuning
from tq.storage.wal import SYNCED_KEY

_PAGE_ROWS = 1_000
_DEFAULT_FAMILY = "default"  # RocksDB has it always; tq keeps nothing there


class Recovery(Enum):
    """How damage in the log is taken when a database is opened."""

    WHOLE = "whole"  # refuse any
    PREFIX = "prefix"  # stop at the first


_RECOVERY = {
    Recovery.WHOLE: DBRecoveryMode.absolute_consistency,
    Recovery.PREFIX: DBRecoveryMode.point_in_time,
}


class Database:
    """One open RocksDB directory. Used by one thread, but for `sync`, `flush` and `checkpoint`, which any may call."""

    def __init__(
        self, path: Path, recovery: Recovery = Recovery.WHOLE, *, create: bool = False, read_only: bool = False
    ) -> None:
        """Open, or create, `path`.

        Raises:
            FormatTooNew: it has tables that this version does not know.
            StorageInUse, StorageCorrupt, StorageFailed, DiskFull: RocksDB could not open it.
        """
        self.path = path
        self._is_closed = False
        tuning = Tuning()
        try:
            tables = [] if create else Rdict.list_cf(str(path))
        except Exception as cause:  # rocksdict raises nothing narrower
            self._raise(cause, "cannot open the database")
        _refuse_unknown_tables(path, tables)
        try:
            self._rows = Rdict(
                str(path),
                tuning.database(_RECOVERY[recovery](), create=create, add_tables=create or not read_only),
                {table.name.lower(): tuning.table(table) for table in Table},
                AccessType.read_only(False) if read_only else AccessType.read_write(),
            )
        except Exception as cause:
            self._raise(cause, "cannot open the database")
        self._families = tuple(self._rows.get_column_family(table.name.lower()) for table in Table)
        self._handles = tuple(self._rows.get_column_family_handle(table.name.lower()) for table in Table)
        self._getters = tuple(family.get for family in self._families)
        self._synced = self._rows.latest_sequence_number().to_bytes(8, "big")

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See Reader."""
        try:
            value: bytes | None = self._getters[table](key)
        except Exception as cause:
            self._raise(cause, f"cannot read from {table.name}")
        return value

    def range(
        self, table: Table, start: bytes, end: bytes, limit: int, is_descending: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See Reader."""
        try:
            if is_descending:
                return self._range_back(table, start, end, limit)
            return self._range(table, start, end, limit)
        except Exception as cause:
            self._raise(cause, f"cannot read from {table.name}")

    def scan(self, table: Table) -> Iterator[tuple[bytes, bytes]]:
        """All rows of a table in order, as they are now, whatever is written meanwhile. Memory: a page of rows."""
        try:
            once = ReadOptions()
            once.set_readahead_size(1 << 20)
            rows = self._families[table].iter(once)
            rows.seek_to_first()
            page = _page(rows)
        except Exception as cause:
            self._raise(cause, f"cannot read from {table.name}")
        while True:
            yield from page
            if len(page) < _PAGE_ROWS:
                return
            try:
                page = _page(rows)
            except Exception as cause:
                del rows  # else the trace of the error keeps it
                self._raise(cause, f"cannot read from {table.name}")

    def apply(self, writes: Writes) -> None:
        """See Store. A batch without changes is none."""
        if any(writes):
            try:
                self._write(writes)
            except Exception as cause:
                self._raise(cause, "cannot write a batch")

    def sync(self) -> None:
        """See Store."""
        try:
            sequence = self._rows.latest_sequence_number()
            self._rows.flush_wal(True)
        except Exception as cause:
            self._raise(cause, "cannot sync the log")
        self._synced = sequence.to_bytes(8, "big")

    def flush(self) -> None:
        """Write the rows in memory to table files: afterwards there is no log to replay."""
        try:
            for family in self._families:
                family.flush(True)
        except Exception as cause:
            self._raise(cause, "cannot flush")

    def checkpoint(self, path: Path) -> None:
        """Make `path`, on the same disk, a database with the present rows: hard links, a few milliseconds."""
        self.flush()  # with the interpreter's lock released; create_checkpoint would do it with the lock held
        try:
            Checkpoint(self._rows).create_checkpoint(str(path))
        except Exception as cause:
            self._raise(cause, f"cannot make a checkpoint at {path}")

    def close(self) -> None:
        """Let go of files and lock.

        Raises:
            StorageFailed: RocksDB could not write what it still held; the lock is free all the same.
        """
        self._families = self._handles = self._getters = ()  # they would keep the lock
        try:
            self._rows.close()
        except Exception as cause:
            self._raise(cause, "cannot close the database")
        finally:
            self._is_closed = True

    # What touches RocksDB has a frame of its own, which `_raise` forgets: a local in the trace of an error would keep
    # the database locked after it was closed, for as long as anybody keeps the error.

    def _range(self, table: Table, start: bytes, end: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        bounds = ReadOptions()
        bounds.set_iterate_upper_bound(end)
        rows = self._families[table].iter(bounds)
        rows.seek(start)
        valid, key, value, step, add = rows.valid, rows.key, rows.value, rows.next, found.append
        while limit > 0 and valid():
            add((key(), value()))
            step()
            limit -= 1
        rows.status()  # without it, a damaged block looks like the end
        return found

    def _range_back(self, table: Table, start: bytes, end: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        rows = self._families[table].iter(ReadOptions())
        rows.seek_for_prev(end)
        if rows.valid() and rows.key() == end:
            rows.prev()
        # Without a lower bound: with one, RocksDB through rocksdict 0.3.29 gave a row below it.
        while len(found) < limit and rows.valid() and (key := rows.key()) >= start:
            found.append((key, rows.value()))
            rows.prev()
        rows.status()  # without it, a damaged block looks like the end
        return found

    def _write(self, writes: Writes) -> None:
        batch = WriteBatch(raw_mode=True)
        for handle, changes in zip(self._handles, writes, strict=True):
            if changes:
                batch.set_default_column_family(handle)
                for key, value in changes.items():
                    if value is None:
                        del batch[key]
                    else:
                        batch[key] = value
        batch.put(SYNCED_KEY, self._synced, self._handles[Table.META])
        self._rows.write(batch)

    def _raise(self, cause: Exception, what: str) -> NoReturn:
        if self._is_closed:
            raise StorageFailed(f"{what}: the database in {self.path.parent} is closed")
        raise storage_error(cause, what, self.path.parent) from cause.with_traceback(None)


def _page(rows: RdictIter) -> list[tuple[bytes, bytes]]:
    page: list[tuple[bytes, bytes]] = []
    while len(page) < _PAGE_ROWS and rows.valid():
        page.append((rows.key(), rows.value()))
        rows.next()
    rows.status()
    return page


def missing_tables(path: Path) -> list[str]:
    """The tables that an older tq did not have. Opening to write makes them; opening to read only cannot.

    Raises:
        StorageCorrupt, StorageFailed: the list of tables cannot be read.
    """
    try:
        present = set(Rdict.list_cf(str(path)))
    except Exception as cause:  # rocksdict raises nothing narrower
        raise storage_error(cause, "cannot list the tables", path.parent) from cause
    return [table.name.lower() for table in Table if table.name.lower() not in present]


def _refuse_unknown_tables(path: Path, tables: list[str]) -> None:
    unknown = sorted(set(tables) - {table.name.lower() for table in Table} - {_DEFAULT_FAMILY})
    if unknown:
        raise FormatTooNew(
            f"{path.parent} has tables that this version of tq does not know: {', '.join(unknown)}",
            hint="run the version of tq that wrote it, or a newer one",
        )

"""The store without a disk: for tests, and for `--ephemeral` brokers, whose tasks end with them."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from pathlib import Path

from tq.engine.tables import Table, Writes
from tq.model.errors import WrongState
from tq.storage.manifest import Manifest

_SWEEP_MIN = 32
"""Deleted keys that one range may step over before it takes them out."""
_DELETED_MAX = 1_024


class MemoryStore:
    """Rows in dictionaries, with the order of the keys made when a range asks for it."""

    def __init__(self) -> None:
        self._tables = tuple(_Rows() for _ in Table)

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See Reader."""
        return self._tables[table].rows.get(key)

    def range(
        self, table: Table, start: bytes, end: bytes, limit: int, is_descending: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See Reader."""
        rows = self._tables[table]
        return rows.range_back(start, end, limit) if is_descending else rows.range(start, end, limit)

    def apply(self, writes: Writes) -> None:
        """See Store."""
        for table, changes in zip(self._tables, writes, strict=True):
            if changes:
                table.change(changes.items())

    def sync(self) -> None:
        """Nothing to do: nothing here outlives the process."""

    def reopen(self) -> None:
        """Nothing to do: there is no disk that could be full."""

    def disk_free_bytes(self) -> int | None:
        """None: there is no disk."""
        return None

    def backup(self, directory: Path) -> Manifest:
        """Refuse.

        Raises:
            WrongState: always.
        """
        raise WrongState(
            f"this broker keeps its tasks in memory and has nothing to copy to {directory}",
            hint="start it without --ephemeral",
        )

    def close(self) -> None:
        """See Store. The rows stay readable: a test may look at what was left."""


class _Rows:
    """One table: a dictionary, and a sorted list of its keys that lags behind.

    The list may lack keys (`_added`) and may hold deleted ones (`_deleted`), so that a change costs no more than
    hashing. A range first takes the added keys in: at the end for free if they are the largest, as those of a queue
    are. Deleted keys are taken out by the range that steps over them, so that the front of a queue stays cheap.
    """

    __slots__ = ("_added", "_deleted", "_keys", "rows")

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        self._added: list[bytes] = []
        self._deleted: set[bytes] = set()

    def change(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        rows, added, deleted = self.rows, self._added, self._deleted
        for key, value in changes:
            if value is not None:
                if key not in rows:
                    if key in deleted:
                        deleted.remove(key)
                    else:
                        added.append(key)
                rows[key] = value
            elif rows.pop(key, None) is not None:
                deleted.add(key)
        if len(deleted) > _DELETED_MAX and len(deleted) > len(rows):
            # A table that no range is asked of would keep the keys of all rows that there ever were.
            self._keys, self._added, self._deleted = sorted(rows), [], set()

    def range(self, start: bytes, end: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        if self._added:
            self._take_in()
        keys, rows = self._keys, self.rows
        first = index = bisect_left(keys, start)
        found: list[tuple[bytes, bytes]] = []
        while index < len(keys) and len(found) < limit:
            key = keys[index]
            if key >= end:
                break
            value = rows.get(key)
            if value is not None:
                found.append((key, value))
            index += 1
        if index - first - len(found) > _SWEEP_MIN:
            self._deleted.difference_update(keys[first:index])
            keys[first:index] = [key for key, _ in found]
        return found

    def range_back(self, start: bytes, end: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        if self._added:
            self._take_in()
        keys, rows = self._keys, self.rows
        index = bisect_left(keys, end)
        found: list[tuple[bytes, bytes]] = []
        while index and len(found) < limit and (key := keys[index - 1]) >= start:
            value = rows.get(key)
            if value is not None:
                found.append((key, value))
            index -= 1
        return found

    def _take_in(self) -> None:
        keys, added = self._keys, self._added
        self._added = []
        added.sort()
        if not keys or added[0] > keys[-1]:
            keys.extend(added)
        elif len(added) * 16 < len(keys):
            for key in added:
                insort(keys, key)
        else:
            keys.extend(added)
            keys.sort()  # two sorted runs: linear

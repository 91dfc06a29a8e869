"""The engine's view of the disk: what is stored, overlaid with what the running batch changes."""

from tq.engine.tables import Reader, Table, Writes


class Changes:
    """Collects the writes of a batch, one dict a table, and shows reads as if they were already applied.

    Hot paths assign into `tables[Table.X]` themselves: a value to put, None to delete.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.tables: list[dict[bytes, bytes | None]] = [{} for _ in Table]

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value of a key, None if there is none."""
        pending = self.tables[table]
        if key in pending:
            return pending[key]
        return self._reader.get(table, key)

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Set a key."""
        self.tables[table][key] = value

    def delete(self, table: Table, key: bytes) -> None:
        """Remove a key, there or not."""
        self.tables[table][key] = None

    def range(
        self, table: Table, start: bytes, end: bytes, limit: int, is_descending: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """As a Reader's. Costs a pass over the batch's own changes."""
        pending = {key: value for key, value in self.tables[table].items() if start <= key < end}
        if not pending:
            return self._reader.range(table, start, end, limit, is_descending)
        # A pending change hides at most one stored row, so this many more are enough to fill the page.
        stored = self._reader.range(table, start, end, limit + len(pending), is_descending)
        rows = [row for row in stored if row[0] not in pending]
        rows += [(key, value) for key, value in pending.items() if value is not None]
        rows.sort(reverse=is_descending)
        return rows[:limit]

    @property
    def is_empty(self) -> bool:
        """Whether the batch changes nothing."""
        return not any(self.tables)

    def take(self) -> Writes:
        """The writes of the batch; a new one begins."""
        taken = self.tables
        self.tables = [{} for _ in Table]
        return taken

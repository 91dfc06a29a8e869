"""The smallest store: what the engine reads from in these tests. Plain enough to be right at sight."""

from __future__ import annotations

from tq.engine.tables import Table, Writes


class Rows:
    """A Reader over one dict a table, and the `apply` of a store."""

    def __init__(self, tables: list[dict[bytes, bytes]] | None = None) -> None:
        self.tables: list[dict[bytes, bytes]] = tables if tables is not None else [{} for _ in Table]

    def get(self, table: Table, key: bytes) -> bytes | None:
        return self.tables[table].get(key)

    def range(
        self, table: Table, start: bytes, end: bytes, limit: int, is_descending: bool = False
    ) -> list[tuple[bytes, bytes]]:
        rows = self.tables[table]
        keys = sorted((key for key in rows if start <= key < end), reverse=is_descending)
        return [(key, rows[key]) for key in keys[:limit]]

    def apply(self, writes: Writes) -> None:
        for rows, changes in zip(self.tables, writes, strict=True):
            for key, value in changes.items():
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value

    def copy(self) -> Rows:
        return Rows([dict(rows) for rows in self.tables])

    def become(self, other: Rows) -> None:
        """Hold what `other` holds: the state after a power cut."""
        self.apply(
            [
                {key: theirs.get(key) for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)}
                for mine, theirs in zip(self.tables, other.tables, strict=True)
            ]
        )

"""What is shown of one scope: its rows by the version that changed them, so that each watcher is told what is new."""

from collections.abc import Iterable

import msgspec

from tq.model.watching import ScopePart

GONE_MAX = 1_000
"""Rows that went and can still be told one by one; who missed more gets all rows again."""

_encode = msgspec.msgpack.Encoder().encode


class Image:
    """The rows of a scope, encoded, each with the version in which it came or changed. Its memory is bounded by its
    rows, however many watch it and however slow they read."""

    def __init__(self, scope: str, version: int) -> None:
        """`version`: the present one; who has seen less than this has seen nothing of it."""
        self.scope = scope
        self.left_out = 0
        self._floor = version
        self._version = version
        self._rows: dict[str, tuple[int, msgspec.Raw]] = {}  # in the order of versions
        self._order: list[str] | None = None  # of the rows, where one was given
        self._gone: dict[str, int] = {}  # the same
        self._parts: dict[int, msgspec.Raw | None] = {}  # of this version, by what was seen before

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def put(self, key: str, raw: msgspec.Raw, version: int) -> bool:
        """A row is this now; whether that is new."""
        known = self._rows.get(key)
        if known is not None:
            if known[1] == raw:
                return False
            del self._rows[key]
        self._rows[key] = (version, raw)
        self._gone.pop(key, None)
        self._changed(version)
        return True

    def remove(self, key: str, version: int) -> None:
        """A row went."""
        if self._rows.pop(key, None) is None:
            return
        self._gone[key] = version
        if len(self._gone) > GONE_MAX:
            oldest = next(iter(self._gone))
            self._floor = self._gone.pop(oldest)
        self._changed(version)

    def keep_only(self, keys: Iterable[str], version: int) -> bool:
        """All other rows went; whether there were any."""
        gone = self._rows.keys() - set(keys)
        for key in gone:
            self.remove(key, version)
        return bool(gone)

    def replace(self, rows: "list[tuple[str, msgspec.Raw]]", version: int) -> bool:
        """These are all rows, in this order, which matters; whether anything is new."""
        order = [key for key, _ in rows]
        if order == self._order:
            news = [self.put(key, raw, version) for key, raw in rows]
            return any(news)
        self._order = order
        self._rows = {key: (version, raw) for key, raw in rows}
        self._gone.clear()
        self._floor = version  # who has not seen this version gets it whole: an order is not told by its differences
        self._changed(version)
        return True

    def part(self, seen: int) -> msgspec.Raw | None:
        """What is new to who has seen all up to version `seen`, as an encoded ScopePart; None if nothing is.

        The same for all who have seen the same: it is encoded once.
        """
        if seen not in self._parts:
            self._parts[seen] = self._make_part(seen)
        return self._parts[seen]

    def _changed(self, version: int) -> None:
        self._version = version
        self._parts.clear()

    def _make_part(self, seen: int) -> msgspec.Raw | None:
        if seen < self._floor:
            rows = [self._rows[key][1] for key in self._order or self._rows]
            return msgspec.Raw(_encode(ScopePart(self.scope, True, rows, left_out=self.left_out)))
        if seen >= self._version:
            return None
        rows = []
        for version, raw in reversed(self._rows.values()):
            if version <= seen:
                break
            rows.append(raw)
        gone = []
        for key, version in reversed(self._gone.items()):
            if version <= seen:
                break
            gone.append(key)
        rows.reverse()
        return msgspec.Raw(_encode(ScopePart(self.scope, False, rows, gone, self.left_out)))

"""Failure groups, as they are stored and as counting the dead letters gives them."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from tq.engine.bounds import BOUNDS
from tq.engine.grouping import OTHER, fingerprint_of, others_of
from tq.engine.tables import GROUP_COUNT_KEY, U32, GroupRow, Table
from tq.model.fingerprint import GROUP_BYTES, OTHER_GROUP, Fingerprint
from tq.model.task import State, TaskState
from tq.storage.database import Database
from tq.storage.records import Mismatch, TaskRecord, encode


class GroupCount:
    """The rows of GROUPS and their recount. Memory: by the number of groups, and of queues in each."""

    def __init__(self, database: Database) -> None:
        """Read GROUPS.

        Raises:
            StorageCorrupt, StorageFailed: it cannot be read.
        """
        self._rows: dict[bytes, GroupRow] = {}
        self._counts: dict[bytes, int] = {}  # by key
        self._unreadable: list[bytes] = []
        self._counted: Counter[bytes] = Counter()
        self._made: dict[bytes, GroupRow] = {}
        for key, value in database.scan(Table.GROUPS):
            self._read(key, value)

    def _read(self, key: bytes, value: bytes) -> None:
        if len(key) == GROUP_COUNT_KEY.size and len(value) == U32.size:
            (self._counts[key],) = U32.unpack(value)
        elif len(key) == GROUP_BYTES:
            try:
                self._rows[key] = msgspec.msgpack.decode(value, type=GroupRow)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self._unreadable.append(key)
        else:
            self._unreadable.append(key)

    def right_group(self, state: TaskState) -> bytes:
        """The group that a task in this state has to be in; empty if it is no dead letter."""
        if state.state is not State.DEAD_LETTER:
            return b""
        if state.group == OTHER_GROUP:
            return OTHER_GROUP  # there was no room for its own once
        error = _error_of(state).group
        if error == state.group or error in self._rows or error in self._made:
            return error
        return error if len(self._rows) + len(self._made) < BOUNDS.groups_max else OTHER_GROUP

    def count(self, record: TaskRecord, queue: int) -> None:
        """Count a dead letter in, by the group that its state tells."""
        state = record.state
        self._counted[GROUP_COUNT_KEY.pack(state.group, queue)] += 1
        if state.group in self._rows:
            return
        made = self._made.get(state.group)
        if made is None:
            error = _error_of(state)
            at_ms = state.ended_at_ms
            made = GroupRow(error.error_type, error.message, error.place, at_ms, at_ms, record.id)
            self._made[state.group] = made
        made.first_died_at_ms = min(made.first_died_at_ms, state.ended_at_ms)
        made.last_died_at_ms = max(made.last_died_at_ms, state.ended_at_ms)
        made.dead_total += 1

    def mismatches(self) -> Iterator[Mismatch]:
        """The rows of GROUPS that the count contradicts; to be asked when all dead letters are counted."""
        for key in self._unreadable:
            if key not in self._made:
                yield Mismatch(f"a row of GROUPS is not readable: {key.hex()}", Table.GROUPS, key, None)
        for group, row in self._made.items():
            what = f"group {group.hex()} has {row.dead_total:,} dead letters and no row in GROUPS"
            yield Mismatch(what, Table.GROUPS, group, encode(row), is_missing=True)
        for key in sorted(self._counts.keys() | self._counted.keys()):
            stored, counted = self._counts.get(key, 0), self._counted[key]
            if stored != counted or (key in self._counts and not counted):
                group, queue = GROUP_COUNT_KEY.unpack(key)
                what = f"group {group.hex()} has {stored:,} dead letters in queue {queue}, counted {counted:,}"
                yield Mismatch(what, Table.GROUPS, key, U32.pack(counted) if counted else None)
        yield from self._totals()

    def _totals(self) -> Iterator[Mismatch]:
        """More cannot be dead than have died."""
        dead: Counter[bytes] = Counter()
        for key, count in self._counted.items():
            dead[key[:GROUP_BYTES]] += count
        for group, row in self._rows.items():
            if row.dead_total < dead[group]:
                right = msgspec.structs.replace(row, dead_total=dead[group])
                what = f"group {group.hex()} says that {row.dead_total:,} died, counted {dead[group]:,}"
                yield Mismatch(what, Table.GROUPS, group, encode(right))


def _error_of(state: TaskState) -> Fingerprint:
    """What the group that a dead letter says it is in stands for."""
    if state.group == OTHER_GROUP:
        return OTHER
    own = fingerprint_of(state.history)
    others = others_of(own.error_type)
    return others if state.group == others.group else own

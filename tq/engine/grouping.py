"""Failure groups: the dead letters by what killed them, counted as they come and go, and the index that lists them.

There are at most `Bounds.groups_max` groups, whatever errors come, and of one error type `Bounds.groups_per_type_max`.
When a new one needs room, that without dead letters whose last death is longest ago is forgotten; where all have some,
the new error is counted with the "other messages" of its type, or with the "other errors". So an error whose message is
never the same twice leaves the room of others alone. What a task ended with is in its history; this is only the count.
"""

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from tq.engine.bounds import Bounds
from tq.engine.changes import Changes
from tq.engine.tables import GROUP_COUNT_KEY, U32, GroupRow, Table, dead_index_keys
from tq.model.fingerprint import GROUP_BYTES, OTHER_GROUP, Fingerprint, fingerprint
from tq.model.task import AttemptRecord, TaskState

MINUTE_MS = 60_000
OTHER = Fingerprint(OTHER_GROUP, "", "(other errors)", "")
OTHER_MESSAGES = "(other messages)"
"""Instead of a message: of the group of those of one error type for whose message there was no room."""

_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], GroupRow] = msgspec.msgpack.Decoder(GroupRow).decode


class Group:
    """One error in memory. `queues`: its dead letters now, by number of queue, none of them 0; `count`: their sum."""

    __slots__ = ("count", "id", "queues", "row")

    def __init__(self, group: bytes, row: GroupRow) -> None:
        self.id = group
        self.row = row
        self.queues: dict[int, int] = {}
        self.count = 0

    def deaths_per_minute(self, now_ms: int) -> float:
        """Over the last 60 s: what died in this minute, and of the minute before the part that is not yet past it."""
        row = self.row
        minute, into_ms = divmod(now_ms, MINUTE_MS)
        share = 1 - into_ms / MINUTE_MS
        if minute == row.minute:
            return row.deaths + row.deaths_before * share
        return row.deaths * share if minute == row.minute + 1 else 0.0


class Groups:
    """All groups, by fingerprint. Single-threaded; reads nothing from the disk once it is loaded.

    Args:
        bounds: how many errors are told apart, the "other errors" not counted.
    """

    def __init__(self, changes: Changes, bounds: Bounds) -> None:
        self._changes = changes
        self._bounds = bounds
        self.by_id: dict[bytes, Group] = {}
        self._empty: set[bytes] = set()
        self._of_type: Counter[str] = Counter()  # groups, by error type
        self._touched: dict[bytes, Group] = {}
        self._touched_counts: dict[tuple[bytes, int], Group] = {}

    def load(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Take up all rows of GROUPS, in their order: each group comes before its counts."""
        for key, value in rows:
            if len(key) == GROUP_BYTES:
                self.by_id[key] = Group(key, _decode(value))
                continue
            group_id, queue = GROUP_COUNT_KEY.unpack(key)
            group = self.by_id[group_id]
            (group.queues[queue],) = U32.unpack(value)
            group.count += group.queues[queue]
        self._empty = {group.id for group in self.by_id.values() if not group.count}
        self._of_type.update(group.row.error_type for group in self.by_id.values())

    def write(self) -> None:
        """Put what changed among the batch's writes; called once, when the batch is taken."""
        if not self._touched:
            return
        rows = self._changes.tables[Table.GROUPS]
        for group_id, group in self._touched.items():
            rows[group_id] = _encode(group.row)
        for (group_id, queue), group in self._touched_counts.items():
            count = group.queues.get(queue)
            rows[GROUP_COUNT_KEY.pack(group_id, queue)] = None if count is None else U32.pack(count)
        self._touched.clear()
        self._touched_counts.clear()

    # -- moves ------------------------------------------------------------------------------------------------------

    def enter(self, queue: int, task_id: bytes, state: TaskState, now_ms: int) -> bytes:
        """A task dies: list it, and count it in.

        Args:
            queue: the number of its queue.
            state: with the history that its last attempt is in.

        Returns:
            Its group, which its state has to tell.
        """
        error = fingerprint_of(state.history)
        group = self._group_of(error, task_id, now_ms)
        row = group.row
        row.place = error.place if group.id == error.group else ""
        row.last_died_at_ms, row.sample = now_ms, task_id
        row.dead_total += 1
        minute = now_ms // MINUTE_MS
        if minute != row.minute:
            row.deaths_before = row.deaths if minute == row.minute + 1 else 0
            row.minute, row.deaths = minute, 0
        row.deaths += 1
        self._add(group, queue, task_id, now_ms)
        return group.id

    def restore(self, queue: int, task_id: bytes, state: TaskState) -> bytes:
        """A task is a dead letter again, as if it had never left; nothing has died.

        Args:
            state: the one that it had as a dead letter.

        Returns:
            Its group: another than in `state` only if that was forgotten meanwhile and there is no room for it.
        """
        group = self.by_id.get(state.group)
        if group is None:
            group = self._group_of(fingerprint_of(state.history), task_id, state.ended_at_ms)
        self._add(group, queue, task_id, state.ended_at_ms)
        row = group.row  # where the group was forgotten, what it holds is all that is known of it
        row.first_died_at_ms = min(row.first_died_at_ms, state.ended_at_ms)
        row.last_died_at_ms = max(row.last_died_at_ms, state.ended_at_ms)
        row.dead_total = max(row.dead_total, group.count)
        return group.id

    def leave(self, queue: int, task_id: bytes, state: TaskState) -> None:
        """A dead letter goes, wherever to."""
        group = self.by_id[state.group]
        index = self._changes.tables[Table.DEAD_INDEX]
        for key in dead_index_keys(group.id, state.ended_at_ms, task_id):
            index[key] = None
        group.count -= 1
        left = group.queues[queue] - 1
        if left:
            group.queues[queue] = left
        else:
            del group.queues[queue]
        if not group.count:
            self._empty.add(group.id)
        self._touch(group, queue)

    def count_retry(self, group_id: bytes) -> None:
        """A dead letter of this group is given fresh attempts."""
        group = self.by_id[group_id]
        group.row.retried_total += 1
        self._touched[group_id] = group

    # -- parts of the moves -----------------------------------------------------------------------------------------

    def _add(self, group: Group, queue: int, task_id: bytes, died_at_ms: int) -> None:
        index = self._changes.tables[Table.DEAD_INDEX]
        for key in dead_index_keys(group.id, died_at_ms, task_id):
            index[key] = b""
        group.count += 1
        group.queues[queue] = group.queues.get(queue, 0) + 1
        self._empty.discard(group.id)
        self._touch(group, queue)

    def _touch(self, group: Group, queue: int) -> None:
        self._touched[group.id] = group
        self._touched_counts[group.id, queue] = group

    def _group_of(self, error: Fingerprint, task_id: bytes, died_at_ms: int) -> Group:
        group = self.by_id.get(error.group)
        if group is None and not self._has_room_for(error.error_type):
            error = others_of(error.error_type)
            group = self.by_id.get(error.group)
        if group is None and not self._has_room():
            error = OTHER
            group = self.by_id.get(OTHER_GROUP)
        if group is None:
            row = GroupRow(error.error_type, error.message, error.place, died_at_ms, died_at_ms, task_id)
            group = self.by_id[error.group] = Group(error.group, row)
            self._of_type[error.error_type] += 1
        return group

    def _has_room_for(self, error_type: str) -> bool:
        """For another group of this type, whatever others there are."""
        if self._of_type[error_type] < self._bounds.groups_per_type_max:
            return True
        return self._forget_one_of(
            group_id for group_id in self._empty if self.by_id[group_id].row.error_type == error_type
        )

    def _has_room(self) -> bool:
        if len(self.by_id) - (OTHER_GROUP in self.by_id) < self._bounds.groups_max:
            return True
        return self._forget_one_of(group_id for group_id in self._empty if group_id != OTHER_GROUP)

    def _forget_one_of(self, empty: Iterable[bytes]) -> bool:
        """Make room by one of these groups: that whose last death is longest ago. False if there are none."""
        known = self.by_id
        oldest = min(empty, key=lambda group_id: (known[group_id].row.last_died_at_ms, group_id), default=None)
        if oldest is None:
            return False
        error_type = known.pop(oldest).row.error_type
        self._of_type[error_type] -= 1
        if not self._of_type[error_type]:
            del self._of_type[error_type]  # there is no end of types
        self._empty.remove(oldest)
        self._touched.pop(oldest, None)
        self._changes.delete(Table.GROUPS, oldest)
        return True


def others_of(error_type: str) -> Fingerprint:
    """The group of the errors of a type for whose messages there was no room."""
    return fingerprint(error_type, OTHER_MESSAGES, "")


def fingerprint_of(history: tuple[AttemptRecord, ...]) -> Fingerprint:
    """The error that a dead letter died of: that of its last attempt.

    What a worker wrote before it died is not the traceback of this task.
    """
    if not history:
        return fingerprint("", "", "")
    last = history[-1]
    return fingerprint(last.error_type, last.message, "" if last.outcome == "crashed" else last.traceback)

"""The proof that indexes and counters are what the records say, row by row, in bounded memory; and the repair.

The records of the tasks (BODIES, STATES, LEASES) are the truth. First each task is read and every index row that it
demands looked up. Then the index rows are counted: where there are more than were looked up, some are of no task, and
that part of the index is read again row by row. Last the counters are compared. About 20 us a task.
"""

from collections import Counter
from collections.abc import Iterator
from enum import Enum

import msgspec

from tq.engine.tables import (
    DEAD_BY_GROUP_KEY,
    DEAD_BY_ID_KEY,
    DEAD_BY_TIME_KEY,
    DEAD_KEY,
    DUE_KEY,
    LOG_KEY,
    READY_KEY,
    U32,
    DeadOrder,
    DueKind,
    Table,
)
from tq.model.commands import LOG_LINES_MAX
from tq.model.errors import StorageCorrupt
from tq.model.ids import ID_BYTES, format_id
from tq.model.task import State
from tq.storage.catalogue import Catalogue
from tq.storage.database import Database
from tq.storage.operation_count import OperationCount
from tq.storage.records import Row, TaskRecord, decode_record, encode, expected_rows, ready_row
from tq.storage.rows import no_writes

_BATCH_ROWS = 1_000
_READY_CHECKED_BYTES = 20  # id, attempt, crashes; the moment it became ready is nowhere else
_NO_GROUP = -1


class Fault(Enum):
    """What kind of thing is wrong."""

    FORMAT_OLD = "format_old"
    LOG_TORN = "log_torn"
    LOG_DAMAGED = "log_damaged"
    LOG_MISSING = "log_missing"
    WENT_BACK = "went_back"
    FILE_DAMAGED = "file_damaged"
    RECORD_UNREADABLE = "record_unreadable"
    ROW_MISSING = "row_missing"
    ROW_WRONG = "row_wrong"
    ROW_STRAY = "row_stray"
    COUNTER_WRONG = "counter_wrong"


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong. `remedy` is what a repair does about it, "" if it cannot; `is_repaired`: it did."""

    fault: Fault
    what: str
    remedy: str = ""
    is_repaired: bool = False


class Examination:
    """One pass over an open database, which nobody else may use meanwhile."""

    def __init__(self, database: Database, *, repair: bool, now_ms: int) -> None:
        self._database = database
        self._now_ms = now_ms
        self._is_repairing = repair
        self._writes = no_writes()
        self._present: Counter[tuple[Table, int]] = Counter()
        self.tasks = 0

    def run(self) -> Iterator[Finding]:
        """Everything that is wrong, as it is found. A damaged file ends the examination: the rest is not to be seen."""
        try:
            yield from self._run()
        except StorageCorrupt as cause:
            yield Finding(Fault.FILE_DAMAGED, cause.message)

    def _run(self) -> Iterator[Finding]:
        try:
            self._catalogue = Catalogue(self._database)
        except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
            yield Finding(Fault.RECORD_UNREADABLE, f"a row of QUEUES, LANES or META is not readable: {cause}")
            return
        for task_id, body, state, lease in self._tasks():
            yield from self._task(task_id, body, state, lease)
        self._write()
        operations = OperationCount(self._database)
        yield from (Finding(Fault.RECORD_UNREADABLE, what) for what in operations.unreadable)
        self._catalogue.use_numbers(operations.sequence_max, operations.token_max)
        for table in (Table.READY, Table.DUE, Table.DEAD, Table.DEAD_INDEX):
            yield from self._strays(table)
        yield from self._stray_keys()
        yield from self._stray_lines()
        for mismatch in (*operations.mismatches(self._now_ms), *self._catalogue.mismatches()):
            fault, remedy = (
                (Fault.ROW_MISSING, "written") if mismatch.is_missing else (Fault.COUNTER_WRONG, "corrected")
            )
            yield self._fix(fault, mismatch.what, remedy, mismatch.table, mismatch.key, mismatch.value)
        self._write()

    # -- the tasks --------------------------------------------------------------------------------------------------

    def _tasks(self) -> Iterator[tuple[bytes, bytes | None, bytes | None, bytes | None]]:
        """Body, state and lease of every id that has one of them: the three tables are in the same order."""
        scans = [self._database.scan(table) for table in (Table.BODIES, Table.STATES, Table.LEASES)]
        heads = [next(scan, None) for scan in scans]
        while True:
            first = min((head[0] for head in heads if head is not None), default=None)
            if first is None:
                return
            values: list[bytes | None] = [None, None, None]
            for index, head in enumerate(heads):
                if head is not None and head[0] == first:
                    values[index] = head[1]
                    heads[index] = next(scans[index], None)
            yield first, values[0], values[1], values[2]

    def _task(self, task_id: bytes, body: bytes | None, state: bytes | None, lease: bytes | None) -> Iterator[Finding]:
        name = format_id(task_id) if len(task_id) == ID_BYTES else task_id.hex()
        if body is None:
            for table, row in ((Table.STATES, state), (Table.LEASES, lease)):
                if row is not None:
                    what = f"a row of {table.name} is of no task: {name}"
                    yield self._fix(Fault.ROW_STRAY, what, "removed", table, task_id, None)
            return
        self.tasks += 1
        try:
            record = decode_record(task_id, body, state, lease)
        except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
            yield Finding(Fault.RECORD_UNREADABLE, f"a row of task {name} is not readable: {cause}")
            return
        numbers = self._catalogue.find(record)
        if numbers is None:
            numbers = self._catalogue.make(record)  # told, and written, with the counters, which the row must hold
        queue, lane = numbers
        if record.lease is not None and record.state.state.is_final:
            what = f"task {name} has a lease and has ended ({record.state.state})"
            yield self._fix(Fault.ROW_STRAY, what, "lease removed", Table.LEASES, task_id, None)
            record = msgspec.structs.replace(record, lease=None)
        elif record.lease is not None and record.lease.lane != lane:
            right = encode(msgspec.structs.replace(record.lease, lane=lane))
            what = f"the lease of task {name} says lane {record.lease.lane}, the task is of lane {lane}"
            yield self._fix(Fault.ROW_WRONG, what, "corrected", Table.LEASES, task_id, right)
        group = self._catalogue.groups.right_group(record.state)
        if record.state.group != group:
            what = f"task {name} is {record.state.state} and is said to be in group {record.state.group.hex() or None}"
            record = msgspec.structs.replace(record, state=msgspec.structs.replace(record.state, group=group))
            yield self._fix(Fault.ROW_WRONG, what, "corrected", Table.STATES, task_id, encode(record.state))
        if self._database.get(Table.LOGS, LOG_KEY.pack(task_id, 0)) is not None:
            self._catalogue.note_log(lane)
        misplaced = self._misplaced(record, name, lane)
        if misplaced:
            record = self._requeue(record, lane)
            yield Finding(Fault.ROW_WRONG, misplaced, "put at the end of its lane", self._is_repairing)
        for table, key, value in expected_rows(record, queue, lane, self._now_ms):
            if not (misplaced and table is Table.READY):
                yield from self._look_up(record, name, (table, key, value))
        self._catalogue.count(record, queue, lane)

    def _misplaced(self, record: TaskRecord, name: str, lane: int) -> str:
        """Why the task can be in no index where it says it is; "" if it can."""
        if record.current is State.IN_PROGRESS and record.lease is None:
            return f"task {name} is in progress without a lease"
        if record.current is State.PENDING and record.state.sequence:
            row = self._database.get(Table.READY, READY_KEY.pack(lane, record.state.sequence))
            if row is not None and row[:ID_BYTES] != record.id:
                return f"the place of task {name} in lane {lane} is taken by {row[:ID_BYTES].hex()}"
        return ""

    def _requeue(self, record: TaskRecord, lane: int) -> TaskRecord:
        """Put a task at the end of its lane, if repairing."""
        if not self._is_repairing:
            return record
        state = msgspec.structs.replace(
            record.state, state=State.PENDING, sequence=self._catalogue.take_sequence(), scheduled_at_ms=0
        )
        moved = msgspec.structs.replace(record, state=state)
        self._put(Table.STATES, record.id, encode(state))
        self._put(Table.READY, READY_KEY.pack(lane, state.sequence), ready_row(moved))
        self._present[Table.READY, lane] += 1
        return moved

    def _look_up(self, record: TaskRecord, name: str, row: Row) -> Iterator[Finding]:
        table, key, value = row
        group = _group(table, key)
        found = self._database.get(table, key)
        if found is None:
            self._present[table, group] += self._is_repairing
            what = f"task {name} is {record.current} and has no row in {table.name}"
            yield self._fix(Fault.ROW_MISSING, what, "written", table, key, value)
            return
        self._present[table, group] += 1
        if table is Table.READY and found[:_READY_CHECKED_BYTES] != value[:_READY_CHECKED_BYTES]:
            what = f"the READY row of task {name} counts other attempts or crashes than its record"
            yield self._fix(Fault.ROW_WRONG, what, "corrected", table, key, value)
        if table is Table.KEYS and found != record.id and not self._demands(found, table, key):
            what = f"the key {record.key!r} of task {name} leads to {found.hex()}"
            yield self._fix(Fault.ROW_WRONG, what, "corrected", table, key, value)

    # -- the indexes ------------------------------------------------------------------------------------------------

    def _strays(self, table: Table) -> Iterator[Finding]:
        """Rows that no task demands: where an index has more than were looked up, each of them is asked."""
        counts = Counter(_group(table, key) for key, _ in self._database.scan(table))
        suspects = {group for group, count in counts.items() if count != self._present[table, group]}
        if table is Table.DUE:
            suspects.discard(DueKind.EXPIRE)
        if not suspects:
            return
        for key, value in self._database.scan(table):
            group = _group(table, key)
            if group in suspects:
                task_id = value[:ID_BYTES] if table is Table.READY else key[-ID_BYTES:]
                if group == _NO_GROUP or not self._demands(task_id, table, key):
                    what = f"a row of {table.name} is of no task: {key.hex()}"
                    yield self._fix(Fault.ROW_STRAY, what, "removed", table, key, None)

    def _stray_keys(self) -> Iterator[Finding]:
        for key, task_id in self._database.scan(Table.KEYS):
            if not self._demands(task_id, Table.KEYS, key):
                what = f"the key {key[U32.size :].decode('utf-8', 'replace')!r} leads to no task that has it"
                yield self._fix(Fault.ROW_STRAY, what, "removed", Table.KEYS, key, None)

    def _stray_lines(self) -> Iterator[Finding]:
        """Log lines of no task, and those that the row which numbers them does not tell of."""
        owner, following = b"", 0
        for key, value in self._database.scan(Table.LOGS):
            is_key = len(key) == LOG_KEY.size
            task_id, number = LOG_KEY.unpack(key) if is_key else (key, 0)
            if task_id != owner:
                owner, following = task_id, 0
                if number == 0 and is_key and self._database.get(Table.BODIES, task_id) is not None:
                    following = U32.unpack(value)[0]
            if not following or (number and not following - LOG_LINES_MAX <= number < following):
                what = f"a row of LOGS is of no task, or not one of its latest lines: {key.hex()}"
                yield self._fix(Fault.ROW_STRAY, what, "removed", Table.LOGS, key, None)

    def _demands(self, task_id: bytes, table: Table, key: bytes) -> bool:
        """Whether the record of a task asks for this index row. A record that cannot be read keeps its rows."""
        get = self._database.get
        body = get(Table.BODIES, task_id)
        if body is None:
            return False
        try:
            record = decode_record(task_id, body, get(Table.STATES, task_id), get(Table.LEASES, task_id))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return True
        numbers = self._catalogue.find(record)
        if numbers is None:
            return False
        return any(row[:2] == (table, key) for row in expected_rows(record, *numbers, self._now_ms))

    # -- repairing --------------------------------------------------------------------------------------------------

    def _fix(self, fault: Fault, what: str, remedy: str, table: Table, key: bytes, value: bytes | None) -> Finding:
        """The finding, and its remedy if repairing: this row gets this value, None for no row."""
        if self._is_repairing:
            self._put(table, key, value)
        return Finding(fault, what, remedy, self._is_repairing)

    def _put(self, table: Table, key: bytes, value: bytes | None) -> None:
        self._writes[table][key] = value
        if sum(map(len, self._writes)) >= _BATCH_ROWS:
            self._write()

    def _write(self) -> None:
        self._database.apply(self._writes)
        self._writes = no_writes()


_KEY_BYTES = {Table.READY: READY_KEY.size, Table.DUE: DUE_KEY.size, Table.DEAD: DEAD_KEY.size}
_DEAD_INDEX_BYTES: dict[int, int] = {
    DeadOrder.GROUP: DEAD_BY_GROUP_KEY.size,
    DeadOrder.TIME: DEAD_BY_TIME_KEY.size,
    DeadOrder.ID: DEAD_BY_ID_KEY.size,
}


def _group(table: Table, key: bytes) -> int:
    """The part of an index that a row is in: its lane, kind, queue or order; they are counted apart. Keys that are
    none of the index, and tables that are no such index, have no part."""
    match table:
        case Table.DEAD_INDEX:
            return key[0] if len(key) == _DEAD_INDEX_BYTES.get(key[0]) else _NO_GROUP
        case Table.READY | Table.DEAD | Table.DUE if len(key) != _KEY_BYTES[table]:
            return _NO_GROUP
        case Table.DUE:
            return key[0]
        case Table.READY | Table.DEAD:
            return int.from_bytes(key[:4], "big")
        case _:
            return _NO_GROUP

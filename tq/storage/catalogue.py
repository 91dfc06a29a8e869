"""Queues, lanes and the engine's counters, as they are stored and as counting the records gives them."""

from collections.abc import Iterator

import msgspec

from tq.engine.tables import META_ENGINE, U32, LaneRow, MetaRow, QueueRow, Table
from tq.model.task import State
from tq.storage.database import Database
from tq.storage.group_count import GroupCount
from tq.storage.records import Mismatch, TaskRecord, encode

_SEQUENCE_GAP = 1 << 40
"""No database has seen so many tasks: behind this gap lies no sequence that a later record could use."""

_COUNTERS = {
    "scheduled": "waiting for their time",
    "retrying": "waiting for a retry",
    "in_progress": "in progress",
    "dead": "dead letters",
    "completed": "completed",
    "cancelled": "cancelled",
}


class Recount(msgspec.Struct):
    """What the records of one queue add up to, by the names of QueueRow."""

    scheduled: int = 0
    retrying: int = 0
    in_progress: int = 0
    dead: int = 0
    completed: int = 0
    cancelled: int = 0


class LaneCount(msgspec.Struct):
    """What the records of one lane add up to. `first_sequence` is of its first ready task."""

    ready: int = 0
    first_sequence: int = 0


class Catalogue:
    """The numbers of queues and lanes by their names. Memory: by the number of queues and lanes, not of tasks."""

    def __init__(self, database: Database) -> None:
        """Read QUEUES, LANES, GROUPS and META.

        Raises:
            msgspec.MsgspecError: a row is not what it should be.
            StorageCorrupt, StorageFailed: they cannot be read.
        """
        self.meta = MetaRow()
        engine_row = database.get(Table.META, META_ENGINE)
        if engine_row is not None:
            self.meta = msgspec.msgpack.decode(engine_row, type=MetaRow)
        self._stored_meta = msgspec.structs.replace(self.meta)
        self._queue_rows: dict[int, QueueRow] = {}
        self._lane_rows: dict[int, LaneRow] = {}
        self._queues: dict[str, int] = {}
        self._lanes: dict[tuple[int, str, int], int] = {}
        self._recounts: dict[int, Recount] = {}
        self._lane_counts: dict[int, LaneCount] = {}
        self._logged: set[int] = set()
        self._orphans: list[int] = []
        self._made: set[tuple[Table, int]] = set()
        self._has_gap = False
        self.groups = GroupCount(database)
        for key, value in database.scan(Table.QUEUES):
            self._add_queue(U32.unpack(key)[0], msgspec.msgpack.decode(value, type=QueueRow))
        for key, value in database.scan(Table.LANES):
            self._add_lane(U32.unpack(key)[0], msgspec.msgpack.decode(value, type=LaneRow))

    def find(self, record: TaskRecord) -> tuple[int, int] | None:
        """The numbers of the task's queue and lane; None if one of them is not there."""
        queue_name, task_type, tier = record.lane
        queue = self._queues.get(queue_name)
        lane = None if queue is None else self._lanes.get((queue, task_type, tier))
        return None if queue is None or lane is None else (queue, lane)

    def make(self, record: TaskRecord) -> tuple[int, int]:
        """Number what is missing of the task's queue and lane; `mismatches` then has their rows."""
        queue_name, task_type, tier = record.lane
        queue = self._queues.get(queue_name)
        if queue is None:
            queue = self.meta.next_queue
            self._add_queue(queue, QueueRow(queue_name))
            self._made.add((Table.QUEUES, queue))
        lane = self.meta.next_lane
        self._add_lane(lane, LaneRow(queue, task_type, int(tier)))
        self._made.add((Table.LANES, lane))
        return queue, lane

    def count(self, record: TaskRecord, queue: int, lane: int) -> None:
        """Count a task in, and the numbers that it uses."""
        recount = self._recounts[queue]
        state = record.state
        match record.current:
            case State.IN_PROGRESS:
                recount.in_progress += 1
            case State.PENDING if state.sequence:
                lane_count = self._lane_counts[lane]
                lane_count.ready += 1
                if state.sequence < lane_count.first_sequence or lane_count.ready == 1:
                    lane_count.first_sequence = state.sequence
            case State.PENDING:
                recount.scheduled += 1
            case State.FAILED:
                recount.retrying += 1
            case State.DEAD_LETTER:
                recount.dead += 1
                self.groups.count(record, queue)
            case State.COMPLETED:
                recount.completed += 1
            case State.CANCELLED:
                recount.cancelled += 1
        self._use_sequence(max(record.stored.sequence, record.stored.number, state.sequence, state.moved))
        self.meta.last_id = max(self.meta.last_id, record.id)
        if record.lease is not None:
            self.use_numbers(record.lease.sequence, record.lease.token)

    def use_numbers(self, sequence: int, token: int) -> None:
        """These were given out, and all below them."""
        self._use_sequence(sequence)
        self.meta.next_token = max(self.meta.next_token, token + 1)

    def take_sequence(self) -> int:
        """A place that no record uses, those not yet counted included; behind all others."""
        if not self._has_gap:
            self._has_gap = True
            self.meta.next_sequence += _SEQUENCE_GAP
        sequence = self.meta.next_sequence
        self.meta.next_sequence += 1
        return sequence

    def note_log(self, lane: int) -> None:
        """A task of this lane has log lines."""
        self._logged.add(lane)

    def mismatches(self) -> Iterator[Mismatch]:
        """The rows of QUEUES, LANES, GROUPS and META that the count contradicts; to be asked after the last task."""
        for number, row in self._queue_rows.items():
            yield from self._queue_mismatch(number, row)
        for number, lane_row in self._lane_rows.items():
            yield from self._lane_mismatch(number, lane_row)
        if self.meta != self._stored_meta:
            what = f"the engine would use numbers or ids again: {self._stored_meta}, should be {self.meta}"
            yield Mismatch(what, Table.META, META_ENGINE, encode(self.meta))
        yield from self.groups.mismatches()
        for number in self._orphans:
            yield Mismatch(f"lane {number} belongs to no queue", Table.LANES, U32.pack(number), None)

    def _queue_mismatch(self, number: int, row: QueueRow) -> Iterator[Mismatch]:
        recount = self._recounts[number]
        wrong = [name for name in _COUNTERS if getattr(row, name) != getattr(recount, name)]
        right = msgspec.structs.replace(row, **{name: getattr(recount, name) for name in wrong})
        if (Table.QUEUES, number) in self._made:
            what = f"queue {row.name!r} has no row in QUEUES"
        elif wrong:
            counts = "; ".join(f"{getattr(row, n)} {_COUNTERS[n]}, counted {getattr(recount, n)}" for n in wrong)
            what = f"the counters of queue {row.name!r} are wrong: {counts}"
        else:
            return
        yield Mismatch(what, Table.QUEUES, U32.pack(number), encode(right), (Table.QUEUES, number) in self._made)

    def _lane_mismatch(self, number: int, row: LaneRow) -> Iterator[Mismatch]:
        count = self._lane_counts[number]
        first = count.first_sequence if count.ready else row.low_water
        has_logs = row.has_logs or number in self._logged
        right = msgspec.structs.replace(row, ready=count.ready, low_water=min(row.low_water, first), has_logs=has_logs)
        is_made = (Table.LANES, number) in self._made
        if right == row and not is_made:
            return
        lane = f"{row.task_type!r} of tier {row.tier} in queue {self._queue_rows[row.queue].name!r}"
        if is_made:
            what = f"{lane} has no row in LANES"
        elif right == msgspec.structs.replace(row, has_logs=has_logs):
            what = f"the lane of {lane} does not know that its tasks have log lines"
        else:
            what = (
                f"the lane of {lane} says {row.ready} ready from {row.low_water} on, counted {count.ready} from {first}"
            )
        yield Mismatch(what, Table.LANES, U32.pack(number), encode(right), is_made)

    def _use_sequence(self, sequence: int) -> None:
        self.meta.next_sequence = max(self.meta.next_sequence, sequence + 1)

    def _add_queue(self, number: int, row: QueueRow) -> None:
        self._queue_rows[number] = row
        self._queues[row.name] = number
        self._recounts[number] = Recount()
        self.meta.next_queue = max(self.meta.next_queue, number + 1)

    def _add_lane(self, number: int, row: LaneRow) -> None:
        if row.queue not in self._queue_rows:
            self._orphans.append(number)
            return
        self._lane_rows[number] = row
        self._lanes[row.queue, row.task_type, row.tier] = number
        self._lane_counts[number] = LaneCount()
        self.meta.next_lane = max(self.meta.next_lane, number + 1)

"""What must hold of the rows of a store after every batch, checked from the rows alone.

Written without the engine's own helpers, from tables.py: a second opinion. `violations` says each broken rule in a
sentence; an empty list is a sound store. The names I2, I9, I10 are those of docs/testing.md.
"""

from collections import Counter, defaultdict

import msgspec

from tests.engine.rows import Rows
from tq.engine.tables import (
    DEAD_BY_GROUP_KEY,
    DEAD_BY_ID_KEY,
    DEAD_BY_TIME_KEY,
    DEAD_KEY,
    DUE_KEY,
    GROUP_COUNT_KEY,
    LOG_KEY,
    META_ENGINE,
    READY_KEY,
    READY_ROW,
    U32,
    DeadOrder,
    DueKind,
    GroupRow,
    LaneRow,
    LeaseRow,
    MetaRow,
    OperationRow,
    QueueRow,
    Table,
)
from tq.model.commands import LOG_LINES_MAX
from tq.model.fingerprint import OTHER_GROUP, fingerprint
from tq.model.task import State, StoredTask, TaskState, tier_of

decode = msgspec.msgpack.decode


def violations(rows: Rows, now_ms: int) -> list[str]:
    """Every broken rule of these rows, at a moment after `advance` has caught up."""
    return _Inspection(rows, now_ms).found


class _Inspection:
    def __init__(self, rows: Rows, now_ms: int) -> None:
        self.found: list[str] = []
        self.now_ms = now_ms
        tables = rows.tables
        self.tables = tables
        self.stored = {key: decode(value, type=StoredTask) for key, value in tables[Table.BODIES].items()}
        self.states = {key: decode(value, type=TaskState) for key, value in tables[Table.STATES].items()}
        self.leases = {key: decode(value, type=LeaseRow) for key, value in tables[Table.LEASES].items()}
        self.queues = {U32.unpack(key)[0]: decode(row, type=QueueRow) for key, row in tables[Table.QUEUES].items()}
        self.lanes = {U32.unpack(key)[0]: decode(row, type=LaneRow) for key, row in tables[Table.LANES].items()}
        meta = tables[Table.META].get(META_ENGINE)
        self.meta = decode(meta, type=MetaRow) if meta is not None else MetaRow()
        self.numbers = {row.name: number for number, row in self.queues.items()}
        self.places: dict[bytes, list[str]] = defaultdict(list)
        self.queue_counts: dict[int, Counter[str]] = defaultdict(Counter)
        self.lane_sequences: dict[int, list[int]] = defaultdict(list)

        self._tasks()
        self._ready()
        self._due()
        self._dead()
        self._groups()
        self._operations()
        self._one_place_each()
        self._keys()
        self._logs()
        self._counters()
        self._numbers()

    def _rule(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.found.append(sentence)

    def _state(self, task_id: bytes) -> TaskState:
        stored = self.stored[task_id]
        return self.states.get(task_id) or TaskState(
            state=State.PENDING, sequence=stored.sequence, scheduled_at_ms=stored.scheduled_at_ms
        )

    def _exists(self, task_id: bytes, where: str) -> bool:
        exists = task_id in self.stored
        self._rule(exists, f"{where} names {task_id.hex()}, which has no body")
        return exists

    def _tasks(self) -> None:
        for task_id, stored in self.stored.items():
            self._rule(stored.spec.id == task_id, f"the body of {task_id.hex()} is of {stored.spec.id.hex()}")
            self._rule(stored.spec.queue in self.numbers, f"{task_id.hex()} is of a queue without a row")
        for task_id, state in self.states.items():
            if self._exists(task_id, "STATES"):
                self._rule(state.state is not State.IN_PROGRESS, f"a state row says in_progress: {task_id.hex()}")
                if state.state.is_final:
                    self._rule(state.sequence == 0, f"ended {task_id.hex()} has a place")
                    self.places[task_id].append(f"ended {state.state}")
                    self._count(task_id, {"dead_letter": "dead"}.get(state.state, state.state))
        for task_id, lease in self.leases.items():
            if not self._exists(task_id, "LEASES"):
                continue
            state = self._state(task_id)
            self.places[task_id].append("leased")
            self._count(task_id, "in_progress")
            self._rule(state.state is State.PENDING, f"leased {task_id.hex()} is {state.state}")
            self._rule(state.sequence == lease.sequence, f"leased {task_id.hex()} has lost its place")
            self._rule(lease.attempt == state.attempt + 1, f"leased {task_id.hex()} miscounts its attempts")
            self._rule(lease.crashes == state.crashes, f"leased {task_id.hex()} miscounts its crashes")
            self._rule(self._is_lane_of(lease.lane, task_id), f"leased {task_id.hex()} is of another lane")
        tokens = [lease.token for lease in self.leases.values()]
        self._rule(len(tokens) == len(set(tokens)), "I2: two leases have one token")

    def _count(self, task_id: bytes, what: str) -> None:
        self.queue_counts[self.numbers.get(self.stored[task_id].spec.queue, 0)][what] += 1

    def _is_lane_of(self, number: int, task_id: bytes) -> bool:
        lane, spec = self.lanes.get(number), self.stored[task_id].spec
        return lane is not None and (lane.queue, lane.task_type, lane.tier) == (
            self.numbers.get(spec.queue),
            spec.task_type,
            tier_of(spec.priority),
        )

    def _ready(self) -> None:
        for key, value in self.tables[Table.READY].items():
            lane, sequence = READY_KEY.unpack(key)
            task_id, attempt, crashes, ready_at_ms = READY_ROW.unpack(value)
            self.lane_sequences[lane].append(sequence)
            if not self._exists(task_id, "READY"):
                continue
            state = self._state(task_id)
            self.places[task_id].append("ready")
            self._rule(state.state is State.PENDING, f"I9: ready {task_id.hex()} is {state.state}")
            self._rule(state.sequence == sequence, f"ready {task_id.hex()} lies at another place than its own")
            self._rule((state.attempt, state.crashes) == (attempt, crashes), f"ready {task_id.hex()} miscounts")
            self._rule(ready_at_ms <= self.now_ms, f"{task_id.hex()} is ready before its time")
            self._rule(self._is_lane_of(lane, task_id), f"ready {task_id.hex()} lies in another lane")

    def _due(self) -> None:
        expiring = set()
        removed = set()
        for key in self.tables[Table.DUE]:
            kind, when_ms, task_id = DUE_KEY.unpack(key)
            self._rule(when_ms > self.now_ms, f"{DueKind(kind).name} of {task_id.hex()} is overdue")
            if not self._exists(task_id, f"DUE {DueKind(kind).name}"):
                continue
            state = self._state(task_id)
            if kind == DueKind.READY:
                self.places[task_id].append("waits for a time")
                self._rule(state.scheduled_at_ms == when_ms, f"{task_id.hex()} is due at another time than its own")
                self._rule(state.state in (State.PENDING, State.FAILED), f"due {task_id.hex()} is {state.state}")
                self._rule(state.sequence == 0, f"due {task_id.hex()} has a place in its lane")
                self._count(task_id, "retrying" if state.state is State.FAILED else "scheduled")
            elif kind == DueKind.REMOVE:
                removed.add(task_id)
                self._rule(state.state.is_final, f"{task_id.hex()} is to be removed and has not ended")
                self._rule(state.remove_at_ms == when_ms, f"{task_id.hex()} is removed at another time than its own")
            else:
                expiring.add(task_id)
                self._rule(self.stored[task_id].expires_at_ms == when_ms, f"{task_id.hex()} expires at a wrong time")
        for task_id in self.stored:
            if self._state(task_id).state.is_final:
                self._rule(task_id in removed, f"ended {task_id.hex()} would be kept for ever")
            elif self.stored[task_id].expires_at_ms > self.now_ms:
                self._rule(task_id in expiring, f"{task_id.hex()} would never expire")

    def _dead(self) -> None:
        listed = set()
        for key in self.tables[Table.DEAD]:
            queue, died_at_ms, task_id = DEAD_KEY.unpack(key)
            self._rule(task_id not in listed, f"{task_id.hex()} is a dead letter twice")
            listed.add(task_id)
            if self._exists(task_id, "DEAD"):
                state = self._state(task_id)
                self._rule(state.state is State.DEAD_LETTER, f"the dead letter {task_id.hex()} is {state.state}")
                self._rule(state.ended_at_ms == died_at_ms, f"the dead letter {task_id.hex()} died at another time")
                self._rule(queue == self.numbers.get(self.stored[task_id].spec.queue), "a dead letter of another queue")
        dead = {task_id for task_id, state in self.states.items() if state.state is State.DEAD_LETTER}
        self._rule(dead == listed, f"{len(dead)} dead letters, {len(listed)} listed")

    def _groups(self) -> None:
        """The index of the dead letters and the counts of their groups, made anew from the states."""
        index: set[bytes] = set()
        counts: Counter[tuple[bytes, int]] = Counter()
        for task_id, state in self.states.items():
            if state.state is not State.DEAD_LETTER:
                self._rule(state.group == b"", f"{task_id.hex()} has a group and is {state.state}")
            elif task_id in self.stored:
                right = (_group_of(state), _others_of(state), OTHER_GROUP)
                self._rule(state.group in right, f"{task_id.hex()} is in a wrong group")
                index.add(DEAD_BY_GROUP_KEY.pack(DeadOrder.GROUP, state.group, state.ended_at_ms, task_id))
                index.add(DEAD_BY_TIME_KEY.pack(DeadOrder.TIME, state.ended_at_ms, task_id))
                index.add(DEAD_BY_ID_KEY.pack(DeadOrder.ID, task_id))
                counts[state.group, self.numbers.get(self.stored[task_id].spec.queue, 0)] += 1
        self._rule(index == self.tables[Table.DEAD_INDEX].keys(), "the index of the dead letters is not theirs")
        groups, kept = {}, {}
        for key, value in self.tables[Table.GROUPS].items():
            if len(key) == GROUP_COUNT_KEY.size:
                kept[GROUP_COUNT_KEY.unpack(key)] = int.from_bytes(value, "big")
            else:
                groups[key] = decode(value, type=GroupRow)
        self._rule(kept == counts, f"I10: groups count {kept}, there are {dict(counts)}")
        self._rule({group for group, _ in kept} <= groups.keys(), "dead letters are counted for a group without a row")
        for group, row in groups.items():
            count = sum(number for (counted, _), number in counts.items() if counted == group)
            self._rule(row.dead_total >= count, f"group {group.hex()} had {row.dead_total} deaths, and has {count}")
            self._rule(row.last_died_at_ms >= row.first_died_at_ms, f"group {group.hex()} ended before it began")

    def _operations(self) -> None:
        """What was moved is of an operation that is there, and as much as it says until its retention is over."""
        rows = {key: decode(value, type=OperationRow) for key, value in self.tables[Table.OPERATIONS].items()}
        counts = Counter(key[:-16] for key in self.tables[Table.MOVED])
        self._rule(counts.keys() <= rows.keys(), "tasks were moved by no operation")
        for key, row in rows.items():
            is_going = 0 < row.remove_at_ms <= self.now_ms
            fits = counts[key] <= row.moved if is_going else counts[key] == row.moved
            self._rule(fits, f"operation {key.hex()} says that it moved {row.moved} tasks, there are {counts[key]}")
            self._rule(row.as_of < self.meta.next_sequence, f"operation {key.hex()} was frozen in time to come")

    def _one_place_each(self) -> None:
        for task_id in self.stored:
            places = self.places.get(task_id, [])
            self._rule(len(places) == 1, f"I9: {task_id.hex()} is in {len(places)} places: {', '.join(places)}")

    def _keys(self) -> None:
        wanted = {
            U32.pack(self.numbers.get(stored.spec.queue, 0)) + stored.spec.options.key.encode(): task_id
            for task_id, stored in self.stored.items()
            if stored.spec.options is not None and stored.spec.options.key is not None
        }
        self._rule(wanted == self.tables[Table.KEYS], "I6: the idempotency keys are not those of the tasks")

    def _logs(self) -> None:
        lines: dict[bytes, list[int]] = defaultdict(list)
        for key in self.tables[Table.LOGS]:
            task_id, number = LOG_KEY.unpack(key)
            lines[task_id].append(number)
        for task_id, numbers in lines.items():
            if not self._exists(task_id, "LOGS"):
                continue
            spec = self.stored[task_id].spec
            place = (self.numbers.get(spec.queue, 0), spec.task_type, int(tier_of(spec.priority)))
            has_logs = {(lane.queue, lane.task_type, lane.tier): lane.has_logs for lane in self.lanes.values()}
            self._rule(has_logs.get(place, False), f"{task_id.hex()} has log lines, and its lane does not know of any")
            head = self.tables[Table.LOGS].get(LOG_KEY.pack(task_id, 0))
            following = U32.unpack(head)[0] if head is not None else 0
            kept = [0, *range(max(1, following - LOG_LINES_MAX), following)]
            self._rule(sorted(numbers) == kept, f"the log lines of {task_id.hex()} are not the latest {LOG_LINES_MAX}")

    def _counters(self) -> None:
        for number, row in self.queues.items():
            counted = self.queue_counts[number]
            for what in ("scheduled", "retrying", "in_progress", "dead", "completed", "cancelled"):
                kept = getattr(row, what)
                self._rule(kept == counted[what], f"I10: {row.name} counts {kept} {what}, there are {counted[what]}")
        for number, lane in self.lanes.items():
            sequences = self.lane_sequences[number]
            self._rule(lane.ready == len(sequences), f"I10: lane {number} counts {lane.ready}, has {len(sequences)}")
            self._rule(
                not sequences or min(sequences) >= lane.low_water,
                f"lane {number} has a row below its low-water mark {lane.low_water}",
            )
            self._rule(lane.queue in self.queues, f"lane {number} is of no queue")
        self._rule(self.lane_sequences.keys() <= self.lanes.keys(), "READY rows of a lane that does not exist")

    def _numbers(self) -> None:
        """What was given out is below what will be given out next, or a restart would give it out again."""
        meta = self.meta
        sequences = [sequence for lane in self.lane_sequences.values() for sequence in lane]
        sequences += [lease.sequence for lease in self.leases.values()]
        sequences += [state.moved for state in self.states.values()]
        sequences += [stored.number for stored in self.stored.values()]
        self._rule(max(sequences, default=0) < meta.next_sequence, "a place above the next one")
        tokens = [lease.token for lease in self.leases.values()]
        self._rule(max(tokens, default=0) < meta.next_token, "I4: a token above the next one")
        self._rule(max(self.queues, default=0) < meta.next_queue, "a queue number above the next one")
        self._rule(max(self.lanes, default=0) < meta.next_lane, "a lane number above the next one")
        self._rule(len(self.numbers) == len(self.queues), "two queues have one name")
        self._rule(max(self.stored, default=b"") <= meta.last_id, "I6: a task above the highest id ever taken")


def _others_of(state: TaskState) -> bytes:
    """The group of what has the same error type, and a message for which there was no room."""
    error_type = state.history[-1].error_type if state.history else ""
    return fingerprint(error_type, "(other messages)", "").group


def _group_of(state: TaskState) -> bytes:
    """The group of the error of the last attempt; what a worker wrote before it died is of no task."""
    if not state.history:
        return fingerprint("", "", "").group
    last = state.history[-1]
    return fingerprint(last.error_type, last.message, "" if last.outcome == "crashed" else last.traceback).group

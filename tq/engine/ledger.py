"""The engine's books: tables, indexes and counters, and the few moves that keep them in step.

Every operation of the engine is made of these moves. Each changes the rows of a task, its index rows and the counters
of its queue together, so that no operation can change one and forget another. `tq doctor` proves the same rules.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from tq.engine import logs
from tq.engine.bounds import Bounds
from tq.engine.changes import Changes
from tq.engine.events import Events
from tq.engine.grouping import Groups
from tq.engine.history import History
from tq.engine.lanes import BodyBudget, Lane, Ready
from tq.engine.operations.book import Book
from tq.engine.queues import TYPES_MAX, Queue
from tq.engine.stacks import Stacks
from tq.engine.tables import (
    DEAD_KEY,
    DUE_KEY,
    META_ENGINE,
    READY_KEY,
    READY_ROW,
    U32,
    DueKind,
    LaneRow,
    LeaseRow,
    LogRow,
    MetaRow,
    MovedRow,
    QueueRow,
    Reader,
    Table,
    TokenRow,
)
from tq.engine.waiters import Waiters
from tq.engine.workers import Lease, Profile, Worker
from tq.model.errors import QueueNotFound, TaskNotFound, TooManyRequests
from tq.model.identity import ANONYMOUS, BROKER, Actor
from tq.model.ids import format_id
from tq.model.names import check_name
from tq.model.replies import Push, Reply
from tq.model.settings import Settings
from tq.model.task import HISTORY_MAX, AttemptRecord, State, StoredTask, TaskOptions, TaskState, Tier, tier_of

DEFAULT_OPTIONS = TaskOptions()
HOUR_MS = 3_600_000

encode = msgspec.msgpack.Encoder().encode
decode_stored: Callable[[bytes], StoredTask] = msgspec.msgpack.Decoder(StoredTask).decode
decode_state: Callable[[bytes], TaskState] = msgspec.msgpack.Decoder(TaskState).decode
decode_moved: Callable[[bytes], MovedRow] = msgspec.msgpack.Decoder(MovedRow).decode
decode_lease: Callable[[bytes], LeaseRow] = msgspec.msgpack.Decoder(LeaseRow).decode


class Record(msgspec.Struct, gc=False):
    """All rows of one task. `state` is synthesised where there is no STATES row; `lease` is set while in progress."""

    id: bytes
    stored: StoredTask
    state: TaskState
    has_state: bool
    lease: Lease | None

    @property
    def options(self) -> TaskOptions:
        """The options of the task, the defaults where it was submitted without."""
        return self.stored.spec.options or DEFAULT_OPTIONS

    @property
    def moved(self) -> int:
        """When the task came to where it is, in the order of all changes. A set is frozen by taking a number from
        `next_sequence`: what is below it was there, what comes later is not."""
        return self.state.moved or self.stored.number or self.stored.sequence

    @property
    def current(self) -> State:
        """The public state."""
        return State.IN_PROGRESS if self.lease is not None else self.state.state


class Disk(msgspec.Struct, frozen=True):
    """What the shell last said of the disk. `why_not_accepting` is empty if everything is taken; bytes are 0 where
    there is no disk."""

    why_not_accepting: str = ""
    is_read_only: bool = False
    free_bytes: int = 0
    bytes_min: int = 0


class Ledger:
    """Everything that the engine knows, loaded from the reader. Single-threaded; reads no clock."""

    def __init__(self, reader: Reader, settings: Settings, seed: int, bounds: Bounds) -> None:
        self.settings = settings
        self.bounds = bounds
        self.changes = Changes(reader)
        self.random = random.Random(seed)  # noqa: S311 - jitter, not a secret
        self.meta = MetaRow()
        self.queues: dict[str, Queue] = {}
        self.queues_by_number: dict[int, Queue] = {}
        self.lanes: dict[tuple[str, str, int], Lane] = {}
        self.lanes_by_number: dict[int, Lane] = {}
        self.active: dict[str, Queue] = {}  # may be dispatched from: ready tasks, not paused
        self.leases: dict[bytes, Lease] = {}
        self.workers: dict[bytes, Worker] = {}
        self.sessions: dict[int, Worker] = {}
        self.profiles: dict[tuple[object, ...], Profile] = {}
        self.history = History(self.changes, bounds.history_max)
        self.events = Events(self.changes)
        self.disk = Disk()
        self.waiters = Waiters(settings.broker.max_waiters)
        self.operations = Book(self.changes)
        self.stacks = Stacks()
        self.session = 0  # the connection whose request is being stepped; 0: none
        self.actors: dict[int, Actor] = {}  # by session, those who said who they are
        self.groups = Groups(self.changes, bounds)
        self.tokens: dict[bytes, TokenRow] = {}  # by id
        self.audit_floor = b""  # no row of AUDIT is earlier: reading starts above tombstones
        self.audit_due_ms: int | None = None  # when the first of them is too old; None: there is no row
        self.outbox: list[tuple[int, Reply | Push]] = []
        self.delivered_bytes = 0  # bodies of tasks in `outbox`
        self.bodies = BodyBudget(settings.broker.window_bytes)
        self.next_due_ms: int | None = 0  # no row of DUE is earlier; None: there is no row
        self.due_floors = dict.fromkeys(DueKind, 0)  # no row of the kind is earlier: reading starts above tombstones
        self.next_worker_check_ms: int | None = None
        self.turn = 0  # counts the turns of queues, to serve first the one served longest ago
        self._touched_queues: dict[int, Queue] = {}
        self._touched_lanes: dict[int, Lane] = {}
        self._batch_sequence = 1
        self._load()

    @property
    def actor(self) -> Actor:
        """Whose request is being stepped; the broker itself where there is none."""
        return self.actors.get(self.session, ANONYMOUS) if self.session else BROKER

    # -- loading and the end of a batch ---------------------------------------------------------------------------

    def _load(self) -> None:
        row = self.changes.get(Table.META, META_ENGINE)
        if row is not None:
            self.meta = msgspec.msgpack.decode(row, type=MetaRow)
        self._batch_sequence = self.meta.next_sequence
        for key, value in self._all(Table.QUEUES):
            self._add_queue(Queue(U32.unpack(key)[0], msgspec.msgpack.decode(value, type=QueueRow)))
        for key, value in self._all(Table.LANES):
            lane_row = msgspec.msgpack.decode(value, type=LaneRow)
            queue = self.queues_by_number[lane_row.queue]
            self._add_lane(Lane(U32.unpack(key)[0], queue, lane_row, self.bodies, self.bounds))
            queue.ready[lane_row.tier] += lane_row.ready
        for queue in self.queues.values():
            self.refresh_active(queue)
        self.groups.load(self._all(Table.GROUPS))
        for key, value in self._all(Table.TOKENS):
            self.tokens[key] = msgspec.msgpack.decode(value, type=TokenRow)
        if self.changes.range(Table.AUDIT, b"", b"\xff" * 16, 1):
            self.audit_due_ms = 0  # looked at when the time is first known

    def _all(self, table: Table) -> list[tuple[bytes, bytes]]:
        return self.changes.range(table, b"", b"\xff" * 64, 1 << 31)

    def _add_queue(self, queue: Queue) -> None:
        self.queues[queue.row.name] = queue
        self.queues_by_number[queue.number] = queue

    def _add_lane(self, lane: Lane) -> None:
        row = lane.row
        self.lanes[lane.queue.row.name, row.task_type, row.tier] = lane
        self.lanes_by_number[lane.number] = lane
        lane.queue.lanes[row.tier][row.task_type] = lane

    def write_counters(self) -> None:
        """Put the counters that changed among the batch's writes; called once, when the batch is taken."""
        put = self.changes.put
        for number, queue in self._touched_queues.items():
            put(Table.QUEUES, U32.pack(number), encode(queue.row))
        for number, lane in self._touched_lanes.items():
            lane.row.low_water = lane.low_water
            put(Table.LANES, U32.pack(number), encode(lane.row))
        self._touched_queues.clear()
        self._touched_lanes.clear()
        self.groups.write()
        if not self.changes.is_empty:
            self.meta.applied += 1
            put(Table.META, META_ENGINE, encode(self.meta))
            self._batch_sequence = self.meta.next_sequence

    @property
    def touched_queues(self) -> dict[int, Queue]:
        """The queues whose counters this batch changes, by number."""
        return self._touched_queues

    # -- finding ----------------------------------------------------------------------------------------------------

    def find(self, task_id: bytes) -> Record:
        """All rows of a task.

        Raises:
            TaskNotFound: no such id, or no longer.
        """
        record = self.find_or_none(task_id)
        if record is None:
            raise TaskNotFound(
                f"there is no task {format_id(task_id)}", hint="it was never submitted, or its retention is over"
            )
        return record

    def find_or_none(self, task_id: bytes) -> Record | None:
        """As `find`, None where there is no such task."""
        body = self.changes.get(Table.BODIES, task_id)
        if body is None:
            return None
        stored = decode_stored(body)
        row = self.changes.get(Table.STATES, task_id)
        if row is not None:
            state = decode_state(row)
        else:
            state = TaskState(state=State.PENDING, sequence=stored.sequence, scheduled_at_ms=stored.scheduled_at_ms)
        return Record(task_id, stored, state, row is not None, self.leases.get(task_id))

    def queue(self, name: str) -> Queue:
        """A queue by name.

        Raises:
            QueueNotFound: nothing was ever submitted to it.
        """
        queue = self.queues.get(name)
        if queue is None:
            raise QueueNotFound(f"there is no queue {name!r}", hint="tq queue list shows all")
        return queue

    def lane(self, queue_name: str, task_type: str, tier: Tier) -> Lane:
        """The lane of these three, made if it is their first task; `check_new_lanes` has allowed it then."""
        lane = self.lanes.get((queue_name, task_type, tier))
        if lane is not None:
            return lane
        queue = self.queues.get(queue_name)
        if queue is None:
            queue = Queue(self.meta.next_queue, QueueRow(queue_name))
            self.meta.next_queue += 1
            self._add_queue(queue)
            self.touch(queue)
        lane = Lane(self.meta.next_lane, queue, LaneRow(queue.number, task_type, int(tier)), self.bodies, self.bounds)
        self.meta.next_lane += 1
        self._add_lane(lane)
        self._touched_lanes[lane.number] = lane
        return lane

    def check_new_lanes(self, wanted: Iterable[tuple[str, str, Tier]]) -> None:
        """Whether these lanes, all different and none of them there yet, may be made.

        Raises:
            InvalidArgument: a name that `check_name` refuses.
            TooManyRequests: more queues, or more task types in one queue, than there may be.
        """
        queues_max = self.settings.broker.max_queues
        new_queues: set[str] = set()
        types: Counter[tuple[str, Tier]] = Counter()
        for queue_name, task_type, tier in wanted:
            check_name("task type", task_type)
            queue = self.queues.get(queue_name)
            if queue is None:
                check_name("queue", queue_name)
                new_queues.add(queue_name)
            types[queue_name, tier] += 1
            known = len(queue.lanes[tier]) if queue is not None else 0
            if known + types[queue_name, tier] > TYPES_MAX:
                raise TooManyRequests(f"queue {queue_name!r} would hold more than {TYPES_MAX} different task types")
        if new_queues and len(self.queues) + len(new_queues) > queues_max:
            raise TooManyRequests(
                f"queue {min(new_queues)!r} would be one more than broker.max_queues = {queues_max}",
                hint="use queues for what is operated apart, and task types for the rest",
            )

    def lane_of(self, stored: StoredTask) -> Lane:
        """The lane of a task that exists."""
        spec = stored.spec
        return self.lane(spec.queue, spec.task_type, tier_of(spec.priority))

    # -- counters ---------------------------------------------------------------------------------------------------

    def touch(self, queue: Queue) -> None:
        """The counters of this queue changed."""
        self._touched_queues[queue.number] = queue

    def refresh_active(self, queue: Queue) -> None:
        """Whether the queue can be dispatched from may have changed."""
        if queue.row.is_paused or not any(queue.ready):
            self.active.pop(queue.row.name, None)
        else:
            self.active[queue.row.name] = queue

    # -- moves: ready -----------------------------------------------------------------------------------------------

    def put_ready(self, lane: Lane, ready: Ready) -> None:
        """Make a task ready: its READY row, the lane's count and window."""
        self.changes.tables[Table.READY][READY_KEY.pack(lane.number, ready.sequence)] = READY_ROW.pack(
            ready.id, ready.attempt, ready.crashes, ready.ready_at_ms
        )
        queue = lane.queue
        self._touched_lanes[lane.number] = lane
        lane.add(ready)
        if lane.row.ready == 1:
            queue.filled += 1
        queue.ready[lane.row.tier] += 1
        if queue.row.name not in self.active:
            self.refresh_active(queue)

    def take_ready(self, lane: Lane) -> Ready:
        """Take the task that `lane.head` just returned; its READY row goes."""
        ready = lane.pop()
        sequence = ready.sequence
        rows = self.changes.tables[Table.READY]
        key = READY_KEY.pack(lane.number, sequence)
        if sequence >= self._batch_sequence:
            del rows[key]  # made by this very batch: there is no row on disk to delete
        else:
            rows[key] = None
        lane.queue.ready[lane.row.tier] -= 1
        self._touched_lanes[lane.number] = lane
        return ready

    def remove_ready(self, lane: Lane, sequence: int) -> None:
        """A ready task leaves its lane from anywhere in it."""
        lane.remove(sequence)
        self.changes.delete(Table.READY, lane.key(sequence))
        lane.queue.ready[lane.row.tier] -= 1
        self._touched_lanes[lane.number] = lane
        self.refresh_active(lane.queue)

    def next_sequence(self) -> int:
        """A place behind all others, in a lane and in the order of all changes."""
        sequence = self.meta.next_sequence
        self.meta.next_sequence = sequence + 1
        return sequence

    # -- moves: due -------------------------------------------------------------------------------------------------

    def put_due(self, kind: DueKind, when_ms: int, task_id: bytes) -> None:
        """Remember to look at a task at a moment."""
        self.changes.tables[Table.DUE][DUE_KEY.pack(kind, when_ms, task_id)] = b""
        if self.next_due_ms is None or when_ms < self.next_due_ms:
            self.next_due_ms = when_ms
        if when_ms < self.due_floors[kind]:
            self.due_floors[kind] = when_ms

    def delete_due(self, kind: DueKind, when_ms: int, task_id: bytes) -> None:
        """Forget that."""
        self.changes.tables[Table.DUE][DUE_KEY.pack(kind, when_ms, task_id)] = None

    # -- moves: states ----------------------------------------------------------------------------------------------

    def put_state(self, task_id: bytes, state: TaskState) -> TaskState:
        """Write the state row of a task that came to another place just now; the state with the number of the move."""
        written = msgspec.structs.replace(state, moved=self.next_sequence())
        self.changes.tables[Table.STATES][task_id] = encode(written)
        return written

    def annotate(self, task_id: bytes, state: TaskState) -> None:
        """Write the state row of a task that stays where it is: a set that was frozen with it still holds it."""
        self.changes.tables[Table.STATES][task_id] = encode(state)

    def leave(self, record: Record) -> None:
        """Take a task that is not leased out of the index of the state it is in; the caller puts it into another."""
        assert record.lease is None, "a lease ends by drop_lease"
        state = record.state
        lane = self.lane_of(record.stored)
        row = lane.queue.row
        self.touch(lane.queue)
        match state.state:
            case State.PENDING if state.sequence:
                self.remove_ready(lane, state.sequence)
            case State.PENDING:
                self.delete_due(DueKind.READY, state.scheduled_at_ms, record.id)
                row.scheduled -= 1
            case State.FAILED:
                self.delete_due(DueKind.READY, state.scheduled_at_ms, record.id)
                row.retrying -= 1
            case State.DEAD_LETTER:
                self.changes.delete(Table.DEAD, DEAD_KEY.pack(lane.queue.number, state.ended_at_ms, record.id))
                self.groups.leave(lane.queue.number, record.id, state)
                self.delete_due(DueKind.REMOVE, state.remove_at_ms, record.id)
                row.dead -= 1
            case State.COMPLETED:
                self.delete_due(DueKind.REMOVE, state.remove_at_ms, record.id)
                row.completed -= 1
            case State.CANCELLED:
                self.delete_due(DueKind.REMOVE, state.remove_at_ms, record.id)
                row.cancelled -= 1
            case State.IN_PROGRESS:
                raise AssertionError("a task in progress has a lease")

    def drop_lease(self, lease: Lease) -> None:
        """End a lease: its row, its place with its worker, the count."""
        del self.leases[lease.id]
        lease.worker.leases.pop(lease.id, None)
        self.changes.tables[Table.LEASES][lease.id] = None
        queue = lease.lane.queue
        queue.row.in_progress -= 1
        self._touched_queues[queue.number] = queue

    def rewrite_lease(self, lease: Lease) -> None:
        """Put what changed of a lease on disk: its cancellation, or how far it was extended."""
        hello = lease.worker.hello
        row = LeaseRow(
            lease.token,
            lease.lane.number,
            lease.sequence,
            lease.attempt,
            lease.crashes,
            lease.leased_at_ms,
            lease.ready_at_ms,
            hello.incarnation,
            hello.name,
            lease.cancel_reason,
            lease.extended_to_ms,
        )
        self.changes.put(Table.LEASES, lease.id, encode(row))

    def enter_final(self, record: Record, state: State, now_ms: int, **fields: object) -> TaskState:
        """Put a task that just left its index among the dead letters or the cancelled, and tell those who wait for it.

        Args:
            fields: what of TaskState is to change besides the state and its times.
        """
        queue = self.lane_of(record.stored).queue
        row = queue.row
        retention = self.settings.persistence
        group = b""
        match state:
            case State.DEAD_LETTER:
                row.dead += 1
                row.dead_total += 1
                group = self.groups.enter(queue.number, record.id, record.state, now_ms)
                self.changes.put(Table.DEAD, DEAD_KEY.pack(queue.number, now_ms, record.id), b"")
                keep_ms = retention.dead_letter_retention_hours * HOUR_MS
            case State.CANCELLED:
                row.cancelled += 1
                row.cancelled_total += 1
                keep_ms = retention.cancelled_retention_hours * HOUR_MS
            case _:
                raise AssertionError(state)
        ended = msgspec.structs.replace(
            record.state,
            state=state,
            sequence=0,
            scheduled_at_ms=0,
            ended_at_ms=now_ms,
            remove_at_ms=now_ms + keep_ms,
            group=group,
            **fields,
        )
        ended = self.put_state(record.id, ended)
        self.put_due(DueKind.REMOVE, ended.remove_at_ms, record.id)
        if self.waiters:
            self.outbox += self.waiters.answer(record.id, ended)
        return ended

    def put_back(self, record: Record, state: TaskState, ready_at_ms: int) -> None:
        """Put a task that just left its index to a place where it was before, as `state` tells it.

        Args:
            ready_at_ms: since when a ready task is ready.
        """
        lane = self.lane_of(record.stored)
        row = lane.queue.row
        if state.state is State.DEAD_LETTER:
            group = self.groups.restore(lane.queue.number, record.id, state)
            state = msgspec.structs.replace(state, group=group)
        self.put_state(record.id, state)
        match state.state:
            case State.PENDING if state.sequence:
                self.put_ready(lane, Ready(record.id, state.sequence, state.attempt, state.crashes, ready_at_ms))
            case State.PENDING:
                row.scheduled += 1
                self.put_due(DueKind.READY, state.scheduled_at_ms, record.id)
            case State.FAILED:
                row.retrying += 1
                self.put_due(DueKind.READY, state.scheduled_at_ms, record.id)
            case State.DEAD_LETTER:
                row.dead += 1
                self.changes.put(Table.DEAD, DEAD_KEY.pack(lane.queue.number, state.ended_at_ms, record.id), b"")
                self.put_due(DueKind.REMOVE, state.remove_at_ms, record.id)
            case _:
                raise AssertionError(state.state)

    def keep_log(self, lease: Lease, at_ms: int, level: str, text: str) -> None:
        """Keep a line that the handler of a lease logged."""
        logs.append(self.changes, lease.id, LogRow(at_ms, level, lease.attempt, text))
        if not lease.lane.row.has_logs:
            lease.lane.row.has_logs = True
            self._touched_lanes[lease.lane.number] = lease.lane

    def remove(self, record: Record) -> None:
        """Forget a task that just left its index: all its rows go."""
        self.changes.delete(Table.BODIES, record.id)
        if record.has_state:
            self.changes.delete(Table.STATES, record.id)
        if record.stored.expires_at_ms:
            self.delete_due(DueKind.EXPIRE, record.stored.expires_at_ms, record.id)
        lane = self.lane_of(record.stored)
        if lane.row.has_logs:
            logs.forget(self.changes, record.id)
        key = record.options.key
        if key is not None:
            queue = lane.queue
            self.changes.delete(Table.KEYS, idempotency_key(queue, key))


def idempotency_key(queue: Queue, key: str) -> bytes:
    """The key of a KEYS row: an idempotency key counts within its queue."""
    return U32.pack(queue.number) + key.encode()


def with_attempt(history: tuple[AttemptRecord, ...], record: AttemptRecord) -> tuple[AttemptRecord, ...]:
    """A history with one more attempt; when it is full, the first stays and the second oldest goes."""
    if len(history) >= HISTORY_MAX:
        history = (history[0], *history[2:])
    return (*history, record)

"""The inspector of rows itself: it must see every kind of damage, or it proves nothing."""

from collections.abc import Callable

import msgspec
import pytest

from tests.engine.invariants import violations
from tests.engine.operations.desk import Desk
from tests.engine.rig import HOUR, MINUTE, Rig, id_of, task
from tests.engine.rows import Rows
from tq.engine.tables import DUE_KEY, META_ENGINE, DueKind, LaneRow, LeaseRow, MetaRow, QueueRow, Table
from tq.model.operations import Action
from tq.model.task import State, TaskOptions, TaskState

encode, decode = msgspec.msgpack.encode, msgspec.msgpack.decode


def sound() -> Rows:
    """1 and 7 ready, 2 leased, 3 scheduled with a key and an expiry, 4 dead, 5 completed, 6 waiting for its retry,
    8 cancelled by an operation."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(4), task(5), task(6), task(2))
    fourth, fifth, sixth, _ = worker.fetch(4)
    worker.nack(fourth, is_final=True)
    worker.ack(fifth)
    worker.nack(sixth, retry_in_ms=MINUTE)
    rig.submit(task(1), task(7), task(3, options=TaskOptions(delay_ms=HOUR, key="k", expires_ms=HOUR)))
    rig.submit(task(8))
    Desk(rig).do(Action.CANCEL, "", 8)
    return rig.rows


def drop(table: Table, index: int = 0) -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        keys = sorted(rows.tables[table])
        del rows.tables[table][keys[index]]

    return damage


def drop_due(kind: DueKind) -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        key = next(key for key in rows.tables[Table.DUE] if key[0] == kind)
        del rows.tables[Table.DUE][key]

    return damage


def miscount(field: str) -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        (key,) = rows.tables[Table.QUEUES]
        row = decode(rows.tables[Table.QUEUES][key], type=QueueRow)
        setattr(row, field, getattr(row, field) + 1)
        rows.tables[Table.QUEUES][key] = encode(row)

    return damage


def change_state(number: int, **fields: object) -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        states = rows.tables[Table.STATES]
        row = states.get(id_of(number))
        state = decode(row, type=TaskState) if row is not None else TaskState(state=State.PENDING, sequence=5)
        states[id_of(number)] = encode(msgspec.structs.replace(state, **fields))

    return damage


def change_lease(**fields: object) -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        leases = rows.tables[Table.LEASES]
        lease = decode(leases[id_of(2)], type=LeaseRow)
        leases[id_of(2)] = encode(msgspec.structs.replace(lease, **fields))

    return damage


def change_lane(**fields: object) -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        (key,) = rows.tables[Table.LANES]
        row = decode(rows.tables[Table.LANES][key], type=LaneRow)
        rows.tables[Table.LANES][key] = encode(msgspec.structs.replace(row, **fields))

    return damage


def change_meta(**fields: object) -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        row = decode(rows.tables[Table.META][META_ENGINE], type=MetaRow)
        rows.tables[Table.META][META_ENGINE] = encode(msgspec.structs.replace(row, **fields))

    return damage


def put_due(kind: DueKind, number: int) -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        rows.tables[Table.DUE][DUE_KEY.pack(kind, 1 << 42, id_of(number))] = b""

    return damage


DAMAGES: dict[str, Callable[[Rows], None]] = {
    "a body is lost": drop(Table.BODIES),
    "the state of an ended task is lost": drop(Table.STATES),
    "a ready row is lost": drop(Table.READY),
    "the wait for a retry is lost": drop_due(DueKind.READY),
    "an expiry is lost": drop_due(DueKind.EXPIRE),
    "a removal is lost": drop_due(DueKind.REMOVE),
    "a lease is lost": drop(Table.LEASES),
    "a dead letter is not listed": drop(Table.DEAD),
    "a dead letter is not in the index": drop(Table.DEAD_INDEX, 1),
    "a group is lost": drop(Table.GROUPS),
    "the count of a group is lost": drop(Table.GROUPS, 1),
    "a dead letter is in a wrong group": change_state(4, group=b"12345678"),
    "a task that lives is in a group": change_state(6, group=b"12345678"),
    "what an operation moved is lost": drop(Table.MOVED),
    "an operation is lost": drop(Table.OPERATIONS),
    "a moment of the order is given out again": change_state(5, moved=99),
    "a key is lost": drop(Table.KEYS),
    "a queue is lost": drop(Table.QUEUES),
    "a lane is lost": drop(Table.LANES),
    "scheduled is miscounted": miscount("scheduled"),
    "retrying is miscounted": miscount("retrying"),
    "in_progress is miscounted": miscount("in_progress"),
    "dead is miscounted": miscount("dead"),
    "completed is miscounted": miscount("completed"),
    "cancelled is miscounted": miscount("cancelled"),
    "ready is miscounted": change_lane(ready=1),
    "a row lies below the low-water mark": change_lane(low_water=99),
    "a ready task is done": change_state(1, state=State.COMPLETED),
    "a leased task is done": change_state(2, state=State.COMPLETED),
    "a dead letter is cancelled": change_state(4, state=State.CANCELLED),
    "a dead letter died at another time": change_state(4, ended_at_ms=1),
    "a record goes at another time": change_state(5, remove_at_ms=1),
    "a retry is due at another time": change_state(6, scheduled_at_ms=1),
    "a waiting task has a place": change_state(6, sequence=3),
    "a state row says in_progress": change_state(6, state=State.IN_PROGRESS),
    "a lease has lost the place": change_lease(sequence=99),
    "a lease miscounts attempts": change_lease(attempt=3),
    "a lease miscounts crashes": change_lease(crashes=3),
    "a lease is of another lane": change_lease(lane=9),
    "a place is given out again": change_meta(next_sequence=1),
    "a token is given out again": change_meta(next_token=1),
    "a queue number is given out again": change_meta(next_queue=1),
    "a lane number is given out again": change_meta(next_lane=1),
    "an id would be taken again": change_meta(last_id=b""),
    "a ready task waits for a time too": put_due(DueKind.READY, 1),
    "a waiting task is to be removed": put_due(DueKind.REMOVE, 1),
    "a task expires at a wrong time": put_due(DueKind.EXPIRE, 3),
    "a row names no task": put_due(DueKind.EXPIRE, 99),
}


def test_sound_rows_are_sound() -> None:
    assert violations(sound(), Rig().now_ms) == []


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_seen(what: str) -> None:
    rows = sound()
    DAMAGES[what](rows)

    assert violations(rows, Rig().now_ms)


def test_overdue_rows_are_seen() -> None:
    assert any("overdue" in sentence for sentence in violations(sound(), Rig().now_ms + HOUR))


def test_a_token_given_twice_is_seen() -> None:
    rig = Rig()
    rig.submit(task(1), task(2))
    rig.worker(credit=2)
    leases = rig.rows.tables[Table.LEASES]
    lease = decode(leases[id_of(1)], type=LeaseRow)
    leases[id_of(2)] = encode(msgspec.structs.replace(lease, sequence=2))

    assert violations(rig.rows, rig.now_ms) == ["I2: two leases have one token"]


def test_rows_without_a_meta_row_are_checked_against_a_new_one() -> None:
    rows = sound()
    del rows.tables[Table.META][META_ENGINE]

    assert violations(rows, Rig().now_ms)
    assert violations(Rows(), 0) == []

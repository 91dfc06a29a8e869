"""`tq doctor` finds every kind of inconsistency that can be planted, and a repair leaves none."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from tests.engine.invariants import violations
from tests.engine.operations.desk import Desk
from tests.engine.rig import HOUR, SECOND, Rig, id_of, task
from tests.engine.rows import Rows
from tests.storage.samples import END
from tq.engine.bounds import BOUNDS
from tq.engine.engine import Engine
from tq.engine.tables import (
    AUDIT_KEY,
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
    AuditRow,
    DeadOrder,
    DueKind,
    GroupRow,
    LaneRow,
    LeaseRow,
    LogRow,
    MetaRow,
    OperationRow,
    QueueRow,
    Table,
)
from tq.model.commands import LogEntry, ReportLog, Submit
from tq.model.fingerprint import GROUP_BYTES
from tq.model.operations import Action
from tq.model.settings import Settings
from tq.model.task import HIGH, State, StoredTask, TaskOptions, TaskState
from tq.storage.consistency import Examination, Fault, Finding
from tq.storage.database import Database
from tq.storage.rows import no_writes

LINE = msgspec.msgpack.encode(LogRow(1, "info", 1, "a line"))
Row = tuple[Table, bytes, bytes | None]
T = TypeVar("T")
encode = msgspec.msgpack.encode

READY_TASK, KEYED, EXPIRING, DELAYED, LEASED, RETRYING, DEAD, COMPLETED, CANCELLED, HIGH_TASK, CRASHED = range(1, 12)


def tables_of_a_broker() -> tuple[list[dict[bytes, bytes]], int]:
    """What the engine wrote for one task of every kind; and the time."""
    rig = Rig()
    worker = rig.worker()

    def lease(number: int) -> None:
        rig.submit(task(number, max_retries=0 if number == DEAD else 3))
        (delivery,) = worker.fetch(1)
        if number == COMPLETED:
            worker.ack(delivery, result=b"42")
        elif number in (RETRYING, DEAD):
            worker.nack(delivery, retry_in_ms=HOUR)
        else:
            lines = [LogEntry(id_of(number), delivery.token, rig.now_ms, "info", text) for text in ("one", "two")]
            worker.step(ReportLog(0, lines))

    for number in (COMPLETED, RETRYING, DEAD, LEASED):
        lease(number)
    rig.submit(task(CRASHED))
    other = rig.worker("other", credit=1)
    other.disconnect()
    rig.pass_time(10 * SECOND)
    rig.submit(task(READY_TASK), task(HIGH_TASK, priority=HIGH), task(CANCELLED, queue="other", task_type="sms"))
    rig.submit(task(KEYED, options=TaskOptions(key="order-7")), task(EXPIRING, options=TaskOptions(expires_ms=HOUR)))
    rig.submit(task(DELAYED, options=TaskOptions(delay_ms=HOUR, expires_ms=2 * HOUR)))
    Desk(rig).do(Action.CANCEL, "", CANCELLED)
    states = {number: rig.state(number) for number in range(1, 12)}
    assert states[LEASED] is State.IN_PROGRESS
    assert states[CRASHED] is State.PENDING
    assert set(states.values()) == set(State)
    return [dict(table) for table in rig.rows.tables], rig.now_ms


@pytest.fixture(scope="module")
def broker_rows() -> tuple[list[dict[bytes, bytes]], int]:
    return tables_of_a_broker()


@pytest.fixture
def database(broker_rows: tuple[list[dict[bytes, bytes]], int], tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "db", create=True)
    opened.apply([dict(table) for table in broker_rows[0]])
    yield opened
    opened.close()


def examine(database: Database, *, repair: bool = False, now_ms: int = 0) -> list[Finding]:
    return list(Examination(database, repair=repair, now_ms=now_ms).run())


def plant(database: Database, *rows: Row) -> None:
    writes = no_writes()
    for table, key, value in rows:
        writes[table][key] = value
    database.apply(writes)


def row(database: Database, table: Table, key: bytes, kind: type[T]) -> T:
    value = database.get(table, key)
    assert value is not None
    return msgspec.msgpack.decode(value, type=kind)


def state_of(database: Database, number: int) -> TaskState:
    return row(database, Table.STATES, id_of(number), TaskState)


def stored_of(database: Database, number: int) -> StoredTask:
    return row(database, Table.BODIES, id_of(number), StoredTask)


def ready_key(database: Database, number: int) -> bytes:
    rows = database.range(Table.READY, b"", END, 1_000)
    return next(key for key, value in rows if value[:16] == id_of(number))


def group_of(database: Database) -> bytes:
    return state_of(database, DEAD).group


def operation_of(database: Database) -> bytes:
    return database.range(Table.OPERATIONS, b"", END, 1)[0][0]


def changed(database: Database, table: Table, key: bytes, kind: type[msgspec.Struct], **fields: object) -> Row:
    return table, key, encode(msgspec.structs.replace(row(database, table, key, kind), **fields))


def check_soundness(database: Database, now_ms: int) -> None:
    """A second opinion: the engine's own invariants hold, and it opens what is there."""
    rows = Rows()
    for table in Table:
        rows.tables[table].update(database.scan(table))
    rows.tables[Table.META].pop(b"synced", None)
    assert violations(rows, now_ms) == []
    engine = Engine(rows, Settings(), seed=1)
    engine.open(now_ms)
    engine.step(1, Submit(1, [task(99)]), now_ms)
    engine.advance(now_ms)


def test_a_dead_letter_that_was_retried_after_its_expiry_need_not_expire(tmp_path: Path) -> None:
    """An operator wants it to run: a repair that made it expire would cancel it."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=0, options=TaskOptions(expires_ms=SECOND)))
    worker.nack(*worker.fetch(1))
    rig.pass_time(HOUR)
    rig.operate(Action.RETRY, "", 1)
    rig.turn()
    database = Database(tmp_path / "db", create=True)
    database.apply([dict(table) for table in rig.rows.tables])

    found = examine(database, repair=True, now_ms=rig.now_ms)

    assert rig.state(1) is State.PENDING
    assert found == []
    database.close()


def test_a_dead_letter_for_whose_message_there_was_no_room_stays_with_the_others_of_its_type(tmp_path: Path) -> None:
    rig = Rig(bounds=msgspec.structs.replace(BOUNDS, groups_per_type_max=1))
    worker = rig.worker()
    for number, message in enumerate(("a", "b"), start=1):
        rig.submit(task(number))
        worker.nack(worker.fetch_one(), message=message, is_final=True)
    database = Database(tmp_path / "db", create=True)
    database.apply([dict(table) for table in rig.rows.tables])
    found = examine(database)
    before = dict(database.scan(Table.GROUPS))
    plant(database, *((Table.GROUPS, key, None) for key in before))

    examine(database, repair=True)

    after = dict(database.scan(Table.GROUPS))
    rows = [msgspec.msgpack.decode(value, type=GroupRow) for key, value in after.items() if len(key) == GROUP_BYTES]
    assert found == []
    assert after.keys() == before.keys()
    assert sorted(row.message for row in rows) == ["(other messages)", "a"]
    database.close()


def test_what_the_engine_writes_is_found_to_be_right(database: Database) -> None:
    examination = Examination(database, repair=False, now_ms=0)

    assert list(examination.run()) == []
    assert examination.tasks == 11


def test_an_empty_database_is_right(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", create=True)

    assert examine(database) == []
    database.close()


Damage = Callable[[Database], list[Row]]

DAMAGES: dict[str, tuple[Damage, Fault]] = {
    "ready row missing": (lambda db: [(Table.READY, ready_key(db, READY_TASK), None)], Fault.ROW_MISSING),
    "ready row of a crashed task missing": (
        lambda db: [(Table.READY, ready_key(db, CRASHED), None)],
        Fault.ROW_MISSING,
    ),
    "ready row miscounts attempts": (
        lambda db: [(Table.READY, ready_key(db, READY_TASK), READY_ROW.pack(id_of(READY_TASK), 7, 0, 1))],
        Fault.ROW_WRONG,
    ),
    "ready row of no task": (
        lambda db: [(Table.READY, READY_KEY.pack(1, 5_000), READY_ROW.pack(bytes(16), 0, 0, 1))],
        Fault.ROW_STRAY,
    ),
    "ready row twice": (
        lambda db: [(Table.READY, READY_KEY.pack(1, 6_000), READY_ROW.pack(id_of(READY_TASK), 0, 0, 1))],
        Fault.ROW_STRAY,
    ),
    "ready row of a leased task": (
        lambda db: [(Table.READY, READY_KEY.pack(1, 7_000), READY_ROW.pack(id_of(LEASED), 0, 0, 1))],
        Fault.ROW_STRAY,
    ),
    "ready row missing and another too many": (
        lambda db: [
            (Table.READY, ready_key(db, READY_TASK), None),
            (Table.READY, READY_KEY.pack(1, 8_000), READY_ROW.pack(id_of(COMPLETED), 0, 0, 1)),
        ],
        Fault.ROW_STRAY,
    ),
    "ready row in no lane": (
        lambda db: [(Table.READY, READY_KEY.pack(77, 1), READY_ROW.pack(bytes(16), 0, 0, 1))],
        Fault.ROW_STRAY,
    ),
    "ready key of a wrong length": (
        lambda db: [(Table.READY, b"short", READY_ROW.pack(id_of(1), 0, 0, 1))],
        Fault.ROW_STRAY,
    ),
    "place taken by another task": (
        lambda db: [(Table.READY, ready_key(db, READY_TASK), READY_ROW.pack(id_of(KEYED), 0, 0, 1))],
        Fault.ROW_WRONG,
    ),
    "two tasks at one place": (
        lambda db: [
            (Table.BODIES, id_of(50), encode(msgspec.structs.replace(stored_of(db, READY_TASK), spec=task(50)))),
        ],
        Fault.ROW_WRONG,
    ),
    "delay missing": (
        lambda db: [
            (Table.DUE, DUE_KEY.pack(DueKind.READY, stored_of(db, DELAYED).scheduled_at_ms, id_of(DELAYED)), None)
        ],
        Fault.ROW_MISSING,
    ),
    "delay at another time": (
        lambda db: [(Table.DUE, DUE_KEY.pack(DueKind.READY, 99 << 40, id_of(DELAYED)), b"")],
        Fault.ROW_STRAY,
    ),
    "retry missing": (
        lambda db: [
            (Table.DUE, DUE_KEY.pack(DueKind.READY, state_of(db, RETRYING).scheduled_at_ms, id_of(RETRYING)), None)
        ],
        Fault.ROW_MISSING,
    ),
    "expiry missing": (
        lambda db: [
            (Table.DUE, DUE_KEY.pack(DueKind.EXPIRE, stored_of(db, EXPIRING).expires_at_ms, id_of(EXPIRING)), None)
        ],
        Fault.ROW_MISSING,
    ),
    "removal missing": (
        lambda db: [
            (Table.DUE, DUE_KEY.pack(DueKind.REMOVE, state_of(db, COMPLETED).remove_at_ms, id_of(COMPLETED)), None)
        ],
        Fault.ROW_MISSING,
    ),
    "removal of no task": (
        lambda db: [(Table.DUE, DUE_KEY.pack(DueKind.REMOVE, 99 << 40, id_of(404)), b"")],
        Fault.ROW_STRAY,
    ),
    "due for no known reason": (lambda db: [(Table.DUE, DUE_KEY.pack(9, 99 << 40, id_of(1)), b"")], Fault.ROW_STRAY),
    "dead letter not listed": (
        lambda db: [(Table.DEAD, key, None) for key, _ in db.range(Table.DEAD, b"", END, 9)],
        Fault.ROW_MISSING,
    ),
    "dead letter of another queue": (
        lambda db: [(Table.DEAD, DEAD_KEY.pack(9, state_of(db, DEAD).ended_at_ms, id_of(DEAD)), b"")],
        Fault.ROW_STRAY,
    ),
    "dead letter missing in the index": (
        lambda db: [(Table.DEAD_INDEX, db.range(Table.DEAD_INDEX, b"", END, 9)[0][0], None)],
        Fault.ROW_MISSING,
    ),
    "dead letter by another time": (
        lambda db: [(Table.DEAD_INDEX, DEAD_BY_TIME_KEY.pack(DeadOrder.TIME, 7, id_of(DEAD)), b"")],
        Fault.ROW_STRAY,
    ),
    "index of dead letters names another task": (
        lambda db: [(Table.DEAD_INDEX, DEAD_BY_ID_KEY.pack(DeadOrder.ID, id_of(COMPLETED)), b"")],
        Fault.ROW_STRAY,
    ),
    "index of dead letters has an unknown order": (lambda db: [(Table.DEAD_INDEX, b"\x09", b"")], Fault.ROW_STRAY),
    "dead letter in another group": (
        lambda db: [changed(db, Table.STATES, id_of(DEAD), TaskState, group=b"12345678")],
        Fault.ROW_WRONG,
    ),
    "dead letter without a group": (
        lambda db: [changed(db, Table.STATES, id_of(DEAD), TaskState, group=b"")],
        Fault.ROW_WRONG,
    ),
    "task that lives in a group": (
        lambda db: [changed(db, Table.STATES, id_of(RETRYING), TaskState, group=b"12345678")],
        Fault.ROW_WRONG,
    ),
    "group lost": (lambda db: [(Table.GROUPS, group_of(db), None)], Fault.ROW_MISSING),
    "group not readable": (lambda db: [(Table.GROUPS, group_of(db), b"\xc1")], Fault.ROW_MISSING),
    "group that has more dead letters than died": (
        lambda db: [changed(db, Table.GROUPS, group_of(db), GroupRow, dead_total=0)],
        Fault.COUNTER_WRONG,
    ),
    "count of a group lost": (
        lambda db: [(Table.GROUPS, GROUP_COUNT_KEY.pack(group_of(db), 1), None)],
        Fault.COUNTER_WRONG,
    ),
    "count of a group in another queue": (
        lambda db: [(Table.GROUPS, GROUP_COUNT_KEY.pack(group_of(db), 2), U32.pack(5))],
        Fault.COUNTER_WRONG,
    ),
    "row of no group": (lambda db: [(Table.GROUPS, b"short", b"")], Fault.COUNTER_WRONG),
    "moved by no operation": (lambda db: [(Table.MOVED, b"12345678" + id_of(DEAD), b"")], Fault.COUNTER_WRONG),
    "row of MOVED too short": (lambda db: [(Table.MOVED, operation_of(db), b"")], Fault.COUNTER_WRONG),
    "what was moved lost": (
        lambda db: [(Table.MOVED, db.range(Table.MOVED, b"", END, 9)[0][0], None)],
        Fault.COUNTER_WRONG,
    ),
    "operation lost": (lambda db: [(Table.OPERATIONS, operation_of(db), None)], Fault.COUNTER_WRONG),
    "operation of a moment to come": (
        lambda db: [changed(db, Table.OPERATIONS, operation_of(db), OperationRow, as_of=7_000)],
        Fault.COUNTER_WRONG,
    ),
    "audit of a moment to come": (
        lambda db: [(Table.AUDIT, AUDIT_KEY.pack(1, 7_000), encode(AuditRow("a", "", "pause", "q")))],
        Fault.COUNTER_WRONG,
    ),
    "move in the order used again": (
        lambda db: [changed(db, Table.STATES, id_of(COMPLETED), TaskState, moved=5_000)],
        Fault.COUNTER_WRONG,
    ),
    "key missing": (
        lambda db: [(Table.KEYS, key, None) for key, _ in db.range(Table.KEYS, b"", END, 9)],
        Fault.ROW_MISSING,
    ),
    "key leads elsewhere": (
        lambda db: [(Table.KEYS, key, id_of(READY_TASK)) for key, _ in db.range(Table.KEYS, b"", END, 9)],
        Fault.ROW_WRONG,
    ),
    "key of no task": (lambda db: [(Table.KEYS, U32.pack(1) + b"nobody", id_of(404))], Fault.ROW_STRAY),
    "key of a task without it": (lambda db: [(Table.KEYS, U32.pack(1) + b"other", id_of(KEYED))], Fault.ROW_STRAY),
    "state of no task": (lambda db: [(Table.STATES, id_of(404), encode(state_of(db, DEAD)))], Fault.ROW_STRAY),
    "lease of no task": (
        lambda db: [(Table.LEASES, id_of(404), encode(row(db, Table.LEASES, id_of(LEASED), LeaseRow)))],
        Fault.ROW_STRAY,
    ),
    "lease of an ended task": (
        lambda db: [(Table.LEASES, id_of(COMPLETED), encode(row(db, Table.LEASES, id_of(LEASED), LeaseRow)))],
        Fault.ROW_STRAY,
    ),
    "lease in another lane": (
        lambda db: [changed(db, Table.LEASES, id_of(LEASED), LeaseRow, lane=99)],
        Fault.ROW_WRONG,
    ),
    "in progress without a lease": (
        lambda db: [(Table.STATES, id_of(READY_TASK), encode(TaskState(state=State.IN_PROGRESS)))],
        Fault.ROW_WRONG,
    ),
    "lease lost": (lambda db: [(Table.LEASES, id_of(LEASED), None)], Fault.ROW_MISSING),
    "body lost": (lambda db: [(Table.BODIES, id_of(DEAD), None)], Fault.ROW_STRAY),
    "body of a ready task lost": (lambda db: [(Table.BODIES, id_of(HIGH_TASK), None)], Fault.ROW_STRAY),
    "queue lost": (lambda db: [(Table.QUEUES, U32.pack(1), None)], Fault.ROW_MISSING),
    "lane lost": (lambda db: [(Table.LANES, U32.pack(1), None)], Fault.ROW_MISSING),
    "counters wrong": (
        lambda db: [changed(db, Table.QUEUES, U32.pack(1), QueueRow, dead=5, in_progress=0, scheduled=9)],
        Fault.COUNTER_WRONG,
    ),
    "ready count wrong": (lambda db: [changed(db, Table.LANES, U32.pack(1), LaneRow, ready=77)], Fault.COUNTER_WRONG),
    "low-water mark above a task": (
        lambda db: [changed(db, Table.LANES, U32.pack(1), LaneRow, low_water=5_000)],
        Fault.COUNTER_WRONG,
    ),
    "log line of no task": (lambda db: [(Table.LOGS, LOG_KEY.pack(id_of(77), 1), LINE)], Fault.ROW_STRAY),
    "log line out of its ring": (lambda db: [(Table.LOGS, LOG_KEY.pack(id_of(LEASED), 9), LINE)], Fault.ROW_STRAY),
    "numbers of log lines lost": (lambda db: [(Table.LOGS, LOG_KEY.pack(id_of(LEASED), 0), None)], Fault.ROW_STRAY),
    "key that is none of a log line": (lambda db: [(Table.LOGS, b"short", LINE)], Fault.ROW_STRAY),
    "lane that knows of no log lines": (
        lambda db: [changed(db, Table.LANES, U32.pack(1), LaneRow, has_logs=False)],
        Fault.COUNTER_WRONG,
    ),
    "lane of no queue": (lambda db: [(Table.LANES, U32.pack(88), encode(LaneRow(55, "x", 1)))], Fault.COUNTER_WRONG),
    "numbers used again": (
        lambda db: [
            (Table.META, META_ENGINE, encode(MetaRow(applied=row(db, Table.META, META_ENGINE, MetaRow).applied)))
        ],
        Fault.COUNTER_WRONG,
    ),
    "engine row lost": (lambda db: [(Table.META, META_ENGINE, None)], Fault.COUNTER_WRONG),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_repaired(
    database: Database, broker_rows: tuple[list[dict[bytes, bytes]], int], name: str
) -> None:
    damage, fault = DAMAGES[name]
    plant(database, *damage(database))

    found = examine(database)
    assert fault in {finding.fault for finding in found}
    assert all(finding.remedy and not finding.is_repaired for finding in found)
    assert examine(database) == found  # it was only looked at

    repaired = examine(database, repair=True)

    assert fault in {finding.fault for finding in repaired}
    assert all(finding.is_repaired for finding in repaired)
    assert examine(database) == []
    check_soundness(database, broker_rows[1])


def test_no_index_and_no_counter_at_all_can_be_made_again_from_the_records(
    database: Database, broker_rows: tuple[list[dict[bytes, bytes]], int]
) -> None:
    kept = (Table.DUE, Table.DEAD, Table.DEAD_INDEX, Table.BODIES, Table.STATES)
    before = {table: dict(database.scan(table)) for table in kept}
    lost = (Table.READY, Table.DUE, Table.DEAD, Table.DEAD_INDEX, Table.GROUPS, Table.KEYS, Table.QUEUES, Table.LANES)
    for table in lost:
        plant(database, *((table, key, None) for key, _ in database.scan(table)))

    examine(database, repair=True)

    assert examine(database) == []
    after = {table: dict(database.scan(table)) for table in before}
    assert after[Table.BODIES] == before[Table.BODIES]
    assert after[Table.STATES] == before[Table.STATES]
    assert after[Table.DUE].keys() == before[Table.DUE].keys()
    assert after[Table.DEAD_INDEX] == before[Table.DEAD_INDEX]
    check_soundness(database, broker_rows[1])


def test_a_superfluous_expiry_is_tolerated(database: Database) -> None:
    plant(database, (Table.DUE, DUE_KEY.pack(DueKind.EXPIRE, 5, id_of(404)), b""))

    assert examine(database) == []


@pytest.mark.parametrize("table", [Table.BODIES, Table.STATES, Table.LEASES])
def test_a_row_that_cannot_be_read_is_told_and_left_alone(database: Database, table: Table) -> None:
    number = {Table.BODIES: READY_TASK, Table.STATES: DEAD, Table.LEASES: LEASED}[table]
    plant(database, (table, id_of(number), b"\xc1"))

    findings = [finding for finding in examine(database, repair=True) if finding.fault is Fault.RECORD_UNREADABLE]

    assert len(findings) == 1
    assert not findings[0].is_repaired
    assert database.get(table, id_of(number)) == b"\xc1"
    if table is Table.BODIES:
        assert ready_key(database, READY_TASK)


@pytest.mark.parametrize("table", [Table.OPERATIONS, Table.MOVED])
def test_a_row_of_an_operation_that_cannot_be_read_is_told_and_left_alone(database: Database, table: Table) -> None:
    key = database.range(table, b"", END, 1)[0][0]
    plant(database, (table, key, b"\xc1"))

    (finding,) = examine(database, repair=True)

    assert (finding.fault, finding.is_repaired) == (Fault.RECORD_UNREADABLE, False)
    assert database.get(table, key) == b"\xc1"


def test_an_operation_whose_retention_is_over_may_have_lost_a_part_of_what_it_moved(database: Database) -> None:
    operation = row(database, Table.OPERATIONS, operation_of(database), OperationRow)
    plant(database, (Table.MOVED, database.range(Table.MOVED, b"", END, 9)[0][0], None))

    assert len(examine(database, now_ms=operation.remove_at_ms - 1)) == 1
    assert examine(database, now_ms=operation.remove_at_ms) == []


def test_an_unreadable_row_of_queues_ends_the_examination(database: Database) -> None:
    plant(database, (Table.QUEUES, U32.pack(1), b"\xc1"))

    (finding,) = examine(database, repair=True)

    assert finding.fault is Fault.RECORD_UNREADABLE
    assert not finding.is_repaired


def test_a_finding_names_the_task_as_every_interface_does(database: Database) -> None:
    plant(database, (Table.READY, ready_key(database, READY_TASK), None))

    (finding,) = (finding for finding in examine(database) if finding.fault is Fault.ROW_MISSING)

    assert "00000000-0000-0000-0000-000000000001" in finding.what


def test_many_findings_are_repaired_in_batches(tmp_path: Path) -> None:
    rig = Rig()
    for start in range(0, 2_500, 500):
        rig.step(Submit(1, [task(start + number) for number in range(1, 501)]))
    rig.commit()
    database = Database(tmp_path / "db", create=True)
    tables = [dict(table) for table in rig.rows.tables]
    tables[Table.READY].clear()
    database.apply([dict(table) for table in tables])

    assert len(examine(database, repair=True)) == 2_500
    assert examine(database) == []
    database.close()

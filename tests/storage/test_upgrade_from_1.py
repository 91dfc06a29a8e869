"""A directory of format 1: its dead letters get groups and an index, and nothing else changes."""

from pathlib import Path

import msgspec
import pytest
from rocksdict import Rdict

from tests.engine.invariants import violations
from tests.engine.rig import HOUR, Rig, id_of, task
from tests.engine.rows import Rows
from tests.storage.samples import crash_image, encode
from tq.engine.bounds import BOUNDS
from tq.engine.changes import Changes
from tq.engine.engine import Engine
from tq.engine.grouping import Groups
from tq.engine.tables import DEAD_KEY, META_DATABASE, META_FORMAT, U32, GroupRow, Table, Writes
from tq.model.commands import CommitOperation, PrepareOperation
from tq.model.errors import StorageFailed
from tq.model.fingerprint import OTHER_GROUP, fingerprint
from tq.model.operations import Action
from tq.model.replies import Prepared
from tq.model.settings import Settings
from tq.model.task import AttemptRecord, State, TaskOptions, TaskState
from tq.storage.consistency import Fault
from tq.storage.database import Database
from tq.storage.doctor import examine_directory
from tq.storage.rocks import RocksStore
from tq.storage.rows import format_of, no_writes
from tq.storage.upgrade import group_dead_letters

META = Table.META  # has "synced", which differs from run to run
OLD_TABLES = tuple(Table)[:10]
OLD_FIELDS = {Table.BODIES: 5, Table.STATES: 14, Table.QUEUES: 16}
"""How long the arrays were; what is longer today was added to their ends."""
OLD_OPTIONS = 8

MESSAGES = ("timed out after 30s", "timed out after 7s", "declined")


def rows_of_a_broker() -> tuple[Rows, int]:
    """Five dead letters in two queues, and one task of some other kinds."""
    rig = Rig()
    worker = rig.worker()
    for number in range(1, 6):
        rig.submit(task(number, queue="mail" if number == 3 else "default"))
        worker.nack(worker.fetch_one(), message=MESSAGES[number % 3], is_final=True)
    rig.submit(task(6), task(7), task(8, options=TaskOptions(delay_ms=HOUR, key="k")))
    worker.ack(worker.fetch_one())
    return rig.rows, rig.now_ms


def as_in_format_1(rows: Rows) -> list[dict[bytes, bytes | None]]:
    writes = no_writes()
    for table in OLD_TABLES:
        for key, value in rows.tables[table].items():
            writes[table][key] = _shortened(table, value)
    writes[Table.META][META_FORMAT] = U32.pack(1)
    writes[Table.META][META_DATABASE] = b"0123456789abcdef"
    return writes


def _shortened(table: Table, value: bytes) -> bytes:
    if table not in OLD_FIELDS:
        return value
    fields = msgspec.msgpack.decode(value)[: OLD_FIELDS[table]]
    if table is Table.BODIES and fields[4][8] is not None:
        fields[4][8] = fields[4][8][:OLD_OPTIONS]
    return msgspec.msgpack.encode(fields)


@pytest.fixture(scope="module")
def broker() -> tuple[Rows, int]:
    return rows_of_a_broker()


@pytest.fixture
def directory(broker: tuple[Rows, int], tmp_path: Path) -> Path:
    """As an older tq left it: without the tables of today."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    database = Database(data / "db", create=True)
    database.apply(as_in_format_1(broker[0]))
    database.flush()
    for table in tuple(Table)[10:]:
        database._rows.drop_column_family(table.name.lower())
    database.close()
    assert set(Rdict.list_cf(str(data / "db"))) == {"default", *(table.name.lower() for table in OLD_TABLES)}
    return data


def rows_in(directory: Path) -> Rows:
    store = RocksStore.open(directory)
    tables = [dict(store.range(table, b"", b"\xff" * 65, 1 << 31)) for table in Table]
    store.close()
    return Rows(tables)


def test_dead_letters_are_listed_and_counted_as_if_they_had_died_under_this_version(
    directory: Path, broker: tuple[Rows, int]
) -> None:
    upgraded, (today, now_ms) = rows_in(directory), broker

    assert violations(upgraded, now_ms) == []
    assert upgraded.tables[Table.DEAD_INDEX] == today.tables[Table.DEAD_INDEX]
    counts, counts_today = (
        {key: value for key, value in rows.tables[Table.GROUPS].items() if len(key) == 12} for rows in (upgraded, today)
    )
    assert counts == counts_today
    group = upgraded.tables[Table.GROUPS][fingerprint("ValueError", MESSAGES[0], "").group]
    row = msgspec.msgpack.decode(group, type=GroupRow)
    assert (row.message, row.dead_total, row.retried_total) == ("timed out after *s", 3, 0)


def test_an_upgraded_directory_serves(directory: Path, broker: tuple[Rows, int]) -> None:
    rows, now_ms = rows_in(directory), broker[1]
    engine = Engine(rows, Settings(), seed=1)
    engine.open(now_ms)

    prepared = engine.step(1, PrepareOperation(1, Action.RETRY, "", [id_of(3)]), now_ms)
    assert isinstance(prepared, Prepared)
    engine.step(1, CommitOperation(2, prepared.token), now_ms)
    engine.advance(now_ms)
    rows.apply(engine.take()[0])

    assert violations(rows, now_ms) == []


def test_the_doctor_finds_nothing_wrong_after_it(directory: Path) -> None:
    RocksStore.open(directory).close()

    assert list(examine_directory(directory)) == []


def test_the_doctor_tells_the_old_format_and_upgrades_only_to_repair(directory: Path) -> None:
    (told,) = examine_directory(directory)
    (repaired,) = examine_directory(directory, repair=True)

    assert (told.fault, told.is_repaired) == (Fault.FORMAT_OLD, False)
    assert (repaired.fault, repaired.is_repaired) == (Fault.FORMAT_OLD, True)
    assert list(examine_directory(directory)) == []


def test_the_doctor_tells_an_upgrade_that_was_interrupted(directory: Path) -> None:
    Database(directory / "db").close()  # the tables are made, the version is not written

    (told,) = examine_directory(directory)

    assert told.fault is Fault.FORMAT_OLD


class Failing(Database):
    """A database whose disk goes away after some batches."""

    batches = 0

    def apply(self, writes: Writes) -> None:
        if not self.batches:
            raise StorageFailed("the disk went away")
        self.batches -= 1
        super().apply(writes)


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_an_upgrade_that_is_interrupted_comes_to_the_same_end(directory: Path, tmp_path: Path, batches: int) -> None:
    whole = rows_in(crash_image(directory, tmp_path / "other"))
    database = Failing(directory / "db")
    database.batches = batches
    with pytest.raises(StorageFailed):
        group_dead_letters(database, batch_tasks=2)
    assert format_of(database) == 1
    database.close()

    assert rows_in(directory).tables[:META] == whole.tables[:META]
    assert rows_in(directory).tables[META + 1 :] == whole.tables[META + 1 :]


def test_what_is_listed_as_a_dead_letter_and_is_none_is_left_to_the_doctor(directory: Path) -> None:
    database = Database(directory / "db")
    writes = no_writes()
    writes[Table.STATES] = {id_of(1): None, id_of(2): b"\xc1", id_of(3): encode(TaskState(state=State.COMPLETED))}
    database.apply(writes)
    database.close()

    assert len(rows_in(directory).tables[Table.DEAD_INDEX]) == 3 * 2
    assert Fault.RECORD_UNREADABLE in {finding.fault for finding in examine_directory(directory)}


def test_more_errors_than_there_may_be_groups_are_grouped_together(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", create=True)
    writes = no_writes()
    count = BOUNDS.groups_max + 5
    for number in range(count):
        attempt = AttemptRecord(1, "failed", 0, number, "w", f"Error{chr(0x4E00 + number)}")
        state = TaskState(state=State.DEAD_LETTER, ended_at_ms=number, history=(attempt,))
        writes[Table.STATES][id_of(number)] = encode(state)
        writes[Table.DEAD][DEAD_KEY.pack(1, number, id_of(number))] = b""
    database.apply(writes)

    group_dead_letters(database)

    groups = Groups(Changes(database), BOUNDS)
    groups.load(database.scan(Table.GROUPS))
    assert len(groups.by_id) == BOUNDS.groups_max + 1
    assert groups.by_id[OTHER_GROUP].count == 5
    database.close()

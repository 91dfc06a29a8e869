"""What every store must do; memory and RocksDB are held to the same."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.storage.samples import END, batch, put, whole_batches
from tq.engine.tables import READY_KEY, Table
from tq.storage.memory import MemoryStore
from tq.storage.rocks import RocksStore
from tq.storage.rows import no_writes
from tq.storage.store import Store


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else RocksStore.open(tmp_path / "data")
    yield opened
    opened.close()


def keys(store: Store, table: Table, start: bytes = b"", end: bytes = END, limit: int = 1_000) -> list[bytes]:
    return [key for key, _ in store.range(table, start, end, limit)]


def test_a_row_is_read_as_it_was_written_as_soon_as_it_is_applied(store: Store) -> None:
    store.apply(put(Table.BODIES, (b"a", b"1"), (b"b", b"")))

    assert store.get(Table.BODIES, b"a") == b"1"
    assert store.get(Table.BODIES, b"b") == b""
    assert store.get(Table.BODIES, b"c") is None


def test_a_new_value_replaces_the_old_one_and_none_deletes(store: Store) -> None:
    store.apply(put(Table.STATES, (b"a", b"1"), (b"b", b"1")))

    store.apply(put(Table.STATES, (b"a", b"2"), (b"b", None), (b"never-there", None)))

    assert store.range(Table.STATES, b"", END, 10) == [(b"a", b"2")]
    assert store.get(Table.STATES, b"b") is None


def test_the_same_key_in_two_tables_is_two_rows(store: Store) -> None:
    writes = no_writes()
    for table in Table:
        writes[table][b"key"] = table.name.encode()

    store.apply(writes)

    assert [store.get(table, b"key") for table in Table] == [table.name.encode() for table in Table]


def test_a_range_is_ascending_with_its_start_and_without_its_end(store: Store) -> None:
    numbers = list(range(100))
    random.Random(1).shuffle(numbers)
    store.apply(put(Table.DUE, *((bytes([number]), b"") for number in numbers)))

    assert keys(store, Table.DUE, bytes([10]), bytes([20])) == [bytes([number]) for number in range(10, 20)]


def test_a_range_ends_at_its_limit(store: Store) -> None:
    store.apply(put(Table.READY, *((bytes([number]), b"v") for number in range(50))))

    assert keys(store, Table.READY, limit=3) == [b"\x00", b"\x01", b"\x02"]
    assert keys(store, Table.READY, limit=0) == []


def test_a_range_between_rows_or_upside_down_is_empty(store: Store) -> None:
    store.apply(put(Table.READY, (b"a", b""), (b"z", b"")))

    assert keys(store, Table.READY, b"b", b"y") == []
    assert keys(store, Table.READY, b"z", b"a") == []
    assert keys(store, Table.LEASES) == []


def test_a_range_sees_rows_that_came_before_between_and_after_an_earlier_range(store: Store) -> None:
    store.apply(put(Table.DUE, (b"c", b""), (b"e", b"")))
    assert keys(store, Table.DUE) == [b"c", b"e"]

    store.apply(put(Table.DUE, (b"a", b""), (b"d", b""), (b"f", b"")))

    assert keys(store, Table.DUE) == [b"a", b"c", b"d", b"e", b"f"]


def test_a_row_that_was_deleted_can_come_back(store: Store) -> None:
    for value in (b"1", None, b"2", None, b"3"):
        store.apply(put(Table.READY, (b"key", value)))
        assert store.range(Table.READY, b"", END, 10) == ([(b"key", value)] if value else [])


def test_a_queue_that_is_eaten_from_the_front_stays_in_order(store: Store) -> None:
    store.apply(put(Table.READY, *((READY_KEY.pack(1, number), b"") for number in range(1_000))))

    eaten = []
    while page := keys(store, Table.READY, limit=64):
        eaten += page
        store.apply(put(Table.READY, *((key, None) for key in page)))

    assert eaten == [READY_KEY.pack(1, number) for number in range(1_000)]


def test_any_sequence_of_changes_reads_like_a_sorted_dictionary(store: Store) -> None:
    chance = random.Random(7)
    model: dict[bytes, bytes] = {}
    for step in range(300):
        changes: dict[bytes, bytes | None] = {}
        for _ in range(chance.randrange(40)):
            key = chance.randrange(500).to_bytes(2, "big")
            changes[key] = None if chance.random() < 0.5 else step.to_bytes(4, "big")
        writes = no_writes()
        writes[Table.LEASES] = changes
        store.apply(writes)
        for key, value in changes.items():
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
        start, end = sorted(chance.randrange(520).to_bytes(2, "big") for _ in range(2))
        limit = chance.choice([1, 10, 1_000])
        expected = sorted((key, value) for key, value in model.items() if start <= key < end)[:limit]
        assert store.range(Table.LEASES, start, end, limit) == expected


def test_rows_that_come_and_go_without_a_range_are_forgotten(store: Store) -> None:
    for number in range(0, 6_000, 100):
        rows = [number.to_bytes(4, "big") + bytes([row]) for row in range(100)]
        store.apply(put(Table.BODIES, *((row, b"body") for row in rows)))
        store.apply(put(Table.BODIES, *((row, None) for row in rows[1:])))

    assert len(keys(store, Table.BODIES)) == 60


def test_the_batch_may_be_used_again_by_its_owner(store: Store) -> None:
    writes = put(Table.BODIES, (b"a", b"1"))
    store.apply(writes)

    writes[Table.BODIES].clear()

    assert store.get(Table.BODIES, b"a") == b"1"


def test_another_thread_can_sync_while_the_owner_applies(store: Store) -> None:
    with ThreadPoolExecutor(1) as committer:
        syncs = []
        for number in range(1, 51):
            store.apply(batch(number))
            syncs.append(committer.submit(store.sync))
        for sync in syncs:
            sync.result()

    assert whole_batches(store) == list(range(1, 51))


def test_a_batch_without_changes_is_none(store: Store) -> None:
    store.apply(no_writes())
    store.sync()

    assert all(keys(store, table) == [] for table in Table if table is not Table.META)


def test_taking_up_again_a_store_that_did_not_fail_changes_nothing(store: Store) -> None:
    store.apply(batch(1))

    store.reopen()
    store.apply(batch(2))

    assert whole_batches(store) == [1, 2]


def test_closing_twice_is_allowed(store: Store) -> None:
    store.close()
    store.close()


def test_a_descending_range_gives_the_last_rows_first(store: Store) -> None:
    store.apply(put(Table.DEAD, *((bytes([number]), b"v") for number in range(50))))

    back = store.range(Table.DEAD, bytes([10]), bytes([40]), 3, is_descending=True)

    assert [key for key, _ in back] == [bytes([39]), bytes([38]), bytes([37])]
    assert store.range(Table.DEAD, bytes([60]), END, 3, is_descending=True) == []
    assert store.range(Table.DEAD, bytes([40]), bytes([10]), 3, is_descending=True) == []


def test_a_descending_range_is_the_ascending_one_turned_round_whatever_was_written(store: Store) -> None:
    chance = random.Random(7)
    for _ in range(60):
        keys_now = [chance.randrange(300).to_bytes(2, "big") for _ in range(chance.randrange(30))]
        store.apply(put(Table.DUE, *((key, b"v" if chance.random() < 0.6 else None) for key in keys_now)))
        start, end = sorted(chance.randrange(320).to_bytes(2, "big") for _ in range(2))

        ascending = store.range(Table.DUE, start, end, 1_000)
        limit = chance.randrange(1, 20)

        assert store.range(Table.DUE, start, end, limit, is_descending=True) == ascending[::-1][:limit]

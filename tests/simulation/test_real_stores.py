"""Random lives over the stores of production: what the engine reads from them is what was written, always."""

from pathlib import Path

import pytest

from tests.engine.rows import Rows
from tests.simulation.test_walks import walk
from tq.engine.tables import Table, Writes
from tq.storage.doctor import examine_directory
from tq.storage.memory import MemoryStore
from tq.storage.rocks import RocksStore
from tq.storage.store import Store


class Mirrored(Rows):
    """A real store beside plain dicts; each read must find the same in both."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.reads = 0

    def get(self, table: Table, key: bytes) -> bytes | None:
        value = self.store.get(table, key)
        assert value == super().get(table, key)
        self.reads += 1
        return value

    def range(
        self, table: Table, start: bytes, end: bytes, limit: int, is_descending: bool = False
    ) -> list[tuple[bytes, bytes]]:
        rows = self.store.range(table, start, end, limit, is_descending)
        assert rows == super().range(table, start, end, limit, is_descending)
        self.reads += 1
        return rows

    def apply(self, writes: Writes) -> None:
        super().apply(writes)
        self.store.apply(writes)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["memory", "rocks"])
def test_a_random_life_over_a_real_store_is_as_the_plain_model_has_it(kind: str, seed: int, tmp_path: Path) -> None:
    store = MemoryStore() if kind == "memory" else RocksStore.open(tmp_path)
    rows = Mirrored(store)
    try:
        walk(seed, rows=rows)
        assert rows.reads > 100
    finally:
        store.close()


@pytest.mark.parametrize("seed", range(10, 14))
def test_the_doctor_finds_nothing_wrong_in_the_middle_of_any_life(seed: int, tmp_path: Path) -> None:
    """The rules of `tq doctor` and those of invariants.py were written apart; both hold."""
    store = RocksStore.open(tmp_path)
    try:
        world = walk(seed, 60, Mirrored(store), to_the_end=False)
        assert not all(task.state.is_final for task in world.model.tasks.values())
    finally:
        store.close()

    assert list(examine_directory(tmp_path)) == []

"""An older format is brought to the present one step by step; a step that was interrupted runs again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.samples import put
from tq.engine.tables import FORMAT_VERSION, Table
from tq.model.errors import FormatTooNew, StorageCorrupt, StorageFailed
from tq.storage.database import Database
from tq.storage.rows import format_of, identity_writes
from tq.storage.upgrade import upgrade


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "db", create=True)
    opened.apply(identity_writes(bytes(16)))
    yield opened
    opened.close()


def add_one(database: Database) -> None:
    database.apply(put(Table.BODIES, (b"task", (database.get(Table.BODIES, b"task") or b"") + b"1")))


def fail(database: Database) -> None:
    raise StorageFailed("the disk went away")


def test_the_present_format_is_left_alone(database: Database, tmp_path: Path) -> None:
    upgrade(database, FORMAT_VERSION, tmp_path)

    assert format_of(database) == FORMAT_VERSION


def test_every_step_from_an_older_format_on_is_taken_in_order(database: Database, tmp_path: Path) -> None:
    upgrade(database, 1, tmp_path, {1: add_one, 2: add_one})

    assert database.get(Table.BODIES, b"task") == b"11"
    assert format_of(database) == 3


def test_an_interrupted_upgrade_goes_on_where_it_was(database: Database, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        upgrade(database, 1, tmp_path, {1: add_one, 2: fail})
    version = format_of(database)
    assert version == 2

    upgrade(database, version, tmp_path, {1: add_one, 2: add_one})

    assert database.get(Table.BODIES, b"task") == b"11"
    assert format_of(database) == 3


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 999])
def test_a_newer_format_is_refused(database: Database, tmp_path: Path, version: int) -> None:
    with pytest.raises(FormatTooNew, match=f"has format {version}, this version of tq knows up to {FORMAT_VERSION}"):
        upgrade(database, version, tmp_path)


def test_a_format_that_never_was_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(StorageCorrupt, match="never existed"):
        upgrade(database, 0, tmp_path)

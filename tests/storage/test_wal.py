"""Log files that RocksDB wrote are read as it reads them, and files written here are read by RocksDB."""

import random
import shutil
import struct
from pathlib import Path

import pytest

from tests.storage.samples import batch, fill, flip, newest_log, overwrite, whole_batches
from tq.storage.database import Database
from tq.storage.rocks import RocksStore
from tq.storage.wal import BLOCK_BYTES, intact_batches, log_files, recycled_type_at, scan_log, synced_claims, write_log

HEADER_BYTES = 7


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of 60 batches of all sizes, up to several blocks."""
    directory = tmp_path_factory.mktemp("written")
    store = RocksStore.open(directory / "data")
    for number in range(1, 61):
        store.apply(batch(number, rows=4, size=20_000 if number % 20 == 0 else 400 * (number % 7 + 1)))
    store.sync()
    shutil.copytree(directory / "data" / "db", directory / "db")
    store.close()
    return newest_log(directory)


@pytest.fixture
def log(written: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copy(written, tmp_path))


def record_offsets(log: Path) -> list[int]:
    """Where records begin, by their lengths."""
    data, place, found = log.read_bytes(), 0, []
    while place < len(data):
        if BLOCK_BYTES - place % BLOCK_BYTES < HEADER_BYTES:
            place += BLOCK_BYTES - place % BLOCK_BYTES
            continue
        found.append(place)
        place += HEADER_BYTES + int(struct.unpack_from("<H", data, place + 4)[0])
    return found


def test_a_whole_log_has_no_damage_and_all_sequences(log: Path) -> None:
    scan = scan_log(log, verify=True)

    assert scan.damage is None
    assert scan.first_sequence == 4  # two rows of identity and their claim are in an older log
    assert scan.next_sequence == 4 + 60 * (8 + 1 + 1)  # tasks, counters, claim


def test_every_cut_leaves_the_whole_batches_before_it(log: Path) -> None:
    whole = scan_log(log, verify=True).next_sequence
    data = log.read_bytes()
    chance = random.Random(5)
    starts = set(record_offsets(log)) | {0}
    for size in chance.sample(range(len(data)), 60):
        log.write_bytes(data[:size])
        scan = scan_log(log, verify=True)
        assert scan.next_sequence is None or whole is None or scan.next_sequence <= whole
        if scan.damage is not None:
            assert scan.damage.offset in starts
            assert scan.damage.offset <= size
            assert scan.damage.intact_at is None


@pytest.mark.parametrize("bit", range(8))
def test_any_flipped_bit_in_the_type_of_a_record_is_noticed_without_checksums_or_with(log: Path, bit: int) -> None:
    """RocksDB would hang on some of them."""
    offset = record_offsets(log)[10]
    kind = log.read_bytes()[offset + 6] ^ 1 << bit
    overwrite(log, offset + 6, bytes([kind]))

    quick, full = scan_log(log, verify=False), scan_log(log, verify=True)

    assert full.damage is not None
    if not 1 <= kind <= 4:
        assert quick.damage is not None
    assert (recycled_type_at(log) is not None) == (kind in (5, 6, 7, 8, 11, 131))


def test_damage_to_a_length_does_not_hide_what_is_intact_behind_it(log: Path) -> None:
    offset, following = record_offsets(log)[5:7]
    flip(log, offset + 4)

    damage = scan_log(log, verify=True).damage

    assert damage is not None
    assert damage.offset <= offset
    assert damage.intact_at == following


def test_a_claim_is_found_behind_the_damage(tmp_path: Path) -> None:
    store = RocksStore.open(tmp_path / "data")
    fill(store, range(1, 21))
    log = newest_log(tmp_path / "data")
    last = store._database._rows.latest_sequence_number()
    flip(log, record_offsets(log)[5] + 20)

    damage = scan_log(log, verify=True).damage

    assert damage is not None
    assert last - 12 * 3 < damage.synced < last
    assert synced_claims(log) == damage.synced
    store.close()


@pytest.mark.parametrize("damaged", [False, True])
def test_intact_batches_written_to_a_new_log_are_read_by_rocksdb(tmp_path: Path, damaged: bool) -> None:
    store = RocksStore.open(tmp_path / "data")
    for number in range(1, 61):
        store.apply(batch(number, rows=4, size=20_000 if number % 20 == 0 else 400 * (number % 7 + 1)))
    store.sync()
    shutil.copytree(tmp_path / "data" / "db", tmp_path / "db")
    store.close()
    log = newest_log(tmp_path)
    if damaged:
        flip(log, log.stat().st_size // 2)
    batches = list(intact_batches(log))
    log.unlink()

    write_log(log, batches)

    assert scan_log(log, verify=True).damage is None
    database = Database(tmp_path / "db")
    found = whole_batches(database, rows=4)  # type: ignore[arg-type]  # it only reads
    database.close()
    assert len(found) == (59 if damaged else 60)


def test_logs_are_listed_by_number(tmp_path: Path) -> None:
    for name in ("000010.log", "000009.log", "100000.log", "LOG"):
        (tmp_path / name).touch()

    assert [path.name for path in log_files(tmp_path)] == ["000009.log", "000010.log", "100000.log"]


def test_a_batch_that_ends_where_no_header_fits_is_padded(tmp_path: Path) -> None:
    for left in range(9):
        log = tmp_path / f"{left}.log"
        batches = [bytes(12) + b"x" * (BLOCK_BYTES - 2 * HEADER_BYTES - 12 - left), bytes(12) + b"second"]

        write_log(log, batches)

        assert list(intact_batches(log)) == batches
        assert scan_log(log, verify=True).damage is None

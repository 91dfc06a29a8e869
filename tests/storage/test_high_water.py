"""The mark says how far the disk is: never too far, and never torn."""

import threading
from pathlib import Path

import pytest

from tq.model.errors import StorageCorrupt
from tq.storage.high_water import (
    HIGH_WATER_NAME,
    HighWater,
    HighWaterFile,
    read_high_water,
    reset_high_water,
)


def test_there_is_no_mark_before_the_first(tmp_path: Path) -> None:
    assert read_high_water(tmp_path) is None


def test_a_mark_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = HighWaterFile(tmp_path, "ab", 3)
    assert read_high_water(tmp_path) == HighWater(3, "ab")

    file.mark(7)

    assert read_high_water(tmp_path) == HighWater(7, "ab")
    file.close()


def test_a_lower_mark_changes_nothing(tmp_path: Path) -> None:
    file = HighWaterFile(tmp_path, "ab", 3)
    file.mark(7)
    before = (tmp_path / HIGH_WATER_NAME).read_bytes()

    file.mark(7)
    file.mark(5)

    assert (tmp_path / HIGH_WATER_NAME).read_bytes() == before
    file.close()


@pytest.mark.parametrize("marks", [1, 2, 3])
def test_a_torn_write_leaves_the_mark_before_it(tmp_path: Path, marks: int) -> None:
    for opened_again in range(2):
        file = HighWaterFile(tmp_path, "ab", 1)
        for number in range(marks):
            file.mark(10 * (opened_again + 1) + number)
        before = (tmp_path / HIGH_WATER_NAME).read_bytes()
        last = read_high_water(tmp_path)
        file.mark(100 * (opened_again + 1))
        after = (tmp_path / HIGH_WATER_NAME).read_bytes()
        file.close()

        for cut in range(0, 512, 16):
            (tmp_path / HIGH_WATER_NAME).write_bytes(after[:cut] + before[cut:])
            found = read_high_water(tmp_path)
            assert found is not None
            assert last is not None
            assert found in (last, HighWater(100 * (opened_again + 1), "ab"))
        (tmp_path / HIGH_WATER_NAME).write_bytes(before)


def test_a_file_without_any_mark_is_refused(tmp_path: Path) -> None:
    (tmp_path / HIGH_WATER_NAME).write_bytes(b"\x00" * 512)

    with pytest.raises(StorageCorrupt, match="tq doctor --repair"):
        read_high_water(tmp_path)


def test_a_mark_with_a_changed_digit_does_not_count(tmp_path: Path) -> None:
    reset_high_water(tmp_path, HighWater(1, "ab"))
    file = HighWaterFile(tmp_path, "ab", 1)
    file.mark(1000)
    file.close()
    path = tmp_path / HIGH_WATER_NAME

    path.write_bytes(path.read_bytes().replace(b"1000", b"9000"))

    assert read_high_water(tmp_path) == HighWater(1, "ab")


def test_the_mark_of_another_database_is_replaced(tmp_path: Path) -> None:
    HighWaterFile(tmp_path, "ab", 900).close()

    HighWaterFile(tmp_path, "cd", 4).close()

    assert read_high_water(tmp_path) == HighWater(4, "cd")


def test_threads_may_mark_at_the_same_time(tmp_path: Path) -> None:
    file = HighWaterFile(tmp_path, "ab", 0)

    def mark(start: int) -> None:
        for number in range(30):
            file.mark(start + 10 * number)

    threads = [threading.Thread(target=mark, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert read_high_water(tmp_path) == HighWater(292, "ab")
    file.close()

"""One holder a directory, and the others learn who it is."""

import os
from pathlib import Path

import pytest

from tq.model.errors import StorageInUse
from tq.storage.lock import LOCK_NAME, DirectoryLock


def test_the_file_names_the_holder_and_then_nobody(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"

    lock.release()

    assert (tmp_path / LOCK_NAME).read_text() == ""


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path)
    with pytest.raises(StorageInUse) as refused:
        DirectoryLock(tmp_path)
    assert refused.value.hint == f"stop that process first: kill {os.getpid()}"

    first.release()
    first.release()

    DirectoryLock(tmp_path).release()


def test_the_pid_of_a_dead_holder_locks_nobody_out(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text("99999999 and a long story\n")

    lock = DirectoryLock(tmp_path)

    assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"
    lock.release()

"""What ran in a process that is dead."""

import os

from tq.worker.running_table import RunningTable

A, B = b"a" * 16, b"b" * 16


def test_the_other_side_sees_what_runs() -> None:
    table = RunningTable.create(3)
    other = RunningTable(os.dup(table.fd), 3)

    other.enter(0, A)
    other.enter(2, B)
    assert table.running() == [A, B]
    other.leave(0)

    assert table.running() == [B]
    other.close()
    table.close()


def test_a_place_belongs_to_its_latest_task() -> None:
    table = RunningTable.create(1)
    table.enter(0, A)
    table.enter(0, B)

    assert table.running() == [B]
    table.close()

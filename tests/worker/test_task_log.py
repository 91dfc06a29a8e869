"""What is logged of tasks that ended: all that people can read, and of the rest how many there were."""

import logging

import pytest

from tq.model.commands import Failure, Success
from tq.model.task import StoredTask, TaskSpec
from tq.worker.runs import Run
from tq.worker.task_log import LINES_PER_SECOND, TaskLog, write_end


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, object]]:
    return [(record.message, vars(record).get("tasks")) for record in caplog.records]


def test_a_few_tasks_a_second_are_all_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tq.worker")
    task_log = TaskLog(Clock())

    assert sum(task_log.room(1) for _ in range(LINES_PER_SECOND)) == LINES_PER_SECOND
    assert messages(caplog) == []


def test_beyond_that_the_next_second_says_how_many_were_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tq.worker")
    clock = Clock()
    task_log = TaskLog(clock)

    assert task_log.room(LINES_PER_SECOND + 30) == LINES_PER_SECOND
    assert task_log.room(12) == 0
    clock.now += 1
    assert task_log.room(5) == 5
    clock.now += 1
    assert task_log.room(5) == 5

    assert messages(caplog) == [("task_lines_left_out", 42)], "once"


def test_debug_writes_every_task(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "tq.worker")

    assert TaskLog(Clock()).room(10 * LINES_PER_SECOND) == 10 * LINES_PER_SECOND


def test_a_level_above_info_writes_only_failures(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "tq.worker")

    assert TaskLog(Clock()).room(1) == 0


def test_a_line_has_the_id_as_people_write_it_and_neither_payload_nor_result(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tq.worker")
    spec = TaskSpec(bytes(range(16)), "mail", b"SECRET-PAYLOAD")
    run = Run(spec.id, 1, 2, StoredTask(1, 1, 0, 0, spec), "loop", 5.0, started_at=10.0, ended_at=10.15)

    write_end(run, Success(spec.id, 1, b"SECRET-RESULT"), 99.0)
    write_end(run, Failure(spec.id, 1, "ValueError", "no", "Traceback: SECRET-TRACE"), 99.0)

    completed, failed = caplog.records
    assert vars(completed)["task_id"] == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert (vars(completed)["queue"], vars(completed)["attempt"], vars(completed)["duration_ms"]) == ("default", 2, 150)
    assert vars(failed)["error"] == "no"
    assert "SECRET" not in repr(vars(completed)) + repr(vars(failed))

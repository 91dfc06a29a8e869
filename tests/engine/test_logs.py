"""Log lines of tasks: kept in order and bounded, over attempts and restarts, and gone with their tasks."""

import pytest

from tests.engine.rig import DAY, HOUR, SECOND, Hand, Rig, id_of, task
from tq.engine.tables import LOG_KEY, Table
from tq.model.commands import LOG_LINES_MAX, GetLog, LogEntry, ReportLog
from tq.model.errors import TaskNotFound
from tq.model.replies import Delivery, LogPage


def say(worker: Hand, delivery: Delivery, *texts: str, level: str = "info") -> None:
    lines = [LogEntry(delivery.stored().spec.id, delivery.token, worker.rig.now_ms, level, text) for text in texts]
    worker.step(ReportLog(0, lines))
    worker.rig.turn()


def page(rig: Rig, number: int = 1, after: int = 0, limit: int = LOG_LINES_MAX) -> LogPage:
    reply = rig.step(GetLog(1, id_of(number), after, limit))
    assert isinstance(reply, LogPage)
    return reply


def texts(rig: Rig, number: int = 1) -> list[str]:
    return [line.text for line in page(rig, number).lines]


def rows(rig: Rig) -> int:
    return len(rig.rows.tables[Table.LOGS])


def test_lines_are_kept_in_their_order_with_their_attempt_over_retries() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    first = worker.fetch_one()
    say(worker, first, "a", "b")
    worker.nack(first, retry_in_ms=SECOND)
    rig.pass_time(SECOND)
    second = worker.fetch_one()
    say(worker, second, "c", level="error")

    assert [(line.number, line.attempt, line.level, line.text) for line in page(rig).lines] == [
        (1, 1, "info", "a"),
        (2, 1, "info", "b"),
        (3, 2, "error", "c"),
    ]
    assert not page(rig).is_over
    worker.ack(second)
    assert page(rig).is_over
    assert texts(rig) == ["a", "b", "c"]


def test_they_outlive_a_task_that_is_handed_back_and_a_restart_of_the_broker() -> None:
    """Neither leaves a row of state that could count them."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    say(worker, delivery, "a")
    worker.release(delivery)
    rig.restart()
    worker = rig.worker()
    delivery = worker.fetch_one()
    say(worker, delivery, "b")
    worker.ack(delivery)

    assert texts(rig) == ["a", "b"]


def test_of_very_many_the_latest_are_kept_and_all_are_counted() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    for first in range(1, LOG_LINES_MAX + 200, 100):
        say(worker, delivery, *map(str, range(first, first + 100)))

    found = page(rig)
    assert [line.text for line in found.lines] == [str(number) for number in range(201, LOG_LINES_MAX + 201)]
    assert found.total == LOG_LINES_MAX + 200
    assert rows(rig) == LOG_LINES_MAX + 1


def test_one_reads_on_from_a_number() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    say(worker, worker.fetch_one(), "a", "b", "c", "d")

    assert [line.text for line in page(rig, after=1, limit=2).lines] == ["b", "c"]
    assert page(rig, after=4).lines == []


def test_a_stale_token_logs_nothing() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    worker.ack(delivery)
    say(worker, delivery, "late")

    assert texts(rig) == []
    assert rows(rig) == 0


def test_lines_go_with_their_task_and_only_with_it() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    first, second = worker.fetch(2)
    say(worker, first, "one", "of it")
    say(worker, second, "two")
    worker.ack(first)
    rig.pass_time(2 * HOUR)

    with pytest.raises(TaskNotFound):
        page(rig, 1)
    assert sorted(LOG_KEY.unpack(key) for key in rig.rows.tables[Table.LOGS]) == [(id_of(2), 0), (id_of(2), 1)]

    worker = rig.worker("another")
    worker.ack(worker.fetch_one())
    rig.pass_time(DAY)
    assert rows(rig) == 0


def test_a_task_that_never_was_has_no_log() -> None:
    with pytest.raises(TaskNotFound):
        page(Rig())

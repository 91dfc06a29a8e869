"""What handlers log reaches the broker: before their outcomes, in order, and never more than it should."""

import pytest

from tests.worker.rig import Broker, a_broker, a_worker
from tq.model.commands import LOG_CHARS_MAX, LOG_LINES_MAX, Ack, LogEntry, Nack, ReportLog
from tq.worker.log_lines import LINES_AT_ONCE, LINES_HELD_MAX, LINES_PER_SECOND, LogLines

ID = bytes(16)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def filled(count: int, *, tokens: int = 1, clock: Clock | None = None) -> LogLines:
    lines = LogLines(clock or Clock())
    for number in range(count):
        lines.put(ID, number % tokens, "info", str(number))
    return lines


def texts(entries: list[LogEntry]) -> list[str]:
    return [entry.text for entry in entries]


def test_lines_come_out_once_in_their_order() -> None:
    lines = filled(3)

    assert lines
    assert texts(lines.take()) == ["0", "1", "2"]
    assert not lines
    assert lines.take() == []


def test_a_line_is_cut_and_can_be_sent_whatever_it_holds() -> None:
    lines = LogLines()
    lines.put(ID, 1, "a level of somebody's own making", "\udcff" + "x" * 5_000)
    (entry,) = lines.take()

    assert entry.text == "?" + "x" * (LOG_CHARS_MAX - 1)
    assert len(entry.level) == 20


def test_of_one_task_no_more_than_the_broker_keeps_are_sent_and_a_line_says_so() -> None:
    sent = filled(LOG_LINES_MAX + 100).take()

    assert len(sent) == LOG_LINES_MAX
    assert "100 lines left out" in sent[0].text
    assert sent[-1].text == str(LOG_LINES_MAX + 99)


def test_a_process_that_logs_without_end_sends_its_rate_and_the_latest_of_each_task() -> None:
    clock = Clock()
    lines = LogLines(clock)
    sent = 0
    for _ in range(40):  # ten seconds, four batches a second, 4,000 lines each
        for number in range(4_000):
            lines.put(ID, number % 20, "info", str(number))
        batch = lines.take()
        sent += len(batch)
        assert texts(batch)[-1] == "3999"
        clock.now += 0.25

    assert sent <= LINES_AT_ONCE + 10 * LINES_PER_SECOND + 40 * 20


def test_while_there_is_no_connection_the_latest_are_held() -> None:
    sent = filled(LINES_HELD_MAX + 10, tokens=20).take()

    assert "lines left out" in sent[0].text
    assert len(sent) <= LINES_AT_ONCE


@pytest.mark.parametrize("task_type", ["logs", "thread_logs", "process_logs"])
async def test_what_a_handler_logged_is_there_before_its_task_has_ended(task_type: str) -> None:
    async with a_broker() as broker, a_worker(broker.address):
        await broker.worker()
        token = broker.deliver(task_type, count=3)
        await broker.result(token)

        entries = logged(broker, token)
        done = next(
            index
            for index, one in enumerate(broker.requests)
            if isinstance(one, Ack) and any(success.token == token for success in one.successes)
        )

    assert [(entry.level, entry.text) for entry in entries] == [
        ("info", "line 0 of 3"),
        ("info", "line 1 of 3"),
        ("info", "line 2 of 3"),
        ("error", "it broke\nKeyError: 'the reason'"),
    ]
    assert last_log(broker) < done


async def test_lines_of_a_handler_that_runs_on_do_not_wait_for_its_end() -> None:
    async with a_broker() as broker, a_worker(broker.address):
        await broker.worker()
        token = broker.deliver("logs_and_waits")

        await broker.next(ReportLog, lambda one: any(line.token == token for line in one.lines))
        assert not broker.is_settled(token)
        await broker.stop(token)


async def test_lines_of_a_failing_handler_are_there_before_its_failure() -> None:
    async with a_broker() as broker, a_worker(broker.address):
        await broker.worker()
        token = broker.deliver("logs_and_fails")
        await broker.failure(token)
        failed = next(index for index, one in enumerate(broker.requests) if isinstance(one, Nack))

    assert [entry.text for entry in logged(broker, token)] == ["about to fail"]
    assert last_log(broker) < failed


def logged(broker: Broker, token: int) -> list[LogEntry]:
    reports = [one for one in broker.requests if isinstance(one, ReportLog)]
    return [line for report in reports for line in report.lines if line.token == token]


def last_log(broker: Broker) -> int:
    return max(index for index, one in enumerate(broker.requests) if isinstance(one, ReportLog))

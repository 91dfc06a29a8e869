"""`tq why`: one answer to "why isn't it running?", from a real broker."""

import json

from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq
from tests.cli.samples import EXPLANATION
from tq.cli.insight_view import explanation_fields
from tq.client.task import Task

UNKNOWN = "0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b"


def test_it_says_what_holds_a_task_and_what_to_do(broker: RunningBroker, queue: str) -> None:
    task_id = broker.client.submit_task(Task("send", queue=queue))
    broker.client.pause_queue(queue, "migration")

    table = call_tq("why", task_id, "-u", broker.address)
    record = json.loads(call_tq("why", task_id, "-u", broker.address, "-o", "json").stdout)

    assert table.returncode == 0
    assert "migration" in table.stdout
    assert f"-> tq queue resume {queue}" in table.stdout
    assert [reason["code"] for reason in record["reasons"]] == ["QUEUE_PAUSED", "NO_HANDLER"]
    assert record["reasons"][0]["since_ms"] > 0
    assert record["reasons"][0]["until_ms"] is None


def test_a_task_that_never_was_exits_4(broker: RunningBroker) -> None:
    done = call_tq("why", UNKNOWN, "-u", broker.address)

    assert (done.returncode, done.stdout) == (4, "")


def test_reasons_come_first_and_then_what_happened_before() -> None:
    fields = [(title, cell.text) for title, cell in explanation_fields(EXPLANATION)]

    assert [title for title, _ in fields] == ["task", "state", "why", "and", "attempt 1"]
    assert fields[2][1].splitlines() == [
        "attempt 1 of 4 failed; the next is in 3s",
        "ValueError: no such user",
        "since 2025-11-24T15:59:56.500Z, until 2025-11-24T16:00:03.000Z",
    ]
    assert fields[3][1].endswith("-> start one: tq worker module:app")
    assert "failed after 1.5s on w1: ValueError: no such user" in fields[4][1]

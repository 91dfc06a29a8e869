"""`tq dead groups`: what killed the tasks, at a glance."""

import json

import pytest

from tests.cli.conftest import RunningBroker, RunningWorker
from tests.cli.processes import call_tq
from tests.cli.samples import GROUP, NOW_MS
from tq.cli.failures import groups_view
from tq.client.task import Task
from tq.model.operations import QueueCount
from tq.model.task import State


@pytest.fixture
def dead(broker: RunningBroker, worker: RunningWorker) -> list[str]:
    """Three tasks that failed for good of two errors; the text of one tries to steer the terminal."""
    messages = ("no user 7", "no user 12", "\x1b[2Jother")
    ids = [
        broker.client.submit_task(
            Task(
                "fail",
                json.dumps({"message": message}).encode(),
                queue=worker.queue,
                max_retries=0,
                content_type="application/json",
            )
        )
        for message in messages
    ]
    for task_id in ids:
        assert broker.client.wait(task_id, 60).state is State.DEAD_LETTER
    return ids


def test_dead_letters_are_shown_by_what_killed_them(
    broker: RunningBroker, worker: RunningWorker, dead: list[str]
) -> None:
    where = f"queue:{worker.queue}"
    table = call_tq("dead", "groups", where, "-u", broker.address)
    records = json.loads(call_tq("dead", "groups", where, "-o", "json", "-u", broker.address).stdout)
    names = call_tq("dead", "groups", where, "err:ValueError", "*user*", "-o", "name", "-u", broker.address).stdout

    assert table.returncode == 0
    assert "ValueError: no user *" in table.stdout
    assert "\x1b" not in table.stdout
    assert "3 dead letters in 2 groups" in table.stderr
    first, second = records
    assert (first["message"], first["count"], first["place"]) == ("no user *", 2, "handlers.py:23 fail()")
    assert first["sample"] in dead[:2]
    assert first["queues"] == [{"queue": worker.queue, "count": 2}]
    assert second["count"] == 1
    assert names.split() == [first["fingerprint"]]


def test_the_dead_letters_of_a_group_are_found_by_the_beginning_of_its_name(
    broker: RunningBroker, worker: RunningWorker, dead: list[str]
) -> None:
    (fingerprint,) = (
        group.fingerprint
        for group in broker.client.failure_groups(f"queue:{worker.queue}").groups
        if "user" in group.message
    )

    page = broker.client.failure_groups(f"group:{fingerprint[:8]}", order="last", descending=False, limit=1)

    assert [group.fingerprint for group in page.groups] == [fingerprint]


def test_what_does_not_tell_errors_apart_is_refused_with_what_does(broker: RunningBroker) -> None:
    refused = call_tq("dead", "groups", "worker:w1", "-u", broker.address)

    assert refused.returncode == 2
    assert "groups are not found by worker:" in refused.stderr
    assert "\n    worker:w1\n    ^" in refused.stderr
    assert "tq dead list" in refused.stderr


def test_without_dead_letters_it_says_so(broker: RunningBroker, queue: str) -> None:
    broker.client.submit_task(Task("fail", queue=queue))

    shown = call_tq("dead", "groups", f"queue:{queue}", "-u", broker.address)

    assert (shown.returncode, shown.stdout) == (0, "")
    assert "No dead letters." in shown.stderr


def test_a_queue_that_does_not_exist_is_an_error(broker: RunningBroker) -> None:
    assert call_tq("dead", "groups", "queue:mial", "-u", broker.address).returncode == 4


def test_a_line_says_how_many_how_fast_where_and_in_which_queues() -> None:
    cells = [cell.text for cell in groups_view(NOW_MS).cells(GROUP)]

    assert cells == [
        "8f31c0de",
        "1,190,422",
        "4s ago",
        "9d",
        "+38.5",
        "httpx.ConnectTimeout: timed out after *s",
        "http.py:212 post()",
        "webhooks.out +1",
        "12",
    ]


def test_what_is_not_known_or_nothing_is_a_dash() -> None:
    import msgspec

    quiet = msgspec.structs.replace(
        GROUP, place="", deaths_per_minute=0.0, retried_total=0, queues=(QueueCount("mail", 3),), queues_total=1
    )
    cells = [cell.text for cell in groups_view(NOW_MS).cells(quiet)]

    assert (cells[4], cells[6], cells[7], cells[8]) == ("-", "-", "mail", "-")

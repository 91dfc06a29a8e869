"""Dead letters from a shell: listed, looked at, run again, corrected, let go."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import RunningBroker, RunningWorker
from tests.cli.processes import call_tq, on_terminal, run_tq
from tq.client.task import Task
from tq.model.task import State

UNKNOWN = "0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b"


@pytest.fixture
def dead(broker: RunningBroker, worker: RunningWorker) -> list[str]:
    """Three tasks that failed for good; their error tries to steer the terminal."""
    payload = json.dumps({"message": "no \x1b[2Jsuch user"}).encode()
    task = Task("fail", payload, queue=worker.queue, max_retries=0, content_type="application/json")
    ids = broker.client.submit_tasks([task] * 3)
    for task_id in ids:
        assert broker.client.wait(task_id, 60).state is State.DEAD_LETTER
    return ids


def _states(broker: RunningBroker, ids: list[str]) -> set[State]:
    return {broker.client.get_task(task_id).state for task_id in ids}


def test_dead_letters_are_listed_with_their_error_made_harmless(
    broker: RunningBroker, worker: RunningWorker, dead: list[str]
) -> None:
    table = call_tq("dead", "list", "--queue", worker.queue, "-u", broker.address)
    records = call_tq("dead", "list", "--queue", worker.queue, "-o", "json", "-u", broker.address)
    names = call_tq("dead", "list", "--queue", worker.queue, "-o", "name", "-u", broker.address)

    assert table.returncode == 0
    assert "ValueError: no \N{REPLACEMENT CHARACTER}[2Jsuch user" in table.stdout
    assert "\x1b" not in table.stdout + records.stdout
    assert {record["message"] for record in json.loads(records.stdout)} == {"no \x1b[2Jsuch user"}
    assert sorted(names.stdout.split()) == sorted(dead)


def test_a_dead_letter_is_shown_with_its_traceback(broker: RunningBroker, dead: list[str]) -> None:
    table = run_tq("dead", "show", dead[0], "-u", broker.address)
    record = run_tq("dead", "show", dead[0], "-o", "json", "-u", broker.address)

    assert "Traceback (most recent call last)" in table.stdout
    assert "handlers.py" in table.stdout
    assert "\x1b" not in table.stdout
    assert json.loads(record.stdout)["history"][0]["outcome"] == "failed"


def test_a_task_that_is_no_dead_letter_is_not_shown_as_one(broker: RunningBroker, queue: str) -> None:
    waiting = broker.client.submit_task(Task("send", queue=queue))

    assert call_tq("dead", "show", waiting, "-u", broker.address).returncode == 5
    assert call_tq("dead", "show", UNKNOWN, "-u", broker.address).returncode == 4


def test_a_named_dead_letter_runs_again_without_a_question(
    broker: RunningBroker, worker: RunningWorker, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    payload = json.dumps({"path": str(file)}).encode()
    task = Task("fail_unless", payload, queue=worker.queue, max_retries=0, content_type="application/json")
    task_id = broker.client.submit_task(task)
    assert broker.client.wait(task_id, 60).state is State.DEAD_LETTER
    file.write_text("now it is there")

    done = call_tq("dead", "retry", task_id, "-u", broker.address)

    assert done.returncode == 0
    assert done.stderr.startswith("Retried 1 dead letter. To take it back: tq undo ")
    assert broker.client.wait(task_id, 60).state is State.COMPLETED


def test_a_whole_queue_runs_again_only_after_a_yes(
    broker: RunningBroker, worker: RunningWorker, dead: list[str]
) -> None:
    line = ("dead", "retry", "--queue", worker.queue, "-u", broker.address)
    before = broker.client.get_task(dead[0]).ended_at_ms

    tried = call_tq(*line, "--dry-run")
    refused = call_tq(*line)
    unchanged = broker.client.get_task(dead[0]).ended_at_ms
    done = call_tq(*line, "--yes")

    assert (tried.returncode, refused.returncode, done.returncode) == (0, 2, 0)
    assert f"Would retry 3 dead letters of {worker.queue}." in tried.stderr
    assert unchanged == before
    assert f"Retried 3 dead letters of {worker.queue}." in done.stderr


def test_on_a_terminal_a_purge_shows_a_sample_and_asks(
    broker: RunningBroker, worker: RunningWorker, dead: list[str]
) -> None:
    with on_terminal("dead", "purge", "--queue", worker.queue, "-u", broker.address, columns=60) as terminal:
        seen = terminal.read_until(f"Purge 3 dead letters of {worker.queue}? [y/N]")
        assert _states(broker, dead) == {State.DEAD_LETTER}
        terminal.type("y\r")
        assert terminal.end() == 0

    assert all(task_id in seen for task_id in dead)
    assert _states(broker, dead) == {State.CANCELLED}


def test_named_dead_letters_are_purged_with_a_yes_and_what_is_none_is_told(
    broker: RunningBroker, dead: list[str]
) -> None:
    line = ("dead", "purge", *dead, "-u", broker.address)

    tried = call_tq(*line, "--dry-run")
    refused = call_tq(*line)
    done = call_tq(*line, "--yes")
    again = call_tq(*line, "--yes")

    assert "Would purge 3 dead letters." in tried.stderr
    assert (refused.returncode, done.returncode, again.returncode) == (2, 0, 5)
    assert _states(broker, dead) == {State.CANCELLED}


def test_a_part_of_the_named_exits_7(broker: RunningBroker, dead: list[str]) -> None:
    done = call_tq("dead", "purge", dead[0], UNKNOWN, "--yes", "-u", broker.address)

    assert done.returncode == 7
    assert "1 of those named are not there" in done.stderr


def test_a_corrected_payload_makes_a_new_task_and_each_names_the_other(
    broker: RunningBroker, worker: RunningWorker, tmp_path: Path
) -> None:
    task = Task("add", b'{"a": 1}', queue=worker.queue, max_retries=0, content_type="application/json")
    task_id = broker.client.submit_task(task)
    assert broker.client.wait(task_id, 60).state is State.DEAD_LETTER
    fixed = tmp_path / "fixed.json"
    fixed.write_text('{"a": 1, "b": 41}')

    done = run_tq("dead", "resubmit", task_id, "--payload-file", str(fixed), "-u", broker.address)

    new_id = done.stdout.strip()
    assert done.returncode == 0
    assert broker.client.wait(new_id, 60).state is State.COMPLETED
    old = json.loads(run_tq("task", "get", task_id, "-o", "json", "-u", broker.address).stdout)
    new = json.loads(run_tq("task", "get", new_id, "-o", "json", "-u", broker.address).stdout)
    assert (old["resubmitted_as"], new["resubmit_of"]) == (new_id, task_id)
    assert (new["result"], new["result_encoding"]) == (42, "json")


def test_resubmitting_what_has_not_ended_exits_5(broker: RunningBroker, queue: str) -> None:
    waiting = broker.client.submit_task(Task("send", queue=queue))

    assert call_tq("dead", "resubmit", waiting, "-u", broker.address).returncode == 5

"""`tq worker APP` runs an application; `tq worker list` and `drain` administer those that do."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import RunningBroker, RunningWorker
from tests.cli.processes import call_tq, daemon, run_tq
from tq.client.task import Task

ROOT = Path(__file__).parents[2]


def test_a_result_comes_back_as_the_value_that_the_handler_returned(
    broker: RunningBroker, worker: RunningWorker
) -> None:
    submitted = run_tq(
        *("submit", "-u", broker.address, "--type", "add", "--queue", worker.queue),
        *("--payload", '{"a": 2, "b": 3}', "--wait"),
    )

    assert (submitted.returncode, submitted.stdout) == (0, "5\n")
    assert "Submitted" in submitted.stderr
    assert "completed" in submitted.stderr


def test_bytes_go_through_a_pipe_unchanged(broker: RunningBroker, worker: RunningWorker) -> None:
    data = bytes(range(256)).decode("latin-1").encode("latin-1")

    done = run_tq(
        *("submit", "-u", broker.address, "--type", "echo", "--queue", worker.queue, "--payload-file", "-"),
        *("--wait=30s", "-o", "name"),
        stdin=data,
    )
    result = run_tq("task", "result", done.stdout.strip(), "-u", broker.address)

    assert result.returncode == 0
    assert result.stdout.encode(errors="surrogateescape") == data


def test_the_outcome_of_a_task_is_a_record_and_an_exit_code(broker: RunningBroker, worker: RunningWorker) -> None:
    good = broker.client.submit_task(
        Task("add", b'{"a": 1, "b": 1}', queue=worker.queue, content_type="application/json")
    )
    bad = broker.client.submit_task(
        Task("fail", b'{"message": "no"}', queue=worker.queue, max_retries=0, content_type="application/json")
    )

    waited = call_tq("task", "wait", good, "-o", "json", "-u", broker.address)
    failed = call_tq("task", "wait", bad, "-o", "jsonl", "-u", broker.address)
    failed_for_people = call_tq("task", "result", bad, "-u", broker.address)
    raw = call_tq("task", "result", good, "--raw", "-u", broker.address)

    assert waited.returncode == 0
    assert json.loads(waited.stdout)["result"] == 2
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["error"]["message"] == "no"
    assert (failed_for_people.returncode, failed_for_people.stdout) == (1, "")
    assert "ValueError: no" in failed_for_people.stderr
    assert raw.stdout == "\x02"  # 2 in MessagePack


def test_workers_are_listed_and_a_drained_one_ends(broker: RunningBroker) -> None:
    flags = ("--url", broker.address, "--name", "drained", "--queues", "nowhere", "--log-format", "json")
    with daemon("worker", "tests.cli.handlers:app", *flags, cwd=ROOT) as worker:
        worker.wait_for("connected")
        listed = call_tq("worker", "list", "-u", broker.address, "-o", "json")
        table = call_tq("worker", "list", "-u", broker.address)
        drained = call_tq("worker", "drain", "drained", "-u", broker.address)
        code = worker.process.wait(60)

    (record,) = [record for record in json.loads(listed.stdout) if record["name"] == "drained"]
    assert (record["status"], record["queues"]) == ("connected", ["nowhere"])
    assert "drained" in table.stdout
    assert (drained.returncode, drained.stderr) == (0, "Draining 1 worker process.\n")
    assert code == 0


def test_a_worker_that_is_not_there_exits_4(broker: RunningBroker) -> None:
    done = call_tq("worker", "drain", "nobody", "-u", broker.address)

    assert done.returncode == 4


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("no_such_module:app", "no_such_module"),
        ("tests.cli.handlers:nothing", "tests.cli.handlers:app"),
        ("lst", "lst"),
    ],
)
def test_an_application_that_is_not_there_exits_2_and_says_what_to_do(
    broker: RunningBroker, app: str, said: str
) -> None:
    done = run_tq("worker", app, "-u", broker.address, cwd=ROOT)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_options_may_come_before_the_application(broker: RunningBroker) -> None:
    done = run_tq("worker", "--queues", "a:b:c", "tests.cli.handlers:app", "-u", broker.address, cwd=ROOT)

    assert done.returncode == 2
    assert "'c' is not a priority" in done.stderr


def test_the_broker_in_numbers_is_for_people_and_for_scripts(broker: RunningBroker) -> None:
    table = run_tq("stats", "-u", broker.address)
    record = call_tq("stats", "-o", "jsonl", "-u", broker.address)
    name = call_tq("stats", "-o", "name", "-u", broker.address)

    facts = json.loads(record.stdout)
    assert table.returncode == 0
    assert "accepting tasks" in table.stdout
    assert facts["broker"]["pid"] == broker.process.process.pid
    assert name.stdout == facts["broker"]["boot_id"] + "\n"

"""Looking inside: what a worker has in hand, where a handler is, what it logged; against a real broker and worker."""

import json
from pathlib import Path
from time import monotonic, sleep

from tests.cli.conftest import RunningBroker, RunningWorker
from tests.cli.processes import SECONDS_MAX, call_tq
from tests.cli.samples import HELD, NOW_MS, WORKER
from tq.cli.insight_view import held_view, worker_fields
from tq.client.task import Task
from tq.model.insight import WorkerView


def hold(broker: RunningBroker, worker: RunningWorker, directory: Path) -> str:
    """A task whose handler has started, and runs until the file `released` is there."""
    started = directory / "started"
    payload = json.dumps({"started": str(started), "released": str(directory / "released")}).encode()
    task_id = broker.client.submit_task(
        Task("hold", payload, queue=worker.queue, content_type="application/json", max_retries=0)
    )
    wait_for(started)
    return task_id


def release(broker: RunningBroker, task_id: str, directory: Path) -> None:
    """Let it end, and see it end: the directory goes with the test."""
    (directory / "released").touch()
    broker.client.wait(task_id, SECONDS_MAX)


def wait_for(path: Path) -> None:
    """Until another process has made a file: there is nothing to wait on but the file."""
    deadline = monotonic() + SECONDS_MAX
    while not path.exists():
        assert monotonic() < deadline
        sleep(0.01)


def test_a_worker_is_shown_with_the_tasks_that_it_has_in_hand(
    broker: RunningBroker, worker: RunningWorker, tmp_path: Path
) -> None:
    task_id = hold(broker, worker, tmp_path)
    (name,) = {info.name for info in broker.client.workers() if info.queues == (worker.queue,)}

    table = call_tq("worker", "show", name, "-u", broker.address)
    (record,) = json.loads(call_tq("worker", "show", name, "-u", broker.address, "-o", "json").stdout)
    release(broker, task_id, tmp_path)

    assert (table.returncode, table.stderr) == (0, "")
    assert task_id in table.stdout
    assert "1 of 4 busy" in table.stdout
    assert [task["id"] for task in record["tasks"]] == [task_id]
    assert record["queues"] == [worker.queue]


def test_a_worker_that_is_not_there_cannot_be_shown(broker: RunningBroker) -> None:
    done = call_tq("worker", "show", "nobody", "-u", broker.address)

    assert (done.returncode, done.stdout) == (4, "")


def test_what_is_wrong_with_a_worker_and_its_tasks_stands_out() -> None:
    fields = dict(worker_fields(WorkerView(info=WORKER, tasks=(HELD,)), NOW_MS))
    cells = held_view(NOW_MS).cells(HELD)

    assert fields["tasks"].text.endswith("(the first 1 are shown)") is (WORKER.leases > 1)
    assert [cell.text for cell in cells][4:] == ["1m30s", "30s ago", "40% resizing"]
    assert cells[5].style == "red", "it is over its time"


def test_the_stack_of_a_running_task_is_taken_while_it_runs(
    broker: RunningBroker, worker: RunningWorker, tmp_path: Path
) -> None:
    task_id = hold(broker, worker, tmp_path)

    table = call_tq("task", "stack", task_id, "-u", broker.address)
    record = json.loads(call_tq("task", "stack", task_id, "-u", broker.address, "-o", "json").stdout)
    release(broker, task_id, tmp_path)
    afterwards = call_tq("task", "stack", task_id, "-u", broker.address)

    assert (table.returncode, table.stderr) == (0, "")
    assert "in hold" in table.stdout
    assert (record["kind"], record["task_id"]) == ("thread", task_id)
    assert record["place"].startswith("handlers.py:")
    assert (afterwards.returncode, afterwards.stdout) == (5, "")
    assert "does not run: it is completed" in afterwards.stderr


def test_the_log_of_a_task_is_printed_line_by_line_and_cannot_steer_a_terminal(
    broker: RunningBroker, worker: RunningWorker
) -> None:
    task_id = broker.client.submit_task(
        Task("logs", b'{"count": 2}', queue=worker.queue, content_type="application/json")
    )
    followed = call_tq("task", "log", task_id, "--follow", "-u", broker.address)
    lines = call_tq("task", "log", task_id, "-o", "jsonl", "-u", broker.address).stdout.splitlines()
    document = json.loads(call_tq("task", "log", task_id, "-o", "json", "-u", broker.address).stdout)
    names = call_tq("task", "log", task_id, "-o", "name", "-u", broker.address).stdout.splitlines()

    assert [line.split(" ", 1)[1] for line in followed.stdout.splitlines()[:2]] == [
        "info     line 0",
        "info     line 1",
    ]
    assert followed.stdout.splitlines()[3] == "    Traceback: a second line"
    assert not {"\x1b", "\x07", "\u202e"} & set(followed.stdout + "".join(names))
    assert [json.loads(line) for line in lines] == document
    assert [line["number"] for line in document] == [1, 2, 3]
    assert document[2]["text"].startswith("\x1b[31mred")
    assert names[:2] == ["line 0", "line 1"]


def test_a_task_that_logged_nothing_says_so_and_one_that_never_was_exits_4(broker: RunningBroker, queue: str) -> None:
    task_id = broker.client.submit_task(Task("send", queue=queue))

    silent = call_tq("task", "log", task_id, "-u", broker.address)
    unknown = call_tq("task", "log", "0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b", "-u", broker.address)

    assert (silent.returncode, silent.stdout) == (0, "")
    assert "No lines" in silent.stderr
    assert unknown.returncode == 4

"""Looking at tasks, waiting for them and cancelling them, from a shell."""

import json
import signal

import pytest

from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq, daemon, on_terminal, run_tq
from tq.client.task import Task
from tq.model.task import State

UNKNOWN = "0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b"


def _submit(broker: RunningBroker, queue: str, count: int = 1) -> list[str]:
    return broker.client.submit_tasks([Task("send", b'{"n": 1}', queue=queue) for _ in range(count)])


@pytest.mark.parametrize("verb", [["task", "get"], ["status"]])
def test_a_task_in_full_is_for_people_and_for_scripts(broker: RunningBroker, queue: str, verb: list[str]) -> None:
    (task_id,) = _submit(broker, queue)

    table = run_tq(*verb, task_id, "-u", broker.address)
    record = run_tq(*verb, task_id, "-u", broker.address, "-o", "json")

    assert (table.returncode, record.returncode) == (0, 0)
    assert task_id in table.stdout
    assert "no connected worker can run this type" in table.stdout
    assert json.loads(record.stdout)["id"] == task_id
    assert record.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [["task", "get", UNKNOWN], ["task", "result", UNKNOWN], ["task", "wait", UNKNOWN], ["task", "cancel", UNKNOWN]],
    ids=" ".join,
)
def test_a_task_that_never_was_exits_4(broker: RunningBroker, arguments: list[str]) -> None:
    done = call_tq(*arguments, "-u", broker.address)

    assert (done.returncode, done.stdout) == (4, "")
    assert UNKNOWN in done.stderr


def test_a_listing_has_as_many_tasks_as_asked_for_and_says_that_there_are_more(
    broker: RunningBroker, queue: str
) -> None:
    ids = _submit(broker, queue, 5)

    few = call_tq("task", "list", "--queue", queue, "-n", "2", "-u", broker.address)
    names = call_tq("task", "list", "--queue", queue, "-n", "2", "-o", "name", "-u", broker.address)
    everything = call_tq("task", "list", "--queue", queue, "--all", "-o", "name", "-u", broker.address)

    assert len(few.stdout.splitlines()) == 1 + 2
    assert "--all" in few.stderr
    assert (len(names.stdout.split()), names.stderr) == (2, "")
    assert sorted(everything.stdout.split()) == sorted(ids)


def test_a_listing_is_filtered_by_state_and_type(broker: RunningBroker, queue: str) -> None:
    _submit(broker, queue)

    def listed(*filters: str) -> list[object]:
        done = call_tq("task", "list", "--queue", queue, *filters, "-o", "json", "-u", broker.address)
        found = json.loads(done.stdout)
        assert isinstance(found, list)
        return found

    assert len(listed("--state", "pending", "--type", "send")) == 1
    assert listed("--state", "completed") == listed("--type", "other") == []


def test_the_result_of_a_task_that_has_not_ended_exits_5(broker: RunningBroker, queue: str) -> None:
    (task_id,) = _submit(broker, queue)

    done = call_tq("task", "result", task_id, "-u", broker.address)

    assert (done.returncode, done.stdout) == (5, "")
    assert "has no result yet" in done.stderr


def test_waiting_longer_than_allowed_exits_8(broker: RunningBroker, queue: str) -> None:
    (task_id,) = _submit(broker, queue)

    done = call_tq("task", "wait", task_id, "--timeout", "50ms", "-u", broker.address)

    assert done.returncode == 8


def test_waiting_for_a_task_that_was_cancelled_exits_1_and_says_why(broker: RunningBroker, queue: str) -> None:
    (task_id,) = _submit(broker, queue)
    cancelled = call_tq("task", "cancel", task_id, "--reason", "not needed", "-u", broker.address)

    waited = call_tq("task", "wait", task_id, "-o", "json", "-u", broker.address)
    result = call_tq("task", "result", task_id, "-u", broker.address)

    assert (cancelled.returncode, cancelled.stdout) == (0, "")
    assert (waited.returncode, json.loads(waited.stdout)["state"]) == (1, "cancelled")
    assert (result.returncode, result.stdout) == (1, "")
    assert "not needed" in result.stderr


def test_cancelling_what_has_ended_exits_5_and_a_part_of_many_exits_7(broker: RunningBroker, queue: str) -> None:
    gone, waiting = _submit(broker, queue, 2)
    broker.client.cancel(gone)

    assert call_tq("task", "cancel", gone, "-u", broker.address).returncode == 5
    partly = call_tq("task", "cancel", gone, waiting, "--yes", "-u", broker.address)

    assert partly.returncode == 7
    assert broker.client.get_task(waiting).state is State.CANCELLED


def test_ids_come_from_stdin_and_several_need_a_yes_where_nobody_can_be_asked(
    broker: RunningBroker, queue: str
) -> None:
    ids = _submit(broker, queue, 3)
    lines = "\n".join([*(f"{task_id} and more" for task_id in ids), "", ids[0]]).encode()

    refused = call_tq("task", "cancel", "-", "-u", broker.address, stdin=lines)
    tried = call_tq("task", "cancel", "-", "--dry-run", "-u", broker.address, stdin=lines)
    states_before = {broker.client.get_task(task_id).state for task_id in ids}
    done = call_tq("task", "cancel", "-", "--yes", "-u", broker.address, stdin=lines)

    assert (refused.returncode, tried.returncode, done.returncode) == (2, 0, 0)
    assert "--yes" in refused.stderr
    assert "Would cancel 3 tasks" in tried.stderr
    assert states_before == {State.PENDING}
    assert {broker.client.get_task(task_id).state for task_id in ids} == {State.CANCELLED}


def test_no_ids_on_stdin_are_nothing_to_do_and_never_mean_all(broker: RunningBroker, queue: str) -> None:
    (task_id,) = _submit(broker, queue)

    for verb in (["task", "cancel"], ["dead", "retry"], ["dead", "purge"]):
        done = call_tq(*verb, "-", "--yes", "-u", broker.address, stdin=b"\n")
        assert (done.returncode, done.stderr) == (0, "No ids on stdin: nothing to do.\n")
    assert broker.client.get_task(task_id).state is State.PENDING


def test_ctrl_c_ends_a_wait_with_130_and_without_a_traceback(broker: RunningBroker, queue: str) -> None:
    (task_id,) = _submit(broker, queue)
    before = broker.client.stats().engine.waiters

    with on_terminal("task", "wait", task_id, "-u", broker.address) as terminal:
        while broker.client.stats().engine.waiters == before:
            assert terminal.process.poll() is None
        terminal.type("\x03")
        code = terminal.end()

    assert code == 130
    assert "Traceback" not in terminal.seen


def test_a_signal_from_elsewhere_ends_a_wait_too(broker: RunningBroker, queue: str) -> None:
    (task_id,) = _submit(broker, queue)
    before = broker.client.stats().engine.waiters

    with daemon("task", "wait", task_id, "-u", broker.address) as waiting:
        while broker.client.stats().engine.waiters == before:
            assert waiting.process.poll() is None
        assert waiting.end(signal.SIGINT) == 130

    assert "Traceback" not in waiting.log


def test_a_reader_that_went_away_is_no_traceback(broker: RunningBroker, queue: str) -> None:
    _submit(broker, queue, 1_000)
    _submit(broker, queue, 1_000)

    with daemon("task", "list", "--queue", queue, "--all", "-o", "jsonl", "-u", broker.address) as listing:
        assert listing.process.stdout
        listing.process.stdout.readline()
        listing.process.stdout.close()
        assert listing.process.wait(30) == 1
        assert listing.log == ""

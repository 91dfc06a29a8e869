"""Queues from a shell: looked at, paused, resumed, and purged only after a yes."""

import json

import pytest

from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq, on_terminal, run_tq
from tq.client.task import Task
from tq.model.task import State


@pytest.fixture
def filled(broker: RunningBroker, queue: str) -> str:
    """A queue with seven waiting tasks."""
    broker.client.submit_tasks([Task("send", queue=queue) for _ in range(7)])
    return queue


def _states(broker: RunningBroker, queue: str) -> set[State]:
    return {task.state for task in broker.client.iter_tasks(f"queue:{queue}")}


def _of(records: str, queue: str) -> dict[str, object]:
    (record,) = [record for record in json.loads(records) if record["name"] == queue]
    assert isinstance(record, dict)
    return record


def test_a_queue_is_listed_with_what_it_holds(broker: RunningBroker, filled: str) -> None:
    table = call_tq("queue", "list", "-u", broker.address)
    records = call_tq("queue", "list", "-o", "json", "-u", broker.address)
    names = call_tq("queue", "list", "-o", "name", "-u", broker.address)

    (row,) = [line for line in table.stdout.splitlines() if line.startswith(filled)]
    assert "no worker for 7" in row
    assert _of(records.stdout, filled)["waiting"] == 7
    assert filled in names.stdout.split()


def test_a_paused_queue_says_why_and_runs_again_when_resumed(broker: RunningBroker, filled: str) -> None:
    paused = call_tq("queue", "pause", filled, "--reason", "deploy", "-u", broker.address)
    while_paused = _of(call_tq("queue", "list", "-o", "json", "-u", broker.address).stdout, filled)
    resumed = call_tq("queue", "resume", filled, "-u", broker.address)
    afterwards = _of(call_tq("queue", "list", "-o", "json", "-u", broker.address).stdout, filled)

    assert (paused.returncode, paused.stderr) == (0, f"Paused {filled}.\n")
    assert (while_paused["is_paused"], while_paused["pause_reason"]) == (True, "deploy")
    assert (resumed.returncode, resumed.stderr) == (0, f"Resumed {filled}.\n")
    assert afterwards["is_paused"] is False


@pytest.mark.parametrize("verb", ["pause", "resume", "purge"])
def test_a_queue_that_never_was_exits_4(broker: RunningBroker, verb: str) -> None:
    done = call_tq("queue", verb, "no-such-queue", *(["--yes"] if verb == "purge" else []), "-u", broker.address)

    assert done.returncode == 4
    assert "no-such-queue" in done.stderr


def test_purging_a_queue_that_is_nearly_named_says_which_was_meant(broker: RunningBroker, filled: str) -> None:
    done = call_tq("queue", "purge", filled + "x", "--yes", "-u", broker.address)

    assert done.returncode == 4
    assert f"did you mean {filled}?" in done.stderr
    assert _states(broker, filled) == {State.PENDING}


def test_a_purge_without_a_terminal_needs_a_yes(broker: RunningBroker, filled: str) -> None:
    done = call_tq("queue", "purge", filled, "-u", broker.address)

    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert _states(broker, filled) == {State.PENDING}


def test_a_dry_run_shows_how_many_and_some_of_them_and_does_nothing(broker: RunningBroker, filled: str) -> None:
    done = call_tq("queue", "purge", filled, "--dry-run", "-u", broker.address)

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("  send  ") == 5
    assert "... and 2 more" in done.stderr
    assert f"Would purge 7 waiting tasks of {filled}." in done.stderr
    assert _states(broker, filled) == {State.PENDING}


def test_a_purge_cancels_what_waits(broker: RunningBroker, filled: str) -> None:
    done = run_tq("queue", "purge", filled, "--yes", "-u", broker.address)
    again = run_tq("queue", "purge", filled, "-u", broker.address)

    assert done.returncode == 0
    assert f"Purged 7 waiting tasks of {filled}." in done.stderr
    assert _states(broker, filled) == {State.CANCELLED}
    assert (again.returncode, again.stderr) == (0, f"Nothing to purge of {filled}.\n")


@pytest.mark.parametrize(("answer", "code", "state"), [("n\r", 1, State.PENDING), ("y\r", 0, State.CANCELLED)])
def test_on_a_terminal_a_purge_asks_and_does_as_it_is_told(
    broker: RunningBroker, filled: str, answer: str, code: int, state: State
) -> None:
    with on_terminal("queue", "purge", filled, "-u", broker.address) as terminal:
        terminal.read_until(f"Purge 7 waiting tasks of {filled}? [y/N]")
        terminal.type(answer)
        assert terminal.end() == code

    assert _states(broker, filled) == {state}


def test_ctrl_c_at_the_question_does_nothing(broker: RunningBroker, filled: str) -> None:
    with on_terminal("queue", "purge", filled, "-u", broker.address) as terminal:
        terminal.read_until("[y/N]")
        terminal.interrupt()
        assert terminal.end() != 0

    assert "Traceback" not in terminal.seen
    assert _states(broker, filled) == {State.PENDING}


def test_a_table_fits_a_narrow_terminal_and_is_coloured_only_there(broker: RunningBroker, filled: str) -> None:
    with on_terminal("queue", "list", "-u", broker.address, columns=60) as terminal:
        assert terminal.end() == 0
    piped = run_tq("queue", "list", "-u", broker.address)

    lines = terminal.seen.split("\n")
    assert "\x1b[" in terminal.seen
    assert max(len(_bare(line)) for line in lines) <= 60
    assert "\x1b" not in piped.stdout


def _bare(line: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", line)

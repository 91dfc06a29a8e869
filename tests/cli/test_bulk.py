"""Many tasks at once from a shell: named, previewed, asked about, followed, looked at afterwards, and taken back."""

import json

import pytest

from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq, on_terminal
from tq.cli.bulk import choose
from tq.client.task import Task
from tq.model.commands import BATCH_MAX
from tq.model.errors import InvalidArgument, SelectorInvalid
from tq.model.task import State

UNKNOWN = "0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b"


@pytest.fixture
def waiting(broker: RunningBroker, queue: str) -> list[str]:
    """Twelve waiting tasks of a queue."""
    return broker.client.submit_tasks([Task("send", queue=queue)] * 12)


def _states(broker: RunningBroker, queue: str) -> set[State]:
    return {task.state for task in broker.client.iter_tasks(f"queue:{queue}")}


def _latest(broker: RunningBroker) -> str:
    return broker.client.operations(1)[0].id.hex()[:8]


# -- what is named -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "queue", "is_all"),
    [([], None, False), (["queue:mail"], None, True), ([UNKNOWN], "mail", False), ([], "mail", True)],
    ids=["nothing", "a selector and all", "ids and a queue", "a queue and all"],
)
def test_what_is_done_to_many_has_to_be_named_in_one_way(arguments: list[str], queue: str | None, is_all: bool) -> None:
    with pytest.raises(InvalidArgument):
        choose(arguments, queue, is_all=is_all)


def test_ids_and_selectors_are_told_apart() -> None:
    assert choose([UNKNOWN], None, is_all=False).ids == [UNKNOWN]
    assert choose(["err:x", "type:y"], "mail", is_all=False).selector.text == "err:x type:y queue:mail"
    assert choose([], None, is_all=True).selector.text == ""


def test_a_state_that_a_verb_is_about_anyway_is_not_said_twice() -> None:
    dead = [State.DEAD_LETTER]
    assert choose(["type:x"], None, is_all=False, states=dead).selector.text == "type:x state:dead_letter"
    assert choose(["state:dead_letter"], None, is_all=False, states=dead).selector.text == "state:dead_letter"


def test_ids_beside_a_selector_and_fields_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="is not a task id"):
        choose([UNKNOWN, "queue:mail"], None, is_all=False)
    with pytest.raises(SelectorInvalid):
        choose(["quue:mail"], None, is_all=False)


# -- purge, and back -----------------------------------------------------------------------------------------------


def test_a_selector_is_purged_and_an_undo_brings_it_back(broker: RunningBroker, queue: str, waiting: list[str]) -> None:
    purged = call_tq("purge", f"queue:{queue}", "type:send", "--yes", "--reason", "sent twice", "-u", broker.address)
    name = _latest(broker)
    after_purge = _states(broker, queue)
    undone = call_tq("undo", name, "-u", broker.address)

    assert purged.returncode == 0
    assert f"Purged 12 tasks. To take it back: tq undo {name}" in purged.stderr
    assert after_purge == {State.CANCELLED}
    assert (undone.returncode, undone.stderr) == (0, "Put back 12 tasks.\n")
    assert _states(broker, queue) == {State.PENDING}
    assert broker.client.operation(name).reason == "sent twice"


@pytest.mark.parametrize(
    ("typed", "code", "states"), [("n\r", 1, {State.CANCELLED}), ("y\r", 0, {State.PENDING})], ids=["no", "yes"]
)
def test_on_a_terminal_an_undo_asks_whether_it_is_the_one(
    broker: RunningBroker, queue: str, waiting: list[str], typed: str, code: int, states: set[State]
) -> None:
    call_tq("queue", "purge", queue, "--yes", "-u", broker.address)
    with on_terminal("undo", _latest(broker), "-u", broker.address, columns=120) as terminal:
        terminal.read_until("a purge of 12 tasks")
        terminal.type(typed)
        ended = terminal.end()

    assert (ended, _states(broker, queue)) == (code, states)


def test_an_undo_that_was_agreed_to_asks_nothing(broker: RunningBroker, queue: str, waiting: list[str]) -> None:
    call_tq("queue", "purge", queue, "--yes", "-u", broker.address)
    with on_terminal("undo", _latest(broker), "--yes", "-u", broker.address, columns=120) as terminal:
        assert terminal.end() == 0

    assert _states(broker, queue) == {State.PENDING}


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    broker: RunningBroker, queue: str, waiting: list[str]
) -> None:
    done = call_tq("purge", f"queue:{queue}", "--dry-run", "--rate", "2", "-u", broker.address)

    assert (done.returncode, done.stdout) == (0, "")
    assert "... and 7 more" in done.stderr
    assert "At 2 a second this takes 6s." in done.stderr
    assert done.stderr.endswith("Would purge 12 tasks.\n")
    assert _states(broker, queue) == {State.PENDING}


def test_a_selector_that_makes_no_sense_exits_2_and_shows_where(broker: RunningBroker) -> None:
    done = call_tq("purge", "queue:x", "aage:>2h", "--yes", "-u", broker.address)

    assert done.returncode == 2
    assert "queue:x aage:>2h\n            ^" in done.stderr


def test_nothing_to_do_is_no_failure(broker: RunningBroker, queue: str, waiting: list[str]) -> None:
    done = call_tq("dead", "retry", f"queue:{queue}", "-u", broker.address)

    assert (done.returncode, done.stderr) == (0, "Nothing to retry.\n")


# -- for good ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_undone_needs_the_number_and_no_yes_is_enough(
    broker: RunningBroker, queue: str, waiting: list[str]
) -> None:
    line = ("purge", f"queue:{queue}", "--hard", "-u", broker.address)

    agreed = call_tq(*line, "--yes")
    wrong = call_tq(*line, "--confirm", "11")
    still_there = _states(broker, queue)
    done = call_tq(*line, "--confirm", "12")

    assert (agreed.returncode, wrong.returncode, done.returncode) == (2, 2, 0)
    assert "add --confirm 12" in agreed.stderr
    assert "cannot be undone" in agreed.stderr
    assert still_there == {State.PENDING}
    assert done.stderr.endswith("Removed 12 tasks.\n")
    assert _states(broker, queue) == set()


@pytest.mark.parametrize(("typed", "code", "states"), [("y\r", 1, {State.PENDING}), ("12\r", 0, set())])
def test_on_a_terminal_the_number_is_typed(
    broker: RunningBroker, queue: str, waiting: list[str], typed: str, code: int, states: set[State]
) -> None:
    with on_terminal("purge", f"queue:{queue}", "--hard", "-u", broker.address) as terminal:
        terminal.read_until("Type 12 to do it")
        terminal.type(typed)
        assert terminal.end() == code

    assert _states(broker, queue) == states


# -- following -----------------------------------------------------------------------------------------------------


def test_on_a_terminal_an_operation_is_followed_behind_a_bar(
    broker: RunningBroker, queue: str, waiting: list[str]
) -> None:
    with on_terminal("purge", f"queue:{queue}", "--yes", "--rate", "10", "-u", broker.address) as terminal:
        code = terminal.end()

    assert code == 0
    assert "Purging" in terminal.seen
    assert "Purged 12 tasks." in terminal.seen


def test_ctrl_c_leaves_the_operation_running_and_says_how_to_look_at_it(
    broker: RunningBroker, queue: str, waiting: list[str]
) -> None:
    with on_terminal("purge", f"queue:{queue}", "--yes", "--rate", "1", "-u", broker.address) as terminal:
        terminal.read_until("Purging")
        terminal.interrupt()
        code = terminal.end()
    name = _latest(broker)
    listed = json.loads(call_tq("op", "list", "-n", "1", "-o", "json", "-u", broker.address).stdout)
    stopped = call_tq("op", "cancel", name, "-u", broker.address)
    shown = call_tq("op", "show", name, "-u", broker.address)
    again = call_tq("op", "cancel", name, "-u", broker.address)
    undone = call_tq("op", "undo", name, "-u", broker.address)

    assert code == 130
    assert f"tq op show {name}" in terminal.seen
    assert "Traceback" not in terminal.seen
    assert (listed[0]["state"], listed[0]["total"]) == ("running", 12)
    assert (stopped.returncode, again.returncode, undone.returncode) == (0, 5, 0)
    assert "stopped before the other" in stopped.stderr
    assert "cancelled" in shown.stdout
    assert _states(broker, queue) == {State.PENDING}


def test_operations_are_listed_and_shown(broker: RunningBroker, queue: str, waiting: list[str]) -> None:
    call_tq("task", "cancel", f"queue:{queue}", "--yes", "--reason", "not \x1b[2J wanted", "-u", broker.address)
    name = _latest(broker)

    table = call_tq("op", "list", "-u", broker.address)
    names = call_tq("op", "list", "-o", "name", "-u", broker.address)
    shown = call_tq("op", "show", name, "-u", broker.address)
    record = json.loads(call_tq("op", "show", name, "-o", "json", "-u", broker.address).stdout)
    unknown = call_tq("op", "show", "0" * 16, "-u", broker.address)

    assert name in table.stdout
    assert names.stdout.split()[0].startswith(name)
    assert "12 of 12" in shown.stdout
    assert f"tq undo {name}" in shown.stdout
    assert "\x1b" not in table.stdout + shown.stdout
    assert (record["action"], record["done"], record["queues"]) == ("cancel", 12, {queue: 12})
    assert unknown.returncode == 4


# -- ids -----------------------------------------------------------------------------------------------------------


def test_more_ids_than_an_operation_takes_become_several(broker: RunningBroker, queue: str) -> None:
    ids = broker.client.submit_tasks([Task("send", queue=queue)] * (BATCH_MAX + 1))

    stdin = "\n".join(ids).encode()
    done = call_tq("task", "cancel", "-", "--yes", "--rate", "100000", "-u", broker.address, stdin=stdin)

    assert done.returncode == 0
    assert done.stderr.count("To take it back") == 2
    assert _states(broker, queue) == {State.CANCELLED}


def test_of_named_tasks_those_left_out_are_told(broker: RunningBroker, waiting: list[str]) -> None:
    some = call_tq("task", "cancel", *waiting[:2], UNKNOWN, "--yes", "-u", broker.address)
    none = call_tq("task", "cancel", *waiting[:2], "--yes", "-u", broker.address)
    alone = call_tq("task", "cancel", waiting[0], "-u", broker.address)

    assert (some.returncode, none.returncode, alone.returncode) == (7, 5, 5)
    assert "1 of those named are not there" in some.stderr
    assert "nothing to cancel" in alone.stderr


# -- resubmit ------------------------------------------------------------------------------------------------------


def test_ended_tasks_are_submitted_once_more_into_another_queue(
    broker: RunningBroker, queue: str, waiting: list[str]
) -> None:
    broker.client.cancel(*waiting)

    line = ("resubmit", f"queue:{queue}", "--queue", f"{queue}-slow", "--delay", "1h", "--priority", "low", "--yes")
    done = call_tq(*line, "-u", broker.address)
    undone = call_tq("undo", _latest(broker), "-u", broker.address)

    assert (done.returncode, undone.returncode) == (0, 5)
    assert "Resubmitted 12 ended tasks." in done.stderr
    assert "cannot be undone" in undone.stderr
    (stats,) = [each for each in broker.client.queues() if each.name == f"{queue}-slow"]
    assert stats.scheduled == 12

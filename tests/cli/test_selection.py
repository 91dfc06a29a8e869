"""Selectors on the command line: as they are typed, with a mark where they make no sense."""

import json
import re
import shlex
import textwrap
from pathlib import Path

import pytest

import tq
from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq, run_tq
from tests.cli.samples import summary
from tests.cli.test_completion import _complete
from tq.cli.selection import Listing, inverted_last, read_selector
from tq.client.task import Task
from tq.model.commands import Order
from tq.model.errors import SelectorInvalid
from tq.model.replies import TaskPage
from tq.model.selector import Field, Selector
from tq.model.task import State


def test_all_arguments_are_one_selector_and_the_short_options_are_terms_of_it() -> None:
    selector = read_selector(["err:Timeout age:>2h", "-tag:x"], state=State.FAILED, queue="a b*", task_type="send")

    assert selector.text == 'err:Timeout age:>2h -tag:x state:failed queue:"a b*" type:send'


def test_inverted_terms_are_no_options_and_options_are_no_inverted_terms() -> None:
    arguments = ["queue:a", "-tag:x", "-q", "mail", "-o", "json", "--", "-free"]

    assert inverted_last(arguments) == ["queue:a", "-q", "mail", "-o", "json", "--", "-tag:x", "-free"]
    assert inverted_last(["-q", "a:b", "-x:y"]) == ["-q", "a:b", "-x:y"]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["state:failed", "quue:mail"], ["    state:failed quue:mail", "                 ^"]),
        (["age:"], ["    age:", "        ^"]),
        (["x" * 80, "-"], ["    " + "x" * 48 + " -", "    " + " " * 50 + "^"]),
        (["\uff21\x1b", "age:1"], ["    \uff21\ufffd age:1", "            ^"]),
    ],
)  # fmt: skip
def test_a_slip_is_shown_with_a_mark_under_its_character(arguments: list[str], lines: list[str]) -> None:
    with pytest.raises(SelectorInvalid) as refusal:
        read_selector(arguments)

    assert refusal.value.message.split("\n")[1:] == lines


@pytest.fixture
def tagged(broker: RunningBroker, queue: str) -> dict[str, str]:
    """A task for each tag, by tag."""
    tags = ("eu", "us", "nightly")
    ids = broker.client.submit_tasks([Task(f"send_{tag}", queue=queue, tags=[tag], key=f"k-{tag}") for tag in tags])
    return dict(zip(tags, ids, strict=True))


def test_a_listing_is_of_a_selector(broker: RunningBroker, queue: str, tagged: dict[str, str]) -> None:
    def names(*selector: str) -> list[str]:
        done = call_tq("task", "list", *selector, "-o", "name", "-u", broker.address)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    assert names(f"queue:{queue}", "tag:eu") == [tagged["eu"]]
    assert names("-tag:eu,us", "--queue", queue) == [tagged["nightly"]]
    assert names(f"queue:{queue} type:send_?s age:<1h", "state:pending") == [tagged["us"]]
    assert names("send_night", f"id:{tagged['nightly'][:30]}", f"queue:{queue}") == [tagged["nightly"]]
    assert names("key:k-us", f"queue:{queue}") == [tagged["us"]]
    assert names(f"queue:{queue}", "--sort", "id", "--reverse") == sorted(tagged.values(), reverse=True)
    assert names(f"queue:{queue}", "--sort", "age") == sorted(tagged.values(), reverse=True)


def test_a_slip_exits_2_before_a_broker_is_looked_for() -> None:
    done = run_tq("dead", "list", "queue:mail", "state:ded", "-u", "127.0.0.1:1")

    assert done.returncode == 2
    assert "    queue:mail state:ded\n                     ^\n  did you mean dead_letter?" not in done.stderr
    assert "'ded' is not a state" in done.stderr
    assert "    queue:mail state:ded\n                     ^\n" in done.stderr


def test_a_listing_that_is_cut_says_of_how_many(broker: RunningBroker, queue: str, tagged: dict[str, str]) -> None:
    done = call_tq("task", "list", f"queue:{queue}", "-n", "2", "-u", broker.address)
    whole = call_tq("task", "list", f"queue:{queue}", "-u", broker.address)

    assert "2 shown of 3; for more: --limit N or --all" in done.stderr
    assert whole.stderr == ""


def test_the_page_on_selectors_says_what_is_so() -> None:
    page = (Path(tq.__file__).parent.parent / "docs" / "selectors.md").read_text()
    commands = [shlex.split(line, comments=True) for line in re.findall(r"^    (tq \w+ list .*)$", page, re.MULTILINE)]
    failing = re.findall(r"^    \$ tq (.*)\n((?:    .*\n)+)", page, re.MULTILINE)
    (arguments, printed) = failing[0]

    for command in commands:
        assert call_tq("-u", "127.0.0.1:1", *command[1:]).returncode == 3, f"{command} is no slip, but for the broker"
    done = call_tq(*shlex.split(arguments), "-u", "127.0.0.1:1")
    assert (len(commands), len(failing)) == (4, 1)
    assert done.stderr == textwrap.dedent(printed)
    for field in Field:
        assert f"| `{field}` |" in page


def test_tags_are_given_to_a_submit_and_shown_with_the_task(broker: RunningBroker, queue: str) -> None:
    flags = ("--type", "send", "-q", queue, "--tag", "eu", "--tag", "nightly", "--tag", "eu")
    task_id = call_tq("submit", *flags, "-u", broker.address).stdout.strip()

    table = call_tq("task", "get", task_id, "-u", broker.address)
    record = json.loads(call_tq("task", "get", task_id, "-o", "json", "-u", broker.address).stdout)

    assert "eu, nightly" in table.stdout
    assert record["tags"] == ["eu", "nightly"]


@pytest.mark.parametrize("tag", ["", "x" * 101, "a\x1bb"])
def test_a_tag_that_could_not_be_shown_is_refused(tag: str) -> None:
    done = call_tq("submit", "--type", "send", "--tag", tag, "-u", "127.0.0.1:1")

    assert done.returncode == 2
    assert "tag" in done.stderr


def test_fields_states_and_queues_are_completed(broker: RunningBroker, queue: str, tagged: dict[str, str]) -> None:
    assert _complete("tq task list stat", broker.address) == ["state:"]
    assert f"queue:{queue}" in _complete("tq dead list queue:q-", broker.address)
    assert _complete("tq task list state:p", broker.address) == ["state:pending"]


def test_a_count_that_is_a_lower_bound_says_what_stopped_it() -> None:
    class Counted:
        def list_tasks(self, *_: object) -> TaskPage:
            return TaskPage(0, [summary()] * 3, b"more", 9, 1_240, False, "rows", 2_000)

    listing = Listing(Counted(), Selector(), Order.ANY, limit=3)  # type: ignore[arg-type]

    assert listing.conclusion(len(list(listing))) == (
        "3 shown of at least 1,240 (counting stopped after 2,000 rows); for more: --limit N or --all"
    )

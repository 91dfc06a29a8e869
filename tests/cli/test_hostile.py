"""No text of others steers a terminal, whichever verb shows it: escape sequences, bidi, markup, a line of a MiB."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

import pytest
from rich.cells import cell_len
from typer.main import get_command

from tests.cli.hostile import LINE, NAME, TEXT, Stage, acted_on, set_up
from tests.cli.processes import Terminal, call_tq, daemon, environment, on_terminal
from tq.cli.verbs import app
from tq.client.loop_thread import LoopThread

Line = Callable[[Stage], Sequence[str]]
WIDTH = 80

WATCHED = ["totals", "attention", "queues", "workers", "groups", "ops", "events"]

LISTINGS: dict[str, Line] = {
    "task list": lambda stage: ["--all"],
    "dead list": lambda stage: ["--all"],
    "dead groups": lambda stage: [],
    "audit": lambda stage: [],
    "op list": lambda stage: [],
    "queue list": lambda stage: [],
    "worker list": lambda stage: [],
}
"""Tables: a line for each thing, whatever it is called."""

THINGS: dict[str, Line] = {
    "task get": lambda stage: [stage.dead],
    "status": lambda stage: [stage.running],
    "dead show": lambda stage: [stage.dead],
    "stats": lambda stage: [],
    "task stack": lambda stage: [stage.running],
    "op show": lambda stage: [stage.operation],
    "worker show": lambda stage: [stage.worker],
    "why": lambda stage: [stage.running],
}
"""One thing, field by field."""

OTHERS: dict[str, Line] = {
    "task result": lambda stage: [stage.completed],
    "task wait": lambda stage: [stage.cancelled],
    "op cancel": lambda stage: [stage.operation, "--reason", TEXT.replace("\0", "")],
    "op undo": lambda stage: [TEXT.replace("\0", "")],
    "undo": lambda stage: ["f00d"],
    "purge": lambda stage: ["--queue", stage.queue, "--dry-run"],
    "resubmit": lambda stage: ["state:dead_letter", "--dry-run"],
    "watch": lambda stage: [*WATCHED, f"task:{stage.running}", "--count", "1"],
    "task log": lambda stage: [stage.running],
    "token list": lambda stage: [],
    "token create": lambda stage: [TEXT.replace("\0", ""), "--role", "viewer"],
    "token revoke": lambda stage: [TEXT.replace("\0", "")],
    "check queue": lambda stage: [stage.queue, "--max-waiting", "0"],
    "check broker": lambda stage: [],
    "check workers": lambda stage: ["--queue", stage.queue],
    "dead retry": lambda stage: ["--queue", stage.queue, "--dry-run"],
    "dead purge": lambda stage: ["--queue", stage.queue, "--dry-run"],
    "queue purge": lambda stage: [stage.queue, "--dry-run"],
    "task cancel": lambda stage: [stage.running, "--dry-run"],
    "task resubmit": lambda stage: [stage.dead_text, "--payload", TEXT.replace("\0", ""), "--dry-run"],
    "dead resubmit": lambda stage: [stage.dead, "--args", "{}"],
    "queue pause": lambda stage: [stage.queue],
    "queue resume": lambda stage: [stage.queue + "x"],
    "worker drain": lambda stage: [TEXT.replace("\0", "")],
    "submit": lambda stage: ["--type", TEXT.replace("\0", "")],
}

ELSEWHERE = {
    "top", "door", "web",  # their screens: tests/tui
    "stdio",  # the bytes of the protocol, for a program
    "edge",  # a process of the broker's own: tests/edges/test_processes.py
    "up", "broker", "worker run",  # their logs: tests/server/test_logging.py, tests/worker/test_logs.py
    # No text of strangers:
    "backup", "restore", "doctor", "bench", "profile list", "config show", "config check", "config example",
}  # fmt: skip

ALL = LISTINGS | THINGS | OTHERS


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A broker of its own: its names would spoil the listings of others."""
    data = tmp_path_factory.mktemp("hostile")
    with daemon("broker", "--port", "0", "--data-dir", str(data), "--log-format", "json") as process:
        process.wait_for("broker_started")
        thread = LoopThread("hostile")
        filled, worker = thread.run(lambda: set_up(f"unix://{data}/tq.sock"))
        yield filled
        thread.stop(worker.close)
        assert process.end() == 0


def _line(verb: str, stage: Stage, *more: str) -> list[str]:
    return [*verb.split(), *ALL[verb](stage), "-u", stage.address, *more]


def _verbs() -> set[str]:
    root = get_command(app)
    found = set()
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        nested = getattr(command, "commands", {})
        found |= {f"{name} {inner}" for inner in nested} if nested else {name}
    return found


def test_every_verb_is_tried_with_hostile_text() -> None:
    """A new verb belongs into one of the tables above."""
    assert _verbs() == ALL.keys() | ELSEWHERE


@pytest.mark.parametrize("verb", ALL)
def test_no_verb_lets_hostile_text_through(stage: Stage, verb: str) -> None:
    done = call_tq(*_line(verb, stage))

    assert acted_on(done.stdout + done.stderr) == set()
    assert "Traceback (most" not in done.stderr
    assert done.stdout + done.stderr
    assert LINE[:10_000] not in done.stdout + done.stderr


@pytest.mark.parametrize("shape", ["json", "jsonl", "name"])
@pytest.mark.parametrize("verb", [*LISTINGS, *THINGS])
def test_no_shape_of_output_lets_it_through_and_json_still_says_all_of_it(stage: Stage, verb: str, shape: str) -> None:
    done = call_tq(*_line(verb, stage, "-o", shape))

    assert done.returncode == 0
    assert acted_on(done.stdout + done.stderr) == set()
    if shape != "name":
        documents = [done.stdout] if shape == "json" else done.stdout.splitlines()
        assert any(_holds_hostile(json.loads(document)) for document in documents) or verb == "stats"


def _holds_hostile(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_hostile(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(map(_holds_hostile, value))
    return isinstance(value, str) and ("\x1b[2J" in value or "\u2028" in value)


@pytest.mark.parametrize("verb", LISTINGS)
def test_a_listing_keeps_its_layout_on_a_terminal(stage: Stage, verb: str) -> None:
    names = call_tq(*_line(verb, stage, "-o", "name")).stdout.splitlines()
    notes = call_tq(*_line(verb, stage)).stderr.splitlines()

    with on_terminal(*_line(verb, stage), columns=WIDTH, env=environment(NO_COLOR="1")) as terminal:
        assert terminal.end() == 0

    seen = _whole_lines(terminal)
    lines = seen.splitlines()
    assert acted_on(seen) == set()
    assert len(lines) == 1 + len(names) + len(notes)
    assert max(map(cell_len, lines)) <= WIDTH


@pytest.mark.parametrize("verb", THINGS)
def test_one_thing_keeps_its_layout_on_a_terminal(stage: Stage, verb: str) -> None:
    with on_terminal(*_line(verb, stage), columns=WIDTH, env=environment(NO_COLOR="1")) as terminal:
        assert terminal.end() == 0

    seen = _whole_lines(terminal)
    assert acted_on(seen) == set()
    assert max(map(cell_len, seen.splitlines())) <= WIDTH


def _whole_lines(terminal: Terminal) -> str:
    """What was seen, also where a read ended between the two characters with which a terminal ends a line."""
    return terminal.seen.replace("\r\n", "\n")


@pytest.mark.parametrize("verb", ["dead list", "dead show"])
def test_colours_are_the_only_sequences_that_a_terminal_gets(stage: Stage, verb: str) -> None:
    with on_terminal(*_line(verb, stage), columns=WIDTH) as terminal:
        assert terminal.end() == 0

    assert "\x1b[" in terminal.seen
    assert acted_on(re.sub("\x1b\\[[0-9;]*m", "", _whole_lines(terminal))) == set()


def test_a_live_stream_lets_nothing_through_and_json_says_all_of_it(stage: Stage) -> None:
    done = call_tq("watch", *WATCHED, f"task:{stage.running}", "--json", "--count", "1", "-u", stage.address)

    assert done.returncode == 0
    assert acted_on(done.stdout + done.stderr) == set()
    assert _holds_hostile(json.loads(done.stdout.splitlines()[0]))


def test_markup_in_a_name_is_shown_as_it_is(stage: Stage) -> None:
    shown = call_tq("queue", "list", "-u", stage.address).stdout

    assert NAME.partition("\u2028")[0] in shown


@pytest.mark.parametrize(
    "line",
    [
        ["submit", "--type", "a\udcff"],
        ["submit", "--type", "a", "--queue", "\ud800"],
        ["submit", "--type", "a", "--key", "\udcff"],
        ["task", "list", "--queue", "\udcff"],
        ["task", "list", "\x1b[2Jqueue:x", "type:\x9b31m("],
        ["task", "list", "err:\udcff", "nofield\u202e:x"],
        ["dead", "list", "x" * 100_000],
        ["task", "list", "--state", "\x1b[2J"],
        ["queue", "pause", "\udcff"],
        ["queue", "pause", "\x1b[2J", "--reason", "\udcff"],
        ["task", "get", "\x1b[2J"],
        ["dead", "retry", "\udcff"],
        ["check", "queue", "\udcff", "--max-dead", "1"],
        ["worker", "drain", "\udcff"],
        ["\x1b[2J"],
        ["dead", "\x1b[2J"],
        ["stats", "--\x1b[2J"],
        ["stats", "-o", "\x1b[2J"],
    ],
    ids=lambda line: " ".join(line[:2]).encode("unicode_escape", "surrogatepass").decode(),
)
def test_hostile_arguments_are_an_error_that_cannot_steer_the_terminal_either(stage: Stage, line: list[str]) -> None:
    """As when somebody pastes a command."""
    done = call_tq(*line, "-u", stage.address)

    assert done.returncode in (2, 4)
    assert acted_on(done.stdout + done.stderr) == set()
    assert "Traceback" not in done.stderr


def test_what_is_given_back_raw_is_given_back_raw(stage: Stage) -> None:
    """The one way to the bytes, and it says so in its name."""
    done = call_tq("task", "result", stage.completed, "--raw", "-u", stage.address)

    assert any(unicodedata.category(char)[0] == "C" for char in done.stdout)

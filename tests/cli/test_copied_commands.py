"""The commands that the dashboard shows and copies, as a shell takes them: they mean exactly what is on the screen."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from typer.main import get_command

from tests.cli.conftest import RunningBroker
from tests.cli.processes import environment
from tests.tui.test_task_page import TASK
from tq.cli.bulk import choose
from tq.cli.verbs import app
from tq.client.task import Task
from tq.model.errors import InvalidArgument, SelectorInvalid
from tq.model.ids import format_id
from tq.model.names import check_name
from tq.model.operations import Overrides
from tq.model.selector import Field, Selector, TextTerm, literal_term, parse
from tq.model.shell import command
from tq.tui.acting import command_of, queue_term
from tq.tui.actions import CANCEL, DRAIN, HOLD, PURGE, RESUBMIT, RETRY, UNDO, Action, Target
from tq.tui.commandline import Place, verb_of
from tq.tui.resubmitting import Old, one_question
from tq.tui.screens.base import Selection
from tq.tui.screens.edit import Correction
from tq.tui.shell import Command, each, one_each, words_of
from tq.views.corrections import Payload

NASTY = (
    "-x", "--", "--all", "-q", "a b", "$(touch pwned)", "`touch pwned`", "$HOME", "*", "?", "~", "a'b", 'a"b', "a\\b",
    "a;b", "a&b|c>d<e", "!!", "#no", "{a,b}", "[a]", "(b)", "queue:x", "-queue:x", "a=b", "\N{SNOWMAN}", "é,ü", "%s",
    "01a20dc6-febf-752e-bdca-20726957dd43",
)  # fmt: skip


IDS = tuple(f"01a20dc6-febf-752e-bdca-20726957dd4{digit}" for digit in "345")


def is_name(text: str) -> bool:
    try:
        check_name("queue", text)
    except InvalidArgument:
        return False
    return True


NAMES = st.one_of(st.sampled_from(NASTY), st.text(min_size=1, max_size=20)).filter(is_name)
"""Whatever a queue may be called."""
WORDS = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
"""Whatever can be an argument of a process."""


ROOT: Any = get_command(app)


def parsed(text: str) -> dict[str, Any]:
    """The parameters that a verb of tq gets from a command as it is typed.

    Raises:
        click.UsageError: it takes no such command.
    """
    tool, *words = shlex.split(text)
    assert tool == "tq"
    found = ROOT
    while hasattr(found, "commands"):
        name, found, words = found.resolve_command(found.make_context("tq", [], resilient_parsing=True), list(words))
    return dict(found.make_context(name, list(words)).params)


# -- words ------------------------------------------------------------------------------------------------------


@given(st.lists(WORDS, max_size=5), st.lists(WORDS.map(lambda value: f"--queue={value}"), max_size=2))
def test_each_word_and_option_is_one_word_of_a_shell(words: list[str], options: list[str]) -> None:
    got = shlex.split(command("tq purge", *words, options=options))

    assert got[:2] == ["tq", "purge"]
    ends = ["--"] if any(word.startswith("-") for word in words) else []
    assert got[2:] == [*options, *ends, *words]


def test_a_real_shell_agrees(tmp_path: Path) -> None:
    lines = [command("tq", word, *NASTY[:3], options=[f"--queue={word}"]) for word in NASTY]
    script = "tq() { printf '%s\\0' \"$@\"; printf '\\n\\0'; }\n" + "\n".join(lines)

    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)

    assert done.stdout.split("\0") == [
        *(part for word in NASTY for part in (f"--queue={word}", "--", word, *NASTY[:3], "\n")),
        "",
    ]
    assert list(tmp_path.iterdir()) == []


# -- what the screens show --------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from([*Field, None]), NAMES, st.booleans()), min_size=1, max_size=4))
def test_a_selector_is_the_same_selector_as_words(terms: list[tuple[Field | None, str, bool]]) -> None:
    texts = (Field.QUEUE, Field.TYPE, Field.WORKER, Field.TAG, Field.KEY, Field.ERR, None)
    chosen = Selector(
        tuple(
            TextTerm(field, literal_term(Field.QUEUE, name).patterns, is_inverted)
            for field, name, is_inverted in terms
            if field in texts
        )
    )
    assume(chosen.terms)
    try:
        assert parse(chosen.text) == chosen
    except SelectorInvalid:
        assume(False)

    params = parsed(Command("tq task list", words_of(chosen.text)).text(["--url=prod"]))

    assert parse(" ".join(params["selector"])) == chosen
    assert params["url"] == "prod"
    params = parsed(Command("tq dead retry", words_of(chosen.text)).text())
    argument = next(value for value in params.values() if isinstance(value, list | tuple))
    assert choose(argument, None, is_all=False).selector == chosen


@given(NAMES)
def test_a_place_of_a_queue_has_the_verb_of_exactly_that_queue(queue: str) -> None:
    verb = verb_of(Place("queue", queue))
    selector = parse(verb[-1])

    assert selector.terms[0] == literal_term(Field.QUEUE, queue)
    assert len(selector.terms) == 2


def test_text_to_search_for_that_looks_like_an_id_stays_text() -> None:
    text = IDS[0]

    argument = parsed(Command("tq dead retry", words_of(f"{text} queue:a")).text())["tasks"]

    assert choose(argument, None, is_all=False).ids == ()


# -- what the actions ask ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "selection", "words"),
    [
        (RETRY, Selection(Target.DEAD, IDS), IDS),
        (RETRY, Selection(Target.GROUP, ("ab",), "state:dead_letter group:ab"), ("state:dead_letter", "group:ab")),
        (PURGE, Selection(Target.TASK, IDS[:1]), IDS[:1]),
        (PURGE, Selection(Target.QUEUE, ("-a b",)), ('queue:"-a b"', "state:pending,failed")),
        (CANCEL, Selection(Target.TASK, IDS), IDS),
        (CANCEL, Selection(Target.TASK, (), "type:a* -tag:x -b"), ("type:a*", "-tag:x", "-b")),
        (RESUBMIT, Selection(Target.DEAD, IDS), IDS),
        (RESUBMIT, Selection(Target.DEAD, IDS[:1]), IDS[:1]),
    ],
)
def test_what_is_done_to_tasks_is_a_command_for_the_same_tasks(
    action: Action, selection: Selection, words: Sequence[str]
) -> None:
    params = parsed(command_of(action, selection).text(["--url=unix:///tmp/a b"]))

    given = [value for value in params.values() if value in (list(words), tuple(words), words[0])]
    assert len(given) == 1
    assert params["url"] == "unix:///tmp/a b"


@given(st.sampled_from([HOLD.command, "tq queue resume", DRAIN.command, UNDO.command, "tq op cancel"]), NAMES)
def test_what_is_done_to_a_queue_a_worker_or_an_operation_is_a_command_for_it(verb: str, name: str) -> None:
    (one,) = one_each(verb, [name])
    params = parsed(one.text(["--url=prod"]))

    assert name in params.values()
    assert params["url"] == "prod"


def test_several_are_one_command_after_the_other() -> None:
    assert each(one_each("tq undo", ["a b", "-c"]), ["--url=prod"]) == (
        "tq undo --url=prod 'a b'; tq undo --url=prod -- -c"
    )


@given(WORDS, NAMES)
def test_a_correction_is_a_command_with_the_very_payload(typed: str, queue: str) -> None:
    old = Old(TASK, None)
    new = Payload(typed.encode(), "text/plain")
    assume(new.form == "text")
    correction = Correction(typed, Overrides(queue, 7, 60_000), "1m")

    params = parsed(one_question(old, new, correction, ["--url=prod"]).command)

    assert (params["task_id"], params["payload"], params["content_type"]) == (format_id(TASK.id), typed, "text/plain")
    assert (params["queue"], params["priority"], params["delay"], params["url"]) == (queue, "7", "1m", "prod")


# -- over a real broker -----------------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], "subprocess.CompletedProcess[str]"]:
    """Runs a line as a person would: `sh`, with a `tq` in its PATH."""
    tq = tmp_path / "bin" / "tq"
    tq.parent.mkdir()
    tq.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tq.cli.main "$@"\n')
    tq.chmod(0o755)
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(line: str) -> "subprocess.CompletedProcess[str]":
        env = environment(PATH=f"{tq.parent}:/usr/bin:/bin", PYTHONPATH=str(Path(__file__).parents[2]))
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=empty, env=env, timeout=60)
        assert list(empty.iterdir()) == [], f"{line} did something else"
        return done

    return run


QUEUE = '-q "$(touch pwned)" `id` *?[a] ; \\ it\'s -- $HOME & | > x #!'


def test_copied_commands_run_and_hit_what_they_name(
    broker: RunningBroker, shell: Callable[[str], "subprocess.CompletedProcess[str]"]
) -> None:
    reach = [f"--url={broker.address}"]
    ids = broker.client.submit_tasks([Task("send", queue=QUEUE), Task("send", queue=f"{QUEUE}2")])

    def selection(text: str) -> "subprocess.CompletedProcess[str]":
        done = shell(text)
        assert done.returncode == 0, (text, done.stderr)
        return done

    of_queue = Selection(Target.QUEUE, (QUEUE,))
    listed = selection(Command("tq task list", words_of(queue_term([QUEUE])), ["--output=name"]).text(reach))
    assert listed.stdout.split() == ids[:1]
    held = each(one_each(HOLD.command, [QUEUE, f"{QUEUE}2"]), reach)
    selection(held)
    assert {one.name: one.is_paused for one in broker.client.queues() if one.name.startswith(QUEUE)} == {
        QUEUE: True,
        f"{QUEUE}2": True,
    }
    why = broker.client.why(ids[0]).reasons[0].hint
    selection(f"TQ_URL={shlex.quote(broker.address)} {why}")
    assert {one.name: one.is_paused for one in broker.client.queues() if one.name.startswith(QUEUE)}[QUEUE] is False
    selection(command_of(PURGE, of_queue).text([*reach, "--yes"]))
    assert [broker.client.get_task(one).state.value for one in ids] == ["cancelled", "pending"]
    undone = broker.client.operations(1)[0].id.hex()
    selection(Command(UNDO.command, (undone,)).text([*reach, "--yes"]))
    assert [broker.client.get_task(one).state.value for one in ids] == ["pending", "pending"]

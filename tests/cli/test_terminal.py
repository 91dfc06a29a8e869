"""Colour only where somebody can see it, questions only where somebody can answer."""

import pytest

from tests.cli.processes import environment, on_terminal
from tq.cli.options import Color
from tq.cli.terminal import confirm, is_colored, say_error
from tq.cli.words import counted
from tq.model.errors import InvalidArgument, TaskNotFound


@pytest.mark.parametrize(
    ("choice", "is_terminal", "environ", "colored"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {}, False),
    ],
)
def test_when_to_colour(choice: Color, is_terminal: bool, environ: dict[str, str], colored: bool) -> None:
    assert is_colored(choice, is_terminal=is_terminal, environ=environ) is colored


def test_an_error_says_what_happened_and_what_to_do_and_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say_error(TaskNotFound("there is no \x1b[2Jtask", hint="look at them: tq task list"))

    assert capsys.readouterr().err == (
        "Error: there is no \N{REPLACEMENT CHARACTER}[2Jtask\n  look at them: tq task list\n"
    )


def test_without_a_terminal_a_question_is_an_error_and_a_yes_beforehand_is_none() -> None:
    confirm("Purge 3 tasks?", is_agreed=True)
    with pytest.raises(InvalidArgument, match="Purge 3 tasks"):
        confirm("Purge 3 tasks?", is_agreed=False)


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_errors_on_a_terminal_are_coloured_unless_somebody_minds(no_color: str, colored: bool) -> None:
    with on_terminal("stats", "-u", "127.0.0.1:1", env=environment(NO_COLOR=no_color)) as terminal:
        assert terminal.end() == 3

    assert ("\x1b[" in terminal.seen) is colored
    assert "no broker answers" in terminal.seen


def test_numbers_have_their_nouns() -> None:
    assert counted(1, "task") == "1 task"
    assert counted(1_204, "task") == "1,204 tasks"
    assert counted(2, "process", "processes") == "2 processes"

"""A table shows what fits, whole; JSON shows everything, always alike."""

import json

import pytest

from tests.cli.samples import NOW_MS, summary
from tq.cli.listing import Column, emit, fit
from tq.cli.options import Output
from tq.cli.task_view import tasks_view
from tq.model.task import State

COLUMNS = (
    Column("ID"),
    Column("QUEUE", rank=2),
    Column("TRIES", rank=3),
    Column("ERROR", rank=1, is_elastic=True, least=10),
)


def test_every_column_is_shown_as_wide_as_it_needs_where_there_is_room() -> None:
    assert fit(COLUMNS, [36, 8, 5, 40], width=200) == [(0, 36), (1, 8), (2, 5), (3, 40)]


def test_an_elastic_column_gives_way_before_a_column_goes() -> None:
    assert fit(COLUMNS, [36, 8, 5, 40], width=75) == [(0, 36), (1, 8), (2, 5), (3, 20)]


def test_the_columns_of_the_highest_rank_go_first() -> None:
    assert [index for index, _ in fit(COLUMNS, [36, 8, 5, 40], width=60)] == [0, 1, 3]
    assert [index for index, _ in fit(COLUMNS, [36, 8, 5, 40], width=50)] == [0, 3]
    assert [index for index, _ in fit(COLUMNS, [36, 8, 5, 40], width=40)] == [0]


def test_what_is_never_dropped_is_shown_on_any_terminal() -> None:
    assert fit(COLUMNS, [36, 8, 5, 40], width=1) == [(0, 36)]


@pytest.mark.parametrize("width", [1, 20, 36, 37, 60, 61, 80, 120, 500])
def test_a_table_is_never_wider_than_the_terminal_once_a_column_can_go(width: int) -> None:
    shown = fit(COLUMNS, [36, 8, 5, 40], width)

    assert sum(column_width for _, column_width in shown) + 2 * (len(shown) - 1) <= max(width, 36)


@pytest.fixture(autouse=True)
def _no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def test_a_table_in_a_pipe_is_not_cut_so_that_grep_finds_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    message = "x" * 500

    emit([summary(State.DEAD_LETTER, error_type="E", message=message)], tasks_view(NOW_MS), "table")

    out = capsys.readouterr().out
    assert message in out
    assert "\x1b" not in out


def test_a_hostile_message_cannot_colour_or_forge_a_line_of_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = summary(State.DEAD_LETTER, error_type="E", message="\x1b[2J[red]x[/red]\rforged")

    emit([hostile], tasks_view(NOW_MS), "table")

    header, row = capsys.readouterr().out.splitlines()
    assert header.startswith("ID")
    assert "[2J[red]x[/red] forged" in row
    assert "\x1b" not in row


@pytest.mark.parametrize("output", ["json", "jsonl", "name"])
def test_the_other_shapes_hold_one_entry_for_each_task(capsys: pytest.CaptureFixture[str], output: Output) -> None:
    count = emit([summary(), summary()], tasks_view(NOW_MS), output)

    assert count == 2
    text = capsys.readouterr().out
    entries = json.loads(text) if output == "json" else text.splitlines()
    assert len(entries) == 2


def test_json_of_nothing_is_an_empty_array_and_a_table_of_nothing_is_said_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emit([], tasks_view(NOW_MS), "json")
    assert json.loads(capsys.readouterr().out) == []

    emit([], tasks_view(NOW_MS), "table")
    assert capsys.readouterr() == ("", "No tasks.\n")

"""What fits is shown; what does not goes by rank, never the name."""

import hypothesis.strategies as st
from hypothesis import given
from rich.cells import cell_len

from tq.tui.columns import GAP, LEAD, Column, aligned, fit, pages

COLUMNS = (
    Column("QUEUE", 16, is_elastic=True),
    Column("READY", 8, is_number=True),
    Column("IN/s", 8, is_number=True, rank=1),
    Column("ETA", 6, is_number=True, rank=2),
)


def titles(width: int) -> list[str]:
    return [COLUMNS[one.place].title for one in fit(COLUMNS, width)]


def test_all_columns_are_shown_where_there_is_room() -> None:
    assert titles(80) == ["QUEUE", "READY", "IN/s", "ETA"]


def test_columns_of_the_highest_rank_go_first() -> None:
    assert titles(LEAD + 16 + 8 + 8 + 2 * GAP) == ["QUEUE", "READY", "IN/s"]
    assert titles(LEAD + 16 + 8 + GAP) == ["QUEUE", "READY"]


def test_columns_without_a_rank_stay_and_the_elastic_one_shrinks() -> None:
    assert titles(20) == ["QUEUE", "READY"]


@given(st.integers(LEAD + 10, 300))
def test_the_line_is_filled_and_never_overfull(width: int) -> None:
    shown = fit(COLUMNS, width)
    assert LEAD + sum(one.width for one in shown) + GAP * (len(shown) - 1) == width


def test_a_column_that_can_do_with_less_does_before_it_goes() -> None:
    columns = (Column("NAME", 10, is_elastic=True), Column("NOTE", 20, rank=1, is_elastic=True, least=8))

    assert [one.width for one in fit(columns, LEAD + GAP + 30)] == [10, 20]
    assert [one.width for one in fit(columns, LEAD + GAP + 18)] == [10, 8]
    assert [one.width for one in fit(columns, LEAD + GAP + 17)] == [18]


def test_an_elastic_column_stops_where_it_is_widest_and_the_others_get_the_rest() -> None:
    columns = (Column("QUEUE", 10, is_elastic=True, widest=20), Column("ERROR", 10, is_elastic=True))

    assert [one.width for one in fit(columns, LEAD + GAP + 30)] == [15, 15]
    assert [one.width for one in fit(columns, LEAD + GAP + 200)] == [20, 180]


@given(st.text(), st.integers(1, 40), st.booleans())
def test_text_from_anywhere_takes_exactly_its_cells(text: str, width: int, is_number: bool) -> None:
    shown = aligned(text, width, is_number=is_number)
    assert cell_len(shown) == width
    assert all(char.isprintable() or char == " " for char in shown)


def test_what_a_width_leaves_out_stands_on_other_pages_beside_the_name() -> None:
    found = [[COLUMNS[one.place].title for one in page] for page in pages(COLUMNS, LEAD + 16 + 8 + 6 + 2 * GAP)]

    assert found == [["QUEUE", "READY"], ["QUEUE", "IN/s", "ETA"]]


@given(st.integers(LEAD + 16 + GAP + 8, 300))
def test_every_column_is_on_one_of_the_pages_and_each_page_fills_the_line(width: int) -> None:
    found = pages(COLUMNS, width)

    assert sorted({one.place for page in found for one in page}) == list(range(len(COLUMNS)))
    assert found[0] == fit(COLUMNS, width)
    for page in found:
        assert LEAD + sum(one.width for one in page) + GAP * (len(page) - 1) == width

"""Sparklines and gauges, in Unicode and in ASCII."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tq.tui.glyphs import ASCII, UNICODE, Glyphs, bar, glyphs_for, sparkline


def test_a_sparkline_shows_the_newest_on_the_right_and_nothing_as_blank() -> None:
    assert sparkline([0, 1, 2, 4, 8], 5, UNICODE) == " ▁▂▄█"
    assert sparkline([8], 4, ASCII) == "   %"


def test_more_values_than_cells_are_merged_to_their_highest() -> None:
    assert sparkline([0, 8, 0, 0, 1, 0], 3, UNICODE) == "█ ▁"


@given(st.lists(st.floats(0, 1e9), max_size=400), st.integers(0, 80))
def test_a_sparkline_is_as_wide_as_its_cell(values: list[float], width: int) -> None:
    assert len(sparkline(values, width, UNICODE)) == width


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=400))
def test_something_is_never_drawn_as_nothing(values: list[float]) -> None:
    drawn = sparkline(values, len(values), ASCII)
    assert [glyph != " " for glyph in drawn] == [value > 0 for value in values]


def test_a_gauge_is_full_at_one_and_never_beyond() -> None:
    assert bar(0.5, 4, ASCII) == "##.."
    assert bar(7.0, 4, ASCII) == "####"


@pytest.mark.parametrize(
    ("environment", "encoding", "expected"),
    [
        ({"LANG": "de_DE.UTF-8"}, "utf-8", UNICODE),
        ({"LANG": "C.utf8"}, "utf-8", UNICODE),
        ({}, "utf-8", UNICODE),
        ({"LANG": "C", "LC_ALL": "en_US.UTF-8"}, "utf-8", UNICODE),
        ({"LANG": "C"}, "utf-8", ASCII),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", ASCII),  # which Python has made of LANG=C
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, "utf-8", ASCII),
        ({"LANG": "de_DE.ISO-8859-1"}, "iso8859-1", ASCII),
        ({"LANG": "de_DE.UTF-8"}, "ascii", ASCII),
    ],
)
def test_a_terminal_without_unicode_gets_ascii(environment: dict[str, str], encoding: str, expected: Glyphs) -> None:
    assert glyphs_for(environment, encoding) is expected


def test_ascii_is_ascii() -> None:
    assert all(glyph.isascii() for glyph in ASCII)

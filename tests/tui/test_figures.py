"""Figures are short, and never say more than is known."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tq.tui.figures import clock, count, drain, length, rate, since


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (41_902, "41,902"), (99_999, "99,999"), (482_110, "482k"), (1_190_422, "1.19M"), (2 * 10**12, "2T")],
)
def test_counts_are_exact_while_they_are_short(number: int, text: str) -> None:
    assert count(number) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0ms"),
        (840, "840ms"),
        (2_210, "2.2s"),
        (41_000, "41s"),
        (131_000, "2m11s"),
        (21_720_000, "6h02m"),
        (792_000_000, "9d04h"),
    ],
)
def test_lengths_have_two_figures_that_matter(ms: int, text: str) -> None:
    assert length(ms) == text


@given(st.integers(0, 10**14))
def test_counts_and_lengths_fit_their_cells(number: int) -> None:
    assert len(count(number)) <= 6
    assert len(length(number)) <= 6


@given(st.floats(0, 1e9))
def test_rates_fit_their_cells(value: float) -> None:
    assert len(rate(value)) <= 6


def test_a_queue_that_takes_in_what_it_gets_done_never_drains() -> None:
    assert drain(100, 5.0, 5.0) == "never"
    assert drain(100, 15.0, 5.0) == "10s"
    assert drain(0, 5.0, 5.0) == "-"


def test_a_moment_that_was_not_is_a_dash() -> None:
    assert since(0, 1_000) == "-"
    assert since(2_000, 1_000) == "0ms"
    assert clock(1_700_000_000_000, is_utc=True) == "22:13:20Z"

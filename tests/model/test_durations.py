"""Lengths of time as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.durations import DURATION_MS_MAX, duration_ms, exact_ms, format_ms
from tq.model.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "length_ms"),
    [
        ("250ms", 250),
        ("30s", 30_000),
        ("10m", 600_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        (" 7D ", 604_800_000),
        ("2w", 1_209_600_000),
        ("0.5s", 500),
        ("1.5h", 5_400_000),
        ("0", 0),
        ("0s", 0),
        (timedelta(seconds=1.5), 1_500),
        (timedelta(days=1), 86_400_000),
    ],
)
def test_a_duration_has_a_unit(text: str | timedelta, length_ms: int) -> None:
    assert duration_ms(text) == length_ms


@pytest.mark.parametrize("text", ["", "5", "s", "5x", "-5s", "5s!", "ten seconds", "1e3s", "5 s 3", ".5s", "1h30"])
def test_what_has_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        duration_ms(text, what="delay")

    assert refusal.value.message.startswith("delay")
    assert "30s" in refusal.value.hint


@pytest.mark.parametrize("value", [5, 5.0, None])
def test_a_bare_number_is_refused_because_a_reader_cannot_see_its_unit(value: object) -> None:
    with pytest.raises(InvalidArgument, match="bare"):
        duration_ms(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["11000d", timedelta(days=-1), timedelta(days=4_000)])
def test_a_duration_is_not_negative_and_not_above_ten_years(value: str | timedelta) -> None:
    with pytest.raises(InvalidArgument, match="ten years"):
        duration_ms(value)


@pytest.mark.parametrize(
    ("length_ms", "text"),
    [
        (0, "0ms"),
        (83, "83ms"),
        (1_000, "1s"),
        (1_500, "1.5s"),
        (59_949, "59.9s"),
        (60_000, "1m"),
        (90_000, "1m30s"),
        (5_400_000, "1h30m"),
        (86_400_000, "1d"),
        (90_000_000, "1d1h"),
        (86_399_999, "23h59m"),
    ],
)
def test_a_duration_is_shown_with_two_units_at_most(length_ms: int, text: str) -> None:
    assert format_ms(length_ms) == text


@given(st.integers(0, DURATION_MS_MAX))
def test_what_is_shown_can_be_read_again_and_is_near(length_ms: int) -> None:
    again = duration_ms(format_ms(length_ms))

    assert abs(again - length_ms) <= max(50, length_ms // 20)


@given(st.integers(0, DURATION_MS_MAX))
def test_milliseconds_are_exact(length_ms: int) -> None:
    assert duration_ms(f"{length_ms}ms") == length_ms
    assert duration_ms(timedelta(milliseconds=length_ms)) == length_ms


@given(st.integers(0, DURATION_MS_MAX))
def test_an_exact_duration_reads_as_it_was(length_ms: int) -> None:
    assert duration_ms(exact_ms(length_ms)) == length_ms
    assert exact_ms(5_400_000) == "1h30m"

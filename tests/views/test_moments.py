"""Times are for a glance in tables and exact in JSON."""

import pytest

from tq.views.moments import ago, clock, rounded, took

NOW_MS = 1_764_000_000_000


@pytest.mark.parametrize(
    ("moment_ms", "shown"),
    [
        (0, "-"),
        (NOW_MS, "0ms ago"),
        (NOW_MS - 999, "999ms ago"),
        (NOW_MS - 5_900, "5s ago"),
        (NOW_MS - 3_600_000, "1h ago"),
        (NOW_MS - 90_061_000, "1d1h ago"),
        (NOW_MS + 120_000, "in 2m"),
    ],
)
def test_an_age_is_counted_from_now_in_whole_seconds(moment_ms: int, shown: str) -> None:
    assert ago(moment_ms, NOW_MS) == shown


def test_a_moment_is_shown_in_utc_to_the_millisecond() -> None:
    assert clock(NOW_MS + 7) == "2025-11-24T16:00:00.007Z"
    assert clock(0) == "-"


def test_a_moment_that_no_calendar_has_is_no_reason_to_fail() -> None:
    assert clock(1 << 62) == "-"


def test_a_length_needs_both_of_its_ends() -> None:
    assert took(NOW_MS, NOW_MS + 1_500) == "1.5s"
    assert took(0, NOW_MS) == took(NOW_MS, 0) == "-"
    assert rounded(1_999) == "1s"

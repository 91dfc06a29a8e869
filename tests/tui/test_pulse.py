"""What the dashboard remembers of how fast everything together went."""

from tests.tui.fakes import NOW_MS, totals
from tq.model.history import SECONDS_KEPT
from tq.tui.pulse import Pulse


def taken_in(*moments_ms: int) -> list[float]:
    pulse = Pulse()
    for number, moment in enumerate(moments_ms):
        pulse.take(totals(submitted_10s=number * 10), moment)
    return pulse.taken


def test_each_second_is_remembered_once_whatever_the_rate_of_frames() -> None:
    assert taken_in(NOW_MS, NOW_MS + 100, NOW_MS + 900, NOW_MS + 1_000) == [0.0, 3.0]


def test_five_minutes_are_remembered() -> None:
    taken = taken_in(*(NOW_MS + second * 1_000 for second in range(SECONDS_KEPT + 50)))

    assert len(taken) == SECONDS_KEPT
    assert taken[0] == 50.0


def test_what_is_wound_back_begins_anew() -> None:
    assert taken_in(NOW_MS, NOW_MS + 5_000, NOW_MS - 60_000) == [2.0]

"""Waits between tries."""

from random import Random

from tq.worker.backoff import Backoff


class _Longest(Random):
    def uniform(self, a: float, b: float) -> float:
        return b


def test_the_bound_doubles_up_to_a_limit() -> None:
    backoff = Backoff(0.5, 3, _Longest())

    assert [backoff.next_seconds() for _ in range(5)] == [0.5, 1, 2, 3, 3]


def test_success_starts_over() -> None:
    backoff = Backoff(0.5, 3, _Longest())
    backoff.next_seconds()
    backoff.next_seconds()

    backoff.succeeded()

    assert backoff.next_seconds() == 0.5


def test_waits_are_spread_over_the_whole_length() -> None:
    backoff = Backoff(8, 8, Random(7))

    waits = sorted(backoff.next_seconds() for _ in range(200))

    assert waits[0] < 0.5
    assert waits[-1] > 7.5


def test_it_goes_on_for_ever() -> None:
    backoff = Backoff(0.05, 5, _Longest())

    assert [backoff.next_seconds() for _ in range(3_000)][-1] == 5

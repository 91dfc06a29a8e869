"""What an exception does to a task."""

from datetime import timedelta
from typing import Any

import pytest

from tq.app.retries import expo, fixed, retry
from tq.model.errors import InvalidArgument
from tq.model.task import RetryPolicy


class Gone(LookupError):
    """Not coming back."""


class GoneForNow(Gone):
    """Coming back."""


def test_an_exception_without_a_rule_waits_for_the_brokers_own_backoff() -> None:
    assert retry().decide(RuntimeError(), attempt=1, chance=0.5) == (None, False)
    assert retry(never=(Gone,)).decide(RuntimeError(), attempt=1, chance=0.5) == (None, False)


def test_never_holds_for_subclasses() -> None:
    assert retry(never=(LookupError,)).decide(Gone(), attempt=1, chance=0.5) == (None, True)


def test_a_rule_sets_the_wait_of_its_exception_and_of_subclasses() -> None:
    rules = retry(rules={OSError: fixed("5s"), Gone: expo("2s", cap="10s", jitter=False)})

    assert rules.decide(ConnectionError(), attempt=3, chance=0.5) == (5_000, False)
    assert [rules.decide(Gone(), attempt=attempt, chance=0.5)[0] for attempt in (1, 2, 3, 4)] == [
        2_000,
        4_000,
        8_000,
        10_000,
    ]


def test_the_rule_of_the_nearest_class_holds() -> None:
    rules = retry(never=(Gone,), rules={GoneForNow: fixed("1s"), LookupError: fixed("9s")})

    assert rules.decide(GoneForNow(), attempt=1, chance=0) == (1_000, False)
    assert rules.decide(Gone(), attempt=1, chance=0) == (None, True)
    assert rules.decide(KeyError(), attempt=1, chance=0) == (9_000, False)


def test_jitter_spreads_the_wait_from_nothing_to_the_whole() -> None:
    rules = retry(rules={OSError: expo("8s")})

    assert [rules.decide(OSError(), attempt=1, chance=chance)[0] for chance in (0, 0.25, 0.999)] == [0, 2_000, 7_992]


def test_backoffs_are_policies_of_the_broker() -> None:
    assert expo("2s", cap="10m") == RetryPolicy(backoff_ms_base=2_000, backoff_ms_max=600_000, factor=2.0, jitter=True)
    assert expo(timedelta(seconds=1)).backoff_ms_max == 3_600_000
    assert retry(5, backoff=fixed("5s")).policy == fixed("5s")
    assert retry(5).retries_max == 5
    assert retry().policy == RetryPolicy()


WRONG: list[Any] = [
    lambda: expo(2),  # type: ignore[arg-type]
    lambda: fixed(2.5),  # type: ignore[arg-type]
    lambda: expo("2s", cap="1s"),
    lambda: expo("2s", factor=0.5),
    lambda: retry(-1),
    lambda: retry(True),
    lambda: retry(1_001),
    lambda: retry(never=(3,)),  # type: ignore[arg-type]
    lambda: retry(rules={OSError: "5s"}),  # type: ignore[dict-item]
    lambda: retry(backoff="5s"),  # type: ignore[arg-type]
    lambda: retry(never=(OSError,), rules={OSError: fixed("1s")}),
]


@pytest.mark.parametrize("make", WRONG)
def test_wrong_rules_are_refused_where_they_are_written(make: Any) -> None:
    with pytest.raises(InvalidArgument):
        make()

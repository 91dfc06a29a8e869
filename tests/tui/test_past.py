"""What queues did is fetched once, then only what is new; and it is what fetching all of it again would show."""

from hypothesis import given
from hypothesis import strategies as st

from tq.model.history import SECONDS_KEPT, HistoryPoint
from tq.tui.past import AGAIN_MS, Past

SECOND = 1_000


def point(second: int, completed: int = 1) -> HistoryPoint:
    return HistoryPoint(second * SECOND, 0, completed, 0, 0, 0)


def test_of_a_queue_that_is_seen_for_the_first_time_everything_is_asked_for() -> None:
    past = Past()
    assert [*past.missing(["a"])] == [(0, ["a"])]
    past.take([{"a": [point(90)]}], 100 * SECOND)

    assert [*past.missing(["a", "b"])] == [(100 * SECOND - AGAIN_MS, ["a"]), (0, ["b"])]


def test_a_second_that_was_told_again_is_what_was_told_last() -> None:
    past = Past()
    past.take([{"a": [point(90), point(99, completed=1)]}], 100 * SECOND)
    past.take([{"a": [point(99, completed=7), point(101)]}], 102 * SECOND)

    assert past.points("a") == [point(90), point(99, completed=7), point(101)]


def test_of_a_queue_that_is_not_seen_any_more_nothing_is_kept() -> None:
    past = Past()
    past.take([{"a": [point(90)], "b": [point(90)]}], 100 * SECOND)
    past.take([{"b": []}], 110 * SECOND)

    assert past.points("a") == []
    assert [*past.missing(["a"])] == [(0, ["a"])]


@given(
    st.lists(st.integers(0, 400), unique=True).map(sorted),
    st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=12),
)
def test_it_is_what_fetching_everything_again_would_show(seconds: list[int], looks: list[tuple[int, bool]]) -> None:
    past, now = Past(), 0

    def answer(since_ms: int, names: list[str]) -> dict[str, list[HistoryPoint]]:
        first = max(since_ms, (now - SECONDS_KEPT) * SECOND)
        return {name: [point(one) for one in seconds if one < now and one * SECOND >= first] for name in names}

    for pause, sees_other in looks:
        now += pause
        names = ["a", "b"] if sees_other else ["a"]
        past.take([answer(*missing) for missing in past.missing(names)], now * SECOND)

        assert {name: past.points(name) for name in names} == answer(0, names)

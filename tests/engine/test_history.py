"""What a queue did, second by second and minute by minute: it adds up, it lasts, it is bounded."""

from copy import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.rig import HOUR, MINUTE, NOW_MS, SECOND, Rig, task
from tq.engine.bounds import Bounds
from tq.engine.history import Pace
from tq.engine.tables import Table
from tq.model.commands import GetHistory, GetStats
from tq.model.errors import InvalidArgument
from tq.model.history import HistoryPoint
from tq.model.replies import HistoryReply, StatsReply


def points(rig: Rig, *queues: str, is_by_minute: bool = False, since_ms: int = 0) -> list[HistoryPoint]:
    names = list(queues or ("default",))
    reply = rig.step(GetHistory(1, names, is_by_minute, since_ms))
    assert isinstance(reply, HistoryReply)
    assert [history.queue for history in reply.histories] == names
    return reply.histories[0].points


def run(rig: Rig, *numbers: int) -> None:
    """Submit and complete these."""
    hand = rig.worker(f"w{rig.sessions}")
    rig.submit(*(task(number) for number in numbers))
    hand.ack(*hand.fetch(len(numbers)))
    hand.disconnect()


def test_a_second_in_which_something_happened_is_a_point_once_it_is_over() -> None:
    rig = Rig()

    run(rig, 1, 2)
    rig.submit(task(3))
    assert points(rig) == []

    rig.pass_time(SECOND)
    assert points(rig) == [HistoryPoint(NOW_MS, submitted=3, completed=2, failed=0, dead=0, ready=1)]


def test_failures_and_dead_letters_are_counted() -> None:
    rig = Rig()
    hand = rig.worker()
    rig.submit(task(1, max_retries=0), task(2))

    hand.nack(*hand.fetch(2))
    rig.pass_time(SECOND)

    assert points(rig)[0].failed == 2
    assert points(rig)[0].dead == 1


def test_an_idle_queue_writes_nothing_and_asks_for_nothing() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.pass_time(SECOND)
    applied = rig.engine._ledger.meta.applied

    rig.pass_time(5 * MINUTE)

    assert rig.engine._ledger.meta.applied == applied
    assert rig.engine.next_deadline_ms() is None
    assert len(points(rig)) == 0
    assert len(points(rig, is_by_minute=True)) == 1


def test_seconds_are_kept_for_five_minutes_in_as_many_rows() -> None:
    rig = Rig()
    for number in range(1, 400):
        rig.submit(task(number))
        rig.pass_time(SECOND)

    found = points(rig)
    assert [point.at_ms for point in found] == [NOW_MS + second * SECOND for second in range(100, 399)]
    assert all(point.submitted == 1 for point in found)
    assert sum(key[0] == 1 for key in rig.rows.tables[Table.HISTORY]) == 300


def test_minutes_add_up_to_the_totals_and_are_kept_for_a_day() -> None:
    rig = Rig()
    for number in range(1, 30):
        rig.submit(task(number))
        rig.pass_time(HOUR)

    found = points(rig, is_by_minute=True)
    assert [point.at_ms for point in found] == [NOW_MS // MINUTE * MINUTE + hour * HOUR for hour in range(6, 29)]
    assert [point.ready for point in found] == list(range(7, 30))
    assert {point.submitted for point in found} == {1}


def test_a_minute_that_runs_is_shown_as_far_as_it_has_got() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.pass_time(2 * SECOND)
    rig.submit(task(2))
    rig.pass_time(SECOND)

    (minute,) = points(rig, is_by_minute=True)
    assert (minute.at_ms, minute.submitted, minute.ready) == (NOW_MS // MINUTE * MINUTE, 2, 2)


def test_since_leaves_out_what_began_before() -> None:
    rig = Rig()
    for number in range(1, 5):
        rig.submit(task(number))
        rig.pass_time(SECOND)

    assert [point.at_ms for point in points(rig, since_ms=NOW_MS + 2 * SECOND)] == [NOW_MS + 2_000, NOW_MS + 3_000]
    assert len(points(rig, since_ms=NOW_MS + 1)) == 3


def test_a_queue_that_does_not_exist_has_no_points() -> None:
    rig = Rig()
    rig.submit(task(1))

    assert points(rig, "nowhere", "default") == []


def test_more_points_than_one_request_may_ask_for_are_refused() -> None:
    rig = Rig()
    names = [f"q{number}" for number in range(100)]

    with pytest.raises(InvalidArgument, match="144000 points, more than 20000"):
        points(rig, *names, is_by_minute=True)
    assert points(rig, *names, is_by_minute=True, since_ms=rig.now_ms - HOUR) == []


def test_many_queues_are_written_a_few_at_a_time() -> None:
    rig = Rig(bounds=Bounds(history_max=3))
    rig.submit(*(task(number, queue=f"q{number}") for number in range(1, 11)))
    rig.now_ms += SECOND

    rig.engine.advance(rig.now_ms)
    assert rig.engine.next_deadline_ms() == 0
    rig.turn()

    assert all(len(points(rig, f"q{number}")) == 1 for number in range(1, 11))


def test_a_restart_within_a_second_loses_nothing_of_it() -> None:
    rig = Rig()
    rig.submit(task(1), task(2))
    rig.pass_time(SECOND)
    rig.submit(task(3))

    rig.restart()
    rig.submit(task(4))
    rig.pass_time(SECOND)

    assert [point.submitted for point in points(rig)] == [2, 2]
    assert sum(point.submitted for point in points(rig, is_by_minute=True)) == 4


def test_rates_are_those_of_the_last_whole_seconds() -> None:
    rig = Rig()
    for number in range(1, 31):
        rig.submit(task(number))
        rig.pass_time(SECOND)
    assert rig.queue().submitted_10s == 10

    rig.pass_time(4 * SECOND)
    assert rig.queue().submitted_10s == 6
    rig.pass_time(6 * SECOND)
    assert rig.queue().submitted_10s == 0


def test_failures_and_dead_letters_have_a_rate_over_a_minute() -> None:
    rig = Rig()
    hand = rig.worker()
    rig.submit(*(task(number, max_retries=0) for number in range(1, 4)))
    hand.nack(*hand.fetch(3))
    rig.pass_time(45 * SECOND)

    assert (rig.queue().failed_60s, rig.queue().dead_60s) == (3, 3)
    rig.pass_time(30 * SECOND)
    assert (rig.queue().failed_60s, rig.queue().dead_60s) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 150), st.integers(0, 3)), min_size=1, max_size=30))
def test_rates_that_were_kept_are_those_that_would_be_found_anew(steps: list[tuple[int, int, int]]) -> None:
    """Marks at random, and a look in each second between them and after."""
    base = (1_000, 0, 0, 0, 0, 0)
    kept, marks = Pace(base), [base]

    def look(second: int) -> None:
        anew = copy(kept)
        anew.rated_until = 0
        assert kept.rates(second * 1_000) == anew.rates(second * 1_000), (marks, second)

    for pause, submitted, died in steps:
        before = marks[-1]
        second = before[0] + pause
        for moment in range(before[0] + 1, second + 1):
            look(moment)
        done = submitted // 2
        mark = (
            second,
            before[1] + submitted,
            before[2] + done,
            before[3],
            before[4] + died,
            before[5] + submitted - done,
        )
        marks.append(mark)
        kept.add(mark)
    for moment in range(marks[-1][0] + 1, marks[-1][0] + 80):
        look(moment)


def test_the_stats_of_the_broker_add_the_rates_of_its_queues_up() -> None:
    rig = Rig()
    rig.submit(task(1, queue="a"), task(2, queue="b"), task(3, queue="b"))
    rig.pass_time(SECOND)

    reply = rig.step(GetStats(1))
    assert isinstance(reply, StatsReply)
    assert reply.engine.submitted_10s == 3


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 200), st.booleans()), max_size=40))
def test_points_always_add_up_to_the_totals(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever happened when, restarts included; up to the last whole second, and within a day."""
    rig = Rig()
    number = 0
    for count, tenths, is_restart in steps:
        for _ in range(count):
            number += 1
            rig.submit(task(number))
        rig.pass_time(tenths * 100)
        if is_restart:
            rig.restart()
    number += 1
    rig.submit(task(number))
    rig.pass_time(SECOND)

    found = points(rig, is_by_minute=True)
    assert sum(point.submitted for point in found) == number
    assert found[-1].ready == number
    moments = [point.at_ms for point in found]
    assert moments == sorted(set(moments))
    if rig.now_ms - NOW_MS < 290 * SECOND:
        assert sum(point.submitted for point in points(rig)) == number

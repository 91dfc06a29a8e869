"""How many tasks to ask for: free slots, and more only while tasks are measured to be very short."""

from tq.worker.credit import MEASURED_MIN, Credit


def _measured(slots: int = 4, prefetch_max: int = 1_000, *, run_seconds: float = 0.0001, busy: float = 0.05) -> Credit:
    """500 tasks, of `run_seconds` each, in `busy` seconds."""
    credit = Credit(slots, prefetch_max)
    credit.measure(500, 500 * run_seconds, busy)
    return credit


def test_at_first_it_asks_for_the_free_slots_alone() -> None:
    credit = Credit(slots=4, prefetch_max=1_000)

    assert credit.to_ask(in_hand=1) == 3
    assert credit.to_ask(in_hand=1) == 0


def test_what_arrived_is_asked_for_again_when_it_has_ended() -> None:
    credit = Credit(slots=4, prefetch_max=1_000)
    credit.to_ask(in_hand=0)
    credit.received(4)

    assert credit.to_ask(in_hand=4) == 0
    assert credit.to_ask(in_hand=1) == 3


def test_short_tasks_are_fetched_ahead_for_thirty_milliseconds() -> None:
    credit = _measured()  # 10,000/s

    assert credit.prefetch == 300
    assert credit.to_ask(in_hand=0) == 304


def test_never_more_than_the_setting_is_fetched_ahead() -> None:
    assert _measured(prefetch_max=7).prefetch == 7
    assert _measured(prefetch_max=0).prefetch == 0


def test_tasks_that_are_not_very_short_are_not_fetched_ahead() -> None:
    assert _measured(slots=1_000, run_seconds=0.02).prefetch == 0


def test_a_few_tasks_prove_nothing() -> None:
    credit = Credit(4, 1_000)
    credit.measure(MEASURED_MIN - 1, 0.001, 0.001)
    assert credit.prefetch == 0

    credit.measure(1, 0.0001, 0.0001)
    assert credit.prefetch > 0


def test_after_a_stall_it_measures_anew() -> None:
    credit = _measured()

    credit.stalled()

    assert credit.prefetch == 0
    credit.measure(MEASURED_MIN, 0.004, 0.004)  # 8,000/s
    assert credit.prefetch == 240


def test_slow_tasks_end_the_prefetch_within_a_few_of_them() -> None:
    credit = _measured()

    credit.measure(4, 4 * 0.5, 0.5)
    credit.measure(4, 4 * 0.5, 0.5)

    assert credit.prefetch == 0


def test_credit_beyond_the_free_slots_can_be_taken_back() -> None:
    credit = _measured()
    credit.to_ask(in_hand=0)
    credit.received(10)

    assert credit.excess(in_hand=0)
    assert credit.reset(in_hand=1) == 3
    assert credit.delivered == 10
    assert not credit.excess(in_hand=1)


def test_a_new_connection_starts_from_nothing() -> None:
    credit = Credit(4, 0)
    credit.to_ask(in_hand=0)
    credit.received(1)

    credit.connected()

    assert (credit.delivered, credit.outstanding) == (0, 0)
    assert credit.to_ask(in_hand=1) == 3

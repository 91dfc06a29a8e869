"""How a lease ends: done, failed, handed back, or stopped."""

import random

import pytest

from tests.engine.rig import HOUR, MINUTE, SECOND, Rig, id_of, ref, task
from tq.model.backoff import backoff_ms
from tq.model.commands import Ack, Cancel, CancelledByWorker, LeaseRef, ProgressNote, ReportProgress, Success
from tq.model.errors import PayloadTooLarge
from tq.model.replies import Affected, Settled
from tq.model.settings import BrokerSettings
from tq.model.task import HISTORY_MAX, MESSAGE_CHARS_MAX, TRACEBACK_CHARS_MAX, RetryPolicy, State, TaskOptions

NO_JITTER = TaskOptions(retry=RetryPolicy(backoff_ms_base=SECOND, backoff_ms_max=10 * SECOND, jitter=False))


# -- done ------------------------------------------------------------------------------------------------------------


def test_an_acknowledged_task_is_completed_with_its_result() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    rig.pass_time(SECOND)

    assert worker.ack(delivery, result=b"42") == []

    view = rig.view(1)
    assert (view.state, view.result, view.attempt, view.worker) == (State.COMPLETED, b"42", 1, "w")
    assert (view.started_at_ms, view.ended_at_ms) == (rig.now_ms - SECOND, rig.now_ms)
    assert (rig.queue().completed_total, rig.queue().in_progress) == (1, 0)


def test_a_second_acknowledgement_is_lost_and_changes_nothing() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    worker.ack(delivery, result=b"first")

    assert worker.ack(delivery, result=b"second") == [id_of(1)]
    assert rig.view(1).result == b"first"
    assert rig.queue().completed_total == 1


def test_a_lease_named_twice_in_one_request_settles_once() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()

    assert worker.ack(delivery, delivery) == [id_of(1)]
    assert rig.queue().completed_total == 1


def test_a_stale_token_is_refused_and_its_successor_untouched() -> None:
    """A worker that was presumed dead must never overwrite its successor's outcome."""
    rig = Rig()
    first = rig.worker("first")
    rig.submit(task(1))
    stale = first.fetch_one()
    first.release(stale)
    second = rig.worker("second")
    live = second.fetch_one()

    assert first.ack(stale) == [id_of(1)]
    assert first.nack(stale) == [id_of(1)]
    assert first.release(stale) == [id_of(1)]
    assert second.ack(live, result=b"mine") == []
    assert rig.view(1).result == b"mine"


def test_a_token_that_was_never_given_is_refused() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.fetch_one()

    assert rig.ask(Ack(1, [Success(id_of(1), 12345)]), Settled).lost == [id_of(1)]
    assert rig.ask(Ack(1, [Success(id_of(9), 1)]), Settled).lost == [id_of(9)]


def test_an_outcome_may_come_over_another_connection() -> None:
    """The token is the proof: a worker repeats what was not answered after it reconnected."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()

    assert rig.ask(Ack(1, [Success(id_of(1), delivery.token)]), Settled, session=99).lost == []


def test_a_result_above_the_limit_refuses_the_request_and_leaves_the_leases() -> None:
    rig = Rig(broker=BrokerSettings(max_payload_bytes=4))
    worker = rig.worker()
    rig.submit(task(1), task(2))
    first, second = worker.fetch(2)

    with pytest.raises(PayloadTooLarge, match="5 bytes"):
        worker.step(Ack(1, [Success(id_of(1), first.token), Success(id_of(2), second.token, bytes(5))]))
    rig.turn()

    assert rig.state(1) is State.IN_PROGRESS
    assert worker.ack(first, second, result=bytes(4)) == []


def test_a_completed_task_keeps_the_history_of_its_failures() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one(), retry_in_ms=0)
    worker.ack(worker.fetch_one())

    view = rig.view(1)
    assert view.attempt == 2
    assert [attempt.outcome for attempt in view.history] == ["failed"]


# -- failed ----------------------------------------------------------------------------------------------------------


def test_a_failed_task_waits_for_its_retry_and_keeps_the_error() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=NO_JITTER))
    worker.nack(worker.fetch_one(), error_type="ValueError", message="bad", traceback="Trace")

    view = rig.view(1)
    assert (view.state, view.attempt, view.scheduled_at_ms) == (State.FAILED, 1, rig.now_ms + SECOND)
    (attempt,) = view.history
    assert (attempt.attempt, attempt.outcome, attempt.worker) == (1, "failed", "w")
    assert (attempt.error_type, attempt.message, attempt.traceback) == ("ValueError", "bad", "Trace")
    assert (rig.queue().retrying, rig.queue().failed_total) == (1, 1)


def test_a_failed_task_runs_again_after_its_backoff() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=NO_JITTER))
    worker.nack(worker.fetch_one())
    assert worker.numbers(1) == []

    rig.pass_time(SECOND)

    (delivery,) = worker.deliveries()
    assert delivery.attempt == 2


def test_the_backoff_doubles_up_to_its_maximum_and_counts_from_the_failure() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=10, options=NO_JITTER))
    waits = []
    for _ in range(6):
        delivery = worker.fetch_one()
        rig.pass_time(30 * SECOND)
        worker.nack(delivery)
        waits.append(rig.view(1).scheduled_at_ms - rig.now_ms)
        rig.pass_time(waits[-1])

    assert waits == [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]


def test_jitter_spreads_retries_over_the_whole_backoff() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(*(task(number) for number in range(1, 201)))
    worker.nack(*worker.fetch(200))

    waits = [rig.view(number).scheduled_at_ms - rig.now_ms for number in range(1, 201)]

    assert all(0 <= wait < SECOND for wait in waits)
    assert min(waits) < 100
    assert max(waits) > 900


def test_backoff_is_bounded_and_never_overflows() -> None:
    huge = RetryPolicy(backoff_ms_base=10**9, backoff_ms_max=10**12, factor=10.0, jitter=False)

    assert backoff_ms(1_000, huge, 0.5) == 30 * 86_400_000
    assert backoff_ms(1, RetryPolicy(backoff_ms_base=0), 0.99) == 0
    assert backoff_ms(1, RetryPolicy(), 0.5) == 500


def test_backoff_with_jitter_is_uniform() -> None:
    dice = random.Random(7)
    waits = [backoff_ms(1, RetryPolicy(), dice.random()) for _ in range(10_000)]

    assert abs(sum(waits) / len(waits) - 500) < 15


def test_a_worker_may_say_when_to_retry() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one(), retry_in_ms=HOUR)

    assert rig.view(1).scheduled_at_ms == rig.now_ms + HOUR


def test_a_task_out_of_attempts_is_a_dead_letter() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=2))
    for _ in range(3):
        worker.nack(worker.fetch_one(), retry_in_ms=0)

    view = rig.view(1)
    assert (view.state, view.reason, view.attempt) == (State.DEAD_LETTER, "no retries left", 3)
    assert [attempt.attempt for attempt in view.history] == [1, 2, 3]
    assert (rig.queue().dead, rig.queue().dead_total, rig.queue().failed_total) == (1, 1, 3)


def test_a_final_failure_is_never_retried() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=10))
    worker.nack(worker.fetch_one(), is_final=True)

    assert rig.state(1) is State.DEAD_LETTER
    assert rig.view(1).reason == "failed for good"


def test_a_timeout_is_told_apart_from_a_failure() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one(), is_timeout=True)

    assert rig.view(1).history[0].outcome == "timed_out"


def test_crashes_and_failures_are_counted_apart() -> None:
    rig = Rig()
    rig.submit(task(1))
    worker = rig.worker("a", credit=1)
    worker.disconnect()
    rig.pass_time(5 * SECOND)
    other = rig.worker("b")
    other.nack(other.fetch_one(), retry_in_ms=0)

    view = rig.view(1)
    assert (view.attempt, view.crashes) == (1, 1)
    assert [attempt.outcome for attempt in view.history] == ["crashed", "failed"]
    assert (rig.queue().crashed_total, rig.queue().failed_total) == (1, 1)


def test_the_history_keeps_the_first_attempt_and_the_latest() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=HISTORY_MAX + 10))
    for _ in range(HISTORY_MAX + 5):
        worker.nack(worker.fetch_one(), retry_in_ms=0)

    attempts = [attempt.attempt for attempt in rig.view(1).history]
    assert len(attempts) == HISTORY_MAX
    assert attempts == [1, *range(7, HISTORY_MAX + 6)]


def test_long_errors_are_cut() -> None:
    """The beginning of a message and the end of a traceback say most."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one(), message="m" * 10_000, traceback="x" * 100_000 + "end")

    (attempt,) = rig.view(1).history
    assert len(attempt.message) == MESSAGE_CHARS_MAX
    assert len(attempt.traceback) == TRACEBACK_CHARS_MAX
    assert attempt.traceback.endswith("end")


# -- handed back -----------------------------------------------------------------------------------------------------


def test_a_released_task_goes_back_to_the_front_with_no_attempt_used() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    delivery = worker.fetch_one()

    assert worker.release(delivery) == []

    assert (rig.view(1).state, rig.view(1).attempt, rig.view(1).history) == (State.PENDING, 0, ())
    again, _ = worker.fetch(2)
    assert again.stored().spec.id == id_of(1)
    assert again.attempt == 1
    assert again.token > delivery.token


def test_released_tasks_keep_their_order() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(*(task(number) for number in range(1, 6)))
    first, second, third = worker.fetch(3)
    worker.release(third, first, second)

    assert worker.numbers(5) == [1, 2, 3, 4, 5]


def test_a_release_on_a_later_attempt_keeps_what_was_used_before() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=1))
    worker.nack(worker.fetch_one(), retry_in_ms=0)
    worker.release(worker.fetch_one())

    assert worker.fetch_one().attempt == 2
    assert len(rig.view(1).history) == 1


def test_a_snoozed_task_waits_and_uses_no_attempt() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.release(worker.fetch_one(), delay_ms=30 * SECOND)
    assert (rig.state(1), rig.view(1).scheduled_at_ms) == (State.PENDING, rig.now_ms + 30 * SECOND)
    assert rig.queue().scheduled == 1
    assert worker.numbers(1) == []

    rig.pass_time(30 * SECOND)

    (delivery,) = worker.deliveries()
    assert delivery.attempt == 1


def test_a_task_handed_back_after_its_expiry_expires() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=TaskOptions(expires_ms=SECOND)))
    delivery = worker.fetch_one()
    rig.pass_time(30 * SECOND)
    assert rig.state(1) is State.IN_PROGRESS, "what runs does not expire"

    worker.release(delivery)

    assert rig.view(1).reason == "expired"


def test_a_failed_task_expires_while_it_waits_for_its_retry() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=TaskOptions(expires_ms=MINUTE)))
    worker.nack(worker.fetch_one(), retry_in_ms=HOUR)
    rig.pass_time(MINUTE)

    assert rig.state(1) is State.CANCELLED
    assert (rig.queue().retrying, rig.queue().cancelled_total) == (0, 1)


# -- stopped ---------------------------------------------------------------------------------------------------------


def test_a_running_task_is_cancelled_when_its_worker_has_stopped_it() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    rig.ask(Cancel(1, [id_of(1)], "wrong address"), Affected)

    assert rig.ask(CancelledByWorker(1, [ref(delivery)]), Settled, worker.session).lost == []

    view = rig.view(1)
    assert (view.state, view.reason, view.attempt, view.worker) == (State.CANCELLED, "wrong address", 1, "w")


def test_a_worker_may_stop_a_task_by_itself() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    rig.ask(CancelledByWorker(1, [ref(delivery), LeaseRef(id_of(9), 1)]), Settled, worker.session)

    assert rig.view(1).reason == "cancelled by its worker"


def test_a_task_asked_to_stop_that_returns_first_is_completed() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    rig.ask(Cancel(1, [id_of(1)]), Affected)
    worker.ack(delivery)

    assert rig.state(1) is State.COMPLETED


@pytest.mark.parametrize("how", ["failed", "released", "snoozed"])
def test_a_task_asked_to_stop_never_runs_again(how: str) -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    rig.ask(Cancel(1, [id_of(1)], "stop"), Affected)
    match how:
        case "failed":
            worker.nack(delivery)
        case "released":
            worker.release(delivery)
        case _:
            worker.release(delivery, delay_ms=SECOND)

    assert rig.view(1).state is State.CANCELLED
    assert rig.view(1).reason == "stop"


# -- progress --------------------------------------------------------------------------------------------------------


def test_progress_is_shown_while_the_task_runs() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    worker.step(ReportProgress(0, [ProgressNote(id_of(1), delivery.token, 0.4, "resizing")]))

    progress = rig.view(1).progress
    assert progress is not None
    assert (progress.fraction, progress.note, progress.at_ms) == (0.4, "resizing", rig.now_ms)
    worker.ack(delivery)
    assert rig.view(1).progress is None


def test_progress_under_a_stale_token_is_ignored() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    stale = worker.fetch_one()
    worker.release(stale)
    worker.fetch_one()
    worker.step(ReportProgress(0, [ProgressNote(id_of(1), stale.token, 0.9), ProgressNote(id_of(9), 1, 0.1)]))

    assert rig.view(1).progress is None

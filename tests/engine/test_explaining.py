"""Why a task is where it is: each answer is a fact, the deciding one first."""

import pytest

from tests.engine.rig import HOUR, MINUTE, NOW_MS, SECOND, Rig, id_of, task
from tq.engine.bounds import Bounds
from tq.model.commands import Cancel, DrainWorker, Heartbeat, PauseQueue, ResumeQueue, Submit, Why
from tq.model.errors import TaskNotFound
from tq.model.identity import Actor
from tq.model.insight import Because, Explanation, Reason
from tq.model.replies import Affected, WhyReply
from tq.model.task import HIGH, LOW, NORMAL, State, TaskOptions


def why(rig: Rig, number: int = 1) -> Explanation:
    reply = rig.step(Why(1, id_of(number)))
    assert isinstance(reply, WhyReply)
    return reply.explanation


def codes(rig: Rig, number: int = 1) -> list[str]:
    return [str(reason.code) for reason in why(rig, number).reasons]


def reason(rig: Rig, code: Because, number: int = 1) -> Reason:
    (found,) = [reason for reason in why(rig, number).reasons if reason.code == code]
    return found


def test_an_unknown_task_is_an_error() -> None:
    with pytest.raises(TaskNotFound):
        Rig().step(Why(1, id_of(1)))


# -- it waits ----------------------------------------------------------------------------------------------------------


def test_a_paused_queue_is_named_with_who_paused_it_when_and_why() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.engine.identify(9, Actor("uid:1000 anna"))
    rig.ask(PauseQueue(1, "default", "migration"), Affected, session=9)
    rig.pass_time(3 * MINUTE)
    rig.worker(credit=1)

    paused = reason(rig, Because.QUEUE_PAUSED)
    assert codes(rig) == [Because.QUEUE_PAUSED], "with a worker there, nothing else holds it"
    assert (paused.who, paused.note, paused.since_ms) == ("uid:1000 anna", "migration", NOW_MS)
    assert paused.text == "queue 'default' was paused 3m ago by uid:1000 anna: migration"
    assert paused.hint == "tq queue resume default"


def test_a_task_submitted_for_later_says_when_it_is_due_and_what_else_would_hold_it_then() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(delay_ms=HOUR)))
    rig.pass_time(MINUTE)

    assert codes(rig) == [Because.NOT_DUE, Because.NO_HANDLER]
    later = reason(rig, Because.NOT_DUE)
    assert later.until_ms == NOW_MS + HOUR
    assert later.text.endswith("in 59m")


def test_a_task_between_two_attempts_says_which_failed_with_what_and_when_the_next_is() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=2))
    worker.nack(worker.fetch_one(), error_type="KeyError", message="no user\nsecond line", retry_in_ms=MINUTE)

    backoff = reason(rig, Because.BACKOFF)
    assert codes(rig) == [Because.BACKOFF]
    assert (backoff.count, backoff.note, backoff.until_ms) == (1, "KeyError: no user", NOW_MS + MINUTE)
    assert backoff.text == "attempt 1 of 3 failed; the next is in 1m"


def test_a_snoozed_task_is_not_mistaken_for_one_that_was_submitted_for_later() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.release(worker.fetch_one(), delay_ms=MINUTE)

    assert codes(rig) == [Because.SNOOZED]
    assert reason(rig, Because.SNOOZED).until_ms == NOW_MS + MINUTE


def test_without_a_handler_it_says_whether_a_worker_a_deploy_or_a_queue_is_missing() -> None:
    rig = Rig()
    rig.submit(task(1))
    assert reason(rig, Because.NO_HANDLER).text == "no worker is connected"

    rig.worker("a", types=("other",))
    assert reason(rig, Because.NO_HANDLER).text == "the one connected worker has no handler of 'mail'"
    rig.worker("a2", types=("other",))
    assert reason(rig, Because.NO_HANDLER).text == "none of 2 workers has a handler of 'mail'"

    rig.worker("b", queues={"elsewhere": 0})
    elsewhere = reason(rig, Because.NO_HANDLER)
    assert elsewhere.text == "workers have a handler of 'mail', but none of them serves queue 'default'"
    assert elsewhere.workers == ("b",)


def test_workers_that_drain_take_nothing_more() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.worker()
    rig.ask(DrainWorker(1, "w"), Affected)

    assert codes(rig) == [Because.WORKERS_DRAINING]


def test_full_workers_are_named_with_the_moment_since_when_all_of_them_are() -> None:
    rig = Rig()
    rig.submit(task(1), task(2), task(3))
    rig.worker("a").fetch(1)
    rig.pass_time(10 * SECOND)
    rig.worker("b").fetch(1)
    rig.pass_time(SECOND)

    full = reason(rig, Because.WORKERS_FULL, 3)
    assert codes(rig, 3) == [Because.WORKERS_FULL]
    assert (full.count, full.workers, full.since_ms) == (2, ("a", "b"), NOW_MS + 10 * SECOND)
    assert full.text == "all 2 workers that can run it have been full for 1s: a (1/1), b (1/1)"


def test_one_free_worker_is_enough_for_the_others_not_to_be_the_reason() -> None:
    rig = Rig(bounds=Bounds(dispatch_max=1))
    rig.worker("a").fetch(1)
    rig.submit(task(1))
    rig.submit(task(2))
    rig.worker("b")

    assert codes(rig, 2) == [Because.WORKERS_NOT_ASKING], "b has a slot, and has not asked yet"


def test_a_worker_with_room_that_asks_for_nothing_is_quoted() -> None:
    rig = Rig()
    rig.submit(task(1))
    worker = rig.worker()
    worker.step(Heartbeat(0, note="loop blocked 14 s at app.py:88"))

    idle = reason(rig, Because.WORKERS_NOT_ASKING)
    assert "w: loop blocked 14 s at app.py:88" in idle.text


def test_what_is_ready_and_not_held_up_goes_to_a_worker_now() -> None:
    rig = Rig()
    rig.worker(credit=1)
    rig.step(Submit(1, [task(1)]))

    assert codes(rig) == [Because.NEXT]


def test_queues_that_the_workers_serve_first_are_named() -> None:
    rig = Rig()
    rig.submit(task(1, queue="bulk"), task(2, queue="urgent"), task(3, queue="urgent"))
    worker = rig.worker(queues={"urgent": 10, "bulk": 0})
    worker.fetch(1)

    assert codes(rig) == [Because.WORKERS_FULL, Because.OTHER_QUEUES_FIRST]
    assert "urgent" in reason(rig, Because.OTHER_QUEUES_FIRST).text


def test_a_task_that_expires_says_so_beside_what_holds_it() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(expires_ms=HOUR)))

    expires = reason(rig, Because.EXPIRES)
    assert codes(rig) == [Because.NO_HANDLER, Because.EXPIRES]
    assert (expires.until_ms, expires.is_cause) == (NOW_MS + HOUR, False)


# -- how many are ahead ------------------------------------------------------------------------------------------------


def ahead(rig: Rig, number: int) -> tuple[int, bool]:
    found = [reason for reason in why(rig, number).reasons if reason.code == Because.TASKS_AHEAD]
    return (found[0].count, found[0].is_count_exact) if found else (0, True)


def test_higher_tiers_and_what_came_before_in_its_own_are_ahead_if_the_same_workers_run_them() -> None:
    rig = Rig()
    rig.worker(types=("mail", "sms"))
    rig.submit(task(1), task(2, task_type="sms"), task(3, task_type="other"), task(4, priority=LOW))
    rig.submit(task(5, priority=NORMAL), task(6, priority=HIGH), task(7))

    assert ahead(rig, 5) == (3, True), "1, 2 and 6; nobody runs 3"
    assert ahead(rig, 6) == (0, True)
    assert ahead(rig, 4) == (5, True)


def test_the_count_is_exact_beyond_the_window_and_without_those_that_left_from_the_middle() -> None:
    rig = Rig(bounds=Bounds(window_max=4, refill=4))
    rig.worker()
    rig.submit(*(task(number) for number in range(1, 21)))
    rig.ask(Cancel(1, [id_of(2), id_of(12)]), Affected)

    assert ahead(rig, 3) == (1, True)
    assert ahead(rig, 20) == (17, True)


def test_a_count_that_would_read_too_many_rows_is_about_right_and_says_so() -> None:
    rig = Rig(bounds=Bounds(window_max=4, refill=4, scan_max=10))
    rig.worker()
    rig.submit(*(task(number) for number in range(1, 101)))

    count, is_exact = ahead(rig, 80)
    assert not is_exact
    assert 70 <= count <= 85
    assert reason(rig, Because.TASKS_AHEAD, 80).text.startswith("about ")


def test_how_long_they_take_is_told_from_the_pace_of_late_and_not_from_a_slow_time_before() -> None:
    rig = Rig()
    worker = rig.worker(credit=1_000)
    rig.submit(task(1))
    worker.ack(*worker.deliveries())
    rig.pass_time(40 * SECOND)
    worker = rig.worker("x", credit=40)
    rig.submit(*(task(number) for number in range(2, 42)))
    held = worker.deliveries()
    for _ in range(5):
        done, held = held[:4], held[4:]
        worker.ack(*done)
        rig.pass_time(SECOND)
    rig.ask(PauseQueue(1, "default"), Affected)
    rig.submit(*(task(number) for number in range(100, 200)))
    rig.ask(ResumeQueue(1, "default"), Affected)

    waiting = reason(rig, Because.TASKS_AHEAD, 199)
    assert waiting.count == 99
    assert waiting.estimate_ms is not None
    assert 20_000 <= waiting.estimate_ms <= 30_000, "99 tasks at 4 a second"


def test_without_a_pace_there_is_no_estimate() -> None:
    rig = Rig()
    rig.worker()
    rig.submit(task(1), task(2))

    assert reason(rig, Because.TASKS_AHEAD, 2).estimate_ms is None


# -- it runs -----------------------------------------------------------------------------------------------------------


def test_a_running_task_says_where_since_when_and_how_far() -> None:
    rig = Rig()
    rig.submit(task(1, timeout_ms=MINUTE))
    rig.worker().fetch_one()
    rig.pass_time(10 * SECOND)

    running = reason(rig, Because.RUNNING)
    assert codes(rig) == [Because.RUNNING]
    assert running.text == "attempt 1 runs on worker 'w' for 10s of at most 1m"
    assert (running.since_ms, running.until_ms, running.workers) == (NOW_MS, NOW_MS + MINUTE, ("w",))


def test_a_task_whose_worker_lost_its_connection_says_how_much_grace_is_left() -> None:
    rig = Rig()
    rig.submit(task(1))
    worker = rig.worker()
    worker.fetch_one()
    worker.disconnect()
    rig.pass_time(2 * SECOND)

    lost = reason(rig, Because.WORKER_LOST)
    assert codes(rig) == [Because.WORKER_LOST, Because.RUNNING]
    assert lost.until_ms == NOW_MS + 5 * SECOND
    assert "it has 3s to come back" in lost.text


def test_a_worker_that_misses_heartbeats_is_said_to_be_silent_before_it_is_given_up() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.worker().fetch_one()
    rig.pass_time(30 * SECOND)

    assert codes(rig)[0] == Because.WORKER_SILENT
    assert reason(rig, Because.WORKER_SILENT).until_ms == NOW_MS + 45 * SECOND


def test_a_task_that_was_asked_to_stop_or_is_over_its_time_says_so_first() -> None:
    rig = Rig()
    rig.submit(task(1, timeout_ms=10 * SECOND))
    worker = rig.worker()
    worker.fetch_one()
    rig.ask(Cancel(1, [id_of(1)], "not needed"), Affected)
    rig.pass_time(12 * SECOND)

    assert codes(rig) == [Because.CANCEL_REQUESTED, Because.OVERDUE, Because.RUNNING]
    assert reason(rig, Because.CANCEL_REQUESTED).note == "not needed"


def test_a_task_that_was_fetched_ahead_may_not_have_started() -> None:
    rig = Rig()
    rig.submit(task(1), task(2), task(3))
    rig.worker().fetch(3)

    assert Because.FETCHED_AHEAD not in codes(rig, 1)
    assert reason(rig, Because.FETCHED_AHEAD, 3).count == 2


# -- it has ended ------------------------------------------------------------------------------------------------------


def test_a_completed_task_tells_of_the_attempts_that_failed_before() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one(), traceback="long", retry_in_ms=0)
    rig.turn()
    delivery = worker.fetch_one()
    rig.pass_time(SECOND)
    worker.ack(delivery)

    explanation = why(rig)
    assert (explanation.state, codes(rig)) == (State.COMPLETED, [Because.COMPLETED])
    assert "attempt 2 ran 1s on worker 'w'" in explanation.reasons[0].text
    assert [(attempt.attempt, attempt.outcome, attempt.traceback) for attempt in explanation.history] == [
        (1, "failed", "")
    ]


def test_a_dead_letter_says_which_of_the_three_ways_it_died() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=0), task(2), task(3, options=TaskOptions(max_crashes=1)))
    first, second, _ = worker.fetch(3)
    worker.nack(first)
    worker.nack(second, is_final=True)
    worker.disconnect()
    rig.pass_time(MINUTE)

    assert codes(rig, 1) == [Because.RETRIES_USED_UP]
    assert codes(rig, 2) == [Because.FAILED_FOR_GOOD]
    assert codes(rig, 3) == [Because.QUARANTINED]
    assert reason(rig, Because.RETRIES_USED_UP, 1).note == "ValueError: no"


def test_expired_and_cancelled_tasks_are_told_apart() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(expires_ms=SECOND)), task(2))
    rig.ask(Cancel(1, [id_of(2)], "a mistake"), Affected)
    rig.pass_time(MINUTE)

    assert codes(rig, 1) == [Because.EXPIRED]
    assert codes(rig, 2) == [Because.CANCELLED]
    assert reason(rig, Because.CANCELLED, 2).note == "a mistake"


def test_asking_changes_nothing() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2), task(3))
    worker.fetch(1)
    rig.turn()

    for number in (1, 2, 3):
        why(rig, number)
    writes, messages = rig.engine.take()
    assert not any(writes)
    assert not messages

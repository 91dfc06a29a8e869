"""What operators do: cancel, pause, resubmit, and put dead letters back to work. What many tasks need to be one
operation is in operations/."""

import msgspec
import pytest

from tests.engine.rig import HOUR, MINUTE, SECOND, Rig, id_of, task
from tq.engine.tables import Table
from tq.model.commands import (
    Cancel,
    ListTasks,
    PauseQueue,
    Resubmit,
    ResumeQueue,
    Submit,
)
from tq.model.errors import InvalidArgument, PayloadTooLarge, QueueFull, QueueNotFound, TaskNotFound, WrongState
from tq.model.operations import Action
from tq.model.replies import Affected, CancelRun, Existing, Submitted, TaskPage
from tq.model.settings import BrokerSettings, PersistenceSettings
from tq.model.task import State, TaskOptions, TaskState


def dead(rig: Rig, *numbers: int, queue: str = "default", options: TaskOptions | None = None) -> None:
    """Tasks that failed for good, one after another."""
    worker = rig.worker("undertaker", queues={queue: 0})
    for number in numbers:
        rig.submit(task(number, queue=queue, options=options))
        worker.nack(worker.fetch_one(), is_final=True)
        rig.now_ms += 1
    worker.disconnect()


def stored_state(rig: Rig, number: int) -> TaskState:
    value = rig.rows.get(Table.STATES, id_of(number))
    assert value is not None
    return msgspec.msgpack.decode(value, type=TaskState)


# -- cancel ----------------------------------------------------------------------------------------------------------


def test_a_waiting_task_is_cancelled_at_once() -> None:
    rig = Rig()
    rig.submit(task(1), task(2))

    assert rig.ask(Cancel(1, [id_of(1)], "not needed"), Affected) == Affected(1, 1)

    view = rig.view(1)
    assert (view.state, view.reason, view.ended_at_ms) == (State.CANCELLED, "not needed", rig.now_ms)
    assert rig.worker().numbers(2) == [2]


@pytest.mark.parametrize("place", [1, 3, 5], ids=["the first", "in the middle", "the last"])
def test_a_task_cancelled_anywhere_in_its_lane_leaves_the_others_in_order(place: int) -> None:
    rig = Rig()
    rig.submit(*(task(number) for number in range(1, 6)))
    rig.ask(Cancel(1, [id_of(place)]), Affected)

    assert rig.worker().numbers(5) == [number for number in range(1, 6) if number != place]


def test_a_delayed_task_can_be_cancelled() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(delay_ms=MINUTE)))
    rig.ask(Cancel(1, [id_of(1)]), Affected)
    rig.pass_time(MINUTE)

    assert rig.state(1) is State.CANCELLED


def test_a_failed_task_can_be_cancelled_before_its_retry() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one())
    rig.ask(Cancel(1, [id_of(1)]), Affected)
    rig.pass_time(10 * SECOND)

    assert rig.state(1) is State.CANCELLED
    assert worker.numbers(1) == []


def test_a_running_task_is_asked_to_stop_and_goes_on_until_its_worker_says_so() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()

    assert rig.ask(Cancel(1, [id_of(1)]), Affected).count == 1

    assert rig.take_sent(worker.session) == [CancelRun(id_of(1), delivery.token)]
    assert (rig.state(1), rig.view(1).cancel_requested) == (State.IN_PROGRESS, True)


def test_ended_and_unknown_tasks_are_skipped_among_others() -> None:
    rig = Rig()
    dead(rig, 1)
    rig.submit(task(2))

    assert rig.ask(Cancel(1, [id_of(1), id_of(2), id_of(9)]), Affected) == Affected(1, 1, 2)


def test_cancelling_one_unknown_task_is_refused() -> None:
    rig = Rig()

    with pytest.raises(TaskNotFound):
        rig.step(Cancel(1, [id_of(9)]))


def test_a_cancel_repeated_is_harmless() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.ask(Cancel(1, [id_of(1)], "once"), Affected)

    assert rig.ask(Cancel(1, [id_of(1)], "twice"), Affected) == Affected(1, 0, 1)
    assert rig.view(1).reason == "once"
    assert rig.queue().cancelled_total == 1


# -- pause and resume ------------------------------------------------------------------------------------------------


def test_a_pause_is_shown_with_its_reason_and_outlives_the_broker() -> None:
    rig = Rig()
    rig.submit(task(1))
    assert rig.ask(PauseQueue(1, "default", "deploy"), Affected) == Affected(1, 1)
    rig.restart()

    queue = rig.queue()
    assert (queue.is_paused, queue.pause_reason, queue.paused_at_ms) == (True, "deploy", rig.now_ms)
    assert rig.worker().numbers(1) == []


def test_what_runs_goes_on_while_its_queue_is_paused() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    rig.ask(PauseQueue(1, "default"), Affected)

    assert worker.ack(delivery) == []


def test_pausing_twice_skips_and_keeps_the_first_reason() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.ask(PauseQueue(1, "default", "first"), Affected)

    assert rig.ask(PauseQueue(1, "default", "second"), Affected) == Affected(1, 0, 1)
    assert rig.queue().pause_reason == "first"


def test_resuming_what_is_not_paused_skips() -> None:
    rig = Rig()
    rig.submit(task(1))

    assert rig.ask(ResumeQueue(1, "default"), Affected) == Affected(1, 0, 1)


def test_a_queue_that_never_had_a_task_is_refused_to_operators() -> None:
    rig = Rig()

    for request in (PauseQueue(1, "nope"), ResumeQueue(1, "nope")):
        with pytest.raises(QueueNotFound):
            rig.step(request)


# -- dead letters ----------------------------------------------------------------------------------------------------


def test_a_retried_dead_letter_is_ready_with_all_its_attempts_and_keeps_its_history() -> None:
    rig = Rig()
    dead(rig, 1)

    rig.operate(Action.RETRY, "", 1)

    view = rig.view(1)
    assert (view.state, view.attempt, view.crashes, view.reason, view.ended_at_ms) == (State.PENDING, 0, 0, "", 0)
    assert len(view.history) == 1
    assert rig.queue().dead == 0
    worker = rig.worker()
    assert worker.fetch_one().attempt == 1


def test_dead_letters_are_retried_in_the_order_of_their_death() -> None:
    rig = Rig()
    dead(rig, 3, 1, 2)
    rig.operate(Action.RETRY)

    assert rig.worker().numbers(3) == [3, 1, 2]


def test_dead_letters_of_one_queue_or_of_all_can_be_retried() -> None:
    rig = Rig()
    dead(rig, 1, queue="a")
    dead(rig, 2, queue="b")
    dead(rig, 3, queue="c")
    rig.operate(Action.RETRY, "queue:b")
    assert [rig.state(number) is State.PENDING for number in (1, 2, 3)] == [False, True, False]

    assert rig.operate(Action.RETRY).done == 2


def test_purged_dead_letters_are_cancelled_and_can_be_resubmitted() -> None:
    rig = Rig()
    dead(rig, 1, 2)
    rig.operate(Action.PURGE)

    assert (rig.state(1), rig.view(1).reason) == (State.CANCELLED, "purged")
    assert rig.queue().dead == 0
    rig.ask(Resubmit(1, id_of(1), id_of(11)), Submitted)
    assert rig.state(11) is State.PENDING


def test_a_dead_letter_retried_after_its_expiry_runs_and_fails_as_any_other() -> None:
    """Too late for its producer; but the operator who retries it wants it to run."""
    rig = Rig()
    dead(rig, 1, options=TaskOptions(expires_ms=MINUTE))
    rig.pass_time(HOUR)
    rig.operate(Action.RETRY, "", 1)
    worker = rig.worker()
    worker.nack(worker.fetch_one(), retry_in_ms=SECOND)
    assert rig.state(1) is State.FAILED

    rig.pass_time(SECOND)
    worker.release(worker.fetch_one())

    assert worker.ack(worker.fetch_one()) == []


def test_a_dead_letter_retried_at_its_expiry_before_the_sweep_sees_it_runs() -> None:
    rig = Rig()
    dead(rig, 1, options=TaskOptions(expires_ms=MINUTE))
    rig.now_ms += MINUTE
    rig.operate(Action.RETRY, "", 1)

    assert rig.state(1) is State.PENDING


def test_a_dead_letter_retried_before_its_expiry_can_still_expire() -> None:
    rig = Rig()
    dead(rig, 1, options=TaskOptions(expires_ms=HOUR))
    rig.operate(Action.RETRY, "", 1)
    rig.pass_time(HOUR)

    assert rig.view(1).reason == "expired"


# -- resubmit --------------------------------------------------------------------------------------------------------


def test_a_resubmitted_task_is_a_new_one_and_the_two_name_each_other() -> None:
    rig = Rig()
    options = TaskOptions(key="k", delay_ms=0, result_ttl_ms=7 * SECOND, max_crashes=5)
    dead(rig, 1, options=options)

    assert rig.ask(Resubmit(1, id_of(1), id_of(11)), Submitted) == Submitted(1)

    old, new = rig.view(1), rig.view(11)
    assert (old.state, old.resubmitted_as, new.resubmit_of) == (State.DEAD_LETTER, id_of(11), id_of(1))
    assert (new.state, new.max_crashes, new.key, new.history) == (State.PENDING, 5, None, ())
    assert rig.worker().numbers(1) == [11]


def test_a_resubmit_may_bring_another_payload() -> None:
    rig = Rig()
    dead(rig, 1)
    rig.ask(Resubmit(1, id_of(1), id_of(11), b"better", "text/plain"), Submitted)

    assert (rig.view(11).payload, rig.view(11).content_type) == (b"better", "text/plain")


def test_a_resubmit_is_due_at_once_whatever_the_delay_of_the_old_task() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(delay_ms=HOUR)))
    rig.ask(Cancel(1, [id_of(1)]), Affected)
    rig.ask(Resubmit(1, id_of(1), id_of(11)), Submitted)

    assert rig.worker().numbers(1) == [11]


def test_a_resubmit_may_go_to_another_queue_with_another_priority_and_later() -> None:
    rig = Rig()
    dead(rig, 1, 2)
    rig.ask(Resubmit(1, id_of(1), id_of(11), queue="urgent", priority=200), Submitted)
    rig.ask(Resubmit(2, id_of(2), id_of(12), delay_ms=HOUR), Submitted)

    assert (rig.view(11).queue, rig.view(11).priority) == ("urgent", 200)
    assert rig.worker().numbers(2) == [11]
    rig.pass_time(HOUR)
    assert rig.state(12) is State.PENDING
    assert rig.worker("v").numbers(1) == [12]


def test_a_resubmit_into_a_queue_that_cannot_be_or_too_far_away_changes_nothing() -> None:
    rig = Rig()
    dead(rig, 1)
    before = rig.rows.copy()

    for wrong in (Resubmit(1, id_of(1), id_of(11), queue=" "), Resubmit(1, id_of(1), id_of(11), delay_ms=1 << 53)):
        with pytest.raises(InvalidArgument):
            rig.step(wrong)
    assert rig.rows.tables == before.tables


def test_a_resubmitted_task_stays_in_the_set_that_was_frozen_with_it() -> None:
    """It has not moved: who purges what there was before purges it."""
    rig = Rig()
    dead(rig, 1)
    before = stored_state(rig, 1).moved
    rig.ask(Resubmit(1, id_of(1), id_of(11)), Submitted)

    assert stored_state(rig, 1).resubmitted_as == id_of(11)
    assert stored_state(rig, 1).moved == before


def test_a_repeated_resubmit_makes_no_second_task() -> None:
    rig = Rig()
    dead(rig, 1)
    rig.ask(Resubmit(1, id_of(1), id_of(11)), Submitted)

    assert rig.ask(Resubmit(2, id_of(1), id_of(11)), Submitted).existing == [Existing(0, id_of(11))]


def test_only_ended_tasks_are_resubmitted() -> None:
    rig = Rig()
    rig.submit(task(1))

    with pytest.raises(WrongState, match="pending"):
        rig.step(Resubmit(1, id_of(1), id_of(11)))
    with pytest.raises(TaskNotFound):
        rig.step(Resubmit(1, id_of(9), id_of(11)))


def test_a_resubmit_is_refused_as_a_submit_would_be_and_changes_nothing() -> None:
    rig = Rig(broker=BrokerSettings(max_payload_bytes=4, queue_depth_threshold=1))
    dead(rig, 1)
    with pytest.raises(PayloadTooLarge):
        rig.step(Resubmit(1, id_of(1), id_of(11), b"large"))
    rig.submit(task(2))
    with pytest.raises(QueueFull):
        rig.step(Resubmit(1, id_of(1), id_of(11)))

    assert rig.view(1).resubmitted_as is None


def test_lineage_outlives_a_retry_that_completes() -> None:
    rig = Rig()
    dead(rig, 1)
    rig.ask(Resubmit(1, id_of(1), id_of(11)), Submitted)
    rig.operate(Action.RETRY, "", 1)
    worker = rig.worker(credit=2)
    worker.ack(*worker.deliveries())

    assert (rig.state(1), rig.view(1).resubmitted_as) == (State.COMPLETED, id_of(11))


# -- retention -------------------------------------------------------------------------------------------------------


def test_records_are_kept_as_long_as_said_and_then_all_their_rows_go() -> None:
    rig = Rig(persistence=PersistenceSettings(dead_letter_retention_hours=3, cancelled_retention_hours=2))
    dead(rig, 1, options=TaskOptions(key="a", expires_ms=24 * HOUR))
    worker = rig.worker()
    rig.submit(task(2, options=TaskOptions(key="b", result_ttl_ms=HOUR)), task(3, options=TaskOptions(key="c")))
    worker.ack(worker.fetch_one())
    rig.ask(Cancel(1, [id_of(3)]), Affected)

    listed = []
    for _ in range(4):
        reply = rig.step(ListTasks(1))
        assert isinstance(reply, TaskPage)
        listed.append([int.from_bytes(summary.id, "big") for summary in reply.tasks])
        rig.pass_time(HOUR)

    assert listed == [[1, 2, 3], [1, 3], [1], []]
    assert [len(rows) for rows in rig.rows.tables[:7]] == [0] * 7


def test_a_result_with_no_ttl_is_gone_at_once() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=TaskOptions(result_ttl_ms=0)))
    worker.ack(worker.fetch_one())

    with pytest.raises(TaskNotFound):
        rig.view(1)


def test_an_expiry_of_an_earlier_task_of_the_same_id_is_none_of_the_new_one() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=TaskOptions(expires_ms=MINUTE, result_ttl_ms=0)))
    worker.ack(worker.fetch_one())
    rig.step(Submit(1, [task(1)]))
    rig.pass_time(MINUTE)

    assert rig.state(1) is State.PENDING

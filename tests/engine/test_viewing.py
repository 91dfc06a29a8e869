"""What is shown: true, in pages, and never by reading more rows than a page needs."""

import pytest

from tests.engine.rig import HOUR, MINUTE, SECOND, Rig, id_of, task
from tq.engine.bounds import Bounds
from tq.model.commands import Cancel, GetStats, GetTask, ListQueues, PauseQueue
from tq.model.errors import TaskNotFound
from tq.model.replies import Affected, QueuePage, StatsReply
from tq.model.task import HIGH, LOW, State, TaskOptions

LATER = TaskOptions(delay_ms=HOUR)


def one_of_each(rig: Rig) -> None:
    """1 completed, 2 failed, 3 dead, 4 cancelled, 5 in progress, 6 ready, 7 scheduled."""
    worker = rig.worker()
    rig.submit(task(1), task(2), task(3))
    done, failed, dead = worker.fetch(3)
    worker.ack(done)
    worker.nack(failed, retry_in_ms=HOUR)
    worker.nack(dead, is_final=True)
    rig.submit(task(4), task(5))
    rig.ask(Cancel(1, [id_of(4)]), Affected)
    worker.fetch(1)
    rig.submit(task(6), task(7, options=LATER))


# -- one task --------------------------------------------------------------------------------------------------------


def test_an_unknown_id_is_an_error_and_not_pending() -> None:
    rig = Rig()

    with pytest.raises(TaskNotFound):
        rig.step(GetTask(1, id_of(1)))


def test_a_pending_task_without_a_worker_for_its_type_says_so_until_one_connects() -> None:
    rig = Rig()
    rig.submit(task(1))
    assert rig.view(1).no_handler

    rig.worker(queues={"other": 0})
    assert rig.view(1).no_handler, "one that does not serve its queue is no help"

    rig.worker("x")
    assert not rig.view(1).no_handler


def test_a_running_task_names_its_worker_its_start_and_its_attempt() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    rig.pass_time(SECOND)
    worker.fetch(1)

    view = rig.view(1)
    assert (view.state, view.worker, view.started_at_ms, view.attempt) == (State.IN_PROGRESS, "w", rig.now_ms, 1)


# -- queues and the whole --------------------------------------------------------------------------------------------


def test_queues_are_shown_by_name_with_all_that_they_hold() -> None:
    rig = Rig()
    one_of_each(rig)
    rig.submit(task(8, priority=HIGH, task_type="unknown"), task(9, priority=LOW), task(10, queue="a"))
    rig.ask(PauseQueue(1, "default", "why"), Affected)
    reply = rig.step(ListQueues(1))
    assert isinstance(reply, QueuePage)

    assert [queue.name for queue in reply.queues] == ["a", "default"]
    queue = rig.queue()
    assert (queue.ready_high, queue.ready_normal, queue.ready_low, queue.ready) == (1, 1, 1, 3)
    assert (queue.scheduled, queue.retrying, queue.in_progress, queue.dead, queue.no_handler) == (1, 1, 1, 1, 1)
    assert queue.waiting == 5
    assert (queue.submitted_total, queue.completed_total, queue.failed_total) == (9, 1, 2)
    assert (queue.dead_total, queue.cancelled_total, queue.crashed_total) == (1, 1, 0)
    assert (queue.is_paused, queue.pause_reason, queue.paused_at_ms) == (True, "why", rig.now_ms)


def test_the_age_of_a_queue_is_that_of_its_longest_waiting_ready_task() -> None:
    rig = Rig(bounds=Bounds(window_max=1, refill=1))
    rig.submit(task(1))
    rig.pass_time(MINUTE)
    rig.submit(task(2, priority=HIGH))
    assert rig.queue().oldest_ready_ms == MINUTE

    assert rig.worker().numbers(2) == [2, 1]

    assert rig.queue().oldest_ready_ms == 0


def test_a_task_handed_back_is_as_old_as_it_was() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    rig.pass_time(30 * SECOND)
    worker.release(worker.fetch_one())

    assert rig.queue().oldest_ready_ms == 30 * SECOND


def test_the_whole_is_the_sum_of_the_queues() -> None:
    rig = Rig()
    one_of_each(rig)
    rig.submit(task(8, queue="a"))
    reply = rig.step(GetStats(1))
    assert isinstance(reply, StatsReply)

    stats = reply.engine
    assert (stats.queues, stats.ready, stats.scheduled, stats.retrying) == (2, 2, 1, 1)
    assert (stats.in_progress, stats.dead, stats.workers_connected, stats.waiters) == (1, 1, 1, 0)
    assert (stats.submitted_total, stats.completed_total, stats.failed_total) == (8, 1, 2)
    assert (stats.crashed_total, stats.dead_total, stats.cancelled_total) == (0, 1, 1)
    assert stats.sequence > 0
    assert reply.process is None


def test_counters_are_the_same_after_a_restart() -> None:
    rig = Rig()
    one_of_each(rig)
    before = rig.queue()
    rig.restart()

    after = rig.queue()
    shown = ("ready", "waiting", "dead", "in_progress", "submitted_total", "completed_total", "failed_total")
    assert [getattr(after, name) for name in shown] == [getattr(before, name) for name in shown]
    assert after.no_handler == 1, "no worker is connected any more"

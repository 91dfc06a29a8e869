"""What is shown: true, in pages, and never by reading more rows than a page needs."""

import pytest

from tests.engine.rig import HOUR, MINUTE, SECOND, Rig, id_of, task
from tq.engine.bounds import Bounds
from tq.engine.tables import Table
from tq.model.commands import Backup, Cancel, GetStats, GetTask, ListQueues, ListTasks, PauseQueue
from tq.model.errors import InvalidArgument, QueueNotFound, TaskNotFound
from tq.model.replies import Affected, QueuePage, StatsReply, TaskPage
from tq.model.task import HIGH, LOW, State, TaskOptions

LATER = TaskOptions(delay_ms=HOUR)


def page(rig: Rig, request: ListTasks) -> tuple[list[int], bytes]:
    """The tasks of one page by number, and its cursor."""
    reply = rig.step(request)
    assert isinstance(reply, TaskPage)
    return [int.from_bytes(summary.id, "big") for summary in reply.tasks], reply.cursor


def listed(
    rig: Rig,
    state: State | None = None,
    queue: str | None = None,
    task_type: str | None = None,
    limit: int = 100,
) -> list[list[int]]:
    """All pages of a listing."""
    numbers, cursor = page(rig, ListTasks(1, state, queue, task_type, limit))
    pages = [numbers]
    while cursor:
        numbers, cursor = page(rig, ListTasks(1, state, queue, task_type, limit, cursor))
        pages.append(numbers)
    return pages


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


# -- listings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "numbers"),
    [
        (State.COMPLETED, [1]),
        (State.FAILED, [2]),
        (State.DEAD_LETTER, [3]),
        (State.CANCELLED, [4]),
        (State.IN_PROGRESS, [5]),
        (State.PENDING, [6, 7]),
        (None, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_listing_shows_each_task_of_its_state_once(state: State | None, numbers: list[int], limit: int) -> None:
    rig = Rig()
    one_of_each(rig)

    pages = listed(rig, state, limit=limit)

    assert [number for numbers in pages for number in numbers] == numbers
    assert all(len(numbers) <= limit for numbers in pages)


def test_a_listing_is_the_same_with_and_without_uncommitted_changes() -> None:
    rig = Rig()
    one_of_each(rig)
    rig.step(Cancel(1, [id_of(6), id_of(7)]))

    assert listed(rig, State.PENDING) == [[]]
    assert listed(rig, State.CANCELLED) == [[4, 6, 7]]


def test_a_listing_can_be_of_one_queue_and_one_type() -> None:
    rig = Rig()
    rig.submit(task(1), task(2, queue="other"), task(3, task_type="sms"), task(4, queue="other", options=LATER))

    assert listed(rig, State.PENDING, "other") == [[2, 4]]
    assert listed(rig, State.PENDING, task_type="sms") == [[3]]
    assert listed(rig, None, "default", "mail") == [[1]]


def test_pending_tasks_are_listed_lane_by_lane_in_the_order_they_will_run() -> None:
    rig = Rig()
    rig.submit(task(3, priority=LOW), task(2, priority=HIGH), task(1, priority=LOW))

    assert listed(rig, State.PENDING, limit=2) == [[3, 1], [2]]


def test_dead_letters_are_listed_in_the_order_of_their_death_within_their_queue() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2, queue="other"), task(3), task(4))
    first, second, third, fourth = worker.fetch(4)
    for delivery in (fourth, second, first, third):
        worker.nack(delivery, is_final=True)
        rig.now_ms += 1

    died = [rig.view(number).ended_at_ms for numbers in listed(rig, State.DEAD_LETTER, "default") for number in numbers]
    assert len(died) == 3
    assert died == sorted(died)


def test_one_page_looks_at_a_bounded_number_of_rows_and_may_be_empty() -> None:
    rig = Rig(bounds=Bounds(scan_max=5))
    rig.submit(*(task(number) for number in range(1, 21)), task(21, task_type="sms"))

    pages = listed(rig, None, task_type="sms")

    assert pages == [[], [], [], [], [21]]


def test_tasks_submitted_while_paging_do_not_disturb_it() -> None:
    rig = Rig()
    rig.submit(*(task(number) for number in range(10, 16)))
    first, cursor = page(rig, ListTasks(1, limit=3))
    rig.submit(task(1), task(20))

    rest, _ = page(rig, ListTasks(1, limit=100, cursor=cursor))

    assert first + rest == [10, 11, 12, 13, 14, 15, 20]


def test_a_summary_shows_the_last_error_short() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one(), error_type="KeyError", message="k" * 1_000)
    reply = rig.step(ListTasks(1, State.FAILED))
    assert isinstance(reply, TaskPage)

    (summary,) = reply.tasks
    assert (summary.error_type, len(summary.message), summary.attempt, summary.worker) == ("KeyError", 200, 1, "w")


def test_a_summary_of_a_running_task_is_of_its_lease() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.fetch(1)
    reply = rig.step(ListTasks(1, State.IN_PROGRESS))
    assert isinstance(reply, TaskPage)

    assert [(summary.attempt, summary.worker) for summary in reply.tasks] == [(1, "w")]


def test_a_listing_of_an_unknown_queue_and_a_foreign_cursor_are_refused() -> None:
    rig = Rig()

    with pytest.raises(QueueNotFound):
        rig.step(ListTasks(1, queue="nope"))
    with pytest.raises(InvalidArgument, match="cursor"):
        rig.step(ListTasks(1, cursor=b"\xffgarbage"))


@pytest.mark.parametrize("table", list(Table))
def test_a_cursor_of_another_listing_ends_it_or_starts_it_and_breaks_nothing(table: Table) -> None:
    rig = Rig()
    one_of_each(rig)

    for state in (None, *State):
        numbers, _ = page(rig, ListTasks(1, state, cursor=bytes([table]) + b"\x00"))
        assert len(numbers) <= 7


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


def test_a_backup_is_none_of_the_engine() -> None:
    with pytest.raises(InvalidArgument):
        Rig().step(Backup(1, "/tmp/x"))

"""Listings: pages of a selector that go on where they were, and a total that is true or says that it is not."""

import pytest

from tests.engine.rig import HOUR, Rig, id_of, task
from tests.engine.test_viewing import one_of_each
from tq.engine.bounds import Bounds
from tq.model.commands import Cancel, ListTasks, Order
from tq.model.errors import InvalidArgument, QueueNotFound, SelectorInvalid
from tq.model.replies import TaskPage
from tq.model.task import HIGH, LOW, State, TaskOptions, TaskSummary

LATER = TaskOptions(delay_ms=HOUR)


def page(rig: Rig, request: ListTasks) -> TaskPage:
    reply = rig.step(request)
    assert isinstance(reply, TaskPage)
    return reply


def numbers_of(page: TaskPage) -> list[int]:
    return [int.from_bytes(summary.id, "big") for summary in page.tasks]


def listed(rig: Rig, selector: str = "", *, order: Order = Order.ANY, limit: int = 100) -> list[list[int]]:
    """All pages of a listing, by number."""
    shown = page(rig, ListTasks(1, selector, order, limit=limit))
    pages = [numbers_of(shown)]
    while shown.cursor:
        shown = page(rig, ListTasks(1, selector, order, limit=limit, cursor=shown.cursor, as_of=shown.as_of))
        pages.append(numbers_of(shown))
    return pages


def only(rig: Rig, selector: str) -> TaskSummary:
    (summary,) = page(rig, ListTasks(1, selector)).tasks
    return summary


@pytest.mark.parametrize(
    ("selector", "numbers"),
    [
        ("state:completed", [1]),
        ("state:failed", [2]),
        ("state:dead_letter", [3]),
        ("state:cancelled", [4]),
        ("state:in_progress", [5]),
        ("state:pending", [6, 7]),
        ("", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_listing_shows_each_task_of_its_state_once(selector: str, numbers: list[int], limit: int) -> None:
    rig = Rig()
    one_of_each(rig)

    pages = listed(rig, selector, limit=limit)

    assert [number for numbers in pages for number in numbers] == numbers
    assert all(len(numbers) <= limit for numbers in pages)


def test_a_listing_is_the_same_with_and_without_uncommitted_changes() -> None:
    rig = Rig()
    one_of_each(rig)
    rig.step(Cancel(1, [id_of(6), id_of(7)]))

    assert listed(rig, "state:pending") == [[]]
    assert listed(rig, "state:cancelled", order=Order.ID) == [[4, 6, 7]]


def test_pending_tasks_are_listed_lane_by_lane_in_the_order_they_will_run() -> None:
    rig = Rig()
    rig.submit(task(3, priority=LOW), task(2, priority=HIGH), task(1, priority=LOW))

    assert listed(rig, "state:pending", limit=2) == [[3, 1], [2]]


def test_dead_letters_of_all_queues_are_listed_by_age_the_youngest_first() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2, queue="other"), task(3), task(4, queue="a"))
    died = []
    for delivery in sorted(worker.fetch(4), key=lambda delivery: delivery.token * 7 % 5):
        worker.nack(delivery, is_final=True)
        rig.now_ms += 1
        died.append(int.from_bytes(delivery.stored().spec.id, "big"))

    pages = listed(rig, "state:dead_letter", order=Order.AGE, limit=3)

    assert [number for numbers in pages for number in numbers] == died[::-1]
    assert listed(rig, "state:dead_letter", order=Order.QUEUE)[0][0] == 4


def test_one_page_looks_at_a_bounded_number_of_rows_and_may_be_empty() -> None:
    rig = Rig(bounds=Bounds(scan_max=5))
    rig.submit(*(task(number) for number in range(1, 21)), task(21, task_type="sms"))

    pages = listed(rig, "type:sms", order=Order.ID)

    assert pages == [[], [], [], [], [21]]


def test_what_is_submitted_while_paging_is_not_shown_and_disturbs_nothing() -> None:
    rig = Rig()
    rig.submit(*(task(number) for number in range(10, 16)))
    first = page(rig, ListTasks(1, order=Order.ID, limit=3))
    rig.submit(task(1), task(20))

    rest = page(rig, ListTasks(1, order=Order.ID, limit=100, cursor=first.cursor, as_of=first.as_of))

    assert numbers_of(first) + numbers_of(rest) == [10, 11, 12, 13, 14, 15]
    assert listed(rig, order=Order.ID) == [[1, 10, 11, 12, 13, 14, 15, 20]]


def test_the_total_is_exact_where_counters_tell_whatever_the_page() -> None:
    rig = Rig(bounds=Bounds(scan_max=2, count_max=2))
    rig.submit(*(task(number) for number in range(1, 21)))

    first = page(rig, ListTasks(1, "state:pending"))
    second = page(rig, ListTasks(1, "state:pending", cursor=first.cursor))

    assert (first.total, first.is_total_exact, len(first.tasks), first.stopped_by) == (20, True, 2, "rows")
    assert (second.total, second.is_total_exact) == (20, True)


def test_the_total_is_exact_where_all_could_be_counted() -> None:
    rig = Rig(bounds=Bounds(scan_max=10, count_max=30))
    rig.submit(*(task(number) for number in range(1, 21)))

    first = page(rig, ListTasks(1, "type:mail", Order.ID, limit=3))

    assert (len(first.tasks), first.total, first.is_total_exact, first.stopped_by) == (3, 20, True, "")


def test_a_total_that_was_not_counted_to_the_end_says_so_and_why() -> None:
    rig = Rig(bounds=Bounds(scan_max=10, count_max=5))
    rig.submit(*(task(number) for number in range(1, 21)))

    first = page(rig, ListTasks(1, "type:mail", Order.ID, limit=3))
    second = page(rig, ListTasks(1, "type:mail", Order.ID, limit=3, cursor=first.cursor))

    assert (first.total, first.is_total_exact, first.stopped_by, first.examined) == (8, False, "rows", 8)
    assert (second.total, second.is_total_exact, second.stopped_by) == (3, False, "")


def test_a_summary_shows_the_last_error_short_and_what_its_producer_said() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=TaskOptions(key="k-1", tags=("eu", "nightly"))))
    worker.nack(worker.fetch_one(), error_type="KeyError", message="k" * 1_000)

    summary = only(rig, "state:failed")
    assert (summary.error_type, len(summary.message), summary.attempt, summary.worker) == ("KeyError", 200, 1, "w")
    assert (summary.key, summary.tags, summary.group) == ("k-1", ("eu", "nightly"), "")
    assert rig.view(1).tags == ("eu", "nightly")


def test_a_summary_of_a_running_task_is_of_its_lease() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.fetch(1)

    summary = only(rig, "state:in_progress")
    assert (summary.attempt, summary.worker, summary.state) == (1, "w", State.IN_PROGRESS)


def test_a_slip_in_a_selector_an_unknown_queue_and_a_foreign_cursor_are_refused() -> None:
    rig = Rig()
    rig.submit(task(1))

    with pytest.raises(SelectorInvalid, match="character 1: there is no field 'quue'"):
        rig.step(ListTasks(1, "quue:mail"))
    with pytest.raises(QueueNotFound):
        rig.step(ListTasks(1, "queue:nope"))
    with pytest.raises(InvalidArgument, match="cursor"):
        rig.step(ListTasks(1, cursor=b"\xffgarbage"))

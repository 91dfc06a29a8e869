"""The window of a lane: more tasks than memory may hold, in order all the same.

With a window of three, refills of two and a few tasks, every path is met that production meets with thousands.
"""

import pytest

from tests.engine.rig import HOUR, SECOND, Hand, Rig, id_of, number_of, task
from tq.engine.bounds import Bounds
from tq.engine.lanes import Lane
from tq.engine.tables import Table
from tq.model.commands import Cancel
from tq.model.operations import Action
from tq.model.replies import Affected
from tq.model.settings import BrokerSettings
from tq.model.task import TaskOptions

SMALL = Bounds(window_max=3, refill=2)


def lane(rig: Rig) -> Lane:
    (only,) = rig.engine._ledger.lanes_by_number.values()
    return only


def filled(count: int, *, bounds: Bounds = SMALL) -> tuple[Rig, Hand]:
    rig = Rig(bounds=bounds)
    worker = rig.worker()
    for number in range(1, count + 1):
        rig.submit(task(number))
    return rig, worker


def test_only_a_window_of_a_lane_is_in_memory() -> None:
    rig, _ = filled(20)

    assert len(lane(rig).window) == 3
    assert rig.queue().ready_normal == 20


def test_tasks_beyond_the_window_run_in_order() -> None:
    _, worker = filled(20)

    assert [worker.numbers(1)[0] for _ in range(20)] == list(range(1, 21))


def test_tasks_beyond_the_window_run_in_order_in_one_fetch() -> None:
    _, worker = filled(20)

    assert worker.numbers(30) == list(range(1, 21))


def test_a_refill_goes_on_where_the_last_one_ended() -> None:
    """Never at the front, where the deleted rows lie."""
    rig, worker = filled(10)
    worker.fetch(4)

    assert lane(rig).window_end == 5
    assert [ready.sequence for ready in lane(rig).window] == [5]


def test_tasks_submitted_while_the_window_is_not_all_wait_their_turn() -> None:
    rig, worker = filled(5)
    assert worker.numbers(2) == [1, 2]
    rig.submit(task(6))

    assert worker.numbers(10) == [3, 4, 5, 6]


def test_a_window_that_holds_all_takes_new_tasks_in_again() -> None:
    rig, worker = filled(5)
    worker.fetch(5)
    rig.submit(task(6))

    assert len(lane(rig).window) == 1
    assert worker.numbers(1) == [6]


def test_handed_back_tasks_go_to_the_front_however_far_the_window_has_moved_on() -> None:
    _, worker = filled(12)
    held = worker.fetch(8)
    worker.release(held[6], held[0], held[3])

    assert worker.numbers(20) == [1, 4, 7, 9, 10, 11, 12]


def test_a_window_overfull_of_handed_back_tasks_forgets_its_tail_and_reads_it_again() -> None:
    rig, worker = filled(12)
    held = worker.fetch(10)
    worker.release(*held)

    assert len(lane(rig).window) <= 6
    assert worker.numbers(20) == list(range(1, 13))


def test_tasks_handed_back_beyond_a_shortened_window_are_not_lost() -> None:
    _, worker = filled(12)
    held = worker.fetch(12)
    worker.release(*held[:8])
    worker.release(*held[8:])

    assert worker.numbers(20) == list(range(1, 13))


def test_a_task_handed_back_behind_a_shortened_window_joins_it_when_that_is_all() -> None:
    rig, worker = filled(12)
    held = worker.fetch(12)
    worker.release(*held[:8])
    rig.ask(Cancel(1, [id_of(number) for number in (4, 5, 6, 7, 8)]), Affected)
    worker.release(held[10])
    worker.release(held[9])

    assert worker.numbers(20) == [1, 2, 3, 10, 11]


@pytest.mark.parametrize("gone", [[1], [2], [3], [4], [1, 2, 3], [3, 4, 5], [9, 10], list(range(1, 10))])
def test_tasks_cancelled_inside_and_beyond_the_window_leave_the_others_in_order(gone: list[int]) -> None:
    rig, worker = filled(10)
    rig.ask(Cancel(1, [id_of(number) for number in gone]), Affected)

    assert worker.numbers(20) == [number for number in range(1, 11) if number not in gone]


def test_a_lane_emptied_from_the_middle_takes_new_tasks() -> None:
    rig, worker = filled(3)
    rig.ask(Cancel(1, [id_of(number) for number in (1, 2, 3)]), Affected)
    assert worker.numbers(1) == []
    rig.submit(task(4))

    assert [delivery.stored().spec.id for delivery in worker.deliveries()] == [id_of(4)]


def test_cancelled_tasks_are_forgotten_when_the_window_has_passed_them() -> None:
    rig, worker = filled(10)
    rig.ask(Cancel(1, [id_of(2)]), Affected)
    assert len(lane(rig).gone) == 1
    worker.fetch(2)

    assert lane(rig).gone == set()


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 2, 1), (2, 1, 3)])
def test_a_lane_that_nobody_takes_from_keeps_nothing_of_what_was_cancelled(numbers: tuple[int, ...]) -> None:
    rig, _ = filled(3)
    for number in numbers:
        rig.ask(Cancel(1, [id_of(number)]), Affected)

    assert (len(lane(rig).window), lane(rig).gone, rig.engine._ledger.bodies.used) == (0, set(), 0)


@pytest.mark.parametrize("run_before", [0, 1, 4, 9])
def test_a_restart_goes_on_with_the_next_task(run_before: int) -> None:
    rig, worker = filled(10)
    worker.ack(*worker.fetch(run_before)) if run_before else None
    rig.restart()

    assert rig.worker("other").numbers(20) == list(range(run_before + 1, 11))


def test_a_restart_reads_above_what_was_consumed() -> None:
    """A million deleted rows at the front would cost seconds."""
    rig, worker = filled(10)
    worker.ack(*worker.fetch(7))
    rig.restart()

    assert lane(rig).low_water == 8


def test_after_a_restart_tasks_handed_back_run_before_those_that_waited() -> None:
    rig, worker = filled(10)
    held = worker.fetch(7)
    rig.restart()
    worker.connect(*held)
    worker.release(held[2], held[5])
    rig.restart()

    assert rig.worker("other").numbers(20) == [3, 6, 8, 9, 10]


def test_retried_dead_letters_go_behind_all_that_waits() -> None:
    rig, worker = filled(4)
    worker.nack(worker.fetch_one(), is_final=True)
    rig.operate(Action.RETRY, "", 1)

    assert worker.numbers(10) == [2, 3, 4, 1]


def test_bodies_are_kept_in_memory_up_to_the_budget_and_read_from_disk_beyond() -> None:
    rig = Rig(broker=BrokerSettings(window_bytes=1 << 16))
    worker = rig.worker()
    rig.submit(*(task(number, payload=bytes(20_000)) for number in range(1, 6)))
    budget = rig.engine._ledger.bodies
    assert 0 < budget.used <= 1 << 16
    assert [ready.body is not None for ready in lane(rig).window] == [True, True, True, False, False]

    deliveries = worker.fetch(5)

    assert [len(delivery.stored().spec.payload) for delivery in deliveries] == [20_000] * 5
    assert budget.used == 0


def test_the_budget_is_given_back_by_bodies_that_a_window_forgets() -> None:
    rig = Rig(bounds=Bounds(window_max=1, refill=1))
    worker = rig.worker()
    rig.submit(task(1), task(2))
    held = worker.fetch(2)
    rig.submit(task(3))
    assert rig.engine._ledger.bodies.used > 0
    worker.release(*held)

    assert len(lane(rig).window) == 1
    assert rig.engine._ledger.bodies.used == 0
    assert worker.numbers(5) == [1, 2, 3]


def test_a_task_read_from_disk_keeps_its_timeout_and_its_result_ttl() -> None:
    rig = Rig(bounds=SMALL, broker=BrokerSettings())
    rig.submit(task(1, timeout_ms=SECOND, options=TaskOptions(result_ttl_ms=2 * HOUR)))
    rig.restart()
    worker = rig.worker()
    delivery = worker.fetch_one()
    assert rig.engine._ledger.leases[id_of(1)].deadline_ms == rig.now_ms + 31 * SECOND
    worker.ack(delivery)
    rig.pass_time(HOUR)

    assert rig.view(1).ended_at_ms == rig.now_ms - HOUR


def test_the_rows_of_a_lane_end_where_the_next_lane_begins() -> None:
    rig = Rig(bounds=SMALL)
    rig.submit(*(task(number) for number in range(1, 6)))
    rig.submit(*(task(number, task_type="sms") for number in range(6, 11)))

    assert rig.worker().numbers(20) == [1, 2, 3, 4, 5]
    assert len(rig.rows.tables[Table.READY]) == 5


def test_the_windows_of_all_lanes_together_are_bounded() -> None:
    """I13: memory does not grow with the number of queues."""
    rig = Rig(bounds=Bounds(windows_max=10, refill_min=2))
    queues = [f"q{number}" for number in range(8)]
    rig.submit(*(task(number, queue=queues[number % 8]) for number in range(1, 81)))
    assert rig.engine._ledger.bodies.tasks == 10

    rig.restart()
    worker = rig.worker(credit=8)
    for lane in rig.engine._ledger.lanes_by_number.values():
        lane.head(rig.engine._ledger.changes)

    assert rig.engine._ledger.bodies.tasks <= 10 + 2 * 8
    assert sorted(worker.numbers(100) + [number_of(delivery) for delivery in worker.deliveries()])[-1] == 80


def test_all_tasks_of_all_lanes_run_in_the_order_of_their_lane_when_windows_are_scarce() -> None:
    rig = Rig(bounds=Bounds(windows_max=5, window_max=3, refill=2, refill_min=1))
    for number in range(1, 61):
        rig.submit(task(number, queue=f"q{number % 4}"))
    worker = rig.worker()

    order = worker.numbers(100)

    assert sorted(order) == list(range(1, 61))
    for remainder in range(4):
        assert [number for number in order if number % 4 == remainder] == list(range(remainder or 4, 61, 4))
    assert rig.engine._ledger.bodies.tasks == 0


def test_showing_a_queue_fills_no_window() -> None:
    """Or a dashboard that opens after a restart would read a thousand rows for each lane there is."""
    rig, _ = filled(10)
    rig.pass_time(SECOND)
    rig.restart()

    assert rig.queue().oldest_ready_ms == SECOND
    assert len(lane(rig).window) == 0


@pytest.mark.parametrize("cancelled", [0, 1, 2, 3, 4])
def test_the_age_of_a_lane_is_that_of_the_first_task_that_is_still_there(cancelled: int) -> None:
    rig = Rig(bounds=SMALL)
    for number in range(1, 7):
        rig.submit(task(number))
        rig.now_ms += SECOND
    rig.worker().fetch(1)
    rig.ask(Cancel(1, [id_of(number) for number in range(2, 2 + cancelled)] or [id_of(99), id_of(98)]), Affected)

    assert rig.queue().oldest_ready_ms == (5 - cancelled) * SECOND

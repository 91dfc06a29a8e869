"""What becomes due: in order, a bounded amount at once, and nothing forgotten."""

import pytest

from tests.engine.rig import DAY, HOUR, MINUTE, SECOND, Rig, id_of, task
from tq.engine.bounds import Bounds
from tq.engine.tables import DUE_KEY, DueKind, Table
from tq.model.commands import Cancel, GetTask
from tq.model.errors import TaskNotFound
from tq.model.replies import Affected
from tq.model.task import State, TaskOptions


def test_tasks_become_ready_in_the_order_of_their_moments() -> None:
    rig = Rig()
    rig.submit(
        task(1, options=TaskOptions(delay_ms=3 * SECOND)),
        task(2, options=TaskOptions(delay_ms=1 * SECOND)),
        task(3, options=TaskOptions(delay_ms=2 * SECOND)),
    )
    rig.pass_time(3 * SECOND)

    assert rig.worker().numbers(3) == [2, 3, 1]


def test_one_call_handles_a_bounded_number_and_asks_to_be_called_again_at_once() -> None:
    rig = Rig(bounds=Bounds(sweep_max=10))
    rig.submit(*(task(number, options=TaskOptions(delay_ms=SECOND)) for number in range(1, 26)))
    rig.now_ms += SECOND

    ready = []
    for _ in range(4):
        rig.engine.advance(rig.now_ms)
        ready.append(rig.queue().ready_normal)

    assert ready == [10, 20, 25, 25]
    rig.commit()
    rig.pass_time(SECOND)  # after which the history is written, too
    assert rig.engine.next_deadline_ms() is None


def test_the_engine_is_behind_until_all_that_is_due_is_done() -> None:
    rig = Rig(bounds=Bounds(sweep_max=10))
    rig.submit(*(task(number, options=TaskOptions(delay_ms=SECOND)) for number in range(1, 11)))
    rig.now_ms += SECOND

    rig.engine.advance(rig.now_ms)

    assert rig.engine.next_deadline_ms() == 0, "exactly a full sweep: there may be more"
    rig.pass_time(SECOND)
    assert rig.engine.next_deadline_ms() is None


def test_many_expiries_and_removals_are_worked_off_in_bounded_sweeps() -> None:
    rig = Rig(bounds=Bounds(sweep_max=4))
    rig.submit(*(task(number, options=TaskOptions(expires_ms=SECOND)) for number in range(1, 31)))
    rig.pass_time(SECOND)
    assert rig.queue().cancelled_total == 30

    rig.pass_time(DAY)

    assert not any(rig.rows.tables[table] for table in (Table.BODIES, Table.STATES, Table.DUE, Table.READY))


def test_a_moment_earlier_than_all_swept_before_is_not_missed() -> None:
    """Sweeps start reading where the last one ended: an earlier row must move that mark back."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=TaskOptions(expires_ms=SECOND)), task(2, options=TaskOptions(expires_ms=20 * SECOND)))
    first, second = worker.fetch(2)
    rig.pass_time(30 * SECOND)
    worker.release(second)
    worker.release(first)

    assert [rig.state(number) for number in (1, 2)] == [State.CANCELLED, State.CANCELLED]


def test_the_next_deadline_is_the_earliest_of_all_kinds() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(delay_ms=HOUR, expires_ms=2 * HOUR)))
    rig.pass_time(SECOND)  # after which the history is written
    assert rig.engine.next_deadline_ms() == rig.now_ms - SECOND + HOUR

    rig.submit(task(2, options=TaskOptions(delay_ms=HOUR, expires_ms=MINUTE)))
    rig.pass_time(SECOND)

    assert rig.engine.next_deadline_ms() == rig.now_ms - SECOND + MINUTE


def test_the_next_deadline_moves_on_when_its_task_is_gone() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(delay_ms=MINUTE)), task(2, options=TaskOptions(delay_ms=HOUR)))
    rig.ask(Cancel(1, [id_of(1)]), Affected)
    rig.pass_time(MINUTE)

    assert rig.engine.next_deadline_ms() == rig.now_ms - MINUTE + HOUR


def test_nothing_due_is_lost_in_a_restart() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(delay_ms=MINUTE)), task(2, options=TaskOptions(expires_ms=MINUTE)))
    rig.now_ms += HOUR
    rig.restart()

    assert rig.worker().numbers(2) == [1]
    assert rig.state(2) is State.CANCELLED


def test_a_clock_set_back_over_a_restart_makes_tasks_wait_and_loses_none() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(delay_ms=MINUTE)))
    rig.now_ms -= HOUR
    rig.engine = type(rig.engine)(rig.rows, rig.settings, 1)
    rig.engine.open(rig.now_ms)
    rig.pass_time(HOUR)
    assert rig.state(1) is State.PENDING

    rig.pass_time(MINUTE)

    assert rig.worker().numbers(1) == [1]


def test_an_expiry_row_goes_with_the_record_of_its_task() -> None:
    """A producer with long expiries would otherwise leave a row behind for every task it ever submitted."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=TaskOptions(expires_ms=365 * DAY, result_ttl_ms=0)))
    worker.ack(worker.fetch_one())

    assert rig.rows.tables[Table.DUE] == {}


def test_a_task_that_is_due_and_expired_at_one_moment_is_expired() -> None:
    rig = Rig()
    worker = rig.worker(credit=1)
    rig.submit(task(1, options=TaskOptions(delay_ms=SECOND, expires_ms=SECOND)))
    rig.pass_time(SECOND)

    assert rig.view(1).reason == "expired"
    assert worker.deliveries() == []


def test_kinds_lie_apart_in_the_due_index() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(delay_ms=HOUR, expires_ms=MINUTE)))

    kinds = [DUE_KEY.unpack(key)[0] for key in sorted(rig.rows.tables[Table.DUE])]
    assert kinds == [DueKind.READY, DueKind.EXPIRE]


def test_a_removed_task_is_unknown() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=TaskOptions(result_ttl_ms=SECOND)))
    worker.ack(worker.fetch_one())
    rig.pass_time(SECOND)

    with pytest.raises(TaskNotFound, match="retention"):
        rig.step(GetTask(1, id_of(1)))
    assert rig.queue().completed_total == 1

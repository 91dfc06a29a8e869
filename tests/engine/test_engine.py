"""The engine as its shell sees it: batches, deadlines, refusals."""

import msgspec
import pytest

from tests.engine.rig import SECOND, Rig, id_of, task
from tq.engine.tables import META_ENGINE, MetaRow, Table
from tq.model.commands import Cancel, Fetch, GetTask, Heartbeat, Resubmit, Submit
from tq.model.errors import StorageCorrupt, TqError


def test_an_engine_with_nothing_to_do_writes_nothing_and_never_wakes_up() -> None:
    rig = Rig()
    rig.turn()

    assert rig.writes == [{} for _ in Table]
    assert rig.engine.next_deadline_ms() is None


@pytest.mark.parametrize("request_type", ["read", "beat"])
def test_what_changes_no_task_writes_nothing(request_type: str) -> None:
    """An fsync for every heartbeat of every worker would be the end of an idle disk."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    match request_type:
        case "read":
            rig.step(GetTask(1, id_of(1)))
        case _:
            worker.step(Heartbeat(0))
    rig.turn()

    assert not any(rig.writes)


def test_batches_that_change_something_are_counted() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.submit(task(2))
    rig.turn()
    row = rig.rows.get(Table.META, META_ENGINE)

    assert row is not None
    assert msgspec.msgpack.decode(row, type=MetaRow).applied == 2


@pytest.mark.parametrize(
    "request_",
    [Submit(1, [task(1), task(2, priority=999)]), Cancel(1, [id_of(9)]), Resubmit(1, id_of(9), id_of(10)), Fetch(0, 1)],
    ids=["submit", "cancel", "resubmit", "fetch"],
)
def test_a_refused_request_has_changed_nothing(request_: Submit | Cancel | Resubmit | Fetch) -> None:
    rig = Rig()

    with pytest.raises(TqError):
        rig.step(request_)
    rig.turn()

    assert not any(rig.writes)


def test_a_ready_row_without_a_record_stops_the_engine() -> None:
    """Better than to serve on what is damaged."""
    rig = Rig()
    rig.submit(task(1))
    rig.restart()
    worker = rig.worker()
    rig.rows.tables[Table.BODIES].clear()
    worker.step(Fetch(0, 1))

    with pytest.raises(StorageCorrupt):
        rig.engine.advance(rig.now_ms)


def test_a_lease_without_a_record_stops_the_engine_from_opening() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.worker(credit=1)
    rig.rows.tables[Table.BODIES].clear()

    with pytest.raises(StorageCorrupt):
        rig.restart()


def test_what_was_not_taken_is_not_on_disk() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.step(Submit(1, [task(2)]))
    rig.restart()

    assert rig.queue().submitted_total == 1
    with pytest.raises(TqError):
        rig.view(2)


def test_the_deadline_is_never_in_the_past_once_advance_has_caught_up() -> None:
    rig = Rig()
    rig.worker(credit=1)
    rig.submit(task(1), task(2))
    for _ in range(10):
        deadline_ms = rig.engine.next_deadline_ms()
        assert deadline_ms is None or deadline_ms > rig.now_ms
        rig.pass_time(7 * SECOND)

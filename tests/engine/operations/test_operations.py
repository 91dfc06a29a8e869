"""Operations: the set is what the preview counted, each task is moved once, and an undo puts back what it can."""

from typing import Any

import msgspec
import pytest

from tests.engine.operations.desk import SMALL, Desk
from tests.engine.rig import DAY, HOUR, MINUTE, SECOND, Rig, id_of, number_of, task
from tq.engine.operations.book import KEPT_MAX, PREPARED_MAX, RUNNING_MAX, WAITS_MAX
from tq.engine.tables import AuditRow, Table
from tq.model.commands import (
    Ack,
    Cancel,
    CancelOperation,
    CommitOperation,
    GetOperation,
    ListOperations,
    PauseQueue,
    PrepareOperation,
    Resubmit,
    Success,
    UndoOperation,
    Wait,
)
from tq.model.errors import (
    InvalidArgument,
    OperationNotFound,
    PreviewExpired,
    QueueNotFound,
    SelectorInvalid,
    TaskNotFound,
    TooManyRequests,
    TqError,
    WrongState,
)
from tq.model.identity import Actor
from tq.model.operations import PREPARED_MS, RATE, Action, Operation, OperationState, Overrides, QueueCount
from tq.model.replies import CancelRun, OperationPage, OperationReply, OutcomeReply, Submitted
from tq.model.settings import BrokerSettings, PersistenceSettings
from tq.model.task import State, TaskOptions, TaskView

RETRY, PURGE, CANCEL, RESUBMIT = Action.RETRY, Action.PURGE, Action.CANCEL, Action.RESUBMIT


@pytest.fixture
def desk() -> Desk:
    return Desk()


def tally(operation: Operation) -> tuple[OperationState, int, int, int]:
    return operation.state, operation.done, operation.skipped, operation.failed


def done(count: int, *, skipped: int = 0, failed: int = 0) -> tuple[OperationState, int, int, int]:
    return OperationState.DONE, count, skipped, failed


def essence(view: TaskView) -> dict[str, Any]:
    return msgspec.to_builtins(view, builtin_types=(bytes,))  # type: ignore[no-any-return]


# -- prepare -------------------------------------------------------------------------------------------------------


def test_a_preview_counts_exactly_says_where_they_are_and_shows_some(desk: Desk) -> None:
    desk.kill(*range(1, 10), queue="mail")
    desk.kill(*range(10, 13), queue="web")

    by_counters = desk.prepare(RETRY)
    by_a_walk = desk.prepare(RETRY, "err:ConnectTimeout")

    for preview in (by_counters, by_a_walk):
        assert (preview.count, preview.queues) == (12, [QueueCount("mail", 9), QueueCount("web", 3)])
        assert len(preview.sample) == 5
        assert preview.sample[0].error_type == "http.ConnectTimeout"
        assert (preview.rate, preview.estimated_ms) == (RATE, 24)
        assert preview.expires_at_ms == desk.rig.now_ms + PREPARED_MS
    assert desk.states(*range(1, 13)) == {State.DEAD_LETTER}


def test_a_preview_counts_only_what_the_action_can_be_done_to(desk: Desk) -> None:
    desk.kill(1, 2)
    desk.wait(3, 4)

    counts = {action: desk.prepare(action).count for action in (RETRY, PURGE, CANCEL, RESUBMIT)}

    assert counts == {RETRY: 2, PURGE: 4, CANCEL: 2, RESUBMIT: 2}


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (PrepareOperation(1, RETRY, "quue:mail"), SelectorInvalid),
        (PrepareOperation(1, RETRY, "queue:nope"), QueueNotFound),
        (PrepareOperation(1, RETRY, "", [id_of(99)]), TaskNotFound),
        (PrepareOperation(1, RETRY, "", [id_of(3)]), WrongState),
        (PrepareOperation(1, CANCEL, "", [id_of(1)]), WrongState),
        (PrepareOperation(1, RETRY, "type:mail", [id_of(1)]), InvalidArgument),
        (PrepareOperation(1, RETRY, is_hard=True), InvalidArgument),
        (PrepareOperation(1, PURGE, overrides=Overrides("web")), InvalidArgument),
        (PrepareOperation(1, Action.UNDO), InvalidArgument),
    ],
)
def test_what_makes_no_sense_is_refused(desk: Desk, request_: PrepareOperation, error: type[TqError]) -> None:
    desk.kill(1)
    desk.wait(3)

    with pytest.raises(error):
        desk.rig.step(request_)


def test_a_preview_can_be_committed_for_a_minute(desk: Desk) -> None:
    desk.kill(1)
    prepared = desk.prepare(RETRY)
    desk.rig.pass_time(PREPARED_MS)

    with pytest.raises(PreviewExpired):
        desk.rig.step(CommitOperation(1, prepared.token))
    assert desk.states(1) == {State.DEAD_LETTER}


def test_previews_are_bounded_and_given_up_after_their_time(desk: Desk) -> None:
    for _ in range(PREPARED_MAX):
        desk.prepare(RETRY)

    with pytest.raises(TooManyRequests):
        desk.prepare(RETRY)
    desk.rig.pass_time(PREPARED_MS)
    desk.prepare(RETRY)


def test_who_hangs_up_gets_no_preview(desk: Desk) -> None:
    desk.kill(*range(1, 10))
    assert desk.rig.step(PrepareOperation(1, RETRY, "err:Connect*"), session=44) is None
    desk.rig.disconnect(44)

    assert desk.rig.take_sent(44) == []


def test_a_preview_of_a_retry_tells_that_tasks_still_die_of_the_same(desk: Desk) -> None:
    desk.kill(1, 2, 3)
    warnings = desk.prepare(RETRY).warnings
    assert "3 a minute still die of this: likely they will again" in warnings

    desk.rig.pass_time(2 * MINUTE)
    assert not [warning for warning in desk.prepare(RETRY).warnings if "still die" in warning]


def test_a_preview_warns_of_what_will_not_go_as_one_thinks(desk: Desk) -> None:
    desk.kill(1)
    desk.rig.step(PauseQueue(1, "default"))

    assert any("paused" in warning for warning in desk.prepare(RETRY).warnings)
    assert any("no connected worker" in warning for warning in desk.prepare(RETRY).warnings)
    assert any("cannot be undone" in warning for warning in desk.prepare(PURGE, is_hard=True).warnings)
    assert any("cannot be undone" in warning for warning in desk.prepare(RESUBMIT).warnings)
    assert desk.prepare(PURGE).warnings == []


# -- what is done --------------------------------------------------------------------------------------------------


def test_dead_letters_run_again_with_all_their_attempts(desk: Desk) -> None:
    desk.kill(*range(1, 12))

    operation = desk.do(RETRY)

    assert tally(operation) == done(11)
    assert desk.states(*range(1, 12)) == {State.PENDING}
    assert sorted(desk.rig.worker().numbers(20)) == list(range(1, 12))


def test_named_tasks_alone_are_moved(desk: Desk) -> None:
    desk.kill(1, 2, 3)

    operation = desk.do(RETRY, "", 1, 3)

    assert tally(operation) == done(2)
    assert operation.target == "2 named"
    assert (desk.states(1, 3), desk.states(2)) == ({State.PENDING}, {State.DEAD_LETTER})


def test_ids_of_which_none_can_be_moved_are_not_taken_for_all_tasks(desk: Desk) -> None:
    desk.kill(1, 2)
    desk.wait(3, 4)

    operation = desk.do(RETRY, "", 3, 4, 77)

    assert (operation.total, tally(operation)) == (0, done(0))
    assert desk.states(1, 2) == {State.DEAD_LETTER}


def test_a_purge_moves_to_the_trash_and_is_gone_after_its_time() -> None:
    desk = Desk(Rig(persistence=PersistenceSettings(cancelled_retention_hours=24), bounds=SMALL))
    desk.kill(1)
    desk.wait(3, 4)

    operation = desk.do(PURGE)

    assert tally(operation) == done(3)
    assert {desk.rig.view(number).reason for number in (1, 3, 4)} == {"purged"}
    assert operation.undo_until_ms == desk.rig.now_ms + DAY
    desk.rig.pass_time(DAY)
    with pytest.raises(TaskNotFound):
        desk.rig.view(1)
    with pytest.raises(OperationNotFound):
        desk.get(operation.id)
    assert not desk.rig.rows.tables[Table.MOVED]
    assert not desk.rig.rows.tables[Table.OPERATIONS]


def test_a_hard_purge_leaves_nothing_and_answers_who_waited(desk: Desk) -> None:
    desk.kill(1)
    desk.wait(3, 4)
    desk.rig.step(Wait(5, id_of(3), HOUR), session=9)

    operation = desk.do(PURGE, is_hard=True)

    assert tally(operation) == done(3)
    for table in (Table.BODIES, Table.STATES, Table.READY, Table.DUE, Table.DEAD, Table.MOVED):
        assert not desk.rig.rows.tables[table]
    (answer,) = desk.rig.take_sent(9)
    assert isinstance(answer, OutcomeReply)
    assert answer.outcome.state is State.CANCELLED
    with pytest.raises(WrongState):
        desk.rig.step(UndoOperation(1, operation.id.hex()))


def test_running_tasks_are_asked_to_stop_by_a_cancel_and_left_alone_by_a_purge(desk: Desk) -> None:
    desk.rig.submit(task(1), task(3), task(5))
    worker = desk.rig.worker()
    running = worker.fetch(1)

    purged = desk.do(PURGE, "type:mail")
    desk.undo(purged)
    cancelled = desk.do(CANCEL, "type:mail")

    assert (purged.total, tally(purged)) == (2, done(2))
    assert (cancelled.total, tally(cancelled)) == (3, done(3))
    assert [message.task_id for message in desk.rig.take_sent(worker.session) if isinstance(message, CancelRun)] == [
        running[0].stored().spec.id
    ]
    worker.nack(*running)
    assert desk.states(1, 3, 5) == {State.CANCELLED}


def test_ended_tasks_are_resubmitted_with_what_is_changed(desk: Desk) -> None:
    desk.kill(1, 2, 3)

    operation = desk.commit(desk.prepare(RESUBMIT, overrides=Overrides("slow", 10, MINUTE)))

    assert tally(operation) == done(3)
    slow = desk.rig.queue("slow")
    assert (slow.scheduled, desk.rig.queue().dead) == (3, 3)
    new_id = desk.rig.view(1).resubmitted_as
    assert new_id is not None
    new = desk.rig.view(int.from_bytes(new_id, "big"))
    assert (new.queue, new.priority, new.scheduled_at_ms) == ("slow", 10, desk.rig.now_ms + MINUTE)
    with pytest.raises(WrongState, match="cannot be undone"):
        desk.rig.step(UndoOperation(1, operation.id.hex()))


def test_a_full_queue_fails_some_and_ends_nothing() -> None:
    desk = Desk(Rig(broker=BrokerSettings(queue_depth_threshold=2), bounds=SMALL))
    desk.kill(1, 2)
    desk.kill(3, 4)

    operation = desk.do(RESUBMIT)

    assert tally(operation) == done(2, failed=2)
    assert operation.error.startswith("QUEUE_FULL")


# -- the frozen set ------------------------------------------------------------------------------------------------


def test_what_dies_after_the_preview_is_not_touched(desk: Desk) -> None:
    desk.kill(1, 2)
    prepared = desk.prepare(RETRY)
    desk.kill(3)

    operation = desk.commit(prepared)

    assert tally(operation) == done(2)
    assert desk.states(3) == {State.DEAD_LETTER}


def test_what_was_moved_by_others_after_the_preview_is_skipped(desk: Desk) -> None:
    desk.kill(1, 2, 3)
    prepared = desk.prepare(PURGE, "err:*Timeout")
    desk.do(RETRY, "", 1)
    worker = desk.rig.worker()
    worker.nack(*worker.fetch(1), is_final=True)  # dead again, of the same error type, but it is another death
    desk.do(RETRY, "", 2)

    operation = desk.commit(prepared)

    assert tally(operation) == done(1, skipped=2)
    assert [desk.rig.state(number) for number in (1, 2, 3)] == [State.DEAD_LETTER, State.PENDING, State.CANCELLED]


def test_a_retried_task_that_dies_again_is_not_retried_again(desk: Desk) -> None:
    desk.kill(*range(1, 7))
    operation = desk.do(RETRY, rate=10)
    worker = desk.rig.worker()
    while operation.state is OperationState.RUNNING:
        worker.nack(*worker.fetch(9), is_final=True)
        desk.rig.pass_time(100)
        operation = desk.get(operation.id)
    worker.nack(*worker.fetch(9), is_final=True)

    assert tally(operation) == done(6)
    assert desk.states(*range(1, 7)) == {State.DEAD_LETTER}


def test_a_task_that_starts_after_the_preview_is_cancelled_as_it_was_meant(desk: Desk) -> None:
    desk.rig.submit(*(task(number) for number in range(1, 8)))
    prepared = desk.prepare(CANCEL, "type:mail")
    waiting = desk.prepare(CANCEL, "state:pending")
    in_progress = desk.prepare(CANCEL, "state:in_progress")
    worker = desk.rig.worker()
    worker.fetch(2)

    assert (prepared.count, waiting.count, in_progress.count) == (7, 7, 0)
    assert tally(desk.commit(in_progress)) == done(0)
    assert tally(desk.commit(waiting)) == done(5, skipped=2)
    assert tally(desk.commit(prepared)) == done(2, skipped=5)


def test_a_task_that_ran_at_the_preview_and_came_back_is_not_of_what_waited(desk: Desk) -> None:
    desk.rig.submit(task(1), task(3))
    worker = desk.rig.worker()
    running = worker.fetch(1)
    prepared = desk.prepare(PURGE)
    worker.release(*running)

    assert (prepared.count, tally(desk.commit(prepared))) == (1, done(1))
    assert desk.states(number_of(running[0])) == {State.PENDING}


def test_ages_are_those_of_the_preview(desk: Desk) -> None:
    desk.kill(1)
    desk.rig.pass_time(HOUR)
    desk.kill(2)
    prepared = desk.prepare(RETRY, "age:<1h")
    desk.rig.pass_time(PREPARED_MS - 1)

    assert tally(desk.commit(prepared)) == done(1)
    assert desk.states(2) == {State.PENDING}


# -- how it runs ---------------------------------------------------------------------------------------------------


def test_a_second_commit_changes_nothing(desk: Desk) -> None:
    desk.kill(1, 2)
    prepared = desk.prepare(RETRY)
    first = desk.commit(prepared)
    second = desk.commit(prepared)
    desk.rig.pass_time(PREPARED_MS)

    assert first == second == desk.commit(prepared)


def test_an_operation_keeps_to_its_rate(desk: Desk) -> None:
    rig = Rig()
    desk = Desk(rig)
    desk.kill(*range(1, 501))
    operation = desk.do(RETRY, rate=100)
    moved = []
    for _ in range(4):
        rig.pass_time(SECOND)
        moved.append(desk.get(operation.id).done)

    assert desk.get(operation.id).remaining_ms <= SECOND
    assert moved == [pytest.approx(100 * second, abs=21) for second in range(1, 5)]
    rig.pass_time(SECOND)
    assert tally(desk.get(operation.id)) == done(500)


def test_even_the_slowest_rate_moves_one_and_asks_for_the_next_in_time(desk: Desk) -> None:
    desk.kill(1, 2, 3)
    operation = desk.do(RETRY, rate=1)
    seen = []
    for _ in range(3):
        seen.append(desk.get(operation.id).done)
        desk.rig.pass_time(SECOND)

    assert seen == [1, 2, 3] or seen == [2, 3, 3]  # what it may move at once is rounded up to one
    assert tally(desk.get(operation.id)) == done(3)


def test_operations_take_turns(desk: Desk) -> None:
    desk.kill(*range(1, 21), queue="a")
    desk.kill(*range(21, 41), queue="b")
    first = desk.commit(desk.prepare(RETRY, "queue:a"), rate=40)
    second = desk.commit(desk.prepare(RETRY, "queue:b"), rate=40)
    desk.rig.pass_time(200)

    assert 0 < desk.get(first.id).done < 20
    assert 0 < desk.get(second.id).done < 20


def test_an_operation_goes_on_after_a_restart_and_moves_each_task_once(desk: Desk) -> None:
    desk.kill(*range(1, 31))
    desk.wait(*range(31, 41))
    operation = desk.do(PURGE, rate=50)
    for _ in range(3):
        desk.rig.pass_time(100)
        desk.rig.restart()
    desk.rig.pass_time(SECOND)

    assert tally(desk.get(operation.id)) == done(40)
    assert len(desk.rig.rows.tables[Table.MOVED]) == 40
    assert desk.rig.queue().cancelled_total == 40


def test_an_operation_by_ids_goes_on_after_a_restart(desk: Desk) -> None:
    desk.kill(*range(1, 31))
    operation = desk.commit(desk.prepare(RETRY, "", *range(1, 21)), rate=50)
    desk.rig.pass_time(100)
    desk.rig.restart()
    desk.rig.pass_time(SECOND)

    assert tally(desk.get(operation.id)) == done(20)


def test_a_cancelled_operation_stops_where_it_is(desk: Desk) -> None:
    desk.kill(*range(1, 31))
    operation = desk.do(RETRY, rate=20)

    cancelled = desk.cancel(operation)
    desk.rig.pass_time(HOUR)

    assert cancelled.state is OperationState.CANCELLED
    assert 0 < cancelled.done < 30
    assert desk.get(operation.id) == cancelled
    with pytest.raises(WrongState):
        desk.rig.step(CancelOperation(1, operation.id.hex()))


def test_as_many_operations_run_as_may_and_no_more(desk: Desk) -> None:
    desk.kill(*range(1, 100))
    for _ in range(RUNNING_MAX):
        assert desk.commit(desk.prepare(RETRY, "type:mail"), rate=1).state is OperationState.RUNNING
    prepared = desk.prepare(RETRY, "type:mail")

    with pytest.raises(TooManyRequests):
        desk.rig.step(CommitOperation(1, prepared.token))


def test_of_too_many_records_the_oldest_go_first(desk: Desk) -> None:
    desk.kill(1)
    operations = [desk.do(PURGE, "err:nothing") for _ in range(KEPT_MAX + 3)]

    with pytest.raises(OperationNotFound):
        desk.get(operations[0].id)
    assert desk.get(operations[-1].id).state is OperationState.DONE
    assert len(desk.rig.rows.tables[Table.OPERATIONS]) <= KEPT_MAX


# -- looking -------------------------------------------------------------------------------------------------------


def test_operations_are_listed_the_latest_first(desk: Desk) -> None:
    desk.kill(1)
    operations = [desk.do(PURGE, selector) for selector in ("err:a", "err:b", "err:c")]

    page = desk.rig.step(ListOperations(1, 2))
    desk.rig.restart()
    again = desk.rig.step(ListOperations(1, 2))

    assert isinstance(page, OperationPage)
    assert page == again
    assert [operation.id for operation in page.operations] == [operations[2].id, operations[1].id]
    assert page.operations[0].target == "err:c state:pending,failed,dead_letter"


def test_the_beginning_of_an_id_is_enough_if_it_is_of_one(desk: Desk) -> None:
    operations = [desk.do(PURGE, "err:a") for _ in range(20)]
    whole = operations[0].id.hex()
    of_two = next(d for d in "0123456789abcdef" if sum(each.id.hex().startswith(d) for each in operations) > 1)

    found = desk.rig.step(GetOperation(1, whole[:8].upper()))
    assert isinstance(found, OperationReply)
    assert found.operation.id == operations[0].id
    for name, error in ((of_two, InvalidArgument), ("", InvalidArgument), ("xyz", InvalidArgument)):
        with pytest.raises(error):
            desk.rig.step(GetOperation(1, name))
    with pytest.raises(OperationNotFound):
        desk.rig.step(GetOperation(1, "0" * 16))


def test_a_wait_is_answered_when_the_operation_ends_or_the_time_is_over(desk: Desk) -> None:
    desk.kill(*range(1, 21))
    operation = desk.do(RETRY, rate=20)
    assert desk.rig.step(GetOperation(1, operation.id.hex(), 100), session=5) is None
    assert desk.rig.step(GetOperation(2, operation.id.hex(), 50_000), session=5) is None

    desk.rig.pass_time(100)
    (early,) = desk.rig.take_sent(5)
    desk.rig.pass_time(5 * SECOND)
    (late,) = desk.rig.take_sent(5)

    assert isinstance(early, OperationReply)
    assert isinstance(late, OperationReply)
    assert (early.request_id, early.operation.state) == (1, OperationState.RUNNING)
    assert (late.request_id, tally(late.operation)) == (2, done(20))
    assert desk.rig.step(GetOperation(3, operation.id.hex(), 50_000), session=5) is not None


def test_waits_are_bounded_and_end_with_their_connection(desk: Desk) -> None:
    desk.kill(*range(1, 21))
    name = desk.do(RETRY, rate=1).id.hex()
    for number in range(WAITS_MAX):
        desk.rig.step(GetOperation(number, name, 50_000), session=5)

    with pytest.raises(TooManyRequests):
        desk.rig.step(GetOperation(1, name, 50_000), session=6)
    desk.rig.disconnect(5)
    assert desk.rig.step(GetOperation(1, name, 50_000), session=6) is None


def test_the_audit_says_who_did_what_to_how_many_and_why(desk: Desk) -> None:
    desk.kill(1, 2)
    desk.rig.engine.identify(1, Actor("uid:1000 anna", "unix"))
    operation = desk.commit(desk.prepare(PURGE, "err:ConnectTimeout"), reason="provider is down")
    desk.undo(operation)

    rows = [msgspec.msgpack.decode(row, type=AuditRow) for row in desk.rig.rows.tables[Table.AUDIT].values()]
    assert {row.actor for row in rows} == {"uid:1000 anna"}
    assert [(row.action, row.count, row.reason) for row in rows] == [("purge", 2, "provider is down"), ("undo", 2, "")]
    assert rows[0].target == "err:ConnectTimeout state:pending,failed,dead_letter"
    assert rows[0].operation == operation.id
    assert (operation.actor, operation.origin, operation.reason) == ("uid:1000 anna", "unix", "provider is down")


# -- undo ----------------------------------------------------------------------------------------------------------


def test_an_undo_restores_a_purge_exactly(desk: Desk) -> None:
    desk.kill(*range(1, 8))
    desk.wait(*range(8, 16))
    numbers = range(1, 16)
    before = [essence(desk.rig.view(number)) for number in numbers]
    tables = (Table.READY, Table.DUE, Table.DEAD, Table.KEYS)
    indexes = [dict(desk.rig.rows.tables[table]) for table in tables]
    counters = desk.rig.queue()
    operation = desk.do(PURGE)
    desk.rig.pass_time(MINUTE)

    undo = desk.undo(operation)

    assert tally(undo) == done(15)
    assert [essence(desk.rig.view(number)) for number in numbers] == before
    for table, rows in zip(tables, indexes, strict=True):
        left = {key: row for key, row in desk.rig.rows.tables[table].items() if key in rows or table is not Table.DUE}
        assert left == rows
    now = desk.rig.queue()
    assert (now.dead, now.ready, now.scheduled) == (counters.dead, counters.ready, counters.scheduled)
    assert desk.get(operation.id).undone_by == undo.id
    assert undo.undo_of == operation.id
    assert undo.undo_until_ms == 0


def test_what_was_undone_runs_in_its_old_order_also_after_a_restart(desk: Desk) -> None:
    numbers = list(range(1, 30, 2))
    desk.wait(*numbers)
    desk.undo(desk.do(PURGE))
    desk.undo(desk.do(CANCEL, "type:mail"))
    worker = desk.rig.worker()
    first = worker.numbers(5)
    desk.rig.restart()
    worker.connect()

    assert first + worker.numbers(20) == [1, 3, 5, 7, 9, *numbers]


def test_an_undo_takes_back_a_retry_of_what_was_not_leased_since(desk: Desk) -> None:
    desk.kill(*range(1, 8))
    died_at_ms = desk.rig.view(1).ended_at_ms
    desk.rig.pass_time(MINUTE)
    operation = desk.do(RETRY)
    worker = desk.rig.worker()
    running = worker.fetch(3)
    worker.ack(running[0])

    undo = desk.undo(operation)

    assert tally(undo) == done(4, skipped=3)
    back = sorted(set(range(1, 8)) - {number_of(delivery) for delivery in running})
    assert desk.states(*back) == {State.DEAD_LETTER}
    assert {desk.rig.view(number).ended_at_ms for number in back} == {died_at_ms}
    assert desk.rig.view(number_of(running[0])).state is State.COMPLETED


def test_a_retried_task_that_was_leased_and_handed_back_is_not_taken_back(desk: Desk) -> None:
    desk.kill(1, 2)
    operation = desk.do(RETRY)
    worker = desk.rig.worker()
    worker.release(*worker.fetch(1))

    assert tally(desk.undo(operation)) == done(1, skipped=1)


def test_an_undo_of_what_still_runs_stops_it_first(desk: Desk) -> None:
    desk.kill(*range(1, 31))
    operation = desk.do(RETRY, rate=20)

    undo = desk.undo(operation)

    stopped = desk.get(operation.id)
    assert stopped.state is OperationState.CANCELLED
    assert tally(undo) == done(stopped.done)
    assert desk.rig.queue().dead == 30


def test_a_second_undo_is_the_first_one(desk: Desk) -> None:
    desk.kill(1, 2)
    operation = desk.do(PURGE)

    assert desk.undo(operation) == desk.undo(operation)
    with pytest.raises(WrongState):
        desk.rig.step(UndoOperation(1, desk.undo(operation).id.hex()))


def test_an_undo_that_was_stopped_can_be_started_again(desk: Desk) -> None:
    desk.kill(*range(1, 31))
    operation = desk.do(PURGE)
    desk.cancel(desk.undo(operation, rate=20))

    undo = desk.undo(operation)

    assert undo.done + undo.skipped == 30
    assert undo.skipped > 0
    assert desk.rig.queue().dead == 30


def test_an_undo_goes_on_after_a_restart(desk: Desk) -> None:
    desk.kill(*range(1, 31))
    undo = desk.undo(desk.do(PURGE), rate=50)
    desk.rig.pass_time(100)
    desk.rig.restart()
    desk.rig.pass_time(SECOND)

    assert tally(desk.get(undo.id)) == done(30)
    assert desk.rig.queue().dead == 30


def test_there_is_nothing_to_undo_where_nothing_was_moved(desk: Desk) -> None:
    desk.kill(1)
    operation = desk.do(PURGE, "err:nothing")

    with pytest.raises(WrongState, match="moved nothing"):
        desk.rig.step(UndoOperation(1, operation.id.hex()))


def test_a_purged_task_that_was_cancelled_by_hand_before_stays_cancelled(desk: Desk) -> None:
    desk.wait(1, 3)
    prepared = desk.prepare(PURGE)
    desk.rig.step(Cancel(1, [id_of(1)], "by hand"))
    operation = desk.commit(prepared)

    assert tally(desk.undo(operation)) == done(1)
    assert [desk.rig.state(number) for number in (1, 3)] == [State.CANCELLED, State.PENDING]


def test_a_purged_task_that_was_resubmitted_does_not_come_back_beside_its_successor(desk: Desk) -> None:
    desk.kill(1, 2)
    operation = desk.do(PURGE)
    desk.rig.ask(Resubmit(1, id_of(1), id_of(50)), Submitted)

    assert tally(desk.undo(operation)) == done(1, skipped=1)
    assert desk.states(1) == {State.CANCELLED}


def test_a_task_that_expired_in_the_trash_ends_as_it_would_have(desk: Desk) -> None:
    desk.wait(2)
    operation = desk.do(PURGE)
    desk.rig.pass_time(4 * HOUR)

    desk.undo(operation)
    desk.rig.pass_time(SECOND)

    assert (desk.rig.state(2), desk.rig.view(2).reason) == (State.CANCELLED, "expired")


def test_a_task_whose_delay_is_over_when_it_comes_back_is_ready(desk: Desk) -> None:
    desk.wait(4)
    operation = desk.do(PURGE)
    desk.rig.pass_time(2 * HOUR)
    desk.undo(operation)

    assert desk.rig.worker().numbers(1) == [4]


def test_a_task_retried_after_its_time_does_not_expire_when_it_comes_back(desk: Desk) -> None:
    desk.rig.submit(task(1, max_retries=0, options=TaskOptions(expires_ms=SECOND)))
    worker = desk.rig.worker()
    worker.nack(*worker.fetch(1))
    desk.rig.pass_time(MINUTE)
    desk.do(RETRY)

    desk.undo(desk.do(PURGE))

    assert desk.states(1) == {State.PENDING}


def test_acknowledging_after_a_retry_was_undone_is_not_possible(desk: Desk) -> None:
    desk.kill(1)
    operation = desk.do(RETRY)
    desk.undo(operation)
    worker = desk.rig.worker()

    assert worker.fetch(1) == []
    assert desk.rig.step(Ack(1, [Success(id_of(1), 1)]), worker.session) is not None
    assert desk.states(1) == {State.DEAD_LETTER}

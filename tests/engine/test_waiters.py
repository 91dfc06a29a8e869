"""Waiting for a task to end: answered by the broker, never by asking again."""

import pytest

from tests.engine.rig import CLIENT, HOUR, SECOND, Rig, id_of, task
from tq.engine.waiters import Waiters
from tq.model.commands import Cancel, Unwait, Wait
from tq.model.errors import TaskNotFound, TooManyRequests
from tq.model.replies import Affected, ErrorReply, OutcomeReply, Push, Reply
from tq.model.settings import BrokerSettings
from tq.model.task import Outcome, State, TaskOptions, TaskState

OTHER = 900


def outcomes(messages: list[Reply | Push]) -> list[tuple[int, State]]:
    return [(reply.request_id, reply.outcome.state) for reply in messages if isinstance(reply, OutcomeReply)]


def wait(rig: Rig, number: int, *, request_id: int = 7, timeout_ms: int = HOUR, session: int = CLIENT) -> Reply | None:
    reply = rig.step(Wait(request_id, id_of(number), timeout_ms), session)
    rig.turn()
    return reply


def test_a_wait_for_an_ended_task_is_answered_at_once() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.ack(worker.fetch_one(), result=b"42")

    assert wait(rig, 1) == OutcomeReply(
        7, Outcome(id=id_of(1), state=State.COMPLETED, result=b"42", content_type="", reason="", error=None)
    )


def test_a_wait_is_answered_when_the_task_ends() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    assert wait(rig, 1) is None
    delivery = worker.fetch_one()
    assert rig.take_sent(CLIENT) == []

    worker.ack(delivery, result=b"42")

    (reply,) = rig.take_sent(CLIENT)
    assert isinstance(reply, OutcomeReply)
    assert (reply.request_id, reply.outcome.result) == (7, b"42")


def test_a_wait_is_not_over_while_the_task_will_be_retried() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=1))
    wait(rig, 1)
    worker.nack(worker.fetch_one(), retry_in_ms=0)
    assert rig.take_sent(CLIENT) == []

    worker.nack(worker.fetch_one(), error_type="KeyError")

    (reply,) = rig.take_sent(CLIENT)
    assert isinstance(reply, OutcomeReply)
    assert reply.outcome.state is State.DEAD_LETTER
    assert reply.outcome.error is not None
    assert (reply.outcome.error.error_type, reply.outcome.error.attempt) == ("KeyError", 2)


@pytest.mark.parametrize("how", ["cancel", "expire"])
def test_a_wait_is_answered_when_the_task_is_cancelled_or_expires(how: str) -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(expires_ms=SECOND)))
    wait(rig, 1)
    if how == "cancel":
        rig.ask(Cancel(1, [id_of(1)], "no more"), Affected)
    else:
        rig.pass_time(SECOND)

    (reply,) = rig.take_sent(CLIENT)
    assert isinstance(reply, OutcomeReply)
    assert reply.outcome.reason == ("no more" if how == "cancel" else "expired")
    assert reply.outcome.error is None


def test_all_who_wait_for_a_task_are_answered_once_each() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    wait(rig, 1, request_id=1)
    wait(rig, 1, request_id=2)
    wait(rig, 1, request_id=3, session=OTHER)
    worker.ack(worker.fetch_one())
    rig.pass_time(HOUR)

    assert outcomes(rig.take_sent(CLIENT)) == [(1, State.COMPLETED), (2, State.COMPLETED)]
    assert outcomes(rig.take_sent(OTHER)) == [(3, State.COMPLETED)]


def test_a_wait_ends_with_its_timeout() -> None:
    rig = Rig()
    rig.submit(task(1))
    wait(rig, 1, timeout_ms=SECOND)
    assert rig.engine.next_deadline_ms() == rig.now_ms + SECOND
    rig.pass_time(SECOND - 1)
    assert rig.take_sent(CLIENT) == []

    rig.pass_time(1)

    (reply,) = rig.take_sent(CLIENT)
    assert isinstance(reply, ErrorReply)
    assert (reply.request_id, reply.code) == (7, "TIMED_OUT")
    assert rig.engine.next_deadline_ms() is None


def test_a_wait_with_no_time_is_a_look() -> None:
    rig = Rig()
    rig.submit(task(1))

    assert wait(rig, 1, timeout_ms=0) is None
    assert [type(reply) for reply in rig.take_sent(CLIENT)] == [ErrorReply]


def test_waits_end_with_the_connection_that_asked() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    wait(rig, 1, session=OTHER)
    wait(rig, 1)
    rig.disconnect(OTHER)
    worker.ack(worker.fetch_one())

    assert rig.take_sent(OTHER) == []
    assert len(rig.take_sent(CLIENT)) == 1


def test_a_wait_that_is_given_up_is_answered_at_once_and_the_others_go_on() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    for session, request_id in ((CLIENT, 7), (CLIENT, 8), (OTHER, 7)):
        wait(rig, 1, request_id=request_id, session=session)

    assert rig.step(Unwait(0, 7), CLIENT) is None
    rig.turn()

    (reply,) = rig.take_sent(CLIENT)
    assert isinstance(reply, ErrorReply)
    assert (reply.request_id, reply.code) == (7, "TIMED_OUT")
    worker.ack(worker.fetch_one())
    assert outcomes(rig.take_sent(CLIENT)) == [(8, State.COMPLETED)]
    assert outcomes(rig.take_sent(OTHER)) == [(7, State.COMPLETED)]


def test_giving_up_what_does_not_wait_does_nothing() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    wait(rig, 1)
    worker.ack(worker.fetch_one())
    rig.take_sent(CLIENT)

    for session, request_id in ((CLIENT, 7), (CLIENT, 8), (OTHER, 7)):
        rig.step(Unwait(0, request_id), session)
    rig.turn()

    assert rig.take_sent(CLIENT) == rig.take_sent(OTHER) == []


def test_a_wait_that_was_given_up_makes_room_for_another() -> None:
    rig = Rig(broker=BrokerSettings(max_waiters=1))
    rig.submit(task(1))
    wait(rig, 1)
    rig.step(Unwait(0, 7), CLIENT)

    assert wait(rig, 1, request_id=8) is None


def test_a_wait_for_an_unknown_task_is_refused() -> None:
    with pytest.raises(TaskNotFound):
        wait(Rig(), 1)


def test_more_waits_than_there_may_be_are_refused_until_one_is_over() -> None:
    rig = Rig(broker=BrokerSettings(max_waiters=2))
    rig.submit(task(1))
    wait(rig, 1, timeout_ms=SECOND)
    wait(rig, 1)
    with pytest.raises(TooManyRequests):
        wait(rig, 1)

    rig.pass_time(SECOND)

    assert wait(rig, 1) is None


def test_answered_waits_do_not_pile_up_under_a_late_deadline() -> None:
    """I13: a client that waits again and again for an hour each, and is answered each time in a second."""
    waiters = Waiters(1_000)
    done = TaskState(state=State.COMPLETED)
    waiters.add(CLIENT, 0, id_of(0), SECOND)
    for number in range(1, 10_000):
        waiters.add(CLIENT, number, id_of(number), HOUR)
        waiters.answer(id_of(number), done)
        assert waiters.next_deadline_ms == SECOND

    assert len(waiters) == 1
    assert len(waiters._deadlines) < 100


def test_the_wait_of_one_session_for_many_tasks_ends_task_by_task() -> None:
    waiters = Waiters(10)
    done = TaskState(state=State.COMPLETED)
    for number in (1, 2, 3):
        waiters.add(CLIENT, number, id_of(number), HOUR)

    assert outcomes([message for _, message in waiters.answer(id_of(2), done)]) == [(2, State.COMPLETED)]
    assert waiters.answer(id_of(2), done) == []
    assert len(waiters) == 2
    waiters.disconnect(CLIENT)
    assert len(waiters) == 0
    assert waiters.expire(HOUR) == []

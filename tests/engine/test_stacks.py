"""Asking a worker where a handler is: one question, one answer, whatever becomes of either side."""

import pytest

from tests.engine.rig import MINUTE, SECOND, Hand, Rig, id_of, task
from tq.engine.stacks import STACKS_MAX
from tq.model.commands import StackTaken, TakeStack
from tq.model.errors import TaskNotFound, TooManyRequests, WrongState
from tq.model.insight import TaskStack
from tq.model.replies import ErrorReply, StackReply, StackWanted

ASKER = 77


def running(rig: Rig) -> Hand:
    """A worker that runs task 1."""
    rig.submit(task(1))
    worker = rig.worker()
    worker.fetch_one()
    return worker


def ask(rig: Rig, request_id: int = 5) -> None:
    assert rig.step(TakeStack(request_id, id_of(1)), ASKER) is None
    rig.turn()


def wanted(rig: Rig, worker: Hand) -> StackWanted:
    (push,) = rig.take_sent(worker.session)
    assert isinstance(push, StackWanted)
    return push


def error(rig: Rig) -> ErrorReply:
    (reply,) = rig.take_sent(ASKER)
    assert isinstance(reply, ErrorReply)
    return reply


def test_the_worker_is_asked_and_its_answer_goes_to_who_asked() -> None:
    rig = Rig()
    worker = running(rig)
    ask(rig)
    push = wanted(rig, worker)

    worker.step(StackTaken(0, push.number, "", "thread", 99, 1_500, "app.py:8", "the frames"))
    rig.turn()

    assert (push.task_id, push.token > 0) == (id_of(1), True)
    assert rig.take_sent(ASKER) == [
        StackReply(
            5,
            TaskStack(
                task_id=id_of(1),
                attempt=1,
                worker="w",
                host="host",
                pid=99,
                kind="thread",
                running_ms=1_500,
                place="app.py:8",
                text="the frames",
            ),
        )
    ]
    assert not any(rig.writes)


def test_a_reason_is_an_error_and_a_second_answer_is_dropped() -> None:
    rig = Rig()
    worker = running(rig)
    ask(rig)
    number = wanted(rig, worker).number

    worker.step(StackTaken(0, number, "it has just ended"))
    worker.step(StackTaken(0, number, "", "thread"))
    rig.turn()

    assert error(rig).code == "WRONG_STATE"


def test_only_the_worker_that_was_asked_can_answer() -> None:
    rig = Rig()
    worker = running(rig)
    other = rig.worker("x")
    ask(rig)
    number = wanted(rig, worker).number

    other.step(StackTaken(0, number, "", "thread", 1, 1, "x", "forged"))
    rig.turn()

    assert rig.take_sent(ASKER) == []


def test_a_worker_that_does_not_answer_in_time_is_a_timeout() -> None:
    rig = Rig()
    worker = running(rig)
    ask(rig)
    rig.pass_time(5 * SECOND)
    refused = error(rig)
    worker.step(StackTaken(0, wanted(rig, worker).number, "", "thread"))
    rig.turn()

    assert (refused.request_id, refused.code) == (5, "TIMED_OUT")
    assert "py-spy" in refused.hint
    assert rig.take_sent(ASKER) == []


def test_a_worker_that_goes_away_answers_the_question_and_one_who_asked_and_left_is_forgotten() -> None:
    rig = Rig()
    worker = running(rig)
    ask(rig)
    worker.disconnect()
    assert "lost its connection" in error(rig).message

    worker.connect()
    worker.fetch_one()
    ask(rig)
    rig.disconnect(ASKER)
    rig.pass_time(MINUTE)
    assert rig.take_sent(ASKER) == []


def test_what_does_not_run_has_no_stack_and_says_where_to_look() -> None:
    rig = Rig()
    with pytest.raises(TaskNotFound):
        ask(rig)
    rig.submit(task(1))
    with pytest.raises(WrongState, match="does not run: it is pending"):
        ask(rig)
    worker = rig.worker()
    worker.fetch_one()
    worker.disconnect()
    with pytest.raises(WrongState, match="lost its connection"):
        ask(rig)


def test_the_open_questions_are_bounded() -> None:
    rig = Rig()
    running(rig)
    for number in range(STACKS_MAX):
        ask(rig, number + 1)

    with pytest.raises(TooManyRequests):
        ask(rig)
    rig.pass_time(6 * SECOND)
    ask(rig)

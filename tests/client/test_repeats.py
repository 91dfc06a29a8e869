from random import Random

import pytest

from tq.client.repeats import PAUSE_SECONDS_MAX, is_repeatable, pauses
from tq.model import commands
from tq.model.commands import Request
from tq.model.operations import Action

ID = b"x" * 16


@pytest.mark.parametrize(
    "request_",
    [
        commands.Submit(1, []),
        commands.GetTask(1, ID),
        commands.Wait(1, ID, 5),
        commands.Cancel(1, [ID]),
        commands.ListTasks(1),
        commands.PauseQueue(1, "mail"),
        commands.Resubmit(1, ID, ID),
        commands.WorkerDied(1, ID),
        commands.Ack(1, []),
        commands.PrepareOperation(1, Action.PURGE),
        commands.CommitOperation(1, b"8" * 8),
        commands.UndoOperation(1, "8f31"),
    ],
)
def test_what_done_twice_is_done_once_may_be_repeated(request_: Request) -> None:
    assert is_repeatable(request_)


@pytest.mark.parametrize(
    "request_",
    [
        commands.CancelOperation(1, "8f31"),
        commands.Backup(1, "/backup"),
        commands.Hello(1, 1),
        commands.Fetch(1, 1),
        commands.Heartbeat(1),
        commands.ReportProgress(1, []),
    ],
)
def test_what_done_twice_is_done_twice_may_not(request_: Request) -> None:
    assert not is_repeatable(request_)


def test_pauses_are_jittered_grow_to_a_bound_and_end_in_time() -> None:
    now = [100.0]
    taken = []
    for pause in pauses(160.0, lambda: now[0], Random(1)):
        taken.append(pause)
        now[0] += pause

    assert now == [pytest.approx(160.0)]
    assert all(0 <= pause <= PAUSE_SECONDS_MAX for pause in taken)
    assert max(taken[:3]) <= 0.2
    assert max(taken) > PAUSE_SECONDS_MAX / 2
    assert 40 < len(taken) < 120


def test_there_is_no_pause_when_the_time_is_up() -> None:
    assert list(pauses(5.0, lambda: 5.0, Random(1))) == []

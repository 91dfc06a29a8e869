"""Whoever is confined to some queues neither touches nor sees the others."""

import pytest

from tests.engine.operations.desk import Desk
from tests.engine.rig import Rig, id_of, task
from tq.model.commands import (
    Cancel,
    CancelOperation,
    CommitOperation,
    GetHistory,
    GetOperation,
    GetStats,
    GetTask,
    Hello,
    ListAudit,
    ListOperations,
    ListQueues,
    ListTasks,
    PauseQueue,
    PrepareOperation,
    QueuePreference,
    Request,
    Resubmit,
    Submit,
    UndoOperation,
    Wait,
    Why,
    WorkerHello,
)
from tq.model.errors import AccessDenied, SelectorInvalid, TaskNotFound
from tq.model.identity import Actor
from tq.model.insight import Because
from tq.model.operations import Action, Overrides
from tq.model.replies import (
    OperationPage,
    OperationReply,
    Prepared,
    QueuePage,
    Reply,
    Submitted,
    TaskPage,
    TaskReply,
    WhyReply,
)

CONFINED = 7
ACTOR = Actor("token:mail", "tcp 10.0.0.7", ("mail*", "news"))


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.submit(task(1, queue="mail"), task(2, queue="mail-eu"), task(3, queue="news"), task(4, queue="bank"))
    rig.engine.identify(CONFINED, ACTOR)
    return rig


def ask(rig: Rig, request: Request) -> Reply | None:
    reply = rig.engine.step_confined(CONFINED, request, rig.now_ms)
    rig.turn()
    return reply


def worker(*queues: str) -> Hello:
    return Hello(1, 1, worker=WorkerHello("w", b"w" * 16, "h", 1, ["mail"], [QueuePreference(name) for name in queues]))


@pytest.mark.parametrize(
    "request_",
    [
        Submit(1, [task(9, queue="bank")]),
        Submit(1, [task(8, queue="mail"), task(9, queue="bank")]),
        Submit(1, [task(9, queue="Mail")]),
        Submit(1, [task(9, queue="newsletter")]),
        GetTask(1, id_of(4)),
        Wait(1, id_of(4), 0),
        Cancel(1, [id_of(1), id_of(4)]),
        Resubmit(1, id_of(4), id_of(9)),
        Resubmit(1, id_of(1), id_of(9), queue="bank"),
        PauseQueue(1, "bank"),
        GetHistory(1, ["mail", "bank"]),
        GetStats(1),
        ListAudit(1),
        PrepareOperation(1, Action.CANCEL, task_ids=[id_of(1), id_of(4)]),
        PrepareOperation(1, Action.RESUBMIT, "queue:mail", overrides=Overrides(queue="bank")),
        worker(),
        worker("mail", "bank"),
    ],
    ids=lambda request: type(request).__name__,
)
def test_what_reaches_beyond_the_queues_is_refused_and_changes_nothing(rig: Rig, request_: Request) -> None:
    with pytest.raises(AccessDenied, match=r"token:mail is confined to the queues mail\*, news: "):
        ask(rig, request_)

    rig.turn()
    assert not any(rig.writes)
    assert rig.state(1) == "pending"


def test_what_is_in_the_queues_is_done(rig: Rig) -> None:
    assert ask(rig, Submit(1, [task(9, queue="mail-us")])) == Submitted(1)
    assert isinstance(ask(rig, GetTask(1, id_of(3))), TaskReply)
    ask(rig, Cancel(1, [id_of(1), id_of(2)]))
    ask(rig, PauseQueue(1, "news"))
    ask(rig, worker("mail", "mail-eu"))

    assert (rig.state(1), rig.state(2)) == ("cancelled", "cancelled")
    assert rig.queue("news").is_paused


def test_an_unknown_task_is_unknown_and_not_forbidden(rig: Rig) -> None:
    with pytest.raises(TaskNotFound):
        ask(rig, GetTask(1, id_of(99)))


def test_a_list_of_queues_has_only_those(rig: Rig) -> None:
    reply = ask(rig, ListQueues(1))

    assert isinstance(reply, QueuePage)
    assert [queue.name for queue in reply.queues] == ["mail", "mail-eu", "news"]


@pytest.mark.parametrize(
    ("selector", "numbers"),
    [("", [1, 2, 3]), ("queue:bank", []), ("queue:*", [1, 2, 3]), ("-queue:mail", [2, 3]), ("queue:bank,news", [3])],
)
def test_a_selector_finds_only_what_is_there(rig: Rig, selector: str, numbers: list[int]) -> None:
    reply = ask(rig, ListTasks(1, selector))

    assert isinstance(reply, TaskPage)
    assert sorted(int.from_bytes(task.id, "big") for task in reply.tasks) == numbers


@pytest.mark.parametrize("selector", ['"', ",bank", 'x" queue:bank', "-", ",queue:bank"])
def test_no_slip_in_a_selector_widens_it(rig: Rig, selector: str) -> None:
    try:
        reply = ask(rig, ListTasks(1, selector))
    except SelectorInvalid:
        return
    assert isinstance(reply, TaskPage)
    assert id_of(4) not in [task.id for task in reply.tasks]


def test_an_operation_on_a_selector_touches_only_what_is_there_and_is_its_operators_to_undo(rig: Rig) -> None:
    prepared = ask(rig, PrepareOperation(1, Action.PURGE))
    if prepared is None:
        (prepared,) = [message for message in rig.take_sent(CONFINED) if isinstance(message, Prepared)]
    assert isinstance(prepared, Prepared)
    ask(rig, CommitOperation(2, prepared.token))
    states = [rig.state(number) for number in (1, 2, 3, 4)]
    shown = ask(rig, GetOperation(3, prepared.token.hex()))
    undone = ask(rig, UndoOperation(4, prepared.token.hex()))

    assert prepared.count == 3
    assert states == ["cancelled", "cancelled", "cancelled", "pending"]
    assert isinstance(shown, OperationReply)
    assert shown.operation.target.startswith("queue:mail*,news")
    assert isinstance(undone, OperationReply)
    assert [rig.state(number) for number in (1, 2, 3, 4)] == ["pending"] * 4


def test_operations_on_other_queues_are_neither_seen_nor_stopped_nor_undone(rig: Rig) -> None:
    operation = Desk(rig).do(Action.PURGE, "queue:mail,bank").id.hex()

    reply = ask(rig, ListOperations(1))

    assert isinstance(reply, OperationPage)
    assert reply.operations == []
    for request in (GetOperation(1, operation), CancelOperation(1, operation), UndoOperation(1, operation)):
        with pytest.raises(AccessDenied, match=f"operation {operation} concerns other queues"):
            ask(rig, request)


def test_why_a_task_waits_names_no_other_queues(rig: Rig) -> None:
    rig.worker(queues={"bank": 10, "news": 9, "mail": 0})

    reply = ask(rig, Why(1, id_of(1)))

    assert isinstance(reply, WhyReply)
    first = next(each for each in reply.explanation.reasons if each.code == Because.OTHER_QUEUES_FIRST)
    assert first.text == "its workers serve other queues first, which have tasks too: news"
    assert first.count == 2

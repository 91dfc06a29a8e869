"""What each method asks, and what it makes of the answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.client.scripted import LIMITS, Peer, operation, scripted_broker, welcome
from tests.edges.samples import metrics, queue_metrics
from tq.client.async_client import AsyncClient
from tq.client.ids import new_id
from tq.client.task import Task
from tq.client.tasks import result_of
from tq.model import commands
from tq.model.commands import Request, Submit
from tq.model.errors import (
    InvalidArgument,
    ProtocolViolation,
    QueueFull,
    SelectorInvalid,
    TaskCancelled,
    TaskFailed,
    TaskNotFound,
)
from tq.model.ids import format_id
from tq.model.insight import Explanation, TaskStack
from tq.model.metrics import Metrics, WorkerCounts, together
from tq.model.operations import Action, OperationState, Overrides
from tq.model.replies import (
    Affected,
    ErrorReply,
    Existing,
    LogPage,
    MetricsReply,
    OperationPage,
    OperationReply,
    OutcomeReply,
    Prepared,
    QueuePage,
    Reply,
    StackReply,
    StatsReply,
    Submitted,
    TaskPage,
    TaskReply,
    WhyReply,
    WorkerPage,
    WorkerReply,
)
from tq.model.selector import parse
from tq.model.stats import EngineStats
from tq.model.task import AttemptRecord, Outcome, State, TaskSummary, TaskView

ID, OTHER_ID = new_id(), new_id()


def view() -> TaskView:
    return msgspec.convert(
        {
            **dict.fromkeys(TaskView.__struct_fields__, 0),
            **dict.fromkeys(
                ("task_type", "queue", "content_type", "worker", "result_content_type", "reason", "trace"), ""
            ),
            **dict.fromkeys(("progress", "key", "resubmit_of", "resubmitted_as")),
            **dict.fromkeys(("payload", "result"), b""),
            **dict.fromkeys(("no_handler", "cancel_requested"), False),
            "id": ID,
            "state": "pending",
            "history": [],
            "tags": [],
        },
        TaskView,
    )


def summary(task_id: bytes) -> TaskSummary:
    return TaskSummary(
        id=task_id,
        task_type="send_email",
        queue="mail",
        priority=1,
        state=State.PENDING,
        submitted_at_ms=0,
        scheduled_at_ms=0,
        ended_at_ms=0,
        attempt=0,
        worker="",
        error_type="",
        message="",
        group="",
        key=None,
        tags=(),
    )


def outcome(state: State, reason: str = "", error: AttemptRecord | None = None) -> Outcome:
    return Outcome(id=ID, state=state, result=b"42", content_type="", reason=reason, error=error)


STATS = StatsReply(0, msgspec.convert(dict.fromkeys(EngineStats.__struct_fields__, 0), EngineStats))
METRICS = MetricsReply(0, Metrics(queue_count=3, waiters=1, workers=WorkerCounts(), queues=[], rest=None))
AFFECTED = Affected(0, 1)
STACK = TaskStack(
    task_id=ID, attempt=1, worker="w", host="h", pid=7, kind="thread", running_ms=1, place="a.py:1", text="at a.py"
)
PREPARED = Prepared(0, b"8" * 8, Action.RETRY, 1, [], [], 7, 500, 2, 60_000)
OPERATION = operation(OperationState.DONE)
EXPLANATION = Explanation(
    id=ID, task_type="t", queue="q", state=State.PENDING, worker="", submitted_at_ms=1, reasons=(), history=()
)
CASES: list[tuple[Callable[[AsyncClient], Awaitable[Any]], Request, Reply, Any]] = [
    (lambda c: c.get_task(format_id(ID)), commands.GetTask(0, ID), TaskReply(0, view()), view()),
    (
        lambda c: c.wait(ID, 0),
        commands.Wait(0, ID, 0),
        OutcomeReply(0, outcome(State.CANCELLED)),
        outcome(State.CANCELLED),
    ),
    (lambda c: c.cancel(ID, OTHER_ID, reason="r"), commands.Cancel(0, [ID, OTHER_ID], "r"), AFFECTED, AFFECTED),
    (
        lambda c: c.list_tasks("state:failed queue:mail", "id", True, 5, b"cursor", 7),
        commands.ListTasks(0, "state:failed queue:mail", commands.Order.ID, True, 5, b"cursor", 7),
        TaskPage(0, [summary(ID)], b"next"),
        TaskPage(0, [summary(ID)], b"next"),
    ),
    (lambda c: c.queues(), commands.ListQueues(0), QueuePage(0, []), []),
    (lambda c: c.pause_queue("mail", "broken"), commands.PauseQueue(0, "mail", "broken"), AFFECTED, AFFECTED),
    (lambda c: c.resume_queue("mail"), commands.ResumeQueue(0, "mail"), AFFECTED, AFFECTED),
    (
        lambda c: c.prepare("retry", "queue:mail err:Timeout"),
        commands.PrepareOperation(0, Action.RETRY, "queue:mail err:Timeout"),
        PREPARED,
        PREPARED,
    ),
    (
        lambda c: c.prepare(Action.RESUBMIT, parse("queue:mail"), overrides=Overrides("web")),
        commands.PrepareOperation(0, Action.RESUBMIT, "queue:mail", overrides=Overrides("web")),
        PREPARED,
        PREPARED,
    ),
    (
        lambda c: c.prepare("purge", task_ids=[ID, format_id(OTHER_ID)], hard=True),
        commands.PrepareOperation(0, Action.PURGE, "", [ID, OTHER_ID], True),
        PREPARED,
        PREPARED,
    ),
    (
        lambda c: c.commit(OPERATION.id, "why", 5),
        commands.CommitOperation(0, OPERATION.id, "why", 5),
        OperationReply(0, OPERATION),
        OPERATION,
    ),
    (lambda c: c.operations(7), commands.ListOperations(0, 7), OperationPage(0, [OPERATION]), [OPERATION]),
    (
        lambda c: c.operation("8f31", wait=0.5),
        commands.GetOperation(0, "8f31", 500),
        OperationReply(0, OPERATION),
        OPERATION,
    ),
    (
        lambda c: c.operation(OPERATION.id, wait=900),
        commands.GetOperation(0, OPERATION.id.hex(), 60_000),
        OperationReply(0, OPERATION),
        OPERATION,
    ),
    (
        lambda c: c.cancel_operation("8f31", "enough"),
        commands.CancelOperation(0, "8f31", "enough"),
        OperationReply(0, OPERATION),
        OPERATION,
    ),
    (
        lambda c: c.undo("8f31", "wrong queue", 9),
        commands.UndoOperation(0, "8f31", "wrong queue", 9),
        OperationReply(0, OPERATION),
        OPERATION,
    ),
    (lambda c: c.workers(), commands.ListWorkers(0), WorkerPage(0, []), []),
    (lambda c: c.drain_worker("w1"), commands.DrainWorker(0, "w1"), AFFECTED, AFFECTED),
    (
        lambda c: c.report_worker_death(
            ID, exit_code=1, signal="SIGSEGV", host="h", rss_max_bytes=9, last_lines="Fatal", running=[OTHER_ID]
        ),
        commands.WorkerDied(0, ID, 1, "SIGSEGV", "h", 9, "Fatal", [OTHER_ID]),
        AFFECTED,
        AFFECTED,
    ),
    (lambda c: c.worker("w1"), commands.GetWorker(0, "w1"), WorkerReply(0, []), []),
    (lambda c: c.task_log(ID, 3, 9), commands.GetLog(0, ID, 3, 9), LogPage(0, [], 3), LogPage(0, [], 3)),
    (lambda c: c.task_stack(ID), commands.TakeStack(0, ID), StackReply(0, STACK), STACK),
    (lambda c: c.why(ID), commands.Why(0, ID), WhyReply(0, EXPLANATION), EXPLANATION),
    (lambda c: c.stats(), commands.GetStats(0), STATS, STATS),
    (lambda c: c.metrics(7), commands.GetMetrics(0, 7), METRICS, METRICS.metrics),
    (lambda c: c.backup("/b"), commands.Backup(0, "/b"), AFFECTED, AFFECTED),
    (lambda c: c.request(commands.ListQueues(77)), commands.ListQueues(0), QueuePage(0, []), QueuePage(0, [])),
]


@pytest.mark.parametrize(("call", "asked", "reply", "returned"), CASES)
async def test_each_method_asks_its_request_and_returns_its_answer(
    call: Callable[[AsyncClient], Awaitable[Any]], asked: Request, reply: Reply, returned: Any
) -> None:
    async with scripted_broker() as broker, AsyncClient(broker.address) as client:
        calling = asyncio.ensure_future(call(client))
        peer, request = await broker.inbox.get()
        peer.send(replace(reply, request_id=request.request_id))
        answer = await calling

        assert replace(request, request_id=0) == asked
        if "request_id" in getattr(answer, "__struct_fields__", ()):
            answer = replace(answer, request_id=0)
        assert answer == returned


class TestSubmitting:
    async def test_the_id_that_the_client_made_is_returned(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            submitting = asyncio.create_task(client.submit_task(Task("send_email", b"body", priority=150)))
            peer, request = await broker.next(Submit)
            peer.send(Submitted(request.request_id))
            [spec] = request.tasks

            assert await submitting == format_id(spec.id)
            assert (spec.task_type, spec.payload, spec.priority) == ("send_email", b"body", 150)

    async def test_a_task_that_was_there_already_gives_its_own_id(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            submitting = asyncio.create_task(client.submit_task(Task("send_email", key="welcome-7")))
            peer, request = await broker.next(Submit)
            peer.send(Submitted(request.request_id, [Existing(0, ID)]))

            assert await submitting == format_id(ID)

    async def test_many_tasks_travel_in_few_requests_and_their_ids_come_back_in_order(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            received: list[Submit] = []

            def answer(peer: Peer, request: Request) -> None:
                assert isinstance(request, Submit)
                received.append(request)
                existing = [Existing(7, ID)] if len(received) == 2 else []
                peer.send(Submitted(request.request_id, existing))

            broker.answer = answer
            ids = await client.submit_tasks(Task("send_email") for _ in range(2_300))

            assert [len(request.tasks) for request in received] == [1_000, 1_000, 300]
            made = [format_id(spec.id) for request in received for spec in request.tasks]
            made[1_007] = format_id(ID)
            assert ids == made

    async def test_no_tasks_are_no_request(self) -> None:
        assert await AsyncClient("127.0.0.1:1").submit_tasks([]) == []

    async def test_large_tasks_keep_below_the_brokers_frame_limit(self) -> None:
        async with scripted_broker() as broker:
            broker.greeting = lambda peer, hello: peer.send(welcome(limits=replace(LIMITS, frame_bytes_max=10_000)))
            broker.answer = lambda peer, request: peer.send(Submitted(request.request_id))
            async with AsyncClient(broker.address) as client:
                assert len(set(await client.submit_tasks([Task("t", bytes(3_000))] * 10))) == 10

    async def test_a_refusal_in_the_middle_says_how_many_were_taken(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            submitting = asyncio.create_task(client.submit_tasks([Task("send_email")] * 1_001))
            peer, first = await broker.next(Submit)
            peer.send(Submitted(first.request_id))
            peer, second = await broker.next(Submit)
            peer.send(ErrorReply(second.request_id, "QUEUE_FULL", "default is full", "later"))

            with pytest.raises(QueueFull) as caught:
                await submitting
            assert caught.value.message == "default is full; the first 1000 of 1001 were taken"

    async def test_a_refusal_of_the_first_request_is_the_brokers_own_words(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            broker.answer = lambda peer, request: peer.send(ErrorReply(request.request_id, "QUEUE_FULL", "full"))

            with pytest.raises(QueueFull, match=r"^full$"):
                await client.submit_tasks([Task("send_email")])

    async def test_a_wrong_task_among_many_stops_all_before_anything_is_sent(self) -> None:
        with pytest.raises(InvalidArgument, match="priority 999"):
            await AsyncClient("127.0.0.1:1").submit_tasks([Task("a"), Task("a", priority=999)])

    async def test_a_resubmit_returns_the_new_id(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            resubmitting = asyncio.create_task(client.resubmit(ID, b"better", "text/plain"))
            peer, request = await broker.next(commands.Resubmit)
            peer.send(Submitted(request.request_id))

            assert await resubmitting == format_id(request.new_id)
            assert (request.task_id, request.payload, request.content_type) == (ID, b"better", "text/plain")
            assert request.new_id != ID


class TestResults:
    async def test_a_completed_task_gives_its_result(self) -> None:
        assert result_of(outcome(State.COMPLETED)) == b"42"

    async def test_a_dead_task_raises_its_last_error(self) -> None:
        error = AttemptRecord(4, "failed", 0, 1, "w1", "ValueError", "no such user")

        with pytest.raises(TaskFailed, match="failed: ValueError: no such user") as caught:
            result_of(outcome(State.DEAD_LETTER, error=error))
        assert f"tq task get {format_id(ID)}" in caught.value.hint

    async def test_a_quarantined_task_raises_its_reason(self) -> None:
        with pytest.raises(TaskFailed, match="failed: crashed 3 times"):
            result_of(outcome(State.DEAD_LETTER, reason="crashed 3 times"))

    @pytest.mark.parametrize(("reason", "shown"), [("expired", "expired"), ("", "no reason given")])
    async def test_a_cancelled_task_raises_its_reason(self, reason: str, shown: str) -> None:
        with pytest.raises(TaskCancelled, match=f"was cancelled: {shown}"):
            result_of(outcome(State.CANCELLED, reason=reason))

    async def test_an_unknown_task_is_an_error_not_a_wait(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            broker.answer = lambda peer, request: peer.send(ErrorReply(request.request_id, "TASK_NOT_FOUND", "no"))

            with pytest.raises(TaskNotFound):
                await client.wait_for_result(ID, timeout=60)


class TestMetrics:
    async def test_the_parts_of_what_is_not_named_are_asked_for_and_added_up(self) -> None:
        first = metrics(queue_metrics("a"), rest=queue_metrics("_other", 1_000))
        later = metrics(rest=queue_metrics("_other", 2_000))
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            parts = {0: (first, 500), 500: (metrics(), 1_000), 1_000: (later, 0)}

            def answer(peer: Peer, request: Request) -> None:
                assert isinstance(request, commands.GetMetrics)
                peer.send(MetricsReply(request.request_id, *parts[request.after]))

            broker.answer = answer
            found = await client.metrics(1)

        expected = replace(first, rest=together(first.rest, later.rest))
        assert msgspec.json.encode(found) == msgspec.json.encode(expected)
        assert found.rest is not None
        assert first.rest is not None
        assert later.rest is not None
        assert found.rest.stats.ready_low == first.rest.stats.ready_low + later.rest.stats.ready_low
        assert found.rest.stats.oldest_ready_ms == later.rest.stats.oldest_ready_ms
        assert found.rest.processing_ms.sum == 2 * first.rest.processing_ms.sum


class TestListing:
    async def test_iterating_fetches_page_after_page(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            asked: list[Request] = []

            def answer(peer: Peer, request: Request) -> None:
                asked.append(request)
                is_last = len(asked) == 3
                peer.send(TaskPage(request.request_id, [summary(ID)] * 2, b"" if is_last else b"%d" % len(asked), 9))

            broker.answer = answer
            found = [task.id async for task in client.iter_tasks(parse("queue:mail  state:pending"), "age")]

            assert found == [ID] * 6
            assert asked == [
                commands.ListTasks(
                    number, "queue:mail state:pending", commands.Order.AGE, False, 1_000, cursor, 9 if cursor else 0
                )
                for number, cursor in ((1, b""), (2, b"1"), (3, b"2"))
            ]

    async def test_a_slip_in_a_selector_or_an_order_is_found_before_the_broker_is_asked(self) -> None:
        client = AsyncClient("127.0.0.1:1")
        with pytest.raises(SelectorInvalid, match="'done' is not a state") as caught:
            await client.list_tasks("queue:mail state:done")
        assert caught.value.position == 17
        with pytest.raises(InvalidArgument, match="'size' is not an order"):
            await client.list_tasks(order="size")
        with pytest.raises(InvalidArgument, match="is not text"):
            await client.list_tasks(7)  # type: ignore[arg-type]


class TestManyAtOnce:
    async def test_more_ids_than_a_request_holds_are_sent_in_parts(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            broker.answer = lambda peer, request: peer.send(
                Affected(request.request_id, len(request.task_ids) - 1, 1)  # type: ignore[union-attr]
            )
            ids = [new_id() for _ in range(1_500)]

            assert await client.cancel(*ids) == Affected(0, 1_498, 2)

    async def test_an_operation_is_waited_for_until_it_ends(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            waiting = asyncio.create_task(client.wait_for_operation("8f31"))
            for state in (OperationState.RUNNING, OperationState.DONE):
                peer, request = await broker.next(commands.GetOperation)
                peer.send(OperationReply(request.request_id, operation(state)))

            assert (await waiting).state is OperationState.DONE

    async def test_what_cannot_be_done_to_tasks_is_refused(self) -> None:
        with pytest.raises(InvalidArgument, match="'burn' is nothing"):
            await AsyncClient("127.0.0.1:1").prepare("burn")


class TestWrongUse:
    @pytest.mark.parametrize(
        ("request_", "message"),
        [
            (commands.PauseQueue(0, "q" * 201), "PauseQueue: Expected `str` of length <= 200 - at `queue`"),
            (commands.PauseQueue(0, "mail", 7), "PauseQueue: Expected `str`, got `int` - at `reason`"),  # type: ignore[arg-type]
            (commands.GetTask(0, b"x"), "GetTask: Expected `bytes` of length >= 16 - at `task_id`"),
            (commands.ListTasks(0, limit=0), "ListTasks: Expected `int` >= 1 - at `limit`"),
            (commands.Cancel(0, [b"x"]), "Cancel: Expected `bytes` of length >= 16 - at `task_ids[0]`"),
            (commands.Backup(0, object()), "Backup: Encoding objects of type object is unsupported"),  # type: ignore[arg-type]
            (commands.Cancel(0, [], "\ud800"), "Cancel: 'utf-8' codec can't encode"),
        ],
    )
    async def test_a_field_that_the_broker_would_choke_on_is_refused_here(
        self, request_: Request, message: str
    ) -> None:
        """The broker answers malformed bytes by ending the connection, and everybody's requests with it."""
        with pytest.raises(InvalidArgument) as caught:
            await AsyncClient("127.0.0.1:1").request(request_)
        assert caught.value.message.startswith(message)

    async def test_an_answer_of_the_wrong_kind_is_a_violation(self) -> None:
        async with scripted_broker() as broker, AsyncClient(broker.address) as client:
            broker.answer = lambda peer, request: peer.send(Affected(request.request_id, 1))

            with pytest.raises(ProtocolViolation, match="answered with Affected instead of QueuePage"):
                await client.queues()

    @pytest.mark.parametrize(("address", "message"), [("localhost", "the port is missing"), ([], "is empty")])
    def test_a_wrong_address_is_told_when_the_client_is_made(self, address: str | list[str], message: str) -> None:
        with pytest.raises(InvalidArgument, match=message):
            AsyncClient(address)


async def test_connecting_returns_the_greeting() -> None:
    async with scripted_broker() as broker, AsyncClient(broker.address) as client:
        assert (await client.connect()).limits == LIMITS


async def test_without_an_address_the_default_ones_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted_broker() as broker:
        monkeypatch.setenv("TQ_URL", broker.address)
        async with AsyncClient():
            assert len(broker.peers) == 1

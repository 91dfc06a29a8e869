"""The Work stream: a worker in any language, by the rules of a native one."""

import asyncio
import os
from typing import Any

import grpc
import pytest

from tests.edges.grpc.conftest import Edge
from tests.edges.grpc.test_tasks import shown
from tests.edges.grpc.workers import StreamWorker
from tq.client.connection import Connection
from tq.client.task import Task
from tq.edges.grpc import tq_pb2 as pb
from tq.model.commands import Ack, Request
from tq.model.errors import OutcomeUnknown
from tq.model.replies import Reply
from tq.model.task import State


def worker(edge: Edge, queue: str, incarnation: str = "", **hello: object) -> StreamWorker:
    return StreamWorker(edge.stubs, incarnation=incarnation, queues=[pb.QueuePreference(name=queue)], **hello)


async def ending(call: StreamWorker) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.until(lambda _: False)
    return shown(caught.value)[:2]


async def test_a_task_is_delivered_run_and_its_result_is_kept(edge: Edge) -> None:
    task_id = await edge.native.submit_task(
        Task("job", b"in", queue="w1", content_type="text/plain", key="k", tags=("t",), priority=200)
    )
    node = worker(edge, "w1")
    welcome = await node.start()

    (delivery,) = await node.take()
    await node.send(
        number=1,
        successes=[pb.Success(task_id=delivery.id, token=delivery.token, result=b"out", content_type="text/x")],
    )
    settled = await node.settled(1)

    assert welcome.heartbeat_interval_ms > 0
    assert welcome.payload_bytes_max == 1 << 20
    assert (delivery.id, delivery.task_type, delivery.payload, delivery.attempt) == (task_id, "job", b"in", 1)
    assert (delivery.content_type, delivery.key, list(delivery.tags)) == ("text/plain", "k", ["t"])
    assert (delivery.queue, delivery.priority, delivery.timeout_ms) == ("w1", 200, 300_000)
    assert (list(settled.lost), settled.error_code) == ([], "")
    view = await edge.native.get_task(task_id)
    assert (view.state, view.result, view.result_content_type) == (State.COMPLETED, b"out", "text/x")
    assert await node.leave() is grpc.StatusCode.OK


async def test_nothing_is_delivered_without_credit(edge: Edge) -> None:
    await edge.native.submit_tasks([Task("job", queue="w2") for _ in range(3)])
    node = worker(edge, "w2")
    await node.start()

    first = await node.take(2)
    await node.send(number=1, successes=[pb.Success(task_id=one.id, token=one.token) for one in first])
    await node.settled(1)

    assert len(node.seen.deliveries) == 2
    assert len(await node.take(1)) == 1
    await node.leave()


async def test_the_first_message_may_have_everything_else_too(edge: Edge) -> None:
    task_id = await edge.native.submit_task(Task("job", queue="first"))
    node = worker(edge, "first")
    hello = pb.WorkerHello(name="node", incarnation=node.incarnation, task_types=["job"])

    await node.send(hello=hello, credit=1, heartbeat=pb.Heartbeat(rss_bytes=5))
    seen = await node.until(lambda seen: len(seen.deliveries) > 0)

    assert seen.HasField("welcome")
    assert seen.deliveries[0].id == task_id
    await node.send(releases=[pb.Release(task_id=task_id, token=seen.deliveries[0].token)])
    await node.leave()


async def test_outcomes_of_all_kinds_in_one_message_are_each_carried_out(edge: Edge) -> None:
    tasks = [Task("job", queue="w3", max_retries=0) for _ in range(5)]
    ids = await edge.native.submit_tasks(tasks)
    node = worker(edge, "w3")
    await node.start()
    deliveries = {one.id: one for one in await node.take(5)}
    leases: list[Any] = [{"task_id": task_id, "token": deliveries[task_id].token} for task_id in ids]

    await node.send(
        number=4,
        successes=[pb.Success(**leases[0])],
        failures=[
            pb.Failure(**leases[1], error_type="E" * 500, message="m", traceback="t"),
            pb.Failure(**leases[2], error_type="Later", retry_in_ms=60_000, is_final=False),
        ],
        releases=[pb.Release(**leases[3], delay_ms=60_000)],
        cancelled=[pb.Lease(**leases[4])],
    )
    settled = await node.settled(4)

    views = [await edge.native.get_task(task_id) for task_id in ids]
    assert settled.error_code == ""
    assert [view.state for view in views[:2]] == [State.COMPLETED, State.DEAD_LETTER]
    assert (views[1].history[-1].error_type, views[1].history[-1].message) == ("E" * 200, "m")
    assert views[2].state is State.DEAD_LETTER  # it had no attempts left, whatever the worker would have liked
    assert views[3].state is State.PENDING
    assert views[3].attempt == 0
    await node.leave()


async def test_a_stale_token_changes_nothing_and_is_named(edge: Edge) -> None:
    task_id = await edge.native.submit_task(Task("job", queue="w4"))
    node = worker(edge, "w4")
    await node.start()
    (delivery,) = await node.take()

    await node.send(number=1, successes=[pb.Success(task_id=task_id, token=delivery.token + 1_000)])
    await node.send(number=2, extensions=[pb.Extend(task_id=task_id, token=delivery.token, extend_ms=60_000)])

    assert list((await node.settled(1)).lost) == [task_id]
    assert list((await node.settled(2)).lost) == []
    assert (await edge.native.get_task(task_id)).state is State.IN_PROGRESS
    await node.send(successes=[pb.Success(task_id=task_id, token=delivery.token)])
    assert await node.leave() is grpc.StatusCode.OK  # answered before it ends, also without a number
    assert (await edge.native.get_task(task_id)).state is State.COMPLETED


async def test_progress_and_log_lines_are_seen_while_the_task_runs(edge: Edge) -> None:
    task_id = await edge.native.submit_task(Task("job", queue="w5"))
    node = worker(edge, "w5")
    await node.start()
    (delivery,) = await node.take()
    lease: Any = {"task_id": task_id, "token": delivery.token}

    await node.send(
        number=1,
        progress=[pb.ProgressNote(**lease, fraction=0.5, note="half")],
        log=[pb.LogEntry(**lease, at_ms=5, level="info", text="x" * 2_000)],
        heartbeat=pb.Heartbeat(running=1, rss_bytes=7, note="well"),
        extensions=[pb.Extend(**lease, extend_ms=60_000)],
    )
    await node.send(number=2, extensions=[pb.Extend(**lease, extend_ms=60_000)])
    await node.settled(2)

    progress = (await edge.stubs.Tasks.Get(pb.TaskId(id=task_id))).progress
    assert (progress.fraction, progress.note) == (0.5, "half")
    (line,) = (await edge.stubs.Tasks.GetLog(pb.GetLogRequest(id=task_id))).lines
    assert (line.level, line.text) == ("info", "x" * 1_000)
    (view,) = (await edge.stubs.Workers.Get(pb.WorkerName(worker=node.incarnation))).workers
    assert (view.info.incarnation, view.info.rss_bytes, view.info.note) == (node.incarnation, 7, "well")
    assert [task.id for task in view.tasks] == [task_id]
    await node.send(successes=[pb.Success(**lease)])
    await node.leave()


async def test_a_cancelled_task_is_taken_back_from_its_handler(edge: Edge) -> None:
    task_id = await edge.native.submit_task(Task("job", queue="w6"))
    node = worker(edge, "w6")
    await node.start()
    (delivery,) = await node.take()

    await edge.stubs.Tasks.Cancel(pb.CancelRequest(ids=[task_id]))
    seen = await node.until(lambda seen: len(seen.cancel) > 0)
    await node.send(number=1, cancelled=[pb.Lease(task_id=task_id, token=delivery.token)])
    await node.settled(1)

    assert seen.cancel[0] == pb.Lease(task_id=task_id, token=delivery.token)
    assert (await edge.native.get_task(task_id)).state is State.CANCELLED
    await node.leave()


async def test_a_drain_and_a_question_for_a_stack_reach_the_worker(edge: Edge) -> None:
    task_id = await edge.native.submit_task(Task("job", queue="w7"))
    node = worker(edge, "w7")
    await node.start()
    (delivery,) = await node.take()

    asking = asyncio.create_task(edge.native.task_stack(task_id))
    wanted = (await node.until(lambda seen: len(seen.stacks_wanted) > 0)).stacks_wanted[0]
    await node.send(stacks=[pb.StackTaken(number=wanted.number, kind="coroutine", place="a.js:1", text="at a.js:1")])
    stack = await asking
    await edge.stubs.Workers.Drain(pb.WorkerName(worker=node.incarnation))
    await node.until(lambda seen: seen.drain)

    assert wanted.token == delivery.token
    assert (stack.place, stack.text) == ("a.js:1", "at a.js:1")
    await node.send(releases=[pb.Release(task_id=task_id, token=delivery.token)])
    await node.leave()


async def test_a_worker_that_comes_back_keeps_what_it_holds(edge: Edge) -> None:
    held_id, forgotten_id = await edge.native.submit_tasks([Task("job", queue="w8") for _ in range(2)])
    node = worker(edge, "w8")
    await node.start()
    deliveries = {one.id: one for one in await node.take(2)}
    node.call.cancel()

    again = worker(
        edge,
        "w8",
        node.incarnation,
        held=[
            pb.Lease(task_id=held_id, token=deliveries[held_id].token),
            pb.Lease(task_id=forgotten_id, token=deliveries[forgotten_id].token + 9),
        ],
    )
    welcome = await again.start()
    await again.send(number=1, successes=[pb.Success(task_id=held_id, token=deliveries[held_id].token)])

    assert list(welcome.lost) == [forgotten_id]
    assert list((await again.settled(1)).lost) == []
    assert (await edge.native.get_task(held_id)).state is State.COMPLETED
    (retaken,) = await again.take()
    assert (retaken.id, retaken.attempt) == (forgotten_id, 1)  # its delivery was lost: no attempt used
    await again.send(releases=[pb.Release(task_id=retaken.id, token=retaken.token)])
    await again.leave()


async def test_outcomes_of_which_nobody_knows_whether_they_are_on_disk_are_not_confirmed(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream ends, so that the worker brings them again: a confirmed outcome is one that it forgets."""
    task_id = await edge.native.submit_task(Task("job", queue="unsure"))
    node = worker(edge, "unsure")
    await node.start()
    (delivery,) = await node.take()
    request = Connection.request

    def unsure(connection: Connection, asked: Request) -> "asyncio.Future[Reply]":
        if not isinstance(asked, Ack):
            return request(connection, asked)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        answer.set_exception(OutcomeUnknown("the disk has not answered"))
        return answer

    monkeypatch.setattr(Connection, "request", unsure)
    outcome = pb.Success(task_id=task_id, token=delivery.token)
    await node.send(number=1, successes=[outcome])
    ended = await ending(node)
    monkeypatch.undo()
    again = worker(edge, "unsure", node.incarnation, held=[pb.Lease(task_id=task_id, token=delivery.token)])
    await again.start()
    await again.send(number=1, successes=[outcome])

    assert ended == (grpc.StatusCode.UNKNOWN, "OUTCOME_UNKNOWN")
    assert list(node.seen.settled) == []
    assert (await again.settled(1)).error_code == ""
    await again.leave()


async def test_a_result_that_is_too_large_is_refused_and_the_stream_goes_on(edge: Edge) -> None:
    task_id = await edge.native.submit_task(Task("job", queue="w9"))
    node = worker(edge, "w9")
    welcome = await node.start()
    (delivery,) = await node.take()

    too_large = pb.Success(task_id=task_id, token=delivery.token, result=bytes(welcome.payload_bytes_max + 1))
    await node.send(number=1, successes=[too_large])

    assert (await node.settled(1)).error_code == "PAYLOAD_TOO_LARGE"
    await node.send(number=2, successes=[pb.Success(task_id=task_id, token=delivery.token)])
    assert (await node.settled(2)).error_code == ""
    await node.leave()


async def test_large_payloads_come_in_messages_that_any_client_takes(edge: Edge) -> None:
    payload = os.urandom(900_000)
    await edge.native.submit_tasks([Task("job", payload, queue="w10") for _ in range(12)])
    node = worker(edge, "w10")
    await node.start()

    deliveries = await node.take(12)  # a message above 4 MiB would end the call

    assert all(one.payload == payload for one in deliveries)
    await node.send(successes=[pb.Success(task_id=one.id, token=one.token) for one in deliveries])
    await node.leave()


@pytest.mark.parametrize(
    "first",
    [
        pb.WorkRequest(),
        pb.WorkRequest(credit=1),
        pb.WorkRequest(hello=pb.WorkerHello(name="a", incarnation="xyz")),
        pb.WorkRequest(hello=pb.WorkerHello(name="a" * 500, incarnation="0" * 32)),
        pb.WorkRequest(hello=pb.WorkerHello(name="a", incarnation="0" * 32, held=[pb.Lease(task_id="no")])),
    ],
)
async def test_a_first_message_that_makes_no_sense_ends_the_stream(edge: Edge, first: pb.WorkRequest) -> None:
    node = StreamWorker(edge.stubs)
    await node.call.write(first)

    assert await ending(node) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "message",
    [
        pb.WorkRequest(hello=pb.WorkerHello(name="again", incarnation="1" * 32)),
        pb.WorkRequest(successes=[pb.Success(task_id="none", token=1)]),
        pb.WorkRequest(progress=[pb.ProgressNote(task_id="0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b", fraction=7.0)]),
        pb.WorkRequest(credit=10_001),
        pb.WorkRequest(credit=-1),
    ],
)
async def test_a_message_that_makes_no_sense_ends_the_stream_and_says_why(edge: Edge, message: pb.WorkRequest) -> None:
    node = worker(edge, "w11")
    await node.start()
    await node.call.write(message)

    assert await ending(node) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")


async def test_only_workers_may_work(edge: Edge) -> None:
    token = await edge.native.create_token("no-worker", "producer")
    try:
        node = StreamWorker(edge.stubs)
        node.call = edge.stubs.Workers.Work(metadata=(("authorization", f"Bearer {token.text}"),))
        await node.call.write(pb.WorkRequest(hello=pb.WorkerHello(name="a", incarnation="2" * 32)))
        assert await ending(node) == (grpc.StatusCode.UNAUTHENTICATED, "ACCESS_DENIED")
    finally:
        await edge.native.revoke_token("no-worker")


async def test_a_worker_that_leaves_with_nothing_in_hand_is_gone_at_once(edge: Edge) -> None:
    node = worker(edge, "w12")
    await node.start()

    assert await node.leave() is grpc.StatusCode.OK

    names = [one.incarnation for one in (await edge.stubs.Workers.List(pb.Empty())).workers]
    assert node.incarnation not in names

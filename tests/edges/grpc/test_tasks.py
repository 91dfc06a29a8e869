"""Tasks over gRPC: what is submitted is what a native client sees, and errors say what tq says everywhere."""

import asyncio
import time

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from tests.edges.grpc.conftest import Edge
from tq.client.ids import new_id
from tq.client.task import Task
from tq.edges.grpc import tq_pb2 as pb
from tq.model.ids import format_id
from tq.model.task import State

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNKNOWN = "0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b"


def shown(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str, error_details_pb2.ErrorInfo]:
    """Status, code and detail of an error."""
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert status.code == error.code().value[0]
    assert info.reason == metadata["tq-code"]
    return error.code(), metadata["tq-code"], info


async def failing(call: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return shown(caught.value)[:2]


async def test_every_field_of_a_task_reaches_the_broker(edge: Edge) -> None:
    task = pb.Task(
        task_type="resize",
        payload=b"\x00\xff",
        queue="images",
        priority=0,
        timeout_ms=1_500,
        max_retries=0,
        content_type="image/png",
        id=format_id(new_id()),
        key="order-1",
        delay_ms=60_000,
        expires_ms=3_600_000,
        max_crashes=1,
        retry=pb.Retry(backoff_ms_base=5, jitter=False),
        tags=["a", "b"],
        trace=TRACE,
    )

    reply = await edge.stubs.Tasks.Submit(pb.SubmitRequest(task=task))

    view = await edge.native.get_task(reply.id)
    assert reply.id == task.id
    assert (view.task_type, view.payload, view.queue, view.priority) == ("resize", b"\x00\xff", "images", 0)
    assert (view.timeout_ms, view.max_retries, view.max_crashes, view.content_type) == (1_500, 0, 1, "image/png")
    assert (view.key, view.tags, view.trace) == ("order-1", ("a", "b"), TRACE)
    assert view.scheduled_at_ms - view.submitted_at_ms == 60_000
    assert view.expires_at_ms - view.submitted_at_ms == 3_600_000


async def test_a_task_with_only_a_type_has_the_defaults_of_every_other_edge(edge: Edge) -> None:
    reply = await edge.stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="plain")))

    view = await edge.native.get_task(reply.id)
    assert (view.queue, view.priority, view.timeout_ms, view.max_retries) == ("default", 128, 300_000, 3)


async def test_a_task_is_shown_as_the_broker_knows_it(edge: Edge) -> None:
    reply = await edge.stubs.Tasks.Submit(
        pb.SubmitRequest(task=pb.Task(task_type="plain", payload=b"x", queue="shown"))
    )

    view = await edge.stubs.Tasks.Get(pb.TaskId(id=reply.id))

    assert (view.id, view.state, view.payload, view.queue) == (reply.id, "pending", b"x", "shown")
    assert not view.HasField("progress")
    assert not view.HasField("key")


async def test_many_are_taken_in_their_order_all_or_none(edge: Edge) -> None:
    tasks = [pb.Task(task_type="plain", queue="many", payload=str(n).encode()) for n in range(300)]

    reply = await edge.stubs.Tasks.SubmitMany(pb.SubmitManyRequest(tasks=tasks))

    assert [(await edge.native.get_task(one)).payload for one in (reply.ids[0], reply.ids[299])] == [b"0", b"299"]
    tasks[7].priority = 256
    assert await failing(edge.stubs.Tasks.SubmitMany(pb.SubmitManyRequest(tasks=tasks))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_ARGUMENT",
    )
    (queue,) = [queue for queue in await edge.native.queues() if queue.name == "many"]
    assert queue.submitted_total == 300


async def test_the_same_key_gives_the_same_task(edge: Edge) -> None:
    request = pb.SubmitRequest(task=pb.Task(task_type="plain", queue="keys", key="once"))

    first, second = [await edge.stubs.Tasks.Submit(request) for _ in range(2)]

    assert first.id == second.id


async def test_a_wait_is_answered_when_the_task_ends(edge: Edge) -> None:
    reply = await edge.stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="plain", queue="waits")))
    waiting = edge.stubs.Tasks.Wait(pb.WaitRequest(id=reply.id, timeout_ms=30_000))

    affected = await edge.stubs.Tasks.Cancel(pb.CancelRequest(ids=[reply.id], reason="enough"))
    outcome = await waiting

    assert affected.count == 1
    assert (outcome.id, outcome.state, outcome.reason) == (reply.id, "cancelled", "enough")


async def test_a_wait_ends_with_its_timeout_or_the_deadline_of_the_call(edge: Edge) -> None:
    reply = await edge.stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="plain", queue="waits")))

    assert await failing(edge.stubs.Tasks.Wait(pb.WaitRequest(id=reply.id, timeout_ms=50))) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "TIMED_OUT",
    )
    started = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await edge.stubs.Tasks.Wait(pb.WaitRequest(id=reply.id, timeout_ms=60_000), timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 30


async def test_a_wait_whose_caller_goes_away_is_not_kept_by_the_broker(edge: Edge) -> None:
    task_id = await edge.native.submit_task(Task("plain", queue="waits"))
    call = edge.stubs.Tasks.Wait(pb.WaitRequest(id=task_id, timeout_ms=86_400_000))
    async with asyncio.timeout(20):
        while not (await edge.native.stats()).engine.waiters:
            await asyncio.sleep(0)
        call.cancel()
        while (await edge.native.stats()).engine.waiters:
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("method", "request_", "status", "code"),
    [
        ("Get", pb.TaskId(id=UNKNOWN), grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"),
        ("Get", pb.TaskId(id="no id"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        ("Submit", pb.SubmitRequest(), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        ("Submit", pb.SubmitRequest(task=pb.Task()), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        (
            "Submit",
            pb.SubmitRequest(task=pb.Task(task_type="a", eta_ms=1 << 62)),
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_ARGUMENT",
        ),
        (
            "Submit",
            pb.SubmitRequest(task=pb.Task(task_type="a", payload=bytes(2 << 20))),
            grpc.StatusCode.INVALID_ARGUMENT,
            "PAYLOAD_TOO_LARGE",
        ),
        ("SubmitMany", pb.SubmitManyRequest(), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        ("Cancel", pb.CancelRequest(ids=[UNKNOWN]), grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"),
        ("Wait", pb.WaitRequest(id=UNKNOWN, timeout_ms=-1), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        ("List", pb.ListRequest(selector="queue:"), grpc.StatusCode.INVALID_ARGUMENT, "SELECTOR_INVALID"),
        ("List", pb.ListRequest(selector="queue:nobody"), grpc.StatusCode.NOT_FOUND, "QUEUE_NOT_FOUND"),
        ("List", pb.ListRequest(limit=-5), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        ("Resubmit", pb.ResubmitRequest(id=UNKNOWN), grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"),
        ("TakeStack", pb.TaskId(id=UNKNOWN), grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"),
    ],
)
async def test_errors_have_the_status_and_the_code_of_the_table(
    edge: Edge, method: str, request_: object, status: grpc.StatusCode, code: str
) -> None:
    assert await failing(getattr(edge.stubs.Tasks, method)(request_)) == (status, code)


async def test_an_error_says_what_to_do_and_where(edge: Edge) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await edge.stubs.Tasks.List(pb.ListRequest(selector="state:nonsense"))

    _, _, info = shown(caught.value)
    assert info.domain == "tq"
    assert int(info.metadata["position"]) >= 0
    assert info.metadata["hint"]


async def test_a_listing_goes_on_from_page_to_page(edge: Edge) -> None:
    tasks = [pb.Task(task_type="plain", queue="pages") for _ in range(5)]
    ids = (await edge.stubs.Tasks.SubmitMany(pb.SubmitManyRequest(tasks=tasks))).ids

    found, cursor, as_of = [], b"", 0
    while True:
        page = await edge.stubs.Tasks.List(
            pb.ListRequest(selector="queue:pages", order="id", limit=2, cursor=cursor, as_of=as_of)
        )
        found += [task.id for task in page.tasks]
        cursor, as_of = page.cursor, page.as_of
        if not cursor:
            break

    assert found == list(ids)


async def test_an_ended_task_is_submitted_again_with_what_is_given(edge: Edge) -> None:
    request = pb.SubmitRequest(task=pb.Task(task_type="plain", queue="again", payload=b"old", priority=9))
    old = (await edge.stubs.Tasks.Submit(request)).id
    assert await failing(edge.stubs.Tasks.Resubmit(pb.ResubmitRequest(id=old))) == (
        grpc.StatusCode.ABORTED,
        "WRONG_STATE",
    )
    await edge.native.cancel(old)

    new = (await edge.stubs.Tasks.Resubmit(pb.ResubmitRequest(id=old, payload=b""))).id

    view = await edge.stubs.Tasks.Get(pb.TaskId(id=new))
    assert (view.payload, view.priority, view.resubmit_of) == (b"", 9, old)


async def test_a_token_that_is_none_is_unauthenticated(edge: Edge) -> None:
    for value in ("Bearer tq_no", "Basic abc", ""):
        call = edge.stubs.Tasks.Get(pb.TaskId(id=UNKNOWN), metadata=(("authorization", value),))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert shown(caught.value)[:2] == (grpc.StatusCode.UNAUTHENTICATED, "ACCESS_DENIED")
        assert "authorization: Bearer tq_" in shown(caught.value)[2].metadata["hint"]


async def test_a_role_that_is_not_enough_is_denied(edge: Edge) -> None:
    token = await edge.native.create_token("looks-on", "viewer")
    metadata = (("authorization", f"Bearer {token.text}"),)
    try:
        assert (await edge.stubs.Broker.GetStats(pb.Empty(), metadata=metadata)).engine.queues >= 0
        call = edge.stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="a")), metadata=metadata)
        assert await failing(call) == (grpc.StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")
    finally:
        await edge.native.revoke_token("looks-on")


async def test_what_a_task_waits_for_is_told(edge: Edge) -> None:
    reply = await edge.stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="nobody", queue="why")))

    explanation = await edge.stubs.Tasks.Why(pb.TaskId(id=reply.id))

    assert explanation.state == State.PENDING
    assert explanation.reasons[0].code == "NO_HANDLER"

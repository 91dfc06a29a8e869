"""Operating a broker over gRPC: everything that the command line can do."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.edges.grpc.conftest import Edge, serving
from tests.edges.grpc.test_tasks import failing
from tests.edges.grpc.workers import StreamWorker
from tests.server.edges import edges
from tests.server.fakes import recording_logger
from tq.client.task import Task
from tq.edges.grpc import tq_pb2 as pb
from tq.model.settings import PersistenceSettings, Settings
from tq.model.task import State
from tq.server.broker import open_store


async def one_dead_letter(edge: Edge, queue: str, message: str = "boom") -> str:
    task_id = await edge.native.submit_task(Task("job", queue=queue, max_retries=0))
    node = StreamWorker(edge.stubs, queues=[pb.QueuePreference(name=queue)])
    await node.start()
    (delivery,) = await node.take()
    failure = pb.Failure(task_id=task_id, token=delivery.token, error_type="Boom", message=message, traceback="at x")
    await node.send(number=1, failures=[failure])
    await node.settled(1)
    await node.leave()
    return task_id


async def test_a_queue_is_paused_and_resumed(edge: Edge) -> None:
    await edge.native.submit_task(Task("job", queue="b1"))

    paused = await edge.stubs.Broker.PauseQueue(pb.PauseQueueRequest(queue="b1", reason="lunch"))
    queues = {queue.name: queue for queue in (await edge.stubs.Broker.ListQueues(pb.Empty())).queues}
    resumed = await edge.stubs.Broker.ResumeQueue(pb.QueueName(queue="b1"))

    assert (paused.count, resumed.count) == (1, 1)
    assert (queues["b1"].is_paused, queues["b1"].pause_reason, queues["b1"].ready_normal) == (True, "lunch", 1)
    assert await failing(edge.stubs.Broker.PauseQueue(pb.PauseQueueRequest(queue="nobody"))) == (
        grpc.StatusCode.NOT_FOUND,
        "QUEUE_NOT_FOUND",
    )


async def test_the_numbers_are_those_of_the_broker(edge: Edge) -> None:
    await edge.native.submit_task(Task("job", queue="b2"))

    stats = await edge.stubs.Broker.GetStats(pb.Empty())

    native = await edge.native.stats()
    assert stats.engine.submitted_total == native.engine.submitted_total
    assert native.process is not None
    assert (stats.process.pid, stats.process.boot_id) == (native.process.pid, native.process.boot_id)
    assert list(stats.process.addresses) == list(native.process.addresses)


async def test_dead_letters_are_grouped_retried_and_put_back(edge: Edge) -> None:
    task_id = await one_dead_letter(edge, "b3")

    groups = await edge.stubs.Broker.ListGroups(pb.ListGroupsRequest(selector="queue:b3"))
    prepared = await edge.stubs.Broker.PrepareOperation(
        pb.PrepareOperationRequest(action="retry", selector="queue:b3 state:dead_letter")
    )
    started = await edge.stubs.Broker.CommitOperation(
        pb.CommitOperationRequest(token=prepared.token, reason="fixed", rate=1_000)
    )
    done = await edge.stubs.Broker.GetOperation(pb.GetOperationRequest(operation=started.id, wait_ms=20_000))
    retried = await edge.native.get_task(task_id)
    undoing = await edge.stubs.Broker.UndoOperation(pb.UndoOperationRequest(operation=started.id, reason="not so"))
    undone = await edge.stubs.Broker.GetOperation(pb.GetOperationRequest(operation=undoing.id, wait_ms=20_000))
    listed = await edge.stubs.Broker.ListOperations(pb.ListOperationsRequest())

    assert (groups.total, groups.groups[0].error_type, groups.groups[0].sample) == (1, "Boom", task_id)
    assert (prepared.count, prepared.sample[0].id, prepared.queues[0].queue) == (1, task_id, "b3")
    assert (done.state, done.done, done.reason, done.id) == ("done", 1, "fixed", prepared.token)
    assert retried.state is State.PENDING
    assert (undone.state, undone.undo_of) == ("done", started.id)
    assert (await edge.native.get_task(task_id)).state is State.DEAD_LETTER
    assert [operation.id for operation in listed.operations[:2]] == [undone.id, done.id]


async def test_operations_that_cannot_be_say_so(edge: Edge) -> None:
    broker = edge.stubs.Broker
    invalid = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")

    assert await failing(broker.PrepareOperation(pb.PrepareOperationRequest(action="explode"))) == invalid
    assert await failing(broker.CommitOperation(pb.CommitOperationRequest(token="xx"))) == invalid
    assert await failing(broker.CommitOperation(pb.CommitOperationRequest(token="00" * 8))) == (
        grpc.StatusCode.ABORTED,
        "PREVIEW_EXPIRED",
    )
    assert await failing(broker.CancelOperation(pb.CancelOperationRequest(operation="00" * 8))) == (
        grpc.StatusCode.NOT_FOUND,
        "OPERATION_NOT_FOUND",
    )


async def test_history_and_what_needs_attention_are_told(edge: Edge) -> None:
    await one_dead_letter(edge, "b4")
    async with asyncio.timeout(20):  # the second must be over
        while True:
            history = await edge.stubs.Broker.GetHistory(pb.GetHistoryRequest(queues=["b4"]))
            if sum(point.dead for one in history.histories for point in one.points):
                break
            await asyncio.sleep(0.1)

    findings = await edge.stubs.Broker.GetAttention(pb.Empty())

    assert history.step_ms == 1_000
    assert sum(point.submitted for point in history.histories[0].points) == 1
    assert all(finding.text for finding in findings.findings)


async def test_a_watch_begins_whole_and_brings_what_changes(edge: Edge) -> None:
    task_id = await edge.native.submit_task(Task("job", queue="b5"))
    scopes = ["totals", "queues:b5", "queue:b5", "workers", "groups", f"task:{task_id}", "ops", "events", "attention"]
    watching = edge.stubs.Broker.Watch(pb.WatchRequest(scopes=scopes, hz=10))

    async with asyncio.timeout(20):
        first = await watching.read()
        await edge.native.submit_task(Task("job", queue="b5"))
        while True:
            frame = await watching.read()
            changed = {change.scope: change for change in frame.changes}
            if "queue:b5" in changed and changed["queue:b5"].rows[0].queue.submitted_total == 2:
                break
    watching.cancel()

    whole = {change.scope: change for change in first.changes}
    assert set(whole) == set(scopes)
    assert all(change.is_whole for change in first.changes)
    assert whole["queues:b5"].rows[0].queues.ready == 1
    assert whole[f"task:{task_id}"].rows[0].task.id == task_id
    assert not changed["queue:b5"].is_whole
    assert frame.seq > first.seq


async def first_frame(edge: Edge, scopes: list[str], **seen: Any) -> pb.WatchFrame:
    """Of a stream that ends then."""
    watching = edge.stubs.Broker.Watch(pb.WatchRequest(scopes=scopes, hz=10, **seen))
    frame: pb.WatchFrame = await watching.read()
    watching.cancel()
    return frame


async def test_who_watches_again_gets_what_has_changed_since(edge: Edge) -> None:
    quiet, cancelled = [await edge.native.submit_task(Task("job", queue="b8")) for _ in range(2)]
    scopes = [f"task:{quiet}", f"task:{cancelled}"]
    whole = await first_frame(edge, scopes)
    await edge.native.cancel(cancelled)

    again = await first_frame(edge, scopes, boot_id=whole.boot_id, seq=whole.seq)

    assert [(change.scope, change.is_whole) for change in whole.changes] == [(scope, True) for scope in scopes]
    (change,) = again.changes
    assert (change.scope, change.is_whole, change.rows[0].task.state) == (scopes[1], False, "cancelled")
    assert (again.boot_id, again.seq > whole.seq) == (whole.boot_id, True)


async def test_who_has_seen_what_the_broker_does_not_know_gets_everything(edge: Edge) -> None:
    scopes = ["totals", "ops"]
    now = await first_frame(edge, scopes)

    for boot_id, seq in (("another boot", now.seq), (now.boot_id, now.seq + 1_000)):
        frame = await first_frame(edge, scopes, boot_id=boot_id, seq=seq)
        assert [(change.scope, change.is_whole) for change in frame.changes] == [(scope, True) for scope in scopes]


async def test_scopes_and_places_that_are_none_are_refused(edge: Edge) -> None:
    for request in (
        pb.WatchRequest(),
        pb.WatchRequest(scopes=["nonsense"]),
        pb.WatchRequest(scopes=["ops"], hz=99),
        pb.WatchRequest(scopes=["ops"], boot_id="x" * 201),
        pb.WatchRequest(scopes=["ops"], boot_id="x", seq=-1),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await edge.stubs.Broker.Watch(request).read()
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_token_is_made_listed_and_revoked_and_the_audit_knows(edge: Edge) -> None:
    made = await edge.stubs.Broker.CreateToken(pb.CreateTokenRequest(name="ci", role="producer", queues=["b*"]))
    metadata = (("authorization", f"Bearer {made.text}"),)
    good = pb.SubmitRequest(task=pb.Task(task_type="job", queue="b6"))
    bad = pb.SubmitRequest(task=pb.Task(task_type="job", queue="other"))

    await edge.stubs.Tasks.Submit(good, metadata=metadata)
    denied = await failing(edge.stubs.Tasks.Submit(bad, metadata=metadata))
    listed = await edge.native.tokens()
    with_admin = edge.native  # on the socket: tokens do not lock out the broker's own user
    await with_admin.revoke_token("ci")
    audit = await edge.stubs.Broker.ListAudit(pb.ListAuditRequest(limit=1))

    assert made.info.role == "producer"
    assert list(made.info.queues) == ["b*"]
    assert denied == (grpc.StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")
    assert [token.name for token in listed] == ["ci"]
    assert audit.entries[0].action.startswith("token") or audit.entries[0].target == "ci"
    assert await failing(edge.stubs.Tasks.Submit(good, metadata=metadata)) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "ACCESS_DENIED",
    )


async def test_a_revoked_token_ends_what_its_bearer_waits_for_and_watches(edge: Edge) -> None:
    task_id = await edge.native.submit_task(Task("never"))
    made = await edge.stubs.Broker.CreateToken(pb.CreateTokenRequest(name="guest", role="producer"))
    metadata = (("authorization", f"Bearer {made.text}"),)
    watching = aiter(edge.stubs.Broker.Watch(pb.WatchRequest(scopes=["totals"]), metadata=metadata))
    await anext(watching)
    request = pb.WaitRequest(id=task_id, timeout_ms=60_000)
    waiting = asyncio.ensure_future(failing(edge.stubs.Tasks.Wait(request, metadata=metadata)))
    while not (await edge.native.stats()).engine.waiters:
        pass

    await edge.native.revoke_token("guest")

    assert await waiting == (grpc.StatusCode.UNAUTHENTICATED, "ACCESS_DENIED")
    assert await failing(to_its_end(watching)) == (grpc.StatusCode.UNAUTHENTICATED, "ACCESS_DENIED")


async def to_its_end(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


async def test_the_audit_goes_on_from_page_to_page(edge: Edge) -> None:
    await edge.native.submit_task(Task("job", queue="b7"))
    for _ in range(2):
        await edge.stubs.Broker.PauseQueue(pb.PauseQueueRequest(queue="b7"))
        await edge.stubs.Broker.ResumeQueue(pb.QueueName(queue="b7"))

    first = await edge.stubs.Broker.ListAudit(pb.ListAuditRequest(limit=2))
    second = await edge.stubs.Broker.ListAudit(pb.ListAuditRequest(limit=2, cursor=first.cursor))

    moments = [entry.at_ms for entry in (*first.entries, *second.entries)]
    assert len(moments) == 4
    assert moments == sorted(moments, reverse=True)


async def test_a_backup_is_made_where_the_broker_is(tmp_path: Path) -> None:
    log, _ = recording_logger()
    settings = Settings(persistence=PersistenceSettings(data_dir=str(tmp_path / "data")))
    async with edges(tmp_path / "s", store=open_store(settings, log)) as broker, serving(broker) as edge:
        await edge.stubs.Broker.Backup(pb.BackupRequest(directory=str(tmp_path / "copy")))

    assert any((tmp_path / "copy").iterdir())


async def test_what_a_broker_without_a_disk_cannot_do_it_says(edge: Edge, tmp_path: Path) -> None:
    call = edge.stubs.Broker.Backup(pb.BackupRequest(directory=str(tmp_path / "copy")))

    assert await failing(call) == (grpc.StatusCode.ABORTED, "WRONG_STATE")


async def test_signatures_that_a_worker_announced_are_told(edge: Edge) -> None:
    signature = pb.TaskSignature(task_type="typed", parameters=[pb.Parameter(name="n", types=["int"])])
    node = StreamWorker(edge.stubs, task_types=["typed"], signatures=[signature])
    await node.start()

    told = await edge.stubs.Tasks.GetSignature(pb.GetSignatureRequest(task_type="typed"))
    unknown = await edge.stubs.Tasks.GetSignature(pb.GetSignatureRequest(task_type="nobody"))

    assert told.signature == signature
    assert not unknown.HasField("signature")
    await node.leave()

"""tq.v1.Broker: look at the broker, and operate it."""

from collections.abc import AsyncIterator

from tq.client.watching import Update
from tq.edges.grpc import tq_pb2 as pb
from tq.edges.grpc.calls import Call, Stream, Unary
from tq.edges.grpc.translate import fill, length_of, message_of
from tq.model.commands import ListAudit
from tq.model.errors import InvalidArgument
from tq.model.operations import OPERATION_ID_BYTES, RATE, UNDO_RATE, Overrides
from tq.model.replies import OperationPage, QueuePage, TokenPage
from tq.model.watching import parse_scope

WATCH_HZ = 2.0


async def get_stats(call: Call, _: pb.Empty) -> pb.Stats:
    """The broker in numbers."""
    return message_of(pb.Stats, await call.client.stats())


async def list_queues(call: Call, _: pb.Empty) -> pb.QueuePage:
    """All queues."""
    return message_of(pb.QueuePage, QueuePage(0, await call.client.queues()))


async def pause_queue(call: Call, request: pb.PauseQueueRequest) -> pb.Affected:
    """Dispatch nothing more from a queue."""
    return message_of(pb.Affected, await call.client.pause_queue(request.queue, request.reason))


async def resume_queue(call: Call, request: pb.QueueName) -> pb.Affected:
    """Dispatch again."""
    return message_of(pb.Affected, await call.client.resume_queue(request.queue))


async def get_history(call: Call, request: pb.GetHistoryRequest) -> pb.History:
    """What queues did."""
    histories = await call.client.history(*request.queues, by_minute=request.is_by_minute, since_ms=request.since_ms)
    reply = pb.History(step_ms=60_000 if request.is_by_minute else 1_000)
    for queue, points in histories.items():
        history = reply.histories.add(queue=queue)
        for point in points:
            fill(history.points.add(), point)
    return reply


async def get_attention(call: Call, _: pb.Empty) -> pb.Findings:
    """What somebody should look at."""
    return pb.Findings(findings=[message_of(pb.Finding, finding) for finding in await call.client.attention()])


async def watch(call: Call, request: pb.WatchRequest) -> AsyncIterator[pb.WatchFrame]:
    """What is new in some scopes. The next frame is asked for when gRPC has taken the last one."""
    seen = (request.boot_id, request.seq)
    async with call.client.watch(*request.scopes, hz=request.hz or WATCH_HZ, after=seen) as stream:
        async for update in stream:
            yield _frame(update)


def _frame(update: Update) -> pb.WatchFrame:
    frame = pb.WatchFrame(boot_id=update.boot_id, seq=update.seq, now_ms=update.now_ms)
    for change in update.changes:
        shown = frame.changes.add(
            scope=change.scope, is_whole=change.is_whole, gone=change.gone, left_out=change.left_out
        )
        kind = str(parse_scope(change.scope).kind)
        for row in change.rows:
            part = getattr(shown.rows.add(), kind)
            part.SetInParent()
            fill(part, row)
    return frame


async def list_groups(call: Call, request: pb.ListGroupsRequest) -> pb.GroupPage:
    """Dead letters by what killed them."""
    page = await call.client.failure_groups(
        request.selector,
        order=request.order or "count",
        descending=not request.is_ascending,
        limit=request.limit or 100,
    )
    return message_of(pb.GroupPage, page)


async def prepare_operation(call: Call, request: pb.PrepareOperationRequest) -> pb.Prepared:
    """Freeze and count the tasks to which something is about to be done."""
    has = request.overrides.HasField
    overrides = Overrides(
        request.overrides.queue if has("queue") else None,
        request.overrides.priority if has("priority") else None,
        request.overrides.delay_ms,
    )
    prepared = await call.client.prepare(request.action, request.selector, request.ids, request.is_hard, overrides)
    return message_of(pb.Prepared, prepared)


async def commit_operation(call: Call, request: pb.CommitOperationRequest) -> pb.Operation:
    """Start what was prepared."""
    operation = await call.client.commit(_token(request.token), request.reason, request.rate or RATE)
    return message_of(pb.Operation, operation)


def _token(text: str) -> bytes:
    try:
        token = bytes.fromhex(text)
    except ValueError:
        token = b""
    if len(token) != OPERATION_ID_BYTES:
        raise InvalidArgument(f"{text[:60]!r} is not the token of a preview", hint="it comes from PrepareOperation")
    return token


async def list_operations(call: Call, request: pb.ListOperationsRequest) -> pb.OperationPage:
    """The latest operations."""
    return message_of(pb.OperationPage, OperationPage(0, await call.client.operations(request.limit or 100)))


async def get_operation(call: Call, request: pb.GetOperationRequest) -> pb.Operation:
    """One operation, at once or when it has ended; before the deadline of the call in any case."""
    length_of("wait_ms", request.wait_ms)
    left = call.seconds_left()
    wait = request.wait_ms / 1_000 if left is None else min(request.wait_ms / 1_000, left)
    asking = call.client.operation(request.operation, wait)
    return message_of(pb.Operation, await (call.while_serving(asking) if wait else asking))


async def cancel_operation(call: Call, request: pb.CancelOperationRequest) -> pb.Operation:
    """Stop an operation."""
    return message_of(pb.Operation, await call.client.cancel_operation(request.operation, request.reason))


async def undo_operation(call: Call, request: pb.UndoOperationRequest) -> pb.Operation:
    """Take an operation back."""
    operation = await call.client.undo(request.operation, request.reason, request.rate or UNDO_RATE)
    return message_of(pb.Operation, operation)


async def backup(call: Call, request: pb.BackupRequest) -> pb.Affected:
    """A consistent copy of the data."""
    return message_of(pb.Affected, await call.client.backup(request.directory))


async def create_token(call: Call, request: pb.CreateTokenRequest) -> pb.NewToken:
    """Make a token."""
    expires = length_of("lifetime_ms", request.lifetime_ms) if request.lifetime_ms else None
    return message_of(
        pb.NewToken,
        await call.client.create_token(request.name, request.role, queues=request.queues, expires=expires),
    )


async def list_tokens(call: Call, _: pb.Empty) -> pb.TokenPage:
    """All tokens."""
    return message_of(pb.TokenPage, TokenPage(0, await call.client.tokens()))


async def revoke_token(call: Call, request: pb.RevokeTokenRequest) -> pb.Affected:
    """Forget a token."""
    return message_of(pb.Affected, await call.client.revoke_token(request.token))


async def list_audit(call: Call, request: pb.ListAuditRequest) -> pb.AuditPage:
    """Who did what."""
    until_ms = request.until_ms if request.HasField("until_ms") else None
    reply = await call.client.request(
        ListAudit(0, request.since_ms, until_ms, request.who, request.action, request.limit or 100, request.cursor)
    )
    return message_of(pb.AuditPage, reply)


UNARY: dict[str, Unary] = {
    "GetStats": get_stats,
    "ListQueues": list_queues,
    "PauseQueue": pause_queue,
    "ResumeQueue": resume_queue,
    "GetHistory": get_history,
    "GetAttention": get_attention,
    "ListGroups": list_groups,
    "PrepareOperation": prepare_operation,
    "CommitOperation": commit_operation,
    "ListOperations": list_operations,
    "GetOperation": get_operation,
    "CancelOperation": cancel_operation,
    "UndoOperation": undo_operation,
    "Backup": backup,
    "CreateToken": create_token,
    "ListTokens": list_tokens,
    "RevokeToken": revoke_token,
    "ListAudit": list_audit,
}
STREAMS: dict[str, Stream] = {"Watch": watch}

"""tq.v1.Tasks: submit, look, wait, cancel."""

from tq.edges.grpc import tq_pb2 as pb
from tq.edges.grpc.calls import Call, Unary
from tq.edges.grpc.translate import fill, length_of, message_of, task_of, tasks_of
from tq.model.commands import BATCH_MAX, LOG_LINES_MAX
from tq.model.errors import InvalidArgument

WAIT_MS_MAX = 86_400_000


async def submit(call: Call, request: pb.SubmitRequest) -> pb.SubmitReply:
    """Take one task."""
    if not request.HasField("task"):
        raise InvalidArgument("the request has no task")
    return pb.SubmitReply(id=await call.client.submit_task(task_of(request.task)))


async def submit_many(call: Call, request: pb.SubmitManyRequest) -> pb.SubmitManyReply:
    """Take many tasks, all or none."""
    count = len(request.tasks)
    if not 1 <= count <= BATCH_MAX:
        raise InvalidArgument(f"{count} tasks in one request", hint=f"1 to {BATCH_MAX:,}")
    return pb.SubmitManyReply(ids=await call.client.submit_tasks(tasks_of(request.tasks)))


async def get(call: Call, request: pb.TaskId) -> pb.TaskView:
    """All that is known of a task."""
    return message_of(pb.TaskView, await call.client.get_task(request.id))


async def wait(call: Call, request: pb.WaitRequest) -> pb.Outcome:
    """How a task ended, when it has; until the timeout or the deadline of the call, whichever comes first."""
    if not 0 <= request.timeout_ms <= WAIT_MS_MAX:
        raise InvalidArgument(f"timeout_ms {request.timeout_ms}", hint=f"0 to {WAIT_MS_MAX:,}")
    left = call.seconds_left()
    seconds = request.timeout_ms / 1_000 if left is None else max(0.0, min(request.timeout_ms / 1_000, left))
    return message_of(pb.Outcome, await call.while_serving(call.client.wait(request.id, seconds)))


async def cancel(call: Call, request: pb.CancelRequest) -> pb.Affected:
    """Cancel waiting tasks, ask running ones to stop."""
    if not 1 <= len(request.ids) <= BATCH_MAX:
        raise InvalidArgument(f"{len(request.ids)} ids in one request", hint=f"1 to {BATCH_MAX:,}")
    return message_of(pb.Affected, await call.client.cancel(*request.ids, reason=request.reason))


async def list_(call: Call, request: pb.ListRequest) -> pb.TaskPage:
    """A page of the tasks of a selector."""
    page = await call.client.list_tasks(
        request.selector,
        request.order or "any",
        request.is_descending,
        request.limit or 100,
        request.cursor,
        request.as_of,
    )
    return message_of(pb.TaskPage, page)


async def resubmit(call: Call, request: pb.ResubmitRequest) -> pb.SubmitReply:
    """A new task from an ended one."""
    has = request.HasField
    new_id = await call.client.resubmit(
        request.id,
        request.payload if has("payload") else None,
        request.content_type if has("content_type") else None,
        queue=request.queue if has("queue") else None,
        priority=request.priority if has("priority") else None,
        delay=length_of("delay_ms", request.delay_ms),
        reason=request.reason,
    )
    return pb.SubmitReply(id=new_id)


async def why(call: Call, request: pb.TaskId) -> pb.Explanation:
    """Why a task is where it is."""
    return message_of(pb.Explanation, await call.client.why(request.id))


async def get_log(call: Call, request: pb.GetLogRequest) -> pb.LogPage:
    """What the handlers of a task have logged."""
    page = await call.client.task_log(request.id, request.after, request.limit or LOG_LINES_MAX)
    return message_of(pb.LogPage, page)


async def take_stack(call: Call, request: pb.TaskId) -> pb.TaskStack:
    """Where the handler of a running task is."""
    return message_of(pb.TaskStack, await call.client.task_stack(request.id))


async def get_signature(call: Call, request: pb.GetSignatureRequest) -> pb.SignatureReply:
    """What the handler of a task type takes."""
    reply = pb.SignatureReply()
    signature = await call.client.signature(request.task_type)
    if signature is not None:
        reply.signature.SetInParent()
        fill(reply.signature, signature)
    return reply


UNARY: dict[str, Unary] = {
    "Submit": submit,
    "SubmitMany": submit_many,
    "Get": get,
    "Wait": wait,
    "Cancel": cancel,
    "List": list_,
    "Resubmit": resubmit,
    "Why": why,
    "GetLog": get_log,
    "TakeStack": take_stack,
    "GetSignature": get_signature,
}

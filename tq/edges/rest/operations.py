"""/api/v1/operations: one thing done to many tasks, previewed first, and taken back where that is possible."""

from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import PathParameter, QueryParameter, RawBody

from tq.edges.rest import documents
from tq.edges.rest.answers import answer, found
from tq.edges.rest.bodies import Preparation, Reasoned, Started, Undone
from tq.edges.rest.callers import Connected, while_connected
from tq.edges.rest.operating import operation_token
from tq.edges.rest.routing import Gives, found_as, read, route
from tq.edges.rest.tasks import Limit
from tq.model.durations import duration_ms
from tq.views.records import operation_record, preview_record

Operation = Annotated[str, PathParameter(description="its id, or a beginning of it that fits no other", max_length=200)]
_TAG = "operations"


@route(
    "POST",
    "/operations",
    takes=Preparation,
    gives={201: Gives(documents.PREVIEW, "Nothing was done yet: commit it within a minute.")},
    refuses=(404, 409),
    tag=_TAG,
)
async def prepare_operation(client: Connected, body: RawBody) -> Response[Any]:
    """Freeze and count the tasks to which something is about to be done. Changes nothing.

    Tasks are named by a selector or by ids; `is_all` says that all are meant. What comes to match the selector later is
    left alone.
    """
    wanted = read(body, Preparation)
    preview = await client.prepare(
        wanted.action, wanted.selector_text(), wanted.task_ids, wanted.is_hard, wanted.overrides_of_tasks()
    )
    return answer(preview_record(preview), 201, {"Location": f"/api/v1/operations/{preview.token.hex()}/commit"})


@route(
    "POST",
    "/operations/{operation:str}/commit",
    takes=Started,
    gives={202: Gives(documents.OPERATION, "It goes on by itself, also after a restart of the broker.")},
    refuses=(409,),
    tag=_TAG,
)
async def commit_operation(
    client: Connected, operation: Annotated[str, PathParameter(description="the token of the preview")], body: RawBody
) -> Response[Any]:
    """Start what was prepared. A second time changes nothing."""
    started = read(body, Started)
    done = await client.commit(operation_token(operation), started.reason, started.rate)
    return answer(operation_record(done), 202, {"Location": f"/api/v1/operations/{done.id.hex()}"})


@route("GET", "/operations", gives={200: found_as(documents.OPERATIONS, "The latest first.")}, tag=_TAG)
async def list_operations(request: Request[Any, Any, Any], client: Connected, limit: Limit = 100) -> Response[Any]:
    """List what was done to many tasks, by whom and why."""
    operations = await client.operations(limit)
    return found(request, {"operations": [operation_record(operation) for operation in operations]})


@route(
    "GET",
    "/operations/{operation:str}",
    gives={200: found_as(documents.OPERATION, "How far it is.")},
    refuses=(404,),
    tag=_TAG,
)
async def get_operation(
    request: Request[Any, Any, Any],
    client: Connected,
    operation: Operation,
    wait: Annotated[
        str, QueryParameter(description='answered when it ends, or after this, such as "30s"; up to 60s', max_length=40)
    ] = "0",
) -> Response[Any]:
    """Look at an operation."""
    seconds = duration_ms(wait, "wait") / 1_000
    return found(request, operation_record(await while_connected(request, client.operation(operation, seconds))))


@route(
    "POST",
    "/operations/{operation:str}/cancel",
    takes=Reasoned,
    gives={200: Gives(documents.OPERATION, "What it has done stays done, and can be undone.")},
    refuses=(404, 409),
    tag=_TAG,
)
async def cancel_operation(client: Connected, operation: Operation, body: RawBody) -> Response[Any]:
    """Stop an operation where it is."""
    return answer(operation_record(await client.cancel_operation(operation, read(body, Reasoned).reason)))


@route(
    "POST",
    "/operations/{operation:str}/undo",
    takes=Undone,
    gives={202: Gives(documents.OPERATION, "The operation that takes it back.")},
    refuses=(404, 409),
    tag=_TAG,
)
async def undo_operation(client: Connected, operation: Operation, body: RawBody) -> Response[Any]:
    """Take a retry, purge or cancel back: each task goes exactly to where it was.

    Tasks that started, or that anything else has moved since, stay where they are.
    """
    wanted = read(body, Undone)
    done = await client.undo(operation, wanted.reason, wanted.rate)
    return answer(operation_record(done), 202, {"Location": f"/api/v1/operations/{done.id.hex()}"})


ROUTES = [
    prepare_operation,
    commit_operation,
    list_operations,
    get_operation,
    cancel_operation,
    undo_operation,
]

"""/api/v1/queues: look at queues, pause, resume and purge them."""

from difflib import get_close_matches
from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import PathParameter, RawBody

from tq.edges.rest import documents
from tq.edges.rest.answers import answer, found
from tq.edges.rest.bodies import Reasoned, Started
from tq.edges.rest.callers import Connected
from tq.edges.rest.operating import start
from tq.edges.rest.routing import Gives, found_as, named, read, route
from tq.model.errors import QueueNotFound
from tq.model.operations import Action
from tq.model.selector import Field, Selector, StateTerm, literal_term
from tq.model.task import State
from tq.views.records import affected_record, operation_record, queue_record

Queue = Annotated[str, PathParameter(description="its name", max_length=200)]
_TAG = "queues"


@route("GET", "/queues", gives={200: found_as(documents.QUEUES, "By name.")}, tag=_TAG)
async def list_queues(request: Request[Any, Any, Any], client: Connected) -> Response[Any]:
    """List all queues with what they hold."""
    return found(request, {"queues": [queue_record(queue) for queue in await client.queues()]})


@route("GET", "/queues/{queue:str}", gives={200: found_as(documents.QUEUE, "What it holds.")}, refuses=(404,), tag=_TAG)
async def get_queue(request: Request[Any, Any, Any], client: Connected, queue: Queue) -> Response[Any]:
    """Look at a queue."""
    queue = named(queue)
    queues = {each.name: each for each in await client.queues()}
    if queue not in queues:
        near = get_close_matches(queue, queues, n=1)
        hint = f"did you mean {near[0]}?" if near else "see the queues there are: GET /api/v1/queues"
        raise QueueNotFound(f"there is no queue {queue[:200]!r}", hint=hint)
    return found(request, queue_record(queues[queue]))


@route(
    "POST",
    "/queues/{queue:str}/pause",
    takes=Reasoned,
    gives={200: Gives(documents.AFFECTED, "Count 0: it was paused already.")},
    refuses=(404,),
    tag=_TAG,
)
async def pause_queue(client: Connected, queue: Queue, body: RawBody) -> Response[Any]:
    """Start nothing more from a queue; what runs goes on, and submits are still taken."""
    return answer(affected_record(await client.pause_queue(named(queue), read(body, Reasoned).reason)))


@route(
    "POST",
    "/queues/{queue:str}/resume",
    gives={200: Gives(documents.AFFECTED, "Count 0: it was not paused.")},
    refuses=(404,),
    tag=_TAG,
)
async def resume_queue(client: Connected, queue: Queue) -> Response[Any]:
    """Let a paused queue run again."""
    return answer(affected_record(await client.resume_queue(named(queue))))


@route(
    "POST",
    "/queues/{queue:str}/purge",
    takes=Started,
    gives={200: Gives(documents.OPERATION, "The operation that does so; it can be undone.")},
    refuses=(404,),
    tag=_TAG,
)
async def purge_queue(client: Connected, queue: Queue, body: RawBody) -> Response[Any]:
    """Cancel the waiting tasks of a queue; what runs goes on, and dead letters stay.

    The operation may still run when this is answered: GET /api/v1/operations/{operation}.
    """
    waiting = Selector((literal_term(Field.QUEUE, named(queue)), StateTerm((State.PENDING, State.FAILED))))
    return answer(operation_record(await start(client, Action.PURGE, read(body, Started), selector=waiting.text)))


ROUTES = [list_queues, get_queue, pause_queue, resume_queue, purge_queue]

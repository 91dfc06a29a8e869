"""/api/v1/workers: the worker processes of a broker."""

from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import PathParameter

from tq.edges.rest import documents
from tq.edges.rest.answers import answer, found
from tq.edges.rest.callers import Connected
from tq.edges.rest.routing import Gives, found_as, named, route
from tq.views.records import affected_record, worker_record, worker_view_record

Worker = Annotated[
    str, PathParameter(description="a name, or the beginning of an incarnation that fits no other", max_length=200)
]
_TAG = "workers"


@route("GET", "/workers", gives={200: found_as(documents.WORKERS, "By name.")}, tag=_TAG)
async def list_workers(request: Request[Any, Any, Any], client: Connected) -> Response[Any]:
    """List the worker processes that are connected, and those lost a moment ago."""
    return found(request, {"workers": [worker_record(worker) for worker in await client.workers()]})


@route(
    "GET",
    "/workers/{worker:str}",
    gives={200: found_as(documents.WORKER_VIEWS, "Its processes, with the tasks that they have in hand.")},
    refuses=(404,),
    tag=_TAG,
)
async def get_worker(request: Request[Any, Any, Any], client: Connected, worker: Worker) -> Response[Any]:
    """Look at a worker: of 100 processes and 1000 tasks at most."""
    return found(request, {"workers": [worker_view_record(view) for view in await client.worker(named(worker))]})


@route(
    "POST",
    "/workers/{worker:str}/drain",
    gives={200: Gives(documents.AFFECTED, "How many processes were told.")},
    refuses=(404,),
    tag=_TAG,
)
async def drain_worker(client: Connected, worker: Worker) -> Response[Any]:
    """Tell a worker to take nothing more, finish what it runs, and end."""
    return answer(affected_record(await client.drain_worker(named(worker))))


ROUTES = [list_workers, get_worker, drain_worker]

"""/api/v1/dead: what failed for good, one by one and by what killed it."""

from typing import Annotated, Any, Literal

from litestar import Request, Response
from litestar.params import FromQuery, QueryParameter

from tq.edges.rest import documents
from tq.edges.rest.answers import found
from tq.edges.rest.callers import Connected
from tq.edges.rest.routing import found_as, route
from tq.edges.rest.tasks import AsOf, Cursor, Limit, OfQueue, OfType, Selecting, combined, look_for_page, page_of_tasks
from tq.model.groups import GroupOrder, parse_for_groups
from tq.model.task import State
from tq.views.records import group_record

_TAG = "dead letters"


@route("GET", "/dead", gives={200: found_as(documents.TASK_PAGE, "A page of them.")}, refuses=(404,), tag=_TAG)
async def list_dead_letters(
    request: Request[Any, Any, Any],
    client: Connected,
    selector: Selecting = "",
    of_queue: OfQueue = "",
    of_type: OfType = "",
    sort: FromQuery[Literal["id", "age", "queue", "any"]] = "age",
    reverse: FromQuery[bool] = False,
    limit: Limit = 100,
    cursor: Cursor = "",
    as_of: AsOf = 0,
) -> Response[Any]:
    """List dead letters, the youngest first.

    The same as /tasks with the selector's term state:dead_letter.
    """
    chosen = combined(selector, state=State.DEAD_LETTER, queue=of_queue, task_type=of_type)
    return page_of_tasks(request, await look_for_page(client, chosen, sort, reverse, limit, cursor, as_of))


@route("GET", "/dead/groups", gives={200: found_as(documents.GROUPS, "Some of them.")}, refuses=(404,), tag=_TAG)
async def list_groups(
    request: Request[Any, Any, Any],
    client: Connected,
    selector: Annotated[
        str, QueryParameter(description="queue: err: group: age: and text in the error", max_length=2_000)
    ] = "",
    sort: FromQuery[GroupOrder] = GroupOrder.COUNT,
    reverse: FromQuery[bool] = False,
    limit: Limit = 100,
) -> Response[Any]:
    """List dead letters by what killed them: the errors there are, the most frequent first."""
    chosen = parse_for_groups(selector)
    page = await client.failure_groups(chosen.text, order=sort, descending=not reverse, limit=limit)
    record = {
        "groups": [group_record(group) for group in page.groups],
        "total": page.total,
        "dead_total": page.dead_total,
    }
    return found(request, record)


ROUTES = [list_dead_letters, list_groups]

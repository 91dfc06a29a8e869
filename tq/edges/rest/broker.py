"""/api/v1/stats, history and attention: the broker as a whole; and whether it is well."""

import asyncio
from pathlib import PurePath
from typing import Annotated, Any

from litestar import Response
from litestar.params import QueryParameter, RawBody

from tq.edges.gateway import Gateway
from tq.edges.rest import documents
from tq.edges.rest.answers import answer
from tq.edges.rest.bodies import WantedBackup
from tq.edges.rest.callers import Connected, TheGateway
from tq.edges.rest.routing import Gives, read, route
from tq.model.errors import InvalidArgument, TqError
from tq.views.records import history_record, row_record, stats_record

HEALTH_SECONDS = 2.0
"""How long the broker may take to say that it is well: its loop answers at once unless it is blocked."""
_TAG = "broker"
_HEALTH = {200: Gives(documents.HEALTH, "All is well."), 503: Gives(documents.HEALTH, "It is not: `reason`.")}


@route("GET", "/stats", gives={200: Gives(documents.STATS, "As of now.")}, tag=_TAG)
async def get_stats(client: Connected) -> Response[Any]:
    """The broker in numbers: what waits, what runs, what went wrong, and how the process is doing."""
    return answer(stats_record(await client.stats()))


@route("GET", "/history", gives={200: Gives(documents.HISTORY, "Points where nothing changed are left out.")}, tag=_TAG)
async def get_history(
    client: Connected,
    queue: Annotated[list[str], QueryParameter(description="may be repeated", min_items=1, max_items=100)],
    by_minute: Annotated[bool, QueryParameter(description="a day by minute; else five minutes by second")] = False,
    since_ms: Annotated[int, QueryParameter(description="points that begin then or later", ge=0, le=1 << 53)] = 0,
) -> Response[Any]:
    """What queues did: tasks taken and done, failed attempts, deaths, and how many were ready."""
    return answer(history_record(await client.history(*queue, by_minute=by_minute, since_ms=since_ms), by_minute))


@route("GET", "/attention", gives={200: Gives(documents.FINDINGS, "At most 50.")}, tag=_TAG)
async def get_attention(client: Connected) -> Response[Any]:
    """What somebody should look at, the most urgent first."""
    return answer({"findings": [row_record(finding) for finding in await client.attention()]})


@route(
    "POST",
    "/backups",
    takes=WantedBackup,
    gives={201: Gives(documents.BACKUP, "It is complete, and on disk.")},
    refuses=(409, 507),
    tag=_TAG,
)
async def make_backup(client: Connected, body: RawBody) -> Response[Any]:
    """Make a consistent copy of the data, while the broker runs, in a new directory on its machine."""
    directory = read(body, WantedBackup).directory
    if not PurePath(directory).is_absolute():
        raise InvalidArgument(f"{directory[:200]!r} is not a whole path", hint="such as /var/backups/tq/monday")
    await client.backup(directory)
    return answer({"directory": directory}, 201)


@route("GET", "/health", gives=_HEALTH, tag=_TAG, is_open=True)
async def get_health(gateway: TheGateway) -> Response[Any]:
    """Whether the broker takes tasks: its storage can be written and its disk is not full. For load balancers."""
    return await _health(gateway)


@route("GET", "/health/ready", gives=_HEALTH, tag=_TAG, is_open=True)
async def get_readiness(gateway: TheGateway) -> Response[Any]:
    """The same as /health, by the name that Kubernetes has for it."""
    return await _health(gateway)


@route("GET", "/health/live", gives={200: Gives(documents.LIVENESS, "This process turns.")}, tag=_TAG, is_open=True)
async def get_liveness() -> Response[Any]:
    """Whether this process turns, whatever the broker does; not answered at all if it does not."""
    return answer({"status": "ok", "is_live": True})


async def _health(gateway: Gateway) -> Response[Any]:
    reason = ""
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            process = (await gateway.own.stats()).process
        if process is not None and not process.is_accepting:
            reason = process.why_not_accepting or "it takes no tasks"
    except TimeoutError:
        reason = f"the broker has not answered within {HEALTH_SECONDS:g} s"
    except TqError as error:
        reason = f"{error.code}: {error.message}"
    record = {
        "status": "unavailable" if reason else "ok",
        "is_live": True,
        "is_ready": not reason,
        "reason": reason,
    }
    return answer(record, 503 if reason else 200)


ROUTES = [get_stats, get_history, get_attention, make_backup, get_health, get_readiness, get_liveness]

"""/api/v1/tokens and audit: who may do what, and who did."""

from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import PathParameter, QueryParameter, RawBody

from tq.edges.rest import documents
from tq.edges.rest.answers import answer, found
from tq.edges.rest.bodies import WantedToken
from tq.edges.rest.callers import Connected
from tq.edges.rest.routing import Gives, found_as, named, read, route
from tq.model.commands import BATCH_MAX
from tq.views.records import affected_record, audit_record, token_record

_TAG = "access"
_PATTERN = "a part, or a pattern with * and ?"


@route("GET", "/tokens", gives={200: found_as(documents.TOKENS, "By name.")}, tag=_TAG)
async def list_tokens(request: Request[Any, Any, Any], client: Connected) -> Response[Any]:
    """List all tokens: what they are good for and who made them; never the tokens themselves."""
    return found(request, {"tokens": [token_record(token) for token in await client.tokens()]})


@route(
    "POST",
    "/tokens",
    takes=WantedToken,
    gives={201: Gives(documents.NEW_TOKEN, "Keep `token` now: it cannot be shown again.")},
    refuses=(409,),
    tag=_TAG,
)
async def create_token(client: Connected, body: RawBody) -> Response[Any]:
    """Make a token. The broker keeps the hash of it alone."""
    wanted = read(body, WantedToken)
    made = await client.create_token(wanted.name, wanted.role, queues=wanted.queues, expires=wanted.expires)
    return answer({**token_record(made.info), "token": made.text}, 201)


@route(
    "DELETE",
    "/tokens/{token:str}",
    gives={200: Gives(documents.AFFECTED, "Its connections are ended.")},
    refuses=(404,),
    tag=_TAG,
)
async def revoke_token(
    client: Connected, token: Annotated[str, PathParameter(description="its name or its id", max_length=200)]
) -> Response[Any]:
    """Forget a token at once."""
    return answer(affected_record(await client.revoke_token(named(token))))


@route("GET", "/audit", gives={200: Gives(documents.AUDIT, "The latest first.")}, tag=_TAG)
async def list_audit(
    client: Connected,
    since_ms: Annotated[int, QueryParameter(description="no earlier than this moment", ge=0, le=1 << 53)] = 0,
    until_ms: Annotated[int, QueryParameter(description="before this moment", ge=0, le=1 << 53)] = 1 << 53,
    who: Annotated[str, QueryParameter(description=f"of the name: {_PATTERN}", max_length=200)] = "",
    action: Annotated[str, QueryParameter(description=f"such as pause: {_PATTERN}", max_length=200)] = "",
    limit: Annotated[int, QueryParameter(description="the latest so many", ge=1, le=BATCH_MAX)] = 100,
) -> Response[Any]:
    """Who did what, from where, to what and why. For more than 1000, go on with `until_ms`."""
    entries = await client.audit(since_ms=since_ms, until_ms=until_ms, who=who, action=action, limit=limit)
    return answer({"entries": [audit_record(entry) for entry in entries]})


ROUTES = [list_tokens, create_token, revoke_token, list_audit]

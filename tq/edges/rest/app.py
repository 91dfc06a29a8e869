"""The REST edge as an ASGI application: its routes, and what all of them have in common."""

from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Send
from structlog.typing import FilteringBoundLogger

from tq.edges.gateway import Gateway
from tq.edges.rest import access, broker, dead, live, operations, queues, tasks, workers
from tq.edges.rest.answers import encode
from tq.edges.rest.callers import provide_client
from tq.edges.rest.metrics_page import show_metrics
from tq.edges.rest.problems import of_defect, of_http_error, of_tq_error
from tq.edges.rest.routing import as_get, check_request, keep_slashes
from tq.edges.rest.schema import make_document
from tq.edges.rest.schema_page import schema_routes
from tq.edges.rest.streams import Streams
from tq.model.errors import TqError

PREFIX = "/api/v1"
ROUTES: list[HTTPRouteHandler] = [
    *tasks.ROUTES,
    *queues.ROUTES,
    *dead.ROUTES,
    *operations.ROUTES,
    *workers.ROUTES,
    *broker.ROUTES,
    *live.ROUTES,
    *access.ROUTES,
]

_HEADERS = {"X-Content-Type-Options": "nosniff"}
_OPTIONS = "options"
"""No method (they are upper case), so that it is refused: the framework's own answer leaves methods out, and who asks
are browsers, for pages of other sites."""


def make_app(
    gateway: Gateway, log: FilteringBoundLogger, streams: Streams, *, max_body_bytes: int, metrics_queues_max: int = 100
) -> ASGIApp:
    """The application.

    Args:
        gateway: the way to the broker.
        log: gets `edge_defect` for what is a bug of tq.
        streams: those of /watch; the server ends them before it waits for the answers that are on their way.
        max_body_bytes: of a request; a larger one is answered with PAYLOAD_TOO_LARGE.
        metrics_queues_max: queues that /metrics names, 0 to 1,000.
    """
    api = Router(
        PREFIX,
        route_handlers=list(ROUTES),
        dependencies={"client": Provide(provide_client)},
        guards=[check_request],
    )
    document = encode(make_document(PREFIX, ROUTES))
    app = Litestar(
        [api, *schema_routes(document), show_metrics],
        dependencies={"gateway": Provide(lambda: gateway, sync_to_thread=False)},
        exception_handlers={TqError: of_tq_error, HTTPException: of_http_error, Exception: of_defect},
        request_max_body_size=max_body_bytes,
        response_headers=_HEADERS,
        openapi_config=None,
        logging_config=None,
        state=State({"log": log, "streams": streams, "metrics_queues_max": metrics_queues_max}),
        debug=False,
        pdb_on_exception=False,
    )

    async def edge(scope: Any, receive: Receive, send: Send) -> None:
        keep_slashes(scope)
        if scope["method"] == "OPTIONS":
            scope["method"] = _OPTIONS
        await app(as_get(scope), receive, send)

    return edge

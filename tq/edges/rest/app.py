"""The REST edge as an ASGI application: its routes, and what all of them have in common."""

from litestar import Litestar, Response, Router, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from structlog.typing import FilteringBoundLogger

from tq.edges.rest import broker, tasks
from tq.edges.rest.answers import encode
from tq.edges.rest.callers import provide_client
from tq.edges.rest.metrics_page import show_metrics
from tq.edges.rest.port import Gateway
from tq.edges.rest.problems import of_defect, of_http_error, of_tq_error
from tq.edges.rest.routing import check_request
from tq.edges.rest.schema import make_document
from tq.model.errors import TqError

PREFIX = "/api/v1"
ROUTES: list[HTTPRouteHandler] = [*tasks.ROUTES, *broker.ROUTES]

OPENAPI_JSON = "application/vnd.oai.openapi+json"
_HEADERS = {"X-Content-Type-Options": "nosniff"}


def make_app(gateway: Gateway, log: FilteringBoundLogger, *, max_body_bytes: int) -> Litestar:
    """The application.

    Args:
        gateway: the way to the broker.
        log: gets `rest_defect` for what is a bug of tq.
        max_body_bytes: of a request; a larger one is answered with PAYLOAD_TOO_LARGE.
    """
    api = Router(
        PREFIX,
        route_handlers=list(ROUTES),
        dependencies={"client": Provide(provide_client)},
        guards=[check_request],
    )
    document = encode(make_document(PREFIX, ROUTES))

    @get(["/schema", "/schema/openapi.json"], sync_to_thread=False)
    def show_schema() -> Response[bytes]:
        return Response(document, media_type=OPENAPI_JSON)

    return Litestar(
        [api, show_schema, show_metrics],
        dependencies={"gateway": Provide(lambda: gateway, sync_to_thread=False)},
        exception_handlers={TqError: of_tq_error, HTTPException: of_http_error, Exception: of_defect},
        request_max_body_size=max_body_bytes,
        response_headers=_HEADERS,
        openapi_config=None,
        logging_config=None,
        state=State({"log": log}),
        debug=False,
        pdb_on_exception=False,
    )

"""/metrics: what Prometheus reads. On no version of the API and in no document of it, because the path is a custom."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import Provide

from tq.edges.metrics import render
from tq.edges.rest.callers import Connected, provide_client

PATH = "/metrics"


@get(PATH, dependencies={"client": Provide(provide_client)})
async def show_metrics(request: Request[Any, Any, Any], client: Connected) -> Response[bytes]:
    """The counters of the broker, to whoever may see them: a viewer."""
    body, content_type = render(
        await client.metrics(request.app.state.metrics_queues_max), request.headers.get("accept", "")
    )
    # As a header: of a media type the framework would make one with two charsets.
    return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

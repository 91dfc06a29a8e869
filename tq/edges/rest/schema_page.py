"""/schema: the OpenAPI document, and a page that shows it to people and tries it out.

Nothing of the page comes from elsewhere: it works without the internet, and what is typed into it goes to this edge
alone.
"""

from importlib.resources import files
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from tq.edges.rest.answers import found_bytes

OPENAPI_JSON = "application/vnd.oai.openapi+json;version=3.1"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}


def schema_routes(document: bytes) -> list[HTTPRouteHandler]:
    """The routes of the page, and of the document that it shows."""
    folder = files("tq.edges.rest") / "page"
    page, script, style = ((folder / name).read_bytes() for name in ("index.html", "page.js", "page.css"))

    @get("/schema/openapi.json")
    async def show_document(request: Request[Any, Any, Any]) -> Response[Any]:
        return found_bytes(request, document, OPENAPI_JSON)

    @get("/schema")
    async def show_schema(request: Request[Any, Any, Any]) -> Response[Any]:
        """The page for who asks for HTML, as browsers do; the document for everybody else."""
        if "text/html" in request.headers.get("accept", ""):
            return found_bytes(request, page, "text/html; charset=utf-8", {**_HEADERS, "Vary": "Accept"})
        return found_bytes(request, document, OPENAPI_JSON, {"Vary": "Accept"})

    @get("/schema/page.js")
    async def show_script(request: Request[Any, Any, Any]) -> Response[Any]:
        return found_bytes(request, script, "text/javascript; charset=utf-8")

    @get("/schema/page.css")
    async def show_style(request: Request[Any, Any, Any]) -> Response[Any]:
        return found_bytes(request, style, "text/css; charset=utf-8")

    return [show_document, show_schema, show_script, show_style]

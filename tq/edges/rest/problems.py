"""Errors as problem documents (RFC 9457): what went wrong, to what, and what to do next, with tq's stable code."""

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from structlog.typing import FilteringBoundLogger

from tq.edges.rest.answers import encode
from tq.model.error_statuses import UNAUTHENTICATED, of_error
from tq.model.errors import AccessDenied, ConnectionLost, InternalError, InvalidArgument, Kind, PayloadTooLarge, TqError
from tq.model.plain import preview

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 1
"""What a refusal that passes by itself suggests."""
TYPE_BASE = "urn:tq:error:"
_UNKNOWN = "tq.unknown"

HTTP_CODES = {404: "ROUTE_NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 406: "NOT_ACCEPTABLE", 415: "UNSUPPORTED_MEDIA_TYPE"}
"""The codes of what HTTP alone can get wrong; everything else has one of tq/model/errors.py."""


class Unauthenticated(AccessDenied):
    """Nobody is known by what the caller shows; the broker refused the greeting.

    The hint is that of HTTP, for the broker's own is about its clients, and their environment.
    """

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint='show a token: "Authorization: Bearer tq_..."; an admin makes one: tq token create NAME --role ROLE',
        )


def mark_unknown(request: Request[Any, Any, Any]) -> None:
    """Note that the caller of this request is nobody whom the broker knows, any more."""
    request.scope[_UNKNOWN] = True  # type: ignore[literal-required]


def _is_unknown(request: Request[Any, Any, Any]) -> bool:
    """Whether other credentials could help: there are none, or it was they that were refused."""
    return _UNKNOWN in request.scope or "authorization" not in request.headers


def _status_of(error: TqError) -> int:
    return (UNAUTHENTICATED if isinstance(error, Unauthenticated) else of_error(error)).http


def _problem(document: object, status: int, headers: dict[str, str]) -> Response[Any]:
    return Response(
        encode(document),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **headers},
    )


def document_of(error: TqError, instance: str, status: int = 0) -> dict[str, object]:
    """The problem document of an error.

    Args:
        instance: the path of the request.
        status: another one than the table has.
    """
    return {
        "type": f"{TYPE_BASE}{error.code}",
        "title": title_of(type(error)),
        "status": status or _status_of(error),
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
        "instance": instance,
    }


def of_tq_error(request: Request[Any, Any, Any], error: TqError) -> Response[Any]:
    """What tq raises on purpose."""
    headers: dict[str, str] = {}
    if isinstance(error, AccessDenied) and _is_unknown(request):
        error = Unauthenticated(error.message)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="tq"'
    elif error.kind in (Kind.EXHAUSTED, Kind.UNAVAILABLE):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return _problem(document_of(error, request.url.path), _status_of(error), headers)


def of_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What the framework refuses before a route is reached: a wrong address, method, type or body."""
    if isinstance(error, ValidationException):
        return of_tq_error(request, InvalidArgument(_validation_text(error)))
    if error.status_code == 413:
        return of_tq_error(request, PayloadTooLarge("the body is larger than this edge takes", hint=_BODY_HINT))
    code = HTTP_CODES.get(error.status_code)
    if code is None:
        if error.detail == _GONE:
            return of_tq_error(request, ConnectionLost("the caller went away in the middle of the request"))
        if error.status_code < 500:
            return of_tq_error(request, InvalidArgument(error.detail))
        return of_defect(request, error)
    document = {
        "type": f"{TYPE_BASE}{code}",
        "title": _HTTP_TITLES[code],
        "status": error.status_code,
        "detail": f"{request.method.upper()} {preview(request.url.path, 200)}: {_HTTP_TITLES[code].lower()}",
        "code": code,
        "hint": _HTTP_HINTS.get(code, "all that there is: /schema"),
        "instance": request.url.path,
    }
    headers = {}
    for name, value in (error.headers or {}).items():
        if name.lower() == "allow":
            headers["Allow"] = ", ".join(sorted({method.strip() for method in value.split(",")} - {"OPTIONS"}))
    return _problem(document, error.status_code, headers)


def of_defect(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Anything else: a bug of tq. Its trace is in the log, its text nowhere else."""
    log: FilteringBoundLogger = request.app.state.log
    log.error("edge_defect", edge="rest", method=request.method, path=request.url.path, exc_info=error)
    return of_tq_error(request, InternalError("this edge has a defect", hint="the trace is in its log: edge_defect"))


_GONE = "client disconnected prematurely"  # as Litestar says it, with the status of a defect
_BODY_HINT = "send less at once, or see api.max_body_bytes"
_HTTP_HINTS = {"UNSUPPORTED_MEDIA_TYPE": 'say what it is: "Content-Type: application/json"'}
_HTTP_TITLES = {
    "ROUTE_NOT_FOUND": "There is nothing at this address",
    "METHOD_NOT_ALLOWED": "This address does not take this method",
    "NOT_ACCEPTABLE": "There is no answer of this type",
    "UNSUPPORTED_MEDIA_TYPE": "The body has another type than JSON",
}


def title_of(error: type[TqError]) -> str:
    """What errors of a class have in common, in a sentence without a final stop: the first one of its docstring."""
    return (error.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ").rstrip(".")


def _source(part: dict[str, Any]) -> str:
    """Where a wrong value stands: path, query, header or body."""
    source = part.get("source", "body")
    return source if isinstance(source, str) and not hasattr(source, "value") else str(source.value)


def _validation_text(error: ValidationException) -> str:
    """Which field is wrong and why; of several, all."""
    parts = []
    for each in error.extra if isinstance(error.extra, list) else []:
        if isinstance(each, dict):
            where = f"{_source(each)} {each['key']!r}: " if each.get("key") not in (None, "data") else ""
            parts.append(f"{where}{each.get('message', '')}")
    return "; ".join(parts) or error.detail

"""What every route says of itself: what it takes, gives and refuses.

The document at /schema is made of it, and requests are held to it before they reach their handler.
"""

import inspect
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin
from urllib.parse import quote, unquote

import msgspec
from litestar.connection import ASGIConnection
from litestar.enums import ParamType
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.params import ParameterKwarg
from litestar.types import Scope

from tq.model.errors import InvalidArgument

JSON = "application/json"
BYTES = "application/octet-stream"
GIVEN = {"request", "client", "gateway", "body", "state", "return"}
"""Parameters of handlers that are no parameters of the route."""

_IS_HEAD = "tq.is_head"
_SLASH = re.compile("%2f", re.IGNORECASE)
_STAND_IN = "\ue000"  # for private use: in no name, see tq/model/names.py

T = TypeVar("T")
Handler = Callable[..., Any]


class Gives(msgspec.Struct, frozen=True):
    """What a route answers with if all goes well. `document` is a type that msgspec can describe; bytes: anything.

    `is_conditional`: it has an ETag, and a caller that has it already gets 304 instead.
    """

    document: Any
    description: str
    media_type: str = JSON
    is_conditional: bool = False


def found_as(document: Any, description: str) -> Gives:
    """The same for what can be asked for again."""
    return Gives(document, description, is_conditional=True)


def route(
    method: str,
    path: str,
    *,
    gives: dict[int, Gives],
    refuses: Sequence[int] = (),
    takes: Any = None,
    tag: str,
    is_open: bool = False,
) -> Callable[[Handler], HTTPRouteHandler]:
    """A route of one method.

    Args:
        gives: answers by status, that of the usual case first.
        refuses: statuses of problem documents beside those that any route may have (400, 401, 403, 408, 429, 431, 500,
            502, 503).
        takes: the type of the JSON body; None: it takes none.
        tag: the subject under which /schema lists it.
        is_open: answered without asking who calls.
    """

    def register(handler: Handler) -> HTTPRouteHandler:
        known = _query_parameters(handler, path)
        decorated = HTTPRouteHandler(
            path,
            http_method=method,  # type: ignore[arg-type]
            status_code=next(iter(gives)),
            operation_id=handler.__name__.rstrip("_"),
            tags=[tag],
            opt={"gives": gives, "refuses": tuple(refuses), "takes": takes, "known": known, "is_open": is_open},
            summary=(inspect.getdoc(handler) or "").split("\n")[0].rstrip("."),
            description=_description(handler),
        )(handler)
        assert isinstance(decorated, HTTPRouteHandler)
        return decorated

    return register


def _description(handler: Handler) -> str:
    return "\n".join((inspect.getdoc(handler) or "").split("\n")[1:]).strip()


def split(annotation: Any) -> tuple[Any, ParameterKwarg]:
    """The type of a handler's parameter, and what is said of it."""
    origin: Any = get_origin(annotation)
    if origin is not Annotated:
        return annotation, ParameterKwarg()
    kind, *extra = get_args(annotation)
    return kind, next((each for each in extra if isinstance(each, ParameterKwarg)), ParameterKwarg())


def _query_parameters(handler: Handler, path: str) -> dict[str, bool]:
    """The parameters of the query, and whether each may be there more than once."""
    found = {}
    for name, annotation in inspect.get_annotations(handler, eval_str=True).items():
        if name not in GIVEN and f"{{{name}:" not in path:
            kind, said = split(annotation)
            if said.param_type is ParamType.QUERY:
                found[said.name or name] = get_origin(kind) is list
    return found


def check_request(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard: refuses parameters that the route does not have, and bodies that are not JSON.

    A slip in a name is not the same as leaving it out; and a browser sends JSON from another site's page only after
    asking, which is never allowed.

    Raises:
        InvalidArgument: a parameter that there is not.
        HTTPException: 415.
    """
    known = handler.opt.get("known")
    if known is not None and connection.scope["query_string"]:
        given = Counter(name for name, _ in connection.query_params.multi_items())
        for name, count in given.items():
            if name not in known:
                hint = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
                raise InvalidArgument(f"there is no parameter {name[:60]!r} here", hint=hint)
            if count > 1 and not known[name]:
                raise InvalidArgument(f"the parameter {name} is there {count} times", hint="give it once")
    headers = connection.headers
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != JSON and not media_type.endswith("+json"):
            raise HTTPException(status_code=415)


def keep_slashes(scope: Scope) -> None:
    """Before an address is taken apart: a slash inside a name (%2F) is not one between two parts. Framework and server
    decode both alike, so it becomes a character that no name can have, until `named` makes it a slash again."""
    raw = scope.get("raw_path", b"")
    if b"%2f" in raw.lower():
        scope["path"] = unquote(_SLASH.sub(quote(_STAND_IN), raw.decode("ascii", "replace")))


def as_get(scope: Scope) -> Scope:
    """A HEAD as the GET whose answer it wants, without the body: the server leaves that out by its own scope."""
    if scope.get("method") != "HEAD":
        return scope
    got: Any = {**scope, "method": "GET", _IS_HEAD: True}
    same: Scope = got
    return same


def wants_body(scope: Scope) -> bool:
    """Whether there is anything to come after the headers: an answer without an end would have none for a HEAD."""
    return _IS_HEAD not in scope


def named(part: str) -> str:
    """A name out of an address."""
    return part.replace(_STAND_IN, "/")


def read(body: bytes, kind: type[T]) -> T:
    """The body of a request; an empty one is an object without fields.

    Raises:
        InvalidArgument: not JSON, or not of this type; says where.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:  # ValidationError is a DecodeError
        raise InvalidArgument(f"the body is wrong: {str(cause)[:300]}", hint="/schema has what it takes") from None

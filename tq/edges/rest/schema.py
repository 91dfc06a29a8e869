"""The OpenAPI document, made of what the routes say of themselves."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg
from msgspec import Meta

from tq import __version__
from tq.edges.rest.documents import PROBLEM
from tq.edges.rest.problems import PROBLEM_JSON
from tq.edges.rest.routing import GIVEN, JSON, Gives, split

_REF = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"\{(\w+):\w+\}")
_OPEN_REFUSALS = (400, 408, 429, 431, 500, 503)
_REFUSALS = {
    400: "The request is wrong, and will stay wrong: correct it.",
    401: "Nobody is known by what the caller shows.",
    403: "The caller may not do this: ask somebody with the role.",
    404: "There is no such thing, or no longer.",
    408: "The request did not arrive in time.",
    409: "It is there, in a state that does not allow this.",
    413: "A payload, or the body, is above its limit.",
    415: "The body is not JSON.",
    424: "The task itself did not succeed.",
    429: "A limit is reached: later, or less.",
    431: "The first line and the headers are longer than may be.",
    500: "A defect of tq, or a broken disk: see the broker's log.",
    502: "It may or may not have happened: repeat it with the same id or key.",
    503: "The broker is not there, or stops: try again.",
    504: "The time given was too short.",
    507: "The disk is full.",
}
_ALWAYS = (400, 401, 403, 408, 429, 431, 500, 502, 503)
_ABOUT = """Submit tasks to a tq broker, wait for their results, and operate queues, workers and dead letters.

Errors are problem documents (RFC 9457) with a stable `code`. Ids are UUIDs; moments are ms since the epoch, null for
"not yet"; lengths of time in requests are texts with a unit, such as "30s"."""


def make_document(prefix: str, routes: Iterable[HTTPRouteHandler]) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    listed = [handler for handler in routes if handler.opt.get("gives")]
    schemas, components = msgspec.json.schema_components(_types_of(listed), ref_template=_REF)
    by_type = dict(zip(map(id, _types_of(listed)), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for handler in listed:
        (path,) = handler.paths
        (method,) = handler.http_methods
        methods = paths.setdefault(prefix + _PATH_PARAMETER.sub(r"{\1}", path), {})
        methods[method.lower()] = operation = _operation(handler, by_type)
        if method == "GET":
            methods["head"] = _head_of(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "tq", "version": __version__, "description": _ABOUT, "license": {"name": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "tq token create"}},
        },
        "security": [{}, {"token": []}],
    }


def _types_of(routes: Sequence[HTTPRouteHandler]) -> list[Any]:
    """Each type that a route takes or gives, once; PROBLEM is one of them."""
    types: dict[int, Any] = {id(PROBLEM): PROBLEM}
    for handler in routes:
        for each in (handler.opt["takes"], *(gives.document for gives in handler.opt["gives"].values())):
            if each is not None and each not in (bytes, str):
                types[id(each)] = each
    return list(types.values())


def _operation(handler: HTTPRouteHandler, schemas: dict[int, Any]) -> dict[str, Any]:
    takes, is_open = handler.opt["takes"], handler.opt["is_open"]
    operation: dict[str, Any] = {
        "operationId": handler.operation_id,
        "tags": list(handler.tags or ()),
        "summary": handler.summary,
        "description": handler.description,
        "parameters": _parameters(handler),
        "responses": _responses(handler, schemas),
    }
    if takes is not None:
        is_needed = any(field.required for field in msgspec.structs.fields(takes))
        operation["requestBody"] = {"required": is_needed, "content": {JSON: {"schema": schemas[id(takes)]}}}
    if is_open:
        operation["security"] = []
    return operation


def _head_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The HEAD beside a GET: its answers, without what is in them."""
    return {
        **operation,
        "operationId": f"{operation['operationId']}_head",
        "description": "The status and the headers with which GET is answered, without the body.",
        "responses": {
            status: {"description": response["description"]} for status, response in operation["responses"].items()
        },
    }


def _responses(handler: HTTPRouteHandler, schemas: dict[int, Any]) -> dict[str, Any]:
    is_open, takes = handler.opt["is_open"], handler.opt["takes"]
    responses: dict[str, Any] = {}
    gives: Gives
    for status, gives in handler.opt["gives"].items():
        plain = {bytes: {}, str: {"type": "string"}}
        schema = plain[gives.document] if gives.document in plain else schemas[id(gives.document)]
        responses[str(status)] = {"description": gives.description, "content": {gives.media_type: {"schema": schema}}}
        if gives.is_conditional:
            responses["304"] = {"description": "The caller has it already: If-None-Match names its ETag."}
    refusals = {*(_OPEN_REFUSALS if is_open else _ALWAYS), *handler.opt["refuses"], *((413, 415) if takes else ())}
    for status in sorted(refusals):
        content = {PROBLEM_JSON: {"schema": schemas[id(PROBLEM)]}}
        responses.setdefault(str(status), {"description": _REFUSALS[status], "content": content})
    return responses


def _parameters(handler: HTTPRouteHandler) -> list[dict[str, Any]]:
    """Those of the path, the query and the headers, as the signature of the handler has them."""
    (path,) = handler.paths
    in_path = set(_PATH_PARAMETER.findall(path))
    found = []
    for name, parameter in inspect.signature(handler.fn, eval_str=True).parameters.items():
        if name in GIVEN:
            continue
        kind, said = split(parameter.annotation)
        place = "path" if name in in_path else said.param_type.value
        document = {
            "name": said.name or name,
            "in": place,
            "required": parameter.default is inspect.Parameter.empty,
            "schema": _schema_of(kind, said, parameter.default),
        }
        if said.description:
            document["description"] = said.description
        found.append(document)
    return found


def _schema_of(kind: Any, said: ParameterKwarg, default: Any) -> dict[str, Any]:
    bounds = {
        "gt": said.gt,
        "ge": said.ge,
        "le": said.le,
        "max_length": said.max_items or said.max_length,
        "min_length": said.min_items,
    }
    given: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
    schema = msgspec.json.schema(Annotated[kind, Meta(**given)] if given else kind)
    # A schema of an enum is a reference with its definition beside it; a parameter holds it whole.
    if "$ref" in schema:
        (schema,) = schema["$defs"].values()
        schema.pop("title", None)
    if default is not inspect.Parameter.empty and default != "":  # which is what being left out is, not a value
        schema["default"] = msgspec.to_builtins(default)
    return schema

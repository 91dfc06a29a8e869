"""A web service that answers at once and leaves the work to a worker: statistics of a text.

    tq up tasks:app            # in one terminal, in this directory
    uvicorn service:web        # in another; any ASGI server will do

    curl -i --data-binary @novel.txt http://127.0.0.1:8000/texts      -> 202, Location: /texts/0192f0c1-...
    curl http://127.0.0.1:8000/texts/0192f0c1-...                     -> {"state": "completed", "result": {...}}

`Idempotency-Key: ...` on the POST makes a repeated one harmless: the same key gives the same task.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from tasks import app, describe

import tq

BODY_BYTES_MAX = 512 * 1024
Scope = Mapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def web(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await live(receive, send)
    elif scope["type"] == "http":
        try:
            status, headers, body = await route(scope, receive)
        except tq.TaskNotFound:
            status, headers, body = HTTPStatus.NOT_FOUND, {}, {"error": "there is no such text, or no longer"}
        except tq.InvalidArgument as error:
            status, headers, body = HTTPStatus.BAD_REQUEST, {}, {"error": error.message}
        except (tq.ConnectFailed, tq.ConnectionLost, tq.QueueFull) as error:
            # Nothing was promised: the caller may try again, with its key if it has one.
            status, headers, body = HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "1"}, {"error": error.message}
        await respond(send, status, headers, body)


async def route(scope: Scope, receive: Receive) -> tuple[HTTPStatus, dict[str, str], dict[str, Any]]:
    """The answer to one request: status, headers, JSON."""
    match scope["method"], scope["path"].strip("/").split("/"):
        case "POST", ["texts"]:
            body = await read_body(receive)
            if body is None:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {}, {"error": f"more than {BODY_BYTES_MAX} bytes"}
            key = dict(scope["headers"]).get(b"idempotency-key", b"").decode("latin-1")
            task = await describe.options(key=key or None).enqueue(body.decode(errors="replace"))
            return HTTPStatus.ACCEPTED, {"location": f"/texts/{task.id}"}, {"id": task.id}
        case "GET", ["texts", task_id]:
            handle = describe.handle(task_id)
            seen = await handle.status()
            result = await handle.result("1s") if seen.state is tq.State.COMPLETED else None
            error = seen.history[-1].message if seen.history else None
            return HTTPStatus.OK, {}, {"state": seen.state.value, "result": result, "error": error}
        case _:
            return HTTPStatus.NOT_FOUND, {}, {"error": "POST /texts, or GET /texts/{id}"}


async def read_body(receive: Receive) -> bytes | None:
    """The body of a request; None if it is too large."""
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body", False):
            return body


async def respond(send: Send, status: HTTPStatus, headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """Send JSON."""
    content = json.dumps(body).encode()
    fields = {"content-type": "application/json", "content-length": str(len(content)), **headers}
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": int(status), "headers": raw})
    await send({"type": "http.response.body", "body": content})


async def live(receive: Receive, send: Send) -> None:
    """Start and stop with the server: the connection to the broker is made on first use and closed here."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await app.close()
            await send({"type": "lifespan.shutdown.complete"})
            return

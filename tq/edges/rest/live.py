"""/api/v1/watch: what happens, as server-sent events (the HTML standard, section 9.2)."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import HeaderParameter, QueryParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from tq.client.watching import Stream, Update, parse_scopes
from tq.edges.rest.answers import encode
from tq.edges.rest.callers import Connected
from tq.edges.rest.problems import Unauthenticated, document_of
from tq.edges.rest.routing import Gives, route, wants_body
from tq.edges.rest.streams import Streams
from tq.model.errors import AccessDenied, TimedOut, TqError
from tq.model.watching import HZ_MAX, SCOPES_MAX
from tq.views.records import update_record

EVENT_STREAM = "text/event-stream"
BEAT_SECONDS = 15.0
"""A stream that has nothing to say says so this often: what stands between would take it for dead, and so a caller that
is gone is noticed."""
FIRST_SECONDS = 10.0
"""How long the first update may take; before it, errors are answers like all others."""
SEND_SECONDS_MAX = 60.0
"""How long a caller may take to read one event; then its stream is ended."""
RETRY_MS = 2_000
"""How long a browser waits before it comes back."""
_EVENT_ID = re.compile(r"([0-9A-Za-z_-]{1,100})\.(\d{1,16})\.([0-9a-f]{8})")


@route(
    "GET",
    "/watch",
    gives={200: Gives(str, "Events `update`, whose data is JSON as `tq watch --json` prints it.", EVENT_STREAM)},
    refuses=(404, 504),
    tag="broker",
)
async def watch(
    request: Request[Any, Any, Any],
    client: Connected,
    of_scopes: Annotated[
        list[str],
        QueryParameter(
            name="scope",
            description="such as totals, queues, queue:mail; may be repeated",
            min_items=1,
            max_items=SCOPES_MAX,
        ),
    ],
    hz: Annotated[float, QueryParameter(description="updates a second at most", gt=0, le=HZ_MAX)] = 2.0,
    last_event_id: Annotated[str, HeaderParameter(name="Last-Event-ID", max_length=200)] = "",
) -> Response[Any]:
    """Watch what happens, live, as server-sent events.

    The first event is whole, those after it bring what is new. A browser that comes back with Last-Event-ID goes on
    where it was. The event `problem` ends the stream; its data is a problem document.
    """
    scopes = [each.text for each in parse_scopes(of_scopes)]
    streams: Streams = request.app.state.streams
    streams.enter()
    stream = client.watch(*scopes, hz=hz, after=position(last_event_id, scopes))
    try:
        async with asyncio.timeout(FIRST_SECONDS):
            first = await anext(stream)
    except BaseException as error:
        streams.leave()
        await stream.close()
        if isinstance(error, TimeoutError):
            raise TimedOut("the broker has sent nothing to watch", hint="try again") from None
        raise
    return EventStream(stream, scopes, first, streams)


def event_id(update: Update, scopes: Sequence[str]) -> str:
    """Where a stream of these scopes is after an update."""
    return f"{update.boot_id}.{update.seq}.{_digest(scopes)}"


def position(last_event_id: str, scopes: Sequence[str]) -> tuple[str, int]:
    """`boot_id` and `seq` of the event that was seen last; the beginning, if that was of other scopes or is none."""
    found = _EVENT_ID.fullmatch(last_event_id)
    if found is None or found[3] != _digest(scopes):
        return "", 0
    return found[1], int(found[2])


def _digest(scopes: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(scopes).encode(), digest_size=4).hexdigest()


def event(name: str, data: bytes, event_id: str = "") -> bytes:
    """One event. JSON has no line breaks that would end a field."""
    head = f"id: {event_id}\nevent: {name}\ndata: " if event_id else f"event: {name}\ndata: "
    return head.encode() + data + b"\n\n"


class EventStream(Response[Any]):
    """An answer that goes on until its caller, the broker or this edge goes away."""

    def __init__(self, stream: Stream, scopes: Sequence[str], first: Update, streams: Streams) -> None:
        super().__init__(None, media_type=EVENT_STREAM)
        self._stream = stream
        self._scopes = scopes
        self._first = first
        self._streams = streams

    def to_asgi_response(self, request: Request[Any, Any, Any], **_: Any) -> ASGIApp:  # type: ignore[override]
        """The application that sends it."""
        path = request.url.path

        async def send_all(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await self._send_head(send)
                if wants_body(scope):
                    await self._send_events(path, receive, send)
                with suppress(OSError):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
            except TimeoutError:
                return  # a caller that does not read; the connection is cut, for the answer never ends
            finally:
                self._streams.leave()
                await self._stream.close()

        return send_all

    async def _send_head(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-accel-buffering", b"no"),  # nginx would keep events back
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _send_events(self, path: str, receive: Receive, send: Send) -> None:
        await self._send(send, b"retry: %d\n\n" % RETRY_MS + self._event(self._first))
        leaving = asyncio.create_task(_gone(receive), name="watch: caller")
        ending = asyncio.create_task(self._streams.ending.wait(), name="watch: end")
        try:
            await self._follow(path, send, leaving, ending)
        finally:
            leaving.cancel()
            ending.cancel()

    async def _follow(self, path: str, send: Send, *ends: "asyncio.Task[Any]") -> None:
        coming: asyncio.Task[Update] | None = None
        try:
            while not any(end.done() for end in ends):
                coming = coming or asyncio.create_task(anext(self._stream), name="watch: update")
                await asyncio.wait({coming, *ends}, timeout=BEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    await self._send(send, b": nothing new\n\n")
                    continue
                update = coming.result()
                coming = None
                await self._send(send, self._event(update))
        except TqError as error:
            coming = None
            # What was let in and is refused now is its caller, whose access has ended.
            told = Unauthenticated(error.message) if isinstance(error, AccessDenied) else error
            await self._send(send, event("problem", encode(document_of(told, path))))
        finally:
            if coming is not None:
                coming.cancel()

    def _event(self, update: Update) -> bytes:
        """An update; one that brings nothing only moves the place from which a caller goes on."""
        place = event_id(update, self._scopes)
        if not update.changes:
            return f"id: {place}\n\n".encode()
        return event("update", encode(update_record(update)), place)

    async def _send(self, send: Send, body: bytes) -> None:
        async with asyncio.timeout(SEND_SECONDS_MAX):
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


ROUTES = [watch]

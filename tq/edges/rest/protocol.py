"""HTTP with bounds: what a stranger can hold or fill before anybody has asked who they are.

uvicorn's own has none for the head of a request, nor for the time that a request takes to arrive or an answer to be
read.
"""

import asyncio
from functools import partial
from typing import Any

import httptools
import msgspec
import uvicorn
from structlog.typing import FilteringBoundLogger
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from tq.edges.rest.answers import encode
from tq.edges.rest.callers import CERTIFICATE_NAMES
from tq.edges.rest.problems import PROBLEM_JSON, RETRY_AFTER_SECONDS, document_of
from tq.model.errors import PayloadTooLarge, ProtocolViolation, TimedOut, TooManyConnections, TqError
from tq.model.peers import names_of
from tq.protocol.keep_alive import keep_alive

HEAD_BYTES_MAX = 32 << 10
"""The first line and the headers of a request."""
CHUNKS_FACTOR = 2
"""A body in chunks may be this often as long as what is in it, for their lengths are sent too."""

_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of connections. `head_seconds`: for the headers to arrive, and for a new connection to say something;
    `request_seconds`: for the rest of a request to arrive, and for an answer to be read on."""

    connections_max: int
    body_bytes_max: int
    request_seconds: float
    head_seconds: float = 10.0


class BoundedHttp(HttpToolsProtocol):
    """One connection of REST."""

    def __init__(
        self, config: uvicorn.Config, state: ServerState, limits: HttpLimits, log: FilteringBoundLogger
    ) -> None:
        super().__init__(config, state, {})
        self._limits = limits
        self._log = log
        self._certificate_names: tuple[str, ...] = ()
        self._is_in_head = True
        self._head_bytes = 0
        self._request_bytes = 0
        self._arriving: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._fault: tuple[TqError, int] | None = None
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket was accepted, and TLS stands."""
        super().connection_made(transport)  # type: ignore[arg-type]
        sock = transport.get_extra_info("socket")
        if sock is not None:
            keep_alive(sock)
        self._certificate_names = names_of(transport.get_extra_info("peercert") or {})
        if len(self.connections) > self._limits.connections_max:
            limit = self._limits.connections_max
            self._refuse(TooManyConnections(f"this edge holds {limit} connections", hint="see api.max_connections"))
            return
        self._await_request(self._limits.head_seconds)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, of many, or of a part of one."""
        if self.transport.is_closing():
            return
        self._request_bytes += len(data)
        if self._is_in_head:
            if self._arriving is None:
                self._await_request(self._limits.head_seconds)
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(*_head_too_large())
        elif self._request_bytes > HEAD_BYTES_MAX + CHUNKS_FACTOR * self._limits.body_bytes_max:
            self._refuse(PayloadTooLarge("the request is larger than this edge takes", hint="see api.max_body_bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed, by whichever side."""
        self._stop_waiting()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self._give_up()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller reads slower than it is answered."""
        super().pause_writing()
        if self._reading is None:
            self._reading = self.loop.call_later(self._limits.request_seconds, self._cut_off)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def send_400_response(self, msg: str) -> None:
        """What the parser cannot read, or this class will not."""
        self._refuse(*(self._fault or (ProtocolViolation(f"not HTTP: {msg}", hint="this port speaks HTTP/1.1"), 400)))

    # Called by the parser.

    def on_message_begin(self) -> None:
        """A request begins, of which some bytes may have been counted already."""
        super().on_message_begin()
        self._is_in_head = True
        self.scope[CERTIFICATE_NAMES] = self._certificate_names  # type: ignore[literal-required]

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer: those are no part of the request here."""
        if self._is_in_head:
            super().on_header(name, value)
        elif len(name) + len(value) > HEAD_BYTES_MAX:
            self._fault = _head_too_large()
            raise httptools.HttpParserError("trailer")

    def on_headers_complete(self) -> None:
        """The head is there; the body may take longer."""
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > HEAD_BYTES_MAX:
            self._fault = _head_too_large()
            raise httptools.HttpParserError("head")
        self._is_in_head = False
        self._head_bytes = 0
        self._await_request(self._limits.request_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there: how long the answer takes is for the application to bound."""
        self._stop_waiting()
        self._is_in_head = True
        self._head_bytes = self._request_bytes = 0
        super().on_message_complete()

    # The rest.

    def _await_request(self, seconds: float) -> None:
        self._stop_waiting()
        self._arriving = self.loop.call_later(seconds, self._refuse_slow, seconds)

    def _stop_waiting(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _refuse_slow(self, seconds: float) -> None:
        if self.flow.read_paused:  # its silence is ours: what came before is not answered yet
            self._await_request(seconds)
            return
        self._refuse(TimedOut(f"the request has not arrived within {seconds:g} s", hint="send it faster"), 408)

    def _refuse(self, error: TqError, status: int = 0) -> None:
        """Answer with an error and close; only close where another answer is under way."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        self._log.debug("connection_refused", edge="rest", origin=(self.client or ("",))[0], code=error.code)
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_raw_answer(error, status))
        elif self.cycle.response_started or self.pipeline:
            self._give_up()
            self.transport.abort()
            return
        else:  # of a body that is too slow or too large, its handler may be in the middle
            self._give_up()
            self.transport.write(_raw_answer(error, status))
        self.transport.close()

    def _give_up(self) -> None:
        """Tell the handlers that nobody waits for their answers any more: the one that runs, and those behind it."""
        for cycle in (self._answering, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, partial(self._answer, cycle, app))

    async def _answer(self, cycle: RequestResponseCycle, app: Any, scope: Any, receive: Any, send: Any) -> None:
        """Have one request answered; what is sent when its caller is gone goes nowhere, and is no error."""
        self._answering = cycle

        async def send_while_there(message: Any) -> None:
            if not self.transport.is_closing():
                await send(message)

        try:
            await app(scope, receive, send_while_there)
        finally:
            if self.transport.is_closing():
                cycle.disconnected = True

    def _cut_off(self) -> None:
        self._reading = None
        self._give_up()
        self._log.debug("connection_cut_off", edge="rest", origin=(self.client or ("",))[0], why="slow_reader")
        self.transport.abort()


def _head_too_large() -> tuple[TqError, int]:
    return PayloadTooLarge(f"the headers are above {HEAD_BYTES_MAX} bytes", hint="send fewer, or shorter ones"), 431


def _raw_answer(error: TqError, status: int) -> bytes:
    document: dict[str, Any] = document_of(error, "", status)
    status, body = int(document["status"]), encode(document)
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {len(body)}\r\n"
        f"connection: close\r\ncache-control: no-store\r\n"
    )
    if status in (429, 503):
        head += f"retry-after: {RETRY_AFTER_SECONDS}\r\n"
    return head.encode() + b"\r\n" + body

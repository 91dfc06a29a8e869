"""One connection to the broker: bytes to requests, answers to bytes, and every buffer with a bound.

A read may carry hundreds of requests and a write hundreds of answers: nothing here waits, and no object is made for
a request beyond the request.
"""

import asyncio
from typing import cast

import msgspec
from structlog.typing import FilteringBoundLogger

from tq.model.commands import Hello
from tq.model.errors import (
    ProtocolViolation,
    TooManyConnections,
    TooManyRequests,
    TqError,
    VersionUnsupported,
)
from tq.model.replies import ErrorReply, FromBroker, Push
from tq.protocol.codec import PROTOCOL_VERSION, decode_request, encode_frame, to_reply
from tq.protocol.frames import HEADER, HEADER_BYTES, FrameReader
from tq.protocol.handshake import Handshakes
from tq.protocol.keep_alive import keep_alive
from tq.server.access import NOBODY, Peer, peer_of
from tq.server.loop import BrokerLoop
from tq.server.ports import Taken

HELLO_BYTES_MAX = 256 << 10
"""The largest first frame: what a stranger can make the broker hold."""

WRITE_HIGH_WATER_BYTES = 1 << 20
"""Unsent bytes above which a connection is not read until half of them have left."""

ENDING_MAX = 64
"""Refused connections that may take their time to read why."""


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one connection. Lengths of time are in seconds."""

    connections_max: int
    frame_bytes_max: int
    outstanding_max: int
    write_buffer_bytes_max: int
    worker_silence: float
    """A worker that was not heard of for this long is cut off; its heartbeats come three times as often."""
    hello: float = 5.0
    half_frame: float = 60.0
    stuck_write: float = 60.0
    ending: float = 5.0


class Connections:
    """All connections: who is let in, and who is cut off."""

    def __init__(self, broker: BrokerLoop, limits: ConnectionLimits, log: FilteringBoundLogger) -> None:
        self.broker = broker
        self.limits = limits
        self.log = log
        self.admitted: set[Connection] = set()
        self.ending: set[Connection] = set()
        self.handshakes = Handshakes(limits.connections_max, log, self._note_gone)
        self._last_id = 0
        self._empty: asyncio.Future[None] | None = None

    def make(self) -> "Connection":
        """A connection for a socket that was accepted."""
        self._last_id += 1
        return Connection(self._last_id, self)

    def check(self, now: float) -> None:
        """Cut off those that will not come back by themselves; to be called about once a second.

        Args:
            now: the time of the event loop.
        """
        for connection in list(self.admitted):
            connection.check(now)

    async def wait_until_gone(self) -> None:
        """Until no connection is left, and none in the making."""
        if self.admitted or self.ending or self.handshakes.under_way:
            self._empty = asyncio.get_running_loop().create_future()
            await self._empty

    def abort(self) -> None:
        """End all connections at once."""
        for connection in [*self.admitted, *self.ending]:
            connection.abort()
        self.handshakes.cancel()

    def forget(self, connection: "Connection") -> None:
        """A connection is closed."""
        self.ending.discard(connection)
        if connection in self.admitted:
            self.admitted.remove(connection)
            self.broker.remove(connection)
        self._note_gone()

    def _note_gone(self) -> None:
        is_gone = not (self.admitted or self.ending or self.handshakes.under_way)
        if is_gone and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)


class Connection(asyncio.Protocol):
    """A socket of a client or a worker, made by `Connections.make`; a Session to the broker loop."""

    def __init__(self, session_id: int, owner: Connections) -> None:
        self.session_id = session_id
        self.is_worker = False
        self.gets_pushes = False
        self.worker_name = ""
        self.outstanding = 0
        self._owner = owner
        self._broker = owner.broker
        self._limits = owner.limits
        self._log = owner.log
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self.peer: Peer  # set when the connection is made
        self.access = NOBODY
        self._early: bytearray | None = bytearray()  # what came before a whole Hello
        self._frames = FrameReader(owner.limits.frame_bytes_max)
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()
        self._stuck_since = 0.0
        self.is_stuck = False  # not read: the other side reads slower than it asks
        self._is_held = False  # not read: the broker has more to do than it may hold
        self._is_reading = True
        self._is_finishing = False
        self._is_ended = False

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket was accepted."""
        self._transport = cast("asyncio.Transport", transport)
        owner = self._owner
        if len(owner.admitted) >= self._limits.connections_max:
            self._log.warning("connection_refused", session=self.session_id, code=TooManyConnections.code)
            self._refuse(
                TooManyConnections(
                    f"this broker holds {self._limits.connections_max} connections, which is its limit",
                    hint="close some, or raise broker.max_connections",
                )
            )
            return
        owner.admitted.add(self)
        self.peer = peer_of(transport)
        self._transport.set_write_buffer_limits(WRITE_HIGH_WATER_BYTES, WRITE_HIGH_WATER_BYTES // 2)
        keep_alive(transport.get_extra_info("socket"))
        self._timer = self._loop.call_later(self._limits.hello, self._refuse_silent)
        self._log.debug("connection_opened", session=self.session_id, origin=self.peer.origin)
        self._broker.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes arrived: zero, one or many requests."""
        if self._is_finishing or self._is_ended:
            return
        self._heard_at = self._loop.time()
        taken: list[Taken] = []
        try:
            if self._early is not None:
                hello, data = self._read_hello(data)
                if hello is None:
                    return
                taken.append(hello)
            taken.extend(map(decode_request, self._frames.feed(data)))  # those before a bad one stay in
        except TqError as error:
            if not self._refuse_stream(error, taken):
                return
        outstanding = self.outstanding + len(taken)
        if outstanding > self._limits.outstanding_max:
            self._refuse_excess(taken)
        self.outstanding = outstanding
        self._broker.receive(self, taken, len(data))

    def eof_received(self) -> bool:
        """The other side sends no more. It is not kept half-open: nobody could tell it from one that is gone."""
        return False

    def pause_writing(self) -> None:
        """More is unsent than the high-water mark: take no more requests until it has left."""
        self.is_stuck = True
        self._stuck_since = self._loop.time()
        self._log.debug("connection_pushed_back", session=self.session_id)
        self._set_reading()
        self._broker.hold(self)

    def resume_writing(self) -> None:
        """Half of it has left."""
        self.is_stuck = False
        self._set_reading()
        self._broker.resume(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the transport's signature
        """The socket is closed, by whichever side."""
        self._is_ended = True
        self.is_stuck = False
        if self._timer is not None:
            self._timer.cancel()
        if self.is_worker:
            self._log.info("worker_disconnected", session=self.session_id, worker=self.worker_name)
        self._owner.forget(self)
        self._log.debug("connection_closed", session=self.session_id)

    # Called by the broker loop: see Session.

    def send(self, messages: list[FromBroker]) -> None:
        """Write these in order, in one piece; nothing once the connection has ended."""
        self.outstanding -= len(messages)
        if self.gets_pushes:
            self.outstanding += sum(isinstance(message, Push) for message in messages)
        if self._is_ended:
            return
        frames, size, size_max = [], 0, max(self._limits.write_buffer_bytes_max, WRITE_HIGH_WATER_BYTES)
        for message in messages:
            frame = encode_frame(message)
            frames.append(frame)
            size += len(frame)
            if size > size_max:  # one large result, and thousands who wait for it
                self._cut_off("slow_reader", unsent_bytes=size)
                return
        self._transport.write(b"".join(frames))
        if self._is_finishing:
            if any(isinstance(message, ErrorReply) and message.request_id == 0 for message in messages):
                self.end()
        elif self.is_stuck and self._transport.get_write_buffer_size() > self._limits.write_buffer_bytes_max:
            self._cut_off("slow_reader", unsent_bytes=self._transport.get_write_buffer_size())

    def finish(self) -> None:
        """Take nothing more; end once the reply with id 0, which is on its way, was sent."""
        self._is_finishing = True

    def end(self) -> None:
        """Close once what was written has left, or after `ending` seconds.

        Bytes that still arrive are read and dropped: closing a socket with unread bytes resets it, and the other side
        would lose the last words.
        """
        if self._is_ended:
            return
        self._is_ended = True
        self._owner.ending.add(self)
        self._set_reading()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._limits.ending, self._transport.abort)
        if len(self._owner.ending) > ENDING_MAX and self._early is not None:
            self._transport.abort()
        elif not self._transport.is_closing():
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:  # TLS: what was written leaves, and then its own farewell
                self._transport.close()

    def pause(self) -> None:
        """Read no more for now."""
        self._is_held = True
        self._set_reading()

    def resume(self) -> None:
        """Read on."""
        self._is_held = False
        self._set_reading()

    # Called by the owner.

    def check(self, now: float) -> None:
        """Cut the other side off if it is gone, as far as one can tell."""
        if self._is_ended:
            return
        if self.is_stuck and now - self._stuck_since > self._limits.stuck_write:
            self._cut_off("slow_reader", unsent_bytes=self._transport.get_write_buffer_size())
        elif not self._is_reading:
            self._heard_at = now  # its silence is ours
        elif self.is_worker and now - self._heard_at > self._limits.worker_silence:
            self._cut_off("worker_silent", seconds=round(now - self._heard_at))
        elif self._frames.is_midway and now - self._heard_at > self._limits.half_frame:
            self._cut_off("half_frame", seconds=round(now - self._heard_at))

    def abort(self) -> None:
        """Close at once; what was not sent is lost."""
        self._transport.abort()

    # The rest.

    def _read_hello(self, data: bytes) -> tuple[Hello | None, bytes]:
        """The first message, None until it is whole, and the bytes after it.

        Raises:
            ProtocolViolation: something else came first.
            VersionUnsupported: it speaks another version.
        """
        early = self._early
        assert early is not None
        early += data
        if len(early) < HEADER_BYTES:
            return None, b""
        (length,) = HEADER.unpack_from(early)
        if length > HELLO_BYTES_MAX:
            raise ProtocolViolation(
                f"the first frame announces {length} bytes, above the limit of {HELLO_BYTES_MAX}",
                hint="this port speaks the protocol of tq, neither HTTP nor TLS",
            )
        stop = HEADER_BYTES + length
        if len(early) < stop:
            return None, b""
        hello = decode_request(bytes(early[HEADER_BYTES:stop]))
        if not isinstance(hello, Hello):
            raise ProtocolViolation(f"the first message is {type(hello).__name__}", hint="say Hello first")
        if hello.protocol_version != PROTOCOL_VERSION:
            raise VersionUnsupported(
                f"this broker speaks version {PROTOCOL_VERSION} of the protocol, not {hello.protocol_version}",
                hint="use the same version of tq on both sides",
            )
        self._early = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return hello, bytes(early[stop:])

    def _refuse_silent(self) -> None:
        self._log.warning("connection_refused", session=self.session_id, code=ProtocolViolation.code)
        self._refuse(ProtocolViolation(f"no Hello within {self._limits.hello:g} s"))

    def _refuse_stream(self, error: TqError, taken: list[Taken]) -> bool:
        """These bytes cannot be read on. What came before them is still done; whether there is any."""
        self._log.warning("connection_refused", session=self.session_id, code=error.code, reason=error.message)
        if not taken and not self.outstanding:
            self._refuse(error)
            return False
        self.finish()
        taken.append(to_reply(0, error))
        return True

    def _refuse(self, error: TqError) -> None:
        if not self._is_ended:
            self._transport.write(encode_frame(to_reply(0, error)))
            self.end()

    def _refuse_excess(self, taken: list[Taken]) -> None:
        """Answer those above the limit with an error, in their place."""
        refusal = TooManyRequests(
            f"{self._limits.outstanding_max} requests of this connection are unanswered",
            hint="wait for answers, or raise broker.max_outstanding_requests",
        )
        room = max(0, self._limits.outstanding_max - self.outstanding)
        taken[room:] = [
            request if isinstance(request, ErrorReply) else to_reply(request.request_id, refusal)
            for request in taken[room:]
        ]

    def _cut_off(self, event: str, **facts: int) -> None:
        self._log.warning("connection_cut_off", session=self.session_id, why=event, **facts)
        self._is_ended = True
        self._transport.abort()

    def _set_reading(self) -> None:
        wanted = self._is_ended or not (self._is_held or self.is_stuck)
        if wanted is self._is_reading or self._transport.is_closing():
            return
        self._is_reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

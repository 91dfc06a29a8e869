"""One connection to a broker: bytes in, replies out. The hot path of clients and workers.

Many requests may be outstanding; the frames of one turn of the event loop leave in one write, and one read may answer
hundreds of requests. An instance belongs to one event loop. It never connects again by itself: `AsyncClient` and
the worker do, each in its own way.
"""

import asyncio
import os
import re
import socket
import ssl
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Self, assert_never, cast

from msgspec.structs import replace

from tq.client.addresses import Address, SshAddress, TcpAddress, UnixAddress, parse_address
from tq.client.credentials import client_context, in_words, shown_token
from tq.client.ssh import Tunnel, failure, in_short, open_tunnel, seconds_for
from tq.model.commands import Backup, Hello, Request, Unwait, Wait
from tq.model.errors import (
    ConnectFailed,
    ConnectionLost,
    PayloadTooLarge,
    ProtocolViolation,
    TooManyRequests,
    TqError,
    VersionUnsupported,
)
from tq.model.replies import (
    CancelRun,
    Deliver,
    Drain,
    ErrorReply,
    LeaseRevoked,
    Push,
    Reply,
    StackWanted,
    Stopping,
    WatchFrame,
    Welcome,
)
from tq.protocol.codec import PROTOCOL_VERSION, decode_from_broker, encode_frame, to_error
from tq.protocol.frames import FrameReader
from tq.protocol.keep_alive import keep_alive

REPLY_BYTES_MAX = 256 << 20
"""The largest frame read: as much as `broker.max_frame_bytes` can be set to. Any text protocol announces more."""

SILENCE_SECONDS_MAX = 30.0
"""A broker that owes an answer and has sent nothing for this long is taken for dead."""

_SILENCE_CHECKS = 6
# One who waits an hour for a result sends nothing, and must hear of a host that vanished.
_UNACKNOWLEDGED_MS_MAX = 30_000
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_CLOSE_SECONDS_MAX = 5.0
_UNSENT_BYTES_MAX = 16 << 10
"""Encoded here before it is handed to the transport in the middle of a turn. Not more, so that the broker begins with
the first requests while this side still makes the others: with all in one write the two would take turns."""
_WRITE_BUFFER_BYTES_MAX = 1 << 20  # of the transport; above it `drain` waits
_TALKATIVE = "does a startup file of the shell there, such as ~/.bashrc, write something to stdout?"
_PUSHES = (Deliver, CancelRun, LeaseRevoked, Drain, StackWanted, Stopping, WatchFrame)
_SLOW = (Wait, Backup)  # answers that may take their time: silence means nothing


class Connection(asyncio.Protocol):
    """A socket on which the broker said Welcome. Made by `open` alone.

    Attributes:
        address: as `open` was given it, in its full form.
        welcome: the broker's greeting, with its limits.
        closed: done when the socket is closed, never cancelled by this class: the reason, None after `close`.
        received_bytes: from the broker, so far.
    """

    welcome: Welcome

    def __init__(self, address: Address, on_push: Callable[[Push], None]) -> None:
        self.address = str(address)
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[TqError | None] = self._loop.create_future()
        self.received_bytes = 0
        self._on_push = on_push
        self._reader = FrameReader(REPLY_BYTES_MAX)
        self._transport: asyncio.Transport | None = None
        self._last_id = 0
        self._pending: dict[int, asyncio.Future[Reply]] = {}
        self._slow: dict[int, asyncio.Future[Reply]] = {}
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._frame_bytes_max = REPLY_BYTES_MAX
        self._outstanding_max = 1
        self._is_paused = False
        self._room: deque[asyncio.Future[None]] = deque()
        self._is_ended = False
        self._reason: TqError | None = None
        self._silent_checks = 0
        self._silence_timer: asyncio.TimerHandle | None = None
        self._tunnel: Tunnel | None = None
        self._leaving: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, address: str, hello: Hello, *, on_push: Callable[[Push], None], timeout: float, can_ask: bool = False
    ) -> Self:
        """Connect and greet.

        Args:
            hello: its `request_id` must be 0, which no other request has.
            on_push: called on the event loop, in order, for each push; may be called before `open` returns.
            timeout: seconds for all of it, the name look-up included. Over ssh at least `tq.client.ssh.SECONDS_MIN`.
            can_ask: ssh may ask the person at the terminal for a passphrase, or whether this is the right host.

        Raises:
            InvalidArgument: not an address.
            ConfigInvalid: the files of a token or of TLS cannot be read.
            ConnectFailed: nobody there, or nobody who speaks in time.
            TqError: the broker's refusal, such as TooManyConnections or AccessDenied.
        """
        target = parse_address(address)
        connection = cls(target, on_push)
        limit = seconds_for(timeout, can_ask=can_ask) if isinstance(target, SshAddress) else timeout
        try:
            async with asyncio.timeout(limit):
                await connection._reach(target, timeout, can_ask=can_ask)
                # The callers of an edge show their own tokens, or none: never that of the edge's environment.
                token = hello.token if hello.behind is not None else shown_token(hello.token)
                await connection._greet(replace(hello, token=token))
        except TimeoutError:
            connection._end(None)
            raise await connection._nobody(target, f"no answer within {limit:g} s") from None
        except ConnectionLost as cause:
            raise await connection._nobody(target, "the connection ended during the greeting") from cause
        except ssl.SSLError as cause:
            connection._end(None)
            why, hint = in_words(cause)
            raise ConnectFailed(f"no broker answers at {target}: {why}", hint=hint) from None
        except OSError as cause:
            raise await connection._nobody(target, _in_words(cause)) from None
        except BaseException:
            connection._end(None)
            await connection._leave()
            raise
        return connection

    @property
    def has_room(self) -> bool:
        """Whether one more request may be made now; if not, `drain` waits until it may, or says why it never will."""
        return (
            not self._is_ended and not self._is_paused and len(self._pending) + len(self._slow) < self._outstanding_max
        )

    @property
    def is_ended(self) -> bool:
        """Whether no more requests can be made."""
        return self._is_ended

    def next_id(self) -> int:
        """A request id that this connection has not used yet."""
        self._last_id += 1
        return self._last_id

    def request(self, request: Request) -> asyncio.Future[Reply]:
        """Send a request that has a reply.

        Args:
            request: its `request_id` is from `next_id`.

        Returns:
            The reply. An ErrorReply raises the error that it carries; the end of the connection, its reason.
            Cancelling this future forgets the answer, not the request; but a wait is taken back.

        Raises:
            ConnectionLost: the connection has ended; nothing was sent.
            TooManyRequests: as many as the broker allows are unanswered; nothing was sent. See `drain`.
            PayloadTooLarge: above the broker's limit of a frame; nothing was sent.
        """
        if not self._is_ended and len(self._pending) + len(self._slow) >= self._outstanding_max:
            raise TooManyRequests(
                f"{self._outstanding_max} requests to {self.address} are unanswered", hint="await drain() first"
            )
        self.send(request)
        future: asyncio.Future[Reply] = self._loop.create_future()
        outstanding = self._slow if isinstance(request, _SLOW) else self._pending
        outstanding[request.request_id] = future
        if isinstance(request, Wait):
            future.add_done_callback(partial(self._take_back, request.request_id))
        return future

    def _take_back(self, request_id: int, wait: "asyncio.Future[Reply]") -> None:
        """Nobody waits for this wait any more: the broker need not either. It answers all the same."""
        if wait.cancelled() and not self._is_ended:
            self.send(Unwait(0, request_id))

    def send(self, request: Request) -> None:
        """Send a request that has no reply.

        Raises:
            ConnectionLost, PayloadTooLarge: as for `request`.
        """
        if self._is_ended:
            raise self._lost()
        frame = encode_frame(request)
        if len(frame) > self._frame_bytes_max:
            raise PayloadTooLarge(
                f"a {type(request).__name__} of {len(frame)} bytes is above the limit of {self._frame_bytes_max}",
                hint="send less at once, or raise broker.max_frame_bytes",
            )
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(frame)
        self._unsent_bytes += len(frame)
        if self._unsent_bytes > _UNSENT_BYTES_MAX:
            self._flush()

    async def drain(self) -> None:
        """Wait until `has_room`.

        Raises:
            ConnectionLost: the connection has ended, or does while this waits.
        """
        while not self._is_ended and not self.has_room:
            room: asyncio.Future[None] = self._loop.create_future()
            self._room.append(room)
            try:
                await room
            except asyncio.CancelledError:
                self._offer_room()  # the place that this call was given goes to the next
                raise
        if self._is_ended:
            raise self._lost()

    async def close(self) -> None:
        """Send what is unsent, then close. Unanswered requests raise ConnectionLost. May be called again."""
        if not self._is_ended:
            self._flush()
            self._is_ended = True
            self._abandon()
            if self._transport is not None:
                self._transport.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS_MAX):
                await asyncio.shield(self.closed)
                await self._leave()
        except TimeoutError:  # the other side does not read
            if self._transport is not None:
                self._transport.abort()

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(_WRITE_BUFFER_BYTES_MAX)
        keep_alive(transport.get_extra_info("socket"), unacknowledged_ms=_UNACKNOWLEDGED_MS_MAX)
        self._silence_timer = self._loop.call_later(SILENCE_SECONDS_MAX / _SILENCE_CHECKS, self._check_silence)

    def data_received(self, data: bytes) -> None:
        """Bytes arrived: zero, one or many frames."""
        self._silent_checks = 0
        self.received_bytes += len(data)
        pending = self._pending
        try:
            for frame in self._reader.feed(data):
                message = decode_from_broker(frame)
                if isinstance(message, _PUSHES):
                    self._on_push(message)
                    continue
                future = pending.pop(message.request_id, None) or self._slow.pop(message.request_id, None)
                if isinstance(message, ErrorReply):
                    error = to_error(message)
                    if future is None:  # the connection itself is refused, or a request without a reply was
                        self._end(error)
                        return
                    if not future.done():
                        future.set_exception(error)
                elif future is None:
                    self._end_as_foreign(ProtocolViolation(f"a reply to no request, {message.request_id}"))
                    return
                elif not future.done():
                    future.set_result(message)
        except (ProtocolViolation, PayloadTooLarge) as error:
            self._end_as_foreign(error)
            return
        if self._room:
            self._offer_room()

    def eof_received(self) -> bool:
        """The broker will send no more; a half-open connection is of no use."""
        return False

    def pause_writing(self) -> None:
        """The broker reads slower than this side writes."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """The broker has caught up."""
        self._is_paused = False
        self._offer_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed, by whichever side."""
        if self._silence_timer is not None:
            self._silence_timer.cancel()
        if not self._is_ended:
            why = _in_words(exc) if isinstance(exc, OSError) else in_short(self._tunnel.said()) if self._tunnel else ""
            self._end(ConnectionLost(f"the connection to {self.address} ended{': ' if why else ''}{why}"))
        self._transport = None
        if self._tunnel is not None and self._leaving is None:
            self._leaving = self._loop.create_task(self._tunnel.close(), name="tq leaving ssh")
        if not self.closed.done():
            self.closed.set_result(self._reason)

    async def _reach(self, target: Address, seconds: float, *, can_ask: bool) -> None:
        match target:
            case TcpAddress():
                context = client_context() if target.is_tls else None
                await self._loop.create_connection(lambda: self, target.host, target.port, ssl=context)
            case UnixAddress():
                await self._loop.create_unix_connection(lambda: self, target.path)
            case SshAddress():
                self._tunnel = await open_tunnel(target, can_ask=can_ask, seconds=seconds)
                try:
                    await self._loop.create_unix_connection(lambda: self, sock=self._tunnel.sock)
                except BaseException:
                    self._tunnel.sock.close()
                    raise
            case _:
                assert_never(target)

    async def _leave(self) -> None:
        """Until the ssh connection under this one has ended, if there is one."""
        if self._tunnel is not None:
            if self._leaving is None:
                self._leaving = self._loop.create_task(self._tunnel.close(), name="tq leaving ssh")
            await asyncio.shield(self._leaving)

    async def _nobody(self, target: Address, why: str) -> ConnectFailed:
        await self._leave()
        if isinstance(target, SshAddress):
            return failure(target, self._tunnel.said() if self._tunnel is not None else "", why)
        hint = "start one with `tq up`, or check the address"
        if isinstance(target, TcpAddress) and not target.is_tls and why.startswith("the connection ended"):
            hint = "if it speaks TLS, write tls:// instead of tcp://"
        return ConnectFailed(f"no broker answers at {target}: {why}", hint=hint)

    async def _greet(self, hello: Hello) -> None:
        assert hello.request_id == 0, "only the greeting has the id 0"
        reply = await self.request(hello)
        if not isinstance(reply, Welcome):
            raise ProtocolViolation(f"{self.address} answered the greeting with {type(reply).__name__}")
        if reply.protocol_version != PROTOCOL_VERSION:
            raise VersionUnsupported(
                f"the broker at {self.address} speaks version {reply.protocol_version} of the protocol, "
                f"this client {PROTOCOL_VERSION}",
                hint=f"the broker is tq {reply.server_version}: use the same version on both sides",
            )
        self.welcome = reply
        self._frame_bytes_max = reply.limits.frame_bytes_max
        self._outstanding_max = reply.limits.outstanding_requests_max

    def _flush(self) -> None:
        if self._unsent and self._transport is not None:
            frames, self._unsent, self._unsent_bytes = self._unsent, [], 0
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def _offer_room(self) -> None:
        free = self._outstanding_max - len(self._pending) - len(self._slow)
        while self._room and free > 0 and not self._is_paused:
            room = self._room.popleft()
            if not room.done():
                room.set_result(None)
                free -= 1

    def _check_silence(self) -> None:
        self._silent_checks = self._silent_checks + 1 if self._pending else 0
        if self._silent_checks >= _SILENCE_CHECKS:
            self._end(ConnectionLost(f"{self.address} owes an answer and was silent for {SILENCE_SECONDS_MAX:g} s"))
        else:
            self._silence_timer = self._loop.call_later(SILENCE_SECONDS_MAX / _SILENCE_CHECKS, self._check_silence)

    def _end(self, reason: TqError | None) -> None:
        """Give the connection up at once. `reason` None: nobody waits for one."""
        if self._is_ended:
            return
        self._is_ended = True
        self._reason = reason
        self._unsent.clear()
        self._abandon()
        if self._transport is not None:
            self._transport.abort()

    def _end_as_foreign(self, error: TqError) -> None:
        hint = _TALKATIVE if self._tunnel is not None else error.hint
        self._end(type(error)(f"{self.address} does not speak the protocol of tq: {error.message}", hint=hint))

    def _abandon(self) -> None:
        """Everybody who waits learns the reason."""
        for outstanding in (self._pending, self._slow):
            for future in outstanding.values():
                if not future.done():
                    future.set_exception(self._lost())
                    future.exception()  # one who does not wait any more misses nothing: `closed` says it too
            outstanding.clear()
        for room in self._room:
            if not room.done():
                room.set_result(None)
        self._room.clear()

    def _lost(self) -> TqError:
        # A new one for each who waits: a shared exception would collect the tracebacks of all.
        if self._reason is None:
            return ConnectionLost(f"the connection to {self.address} was closed by this side")
        return type(self._reason)(self._reason.message, hint=self._reason.hint)


def _in_words(cause: OSError) -> str:
    """ "Connection refused", where asyncio says "[Errno 111] Connect call failed", once for each address of a name."""
    number = _ERRNO.search(str(cause))
    if isinstance(cause, socket.gaierror) or number is None:
        return cause.strerror or str(cause)
    return os.strerror(int(number[1]))

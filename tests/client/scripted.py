"""A broker on a real socket that does what the test tells it to, and nothing else."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, cast

from tq.model.commands import Hello, Request
from tq.model.operations import Action, Operation, OperationState
from tq.model.replies import FromBroker, Limits, Welcome
from tq.protocol.codec import PROTOCOL_VERSION, decode_request, encode_frame
from tq.protocol.frames import FrameReader

R = TypeVar("R", bound=Request)

LIMITS = Limits(
    frame_bytes_max=8 << 20,
    payload_bytes_max=1 << 20,
    batch_max=1_000,
    outstanding_requests_max=1_000,
    heartbeat_interval_ms=15_000,
)


def welcome(request_id: int = 0, *, limits: Limits = LIMITS, protocol_version: int = PROTOCOL_VERSION) -> Welcome:
    """The greeting of a broker."""
    return Welcome(request_id, protocol_version, "0.1.0", "boot", "admin", limits)


class Peer(asyncio.Protocol):
    """The broker's end of one connection."""

    def __init__(self, broker: "ScriptedBroker") -> None:
        self._broker = broker
        self._reader = FrameReader(64 << 20)
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.bytes_received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # that of uvloop is none by its type
        self._broker.peers.append(self)

    def data_received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        for frame in self._reader.feed(data):
            request = decode_request(frame)
            if isinstance(request, Hello) and self._broker.greeting is not None:
                self._broker.hellos.append(request)
                self._broker.greeting(self, request)
            elif self._broker.answer is not None:
                self._broker.answer(self, request)
            else:
                self._broker.inbox.put_nowait((self, request))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def send(self, *messages: FromBroker) -> None:
        """Send messages in one write."""
        self.send_bytes(b"".join(encode_frame(message) for message in messages))

    def send_bytes(self, data: bytes) -> None:
        """Send whatever this is."""
        assert self._transport is not None
        self._transport.write(data)

    def pause_reading(self) -> None:
        """Stop reading, so that the client's writes pile up."""
        assert self._transport is not None
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        assert self._transport is not None
        self._transport.resume_reading()

    def close(self) -> None:
        """Send what is unsent, then end the connection."""
        assert self._transport is not None
        self._transport.close()

    def reset(self) -> None:
        """End the connection the hard way: RST, as from a machine that does not know it any more."""
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


class ScriptedBroker:
    """Greets by itself; every other request goes to `answer`, or waits in `inbox` for the test to take it.

    Set `greeting` to None to have the test answer Hello as well.
    """

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.peers: list[Peer] = []
        self.hellos: list[Hello] = []
        self.inbox: asyncio.Queue[tuple[Peer, Request]] = asyncio.Queue()
        self.greeting: Callable[[Peer, Hello], None] | None = lambda peer, hello: peer.send(welcome(hello.request_id))
        self.answer: Callable[[Peer, Request], None] | None = None

    async def next(self, expected: type[R]) -> tuple[Peer, R]:
        """The next request, which must be of this type."""
        async with asyncio.timeout(10):
            peer, request = await self.inbox.get()
        assert isinstance(request, expected), request
        return peer, request


@asynccontextmanager
async def scripted_broker(path: Path | None = None, port: int = 0) -> AsyncIterator[ScriptedBroker]:
    """A listening ScriptedBroker: on a unix socket at `path`, or on a TCP port of 127.0.0.1."""
    loop = asyncio.get_running_loop()
    broker = ScriptedBroker("", 0)
    if path is not None:
        server = await loop.create_unix_server(lambda: Peer(broker), str(path))
        broker.address = f"unix://{path}"
    else:
        server = await loop.create_server(lambda: Peer(broker), "127.0.0.1", port, reuse_address=True)
        broker.port = server.sockets[0].getsockname()[1]
        broker.address = f"tcp://127.0.0.1:{broker.port}"
    try:
        yield broker
    finally:
        server.close()
        for peer in broker.peers:
            if not peer.ended.done():
                peer.reset()
        for peer in broker.peers:
            await peer.ended
        await server.wait_closed()


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def operation(state: OperationState) -> Operation:
    return Operation(
        id=b"operatio",
        action=Action.RETRY,
        state=state,
        target="queue:mail",
        is_hard=False,
        total=1,
        done=1,
        skipped=0,
        failed=0,
        queues=(),
        rate=500,
        reason="",
        actor="anna",
        origin="unix",
        as_of=7,
        started_at_ms=1,
        ended_at_ms=2,
        remaining_ms=0,
        undo_until_ms=3,
        undo_of=None,
        undone_by=None,
        error="",
    )

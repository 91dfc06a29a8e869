"""A broker on real sockets with the production engine, and a client that sends whatever bytes a test likes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from tests.server.bench import WELCOME
from tests.server.fakes import recording_logger
from tq.engine.engine import Engine
from tq.model.commands import Hello, Request
from tq.model.replies import FromBroker, Welcome
from tq.model.settings import BrokerSettings, Settings
from tq.protocol.codec import decode_from_broker, encode_frame
from tq.protocol.frames import FrameReader
from tq.server.clock import Clock
from tq.server.connection import ConnectionLimits, Connections
from tq.server.gate import Gate
from tq.server.loop import BrokerLoop
from tq.server.vitals import Vitals
from tq.storage.memory import MemoryStore
from tq.storage.store import Store

SETTINGS = Settings(broker=BrokerSettings(queue_depth_threshold=0))
LIMITS = ConnectionLimits(
    connections_max=100,
    frame_bytes_max=8 << 20,
    outstanding_max=10_000,
    write_buffer_bytes_max=64 << 20,
    worker_silence=45,
)


class Wire:
    """One connection from the other side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._frames = FrameReader(64 << 20)
        self._came: list[FromBroker] = []

    def send_bytes(self, data: bytes) -> None:
        self.writer.write(data)

    def send(self, *requests: Request) -> None:
        self.send_bytes(b"".join(map(encode_frame, requests)))

    async def receive(self) -> FromBroker:
        """The next message.

        Raises:
            EOFError: the broker closed the connection.
        """
        while not self._came:
            data = await self.reader.read(1 << 20)
            if not data:
                raise EOFError
            self._came += map(decode_from_broker, self._frames.feed(data))
        return self._came.pop(0)

    async def ask(self, request: Request) -> FromBroker:
        self.send(request)
        return await self.receive()

    async def greet(self, hello: Hello | None = None) -> Welcome:
        welcome = await self.ask(hello or Hello(0, 1, "test"))
        assert isinstance(welcome, Welcome), welcome
        return welcome

    async def is_ended(self) -> bool:
        """Whether nothing but the end comes, by a close or a reset."""
        try:
            return not self._came and await self.reader.read(1 << 20) == b""
        except ConnectionError:
            return True


class LiveBroker:
    """Loop, engine and connections behind a TCP port."""

    def __init__(self, store: Store, limits: ConnectionLimits) -> None:
        log, self.log = recording_logger()
        self.loop = BrokerLoop(
            store=store,
            open_core=lambda reader: Engine(reader, SETTINGS, 1),
            welcome=WELCOME,
            gate=Gate(SETTINGS),
            sync="always",
            sync_interval_ms=100,
            clock=Clock(),
            vitals=Vitals(version="", boot_id="", started_at_ms=0, data_dir="", sync="always"),
            log=log,
        )
        self.connections = Connections(self.loop, limits, log)
        self.port = 0
        self.wires: list[Wire] = []

    async def connect(self, *, receive_buffer: int = 0) -> Wire:
        """Connect, without a word."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        wire = Wire(*await asyncio.open_connection(sock=sock, limit=1 << 16))
        self.wires.append(wire)
        return wire

    async def client(self, hello: Hello | None = None) -> Wire:
        """Connect and greet."""
        wire = await self.connect()
        await wire.greet(hello)
        return wire


@asynccontextmanager
async def live_broker(store: Store | None = None, **limits: float) -> AsyncIterator[LiveBroker]:
    """A broker on a free port. `limits`: fields of ConnectionLimits that differ from LIMITS."""
    broker = LiveBroker(store or MemoryStore(), msgspec.structs.replace(LIMITS, **limits))
    server = await asyncio.get_running_loop().create_server(broker.connections.make, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(30):
            yield broker
    finally:
        server.close()
        broker.connections.abort()
        for wire in broker.wires:
            wire.writer.close()
        await broker.connections.wait_until_gone()
        broker.loop.close()

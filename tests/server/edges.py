"""A whole broker with all its edges: TCP or TLS, and the unix socket; and clients that are somebody on each."""

import asyncio
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.server.fakes import LogRecorder, recording_logger
from tests.server.wire import Wire
from tq.model.commands import CreateToken, Hello
from tq.model.identity import Role
from tq.model.replies import FromBroker, TokenPage
from tq.model.settings import BrokerSettings, SecuritySettings, Settings
from tq.server.broker import Broker
from tq.storage.memory import MemoryStore
from tq.storage.store import Store


class Edges:
    """A running broker, its log, and its clients."""

    def __init__(self, broker: Broker, log: LogRecorder) -> None:
        self.broker = broker
        self.log = log
        self.wires: list[Wire] = []
        self.port = int(broker.addresses[0].rpartition(":")[2])
        self.socket = broker.addresses[1].removeprefix("unix://")

    async def unix(self) -> Wire:
        return self._keep(await asyncio.open_unix_connection(self.socket))

    async def tcp(self, context: ssl.SSLContext | None = None) -> Wire:
        name = "localhost" if context is not None else None
        return self._keep(await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=name))

    def _keep(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> Wire:
        self.wires.append(Wire(*streams))
        return self.wires[-1]

    async def admin(self) -> Wire:
        """A client of the broker's own user."""
        wire = await self.unix()
        await wire.greet()
        return wire

    async def token(self, role: Role, name: str = "", *, queues: tuple[str, ...] = (), lifetime_ms: int = 0) -> str:
        """A new token."""
        token_id, secret = os.urandom(6), os.urandom(32).hex()[:43]
        request = CreateToken(
            1, token_id, hashlib.sha256(secret.encode()).digest(), name or role.value, role, list(queues), lifetime_ms
        )
        wire = await self.admin()
        assert isinstance(await wire.ask(request), TokenPage)
        wire.writer.close()
        return f"tq_{token_id.hex()}_{secret}"


@asynccontextmanager
async def edges(
    socket: Path,
    section: Mapping[str, object] | None = None,
    *,
    security: SecuritySettings | None = None,
    store: Store | None = None,
) -> AsyncIterator[Edges]:
    """A broker on a free port and this socket. `section`: settings of the section broker."""
    log, recorder = recording_logger()
    settings = Settings(
        broker=msgspec.convert({"port": 0, "socket": str(socket), **(section or {})}, BrokerSettings),
        security=security or SecuritySettings(),
    )
    running = Broker(settings, store or MemoryStore(), log, is_ephemeral=True)
    await running.start()
    made = Edges(running, recorder)
    try:
        async with asyncio.timeout(60):
            yield made
    finally:
        for wire in made.wires:
            wire.writer.close()
        await running.stop()


def hello(token: str = "", **fields: object) -> Hello:
    return Hello(0, 1, "test", token, **fields)  # type: ignore[arg-type]


async def everything(wire: Wire) -> list[FromBroker]:
    """All that comes until the broker ends the connection."""
    came: list[FromBroker] = []
    while True:
        try:
            came.append(await wire.receive())
        except (EOFError, ConnectionError):
            return came

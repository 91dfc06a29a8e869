"""The broker as an edge reaches it: one connection for each caller, on which the caller and not the edge is judged.

An edge decides nothing about who may do what. It says to the broker whom it speaks for, and hands over the token;
roles, queues, expiry, revocation and the audit are the broker's, in the table that holds for everybody.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
from msgspec.structs import replace

from tq.client.async_client import AsyncClient
from tq.client.connection import Connection
from tq.client.link import make_hello
from tq.edges.counting import Counting
from tq.model.commands import EDGE_ITSELF, Behind, Hello, WorkerHello
from tq.model.errors import AccessDenied, TooManyConnections, TooManyRequests, TqError
from tq.model.identity import Role
from tq.model.replies import Push

CALLERS_MAX = 256
"""Connections to the broker that are held for callers."""

GREETINGS_MAX = 32
"""Callers that are being introduced to the broker at once. The broker keeps the answer to a wrong token back for a
second: those who guess wait for each other, and what is held for the others is not given up for them."""

GREETINGS_OF_ORIGIN_MAX = 8
"""Of which from one address."""

IDLE_SECONDS = 60.0
"""After so long without a request a caller's connection is closed."""

_CONNECT_SECONDS = 5.0
_RECONNECT_SECONDS = 2.0  # an edge ends with its broker: there is no restart to be waited for


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as far as an edge can see: what they show, and where they are. Two that are equal share a connection.

    `token` is that of a bearer, empty if there is none; `origin` an address without its port; `is_local`: the address
    is one of this machine; `certificate_names` are those of a client certificate that TLS has checked.
    """

    token: str
    origin: str
    is_local: bool
    certificate_names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Caller({self.origin})"  # never the token


class Gateway:
    """Connections to one broker, for an edge and its callers. Belongs to one event loop.

    Args:
        address: of the broker.
        key: what this broker gave its edges to show, 32 bytes.
        edge: which of them this is.

    Attributes:
        own: the edge's own connection, a viewer: for its health, and for the numbers of the broker.
        counting: what the edge was asked for.
    """

    def __init__(
        self,
        address: str,
        key: bytes,
        edge: Literal["rest", "grpc"],
        *,
        callers_max: int = CALLERS_MAX,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.counting = Counting()
        self._address = address
        self._key = key
        self._edge: Literal["rest", "grpc"] = edge
        self._name = f"{edge} edge"
        self._callers_max = callers_max
        self._idle_seconds = idle_seconds
        self._held: OrderedDict[Caller, _Held] = OrderedDict()  # the one that was used last is at the end
        self._greetings: dict[Caller, asyncio.Task[None]] = {}
        self._greetings_of: Counter[str] = Counter()
        self._closing: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self.own = self._client(Caller("", EDGE_ITSELF, is_local=True), Role.VIEWER)

    @property
    def callers(self) -> int:
        """For how many callers a connection is held."""
        return len(self._held)

    @asynccontextmanager
    async def client(self, caller: Caller) -> AsyncIterator[AsyncClient]:
        """The connection of a caller, for one request or a stream; it stays open for the next.

        Raises:
            AccessDenied: the broker does not let this caller in.
            TooManyConnections: as many callers as there may be have requests under way.
            TooManyRequests: as many callers as there may be are being introduced.
            ConnectFailed: the broker is not there.
        """
        while (held := self._held.get(caller)) is None or not held.client.is_connected:
            if held is not None:  # the broker has ended it: a caller whose access has ended is introduced again, or not
                self._let_go(caller)
            await self._introduce(caller)
        self._held.move_to_end(caller)
        held.users += 1
        try:
            yield held.client
        finally:
            held.users -= 1
            held.idle_since = asyncio.get_running_loop().time()
            if held.is_let_go and not held.users:
                self._close(held)

    async def connect(self, caller: Caller, worker: WorkerHello, on_push: Callable[[Push], None]) -> Connection:
        """A connection of its own for a caller that is a worker: the leases of one are bound to one connection. It is
        the caller's to close, and counts for the broker alone.

        Args:
            on_push: called for what the broker sends unasked, also before this returns.

        Raises:
            AccessDenied: the broker does not let this caller in, or not as a worker.
            TooManyConnections: the broker holds as many as it may.
            ConnectFailed: the broker is not there.
        """
        hello = replace(self._hello(caller), worker=worker)
        return await Connection.open(self._address, hello, on_push=on_push, timeout=_CONNECT_SECONDS)

    async def close(self) -> None:
        """End all connections but those of workers."""
        if self._sweep is not None:
            self._sweep.cancel()
        for greeting in self._greetings.values():
            greeting.cancel()
        await asyncio.gather(*self._greetings.values(), return_exceptions=True)
        await asyncio.gather(self.own.close(), *(held.client.close() for held in self._held.values()))
        self._held.clear()
        await asyncio.gather(*self._closing)

    async def _introduce(self, caller: Caller) -> None:
        """Connect for a caller who has no connection. Those who come with the same meanwhile wait for the same."""
        greeting = self._greetings.get(caller)
        if greeting is None:
            if len(self._greetings) >= GREETINGS_MAX or self._greetings_of[caller.origin] >= GREETINGS_OF_ORIGIN_MAX:
                raise TooManyRequests("too many callers are being introduced to the broker", hint="try again soon")
            greeting = asyncio.create_task(self._greet(caller), name="tq edge greeting")
            self._greetings[caller] = greeting
            self._greetings_of[caller.origin] += 1
            greeting.add_done_callback(lambda done: self._greeted(caller, done))
        await asyncio.shield(greeting)

    def _greeted(self, caller: Caller, greeting: asyncio.Task[None]) -> None:
        if not greeting.cancelled():
            greeting.exception()  # a caller who has gone away meanwhile misses nothing
        del self._greetings[caller]
        self._greetings_of[caller.origin] -= 1
        if not self._greetings_of[caller.origin]:
            del self._greetings_of[caller.origin]

    async def _greet(self, caller: Caller) -> None:
        client = self._client(caller)
        try:
            await client.connect()
            self._make_room()
        except BaseException:
            await client.close()
            raise
        self._held[caller] = _Held(client, asyncio.get_running_loop().time())
        if self._sweep is None:
            self._schedule_sweep()

    def _make_room(self) -> None:
        """Give up the connection that was not used for longest.

        Raises:
            TooManyConnections: all of them are in use.
        """
        if len(self._held) < self._callers_max:
            return
        for caller, held in self._held.items():
            if not held.users:
                self._let_go(caller)
                return
        raise TooManyConnections(f"{self._callers_max} callers have requests under way", hint="try again soon")

    def _schedule_sweep(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(self._idle_seconds / 2, self._close_idle)

    def _close_idle(self) -> None:
        before = asyncio.get_running_loop().time() - self._idle_seconds
        for caller, held in list(self._held.items()):
            if not held.users and held.idle_since < before:
                self._let_go(caller)
        self._sweep = None
        if self._held:
            self._schedule_sweep()

    def _let_go(self, caller: Caller) -> None:
        held = self._held.pop(caller)
        held.is_let_go = True
        if not held.users:
            self._close(held)

    def _close(self, held: "_Held") -> None:
        closing = asyncio.create_task(held.client.close(), name="tq edge closing")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _client(self, caller: Caller, role: Role = Role.ADMIN) -> AsyncClient:
        return _CallersClient(self._address, self._hello(caller, role))

    def _hello(self, caller: Caller, role: Role = Role.ADMIN) -> Hello:
        behind = Behind(self._key, self._edge, caller.origin, caller.is_local, caller.certificate_names)
        return make_hello(caller.token, self._name, role, behind=behind)


async def is_refused(client: AsyncClient) -> bool:
    """Whether it is the caller who is refused, whose token was good until now, and not what they asked for."""
    try:
        await client.connect()
    except AccessDenied:
        return True
    except TqError:
        pass
    return False


class _CallersClient(AsyncClient):
    """A client that says in its greeting whom it speaks for."""

    def __init__(self, address: str, hello: Hello) -> None:
        self._begin(address, hello, _CONNECT_SECONDS, _RECONNECT_SECONDS, can_ask=False)


class _Held:
    """A caller's connection, and how it is used."""

    __slots__ = ("client", "idle_since", "is_let_go", "users")

    def __init__(self, client: AsyncClient, now: float) -> None:
        self.client = client
        self.users = 0
        self.is_let_go = False
        self.idle_since = now
        """Of the event loop's time; means something while there are no users."""

"""A connection that comes back, to one of several addresses; what was unanswered is asked again where that is safe."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from random import Random

from tq.client.connection import Connection
from tq.client.repeats import is_repeatable, pauses
from tq.model.commands import Behind, Hello, Request
from tq.model.errors import (
    ConnectFailed,
    ConnectionLost,
    InvalidArgument,
    OutcomeUnknown,
    ShuttingDown,
    TooManyConnections,
    TqError,
)
from tq.model.identity import Role
from tq.model.replies import Push, Reply
from tq.protocol.codec import PROTOCOL_VERSION

_INTERRUPTED = (ConnectionLost, ShuttingDown, OutcomeUnknown)
_NOT_HERE = (ConnectFailed, ShuttingDown, TooManyConnections)  # another address may do better, or this one later


class Link:
    """Connects when it is first used, and again when it is used after a loss.

    The first time, every address is tried once, so that a wrong one shows at once. After that a broker is taken to be
    there, and a restart of it is waited for.

    Args:
        addresses: gives the addresses, in the order in which they are tried; called before the first connecting.
        connect_seconds: for one address.
        reconnect_seconds: how long a request, or a connecting, is tried again after a loss.
        can_ask: at the first connecting, ssh may ask the person at the terminal.
        on_push: called for what the broker sends unasked, on the event loop.
    """

    def __init__(
        self,
        addresses: Callable[[], Sequence[str]],
        hello: Hello,
        *,
        connect_seconds: float,
        reconnect_seconds: float,
        can_ask: bool = False,
        on_push: Callable[[Push], None] | None = None,
    ) -> None:
        self._find_addresses = addresses
        self._addresses: list[str] = []
        self._hello = hello
        self._connect_seconds = connect_seconds
        self._reconnect_seconds = reconnect_seconds
        self._can_ask = can_ask
        self._on_push = on_push or _ignore
        self._random = Random()  # noqa: S311 - jitter, not a secret
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[Connection] | None = None
        self._is_closed = False

    async def exchange(self, make: Callable[[int], Request]) -> Reply:
        """Send a request, and wait for its reply over as many connections as that takes.

        Args:
            make: the request, for the request id that it is given; called again for each repeat.

        Raises:
            ConnectFailed: nobody at any address.
            ConnectionLost: after the request was sent, and it is not one that may be repeated; or the link is closed.
            TqError: what the broker answered.
        """
        waits: Iterator[float] | None = None
        while True:
            connection = self._connection
            if connection is None or not connection.has_room or asyncio.get_running_loop() is not self._loop:
                connection = await self.ready()
            request = make(connection.next_id())
            try:
                return await connection.request(request)
            except _INTERRUPTED as error:
                # A broker that is shutting down did nothing: even what must not be repeated may be asked again.
                if self._is_closed or not (isinstance(error, ShuttingDown) or is_repeatable(request)):
                    raise
                if waits is None:
                    waits = self._pauses()
                if (pause := next(waits, None)) is None:
                    raise
            await asyncio.sleep(pause)

    async def ready(self) -> Connection:
        """The connection, once it has room for a request.

        Raises:
            ConnectFailed: nobody at any address.
            ConnectionLost: the link is closed.
            InvalidArgument: the link belongs to another event loop, which still exists.
        """
        while True:
            self._bind()
            connection = self._connection
            if connection is None or connection.is_ended:
                connection = await self._connect()
            try:
                await connection.drain()
            except ConnectionLost:
                continue
            return connection

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now; the next use makes one if there is none."""
        return self._connection is not None and not self._connection.is_ended

    async def close(self) -> None:
        """End the connection. Requests that wait raise ConnectionLost. May be called again."""
        self._is_closed = True
        if self._loop is not asyncio.get_running_loop():
            return  # never used, or on a loop that is gone
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._connection is not None:
            await self._connection.close()

    def _bind(self) -> None:
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise ConnectionLost("this client is closed", hint="make a new one")
        if self._loop is loop:
            return
        if self._loop is not None and not self._loop.is_closed():
            raise InvalidArgument(
                "this client is in use on another event loop",
                hint="make one AsyncClient for each loop and process, or use tq.Client, which serves all threads",
            )
        self._loop = loop
        self._connection = None
        self._connecting = None

    async def _connect(self) -> Connection:
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._open(), name="tq connecting")
            self._connecting.add_done_callback(self._connected)
        connecting = self._connecting
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            if self._is_closed and connecting.cancelled():
                raise ConnectionLost("this client was closed while it connected", hint="make a new one") from None
            raise

    def _connected(self, connecting: asyncio.Task[Connection]) -> None:
        if self._connecting is connecting:
            self._connecting = None
        if not connecting.cancelled() and connecting.exception() is None:
            self._connection = connecting.result()

    async def _open(self) -> Connection:
        had_connection = self._connection is not None
        if not self._addresses:
            self._addresses = list(self._find_addresses())
        waits = self._pauses() if had_connection else iter(())
        while True:
            failures: list[TqError] = []
            for address in self._addresses:
                try:
                    return await Connection.open(
                        address,
                        self._hello,
                        on_push=self._on_push,
                        timeout=self._connect_seconds,
                        can_ask=self._can_ask and not had_connection,
                    )
                except _NOT_HERE as error:
                    failures.append(error)
            if (pause := next(waits, None)) is None:
                raise _all_failed(failures)
            await asyncio.sleep(pause)

    def _pauses(self) -> Iterator[float]:
        clock = asyncio.get_running_loop().time
        return pauses(clock() + self._reconnect_seconds, clock, self._random)


def make_hello(
    token: str, name: str, role: Role = Role.ADMIN, acts_for: str = "", behind: Behind | None = None
) -> Hello:
    """The greeting of a client that is no worker."""
    return Hello(0, PROTOCOL_VERSION, client=name, token=token, role_max=role, acts_for=acts_for, behind=behind)


def _ignore(push: Push) -> None:
    """A client hears of a stopping broker when it next asks something, which is soon enough."""


def _all_failed(failures: Sequence[TqError]) -> TqError:
    last = failures[-1]
    if len(failures) == 1:
        return last
    return type(last)("; ".join(failure.message for failure in failures), hint=last.hint)

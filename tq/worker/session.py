"""The worker's connection: made again, for ever, whenever it is gone."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from random import Random

from tq.client.connection import Connection
from tq.model.commands import Hello
from tq.model.errors import Kind, TqError
from tq.model.replies import Push
from tq.worker.backoff import Backoff

CONNECT_SECONDS = 5.0
RECONNECT_SECONDS_FIRST, RECONNECT_SECONDS_MAX = 0.05, 5.0
_HOPELESS = (Kind.DENIED, Kind.INVALID)

log = logging.getLogger("tq.worker")


class Session:
    """Keeps one connection to one of the addresses.

    Args:
        hello: the greeting of the moment, with the leases held.
        on_welcome: called when a connection is there, before anything else is sent on it.
        on_push: called for each push of the broker.

    Attributes:
        connection: the present one; None while there is none.
        connects: connections made so far.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        hello: Callable[[], Hello],
        on_welcome: Callable[[Connection], None],
        on_push: Callable[[Push], None],
        source: Random,
    ) -> None:
        self.connection: Connection | None = None
        self.connects = 0
        self._addresses = list(addresses)
        self._hello = hello
        self._on_welcome = on_welcome
        self._on_push = on_push
        self._backoff = Backoff(RECONNECT_SECONDS_FIRST, RECONNECT_SECONDS_MAX, source)

    async def run(self) -> None:
        """Connect, and connect again, until cancelled.

        Raises:
            TqError: the very first answer was a refusal that waiting would not change: a wrong token, another version.
        """
        was_connected = False
        try:
            while True:
                try:
                    self.connection = connection = await self._open()
                except TqError as error:
                    if error.kind in _HOPELESS and not was_connected:
                        raise
                    pause = self._backoff.next_seconds()
                    log.warning("broker_unreachable", extra={"reason": str(error), "again_in_ms": round(pause * 1000)})
                    await asyncio.sleep(pause)
                    continue
                was_connected = True
                self.connects += 1
                self._backoff.succeeded()
                log.info(
                    "connected", extra={"address": connection.address, "broker": connection.welcome.server_version}
                )
                self._on_welcome(connection)
                reason = await asyncio.shield(connection.closed)
                self.connection = None
                log.warning("connection_lost", extra={"reason": str(reason)})
        finally:
            if self.connection is not None:
                connection, self.connection = self.connection, None
                with contextlib.suppress(TqError):
                    await connection.close()

    async def _open(self) -> Connection:
        """A connection to the first address that has a broker; the error of the last if none has."""
        for address in self._addresses[:-1]:
            with contextlib.suppress(TqError):
                return await self._open_one(address)
        return await self._open_one(self._addresses[-1])

    async def _open_one(self, address: str) -> Connection:
        return await Connection.open(address, self._hello(), on_push=self._on_push, timeout=CONNECT_SECONDS)

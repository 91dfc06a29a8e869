"""Where the dashboard gets what it shows: a port with one frame after the other.

`LiveFeed` is a broker through tq.client; a recording is another; tests push frames by hand.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from tq.client.async_client import AsyncClient
from tq.client.watching import Change, Stream
from tq.model.errors import Kind, TqError
from tq.model.identity import Role
from tq.model.replies import Welcome

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses between attempts to reach a broker that is gone; the last one from then on."""


class Greeting(NamedTuple):
    """Who is on the other side. `address` begins with the name that the cluster has, if it has one. `actor` is how its
    audit calls us. `badge` is its own word for itself, such as PRODUCTION, or that of the profile; empty: none."""

    address: str
    version: str
    boot_id: str
    role: Role
    actor: str = ""
    badge: str = ""
    confirms_always: bool = False


class Frame(NamedTuple):
    """What is new. `at_ms` is the broker's clock."""

    changes: Sequence[Change]
    at_ms: int


class Connected(NamedTuple):
    """There is a connection, the first or another."""

    greeting: Greeting


class Disconnected(NamedTuple):
    """There is none; it is being tried again."""

    reason: str


class Noted(NamedTuple):
    """Something that the person should know of the feed itself."""

    text: str


class Refused(NamedTuple):
    """The broker does not give what was asked for; the feed has ended."""

    error: TqError


Told = Frame | Connected | Disconnected | Noted | Refused


class Facts(NamedTuple):
    """What a feed knows of itself. `kept`: scopes that it brings whatever is watched. `remark`: a few words for the
    header. `frames` and `received_bytes` so far; `seq` of the last frame."""

    seq: int = 0
    frames: int = 0
    received_bytes: int = 0
    kept: tuple[str, ...] = ()
    remark: str = ""


class Feed(Protocol):
    """A source of frames."""

    def watch(self, scopes: Sequence[str], hz: float) -> None:
        """From now on these scopes, at most `hz` frames a second; 0: none until the next call. Latest wins: a reader
        that is slow gets fewer frames, never old ones."""
        ...

    def told(self) -> AsyncIterator[Told]:
        """Everything that happens, until the feed ends."""
        ...

    def facts(self) -> Facts:
        """How it goes."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class LiveFeed:
    """A broker.

    Args:
        client: for the stream alone; closed with the feed. Its `reconnect_timeout` should be short, for a lost
            connection is shown as soon as that is over, and tried again all the same.
        badge: what the profile of the address calls the cluster; its own word counts before that.
        confirms_always: whether the profile asks for it; the cluster may do so too.
    """

    def __init__(self, client: AsyncClient, *, badge: str = "", confirms_always: bool = False) -> None:
        self._client = client
        self._badge = badge
        self._confirms_always = confirms_always
        self._scopes: tuple[str, ...] = ("totals",)
        self._hz = 1.0
        self._stream: Stream | None = None
        self._is_closed = False
        self._seq = 0
        self._frames = 0
        self._bytes = 0
        self._bytes_of_connection = 0

    def watch(self, scopes: Sequence[str], hz: float) -> None:
        """See Feed."""
        self._scopes, self._hz = tuple(dict.fromkeys(scopes)), hz
        if self._stream is not None:
            self._stream.turn_to(*self._scopes, hz=hz)

    async def told(self) -> AsyncIterator[Told]:
        """See Feed."""
        failures = 0
        while not self._has_ended():
            self._stream = stream = self._client.watch(*self._scopes, hz=self._hz or 1.0)
            stream.turn_to(*self._scopes, hz=self._hz)
            greeted: Welcome | None = None
            try:
                async with stream:
                    async for update in stream:
                        failures = 0
                        self._count(update.seq, stream.received_bytes)
                        if stream.welcome is not None and stream.welcome is not greeted:
                            greeted = stream.welcome
                            yield Connected(self._greeting(greeted, stream.address))
                        yield Frame(update.changes, update.now_ms)
            except TqError as error:
                if self._has_ended():
                    return
                if error.kind is not Kind.UNAVAILABLE:
                    yield Refused(error)
                    return
                yield Disconnected(error.message)
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    def _count(self, seq: int, of_connection: int) -> None:
        self._seq = seq
        self._frames += 1
        before = self._bytes_of_connection if of_connection >= self._bytes_of_connection else 0
        self._bytes += of_connection - before
        self._bytes_of_connection = of_connection

    def facts(self) -> Facts:
        """See Feed."""
        return Facts(self._seq, self._frames, self._bytes)

    def _greeting(self, welcome: Welcome, address: str) -> Greeting:
        place = address.partition("://")[2]
        return Greeting(
            address=f"{welcome.cluster.name}@{place}" if welcome.cluster.name else address,
            version=welcome.server_version,
            boot_id=welcome.boot_id,
            role=Role(welcome.role),
            actor=welcome.actor,
            badge=welcome.cluster.badge or self._badge,
            confirms_always=welcome.cluster.confirm_always or self._confirms_always,
        )

    def _has_ended(self) -> bool:
        return self._is_closed

    async def close(self) -> None:
        """See Feed."""
        self._is_closed = True
        with suppress(TqError):
            if self._stream is not None:
                await self._stream.close()
            await self._client.close()

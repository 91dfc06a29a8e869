"""The client's calls for looking on: the live stream, history, and what needs attention."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from tq.client.asking import Asking, Blocking, check_request
from tq.client.connection import Connection
from tq.client.link import Link
from tq.client.loop_thread import LoopThread
from tq.model.commands import GetAttention, GetHistory, Watch, WatchCredit
from tq.model.errors import InvalidArgument
from tq.model.history import HistoryPoint
from tq.model.replies import AttentionReply, HistoryReply, Push, WatchFrame, Welcome
from tq.model.watching import HZ_MAX, ROWS, SCOPES_MAX, Finding, Scope, parse_scope

SILENCE_SECONDS_MIN = 10.0
"""A stream that brings nothing for this long, and for five beats, has a dead connection: another one is made."""
_SILENT_BEATS = 5


class Change(msgspec.Struct, frozen=True):
    """What is new in one scope. `is_whole`: `rows` are all there are, and what was there before is gone. Else they are
    those that came or changed, and `gone` are the keys of those that went. `left_out`: how many more rows the broker
    has than it shows."""

    scope: str
    is_whole: bool
    rows: list[Any]
    gone: list[str]
    left_out: int


class Update(msgspec.Struct, frozen=True):
    """One frame of a stream. Without changes, it says that nothing has changed up to `now_ms`, the broker's clock."""

    boot_id: str
    seq: int
    now_ms: int
    changes: list[Change]


class Stream:
    """A live stream on a connection of its own, made by `AsyncClient.watch`. To be used with `async with`; then
    `async for` gives an Update for each frame, and `rows` what all of them together amount to.

    The next frame is asked for when the next update is: who is slow gets fewer, each with the latest. A lost connection
    is made again, and the stream goes on where it was. Waiting for an update may be cancelled, and tried again.
    """

    def __init__(
        self, make_link: Callable[..., Link], scopes: list[Scope], hz: float, after: tuple[str, int] = ("", 0)
    ) -> None:
        """For `AsyncClient.watch`, which see."""
        self._link = make_link(on_push=self._on_push)
        self._scopes = [scope.text for scope in scopes]
        self._kinds = {scope.text: scope.kind for scope in scopes}
        self._hz = hz
        self._images: dict[str, dict[str, Any]] = {}
        self._frames: deque[WatchFrame] = deque()
        self._arrived = asyncio.Event()
        self._connection: Connection | None = None
        self._boot_id, self._seq = after
        if after[0]:
            self._images = {scope: {} for scope in self._scopes}  # what was there before, the caller has
        self._owes_credit = False
        self._is_turned = False

    @property
    def address(self) -> str:
        """Where the broker is that is watched, empty before the first connection."""
        return self._connection.address if self._connection is not None else ""

    @property
    def welcome(self) -> Welcome | None:
        """The broker's greeting, another one after each new connection; None before the first."""
        return self._connection.welcome if self._connection is not None else None

    @property
    def received_bytes(self) -> int:
        """Bytes that came over the connection there is now."""
        return self._connection.received_bytes if self._connection is not None else 0

    def turn_to(self, *scopes: str, hz: float) -> None:
        """Watch these from now on, over the same connection. `hz` 0: no update comes until the next turn.

        Raises:
            InvalidArgument: one of the scopes is none, or too many.
        """
        wanted = parse_scopes(scopes)
        texts = [scope.text for scope in wanted]
        if (texts, hz) == (self._scopes, self._hz):
            return
        if texts != self._scopes:
            self._boot_id, self._seq = "", 0  # where to go on is known for the same scopes only
            self._images.clear()
        self._scopes, self._hz = texts, hz
        self._kinds = {scope.text: scope.kind for scope in wanted}
        self._is_turned = True
        self._arrived.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Update:
        """The next frame, when it comes.

        Raises:
            ConnectFailed: the broker is gone, and did not come back in time.
            ConnectionLost: the stream is closed.
            TqError: the broker's refusal of the scopes.
        """
        while True:
            connection = await self._watch()
            frame = await self._next_frame(connection)
            if frame is not None and self._is_next(frame):
                return self._take_up(frame)

    async def close(self) -> None:
        """End the connection."""
        await self._link.close()

    def rows(self, scope: str) -> Mapping[str, Any]:
        """The rows of a scope as of the last update, by key: the name of a queue, the id of a task, the incarnation of
        a worker in hex."""
        return self._images.get(parse_scope(scope).text, {})

    async def _watch(self) -> Connection:
        """The connection, on which the next frame is on its way."""
        connection = self._connection
        if connection is None or connection.is_ended or self._is_turned:
            connection = await self._link.ready()
            self._is_turned = False
            self._frames.clear()  # of the connection before, or of other scopes
            await connection.request(Watch(connection.next_id(), self._scopes, self._hz, self._boot_id, self._seq))
            self._connection = connection
        elif self._owes_credit:
            connection.send(WatchCredit(0))
        self._owes_credit = False
        return connection

    async def _next_frame(self, connection: Connection) -> WatchFrame | None:
        """A frame; None if the connection ended, or is dead."""
        if not self._frames:
            self._arrived.clear()
            arriving = asyncio.ensure_future(self._arrived.wait())
            either: set[asyncio.Future[Any]] = {arriving, connection.closed}
            seconds = max(SILENCE_SECONDS_MIN, _SILENT_BEATS / self._hz) if self._hz else None
            try:
                await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            finally:
                arriving.cancel()
        if self._is_turned:
            return None
        if self._frames:
            return self._frames.popleft()
        if not connection.closed.done():
            await connection.close()
        return None

    def _on_push(self, push: Push) -> None:
        if isinstance(push, WatchFrame):
            self._frames.append(push)
            self._arrived.set()

    def _is_next(self, frame: WatchFrame) -> bool:
        """Whether it is newer than all before. One that came twice is left out; after one that was overtaken nothing is
        certain any more, and all is asked for anew. TCP does neither, whatever stands between may."""
        if frame.boot_id != self._boot_id or frame.seq > self._seq:
            return True
        if frame.seq < self._seq:
            self._boot_id, self._seq = "", 0
            self._is_turned = True
        return False

    def _take_up(self, frame: WatchFrame) -> Update:
        self._boot_id, self._seq = frame.boot_id, frame.seq
        self._owes_credit = True
        changes = []
        for part in frame.decoded():
            if part.scope not in self._kinds or not (part.is_whole or part.scope in self._images):
                continue  # it was on its way when this stream turned to other scopes
            kind = ROWS[self._kinds[part.scope]]
            image = {} if part.is_whole else self._images[part.scope]
            rows = [kind.decode(row) for row in part.rows]
            for key in part.gone:
                image.pop(key, None)
            image.update((kind.key(row), row) for row in rows)
            self._images[part.scope] = image
            changes.append(Change(part.scope, part.is_whole, rows, part.gone, part.left_out))
        return Update(frame.boot_id, frame.seq, frame.now_ms, changes)


def parse_scopes(scopes: Sequence[str]) -> list[Scope]:
    """The scopes of one watch.

    Raises:
        InvalidArgument: one of them is none, or too many.
    """
    if not 0 < len(scopes) <= SCOPES_MAX:
        raise InvalidArgument(f"{len(scopes)} scopes to watch", hint=f"1 to {SCOPES_MAX}")
    return [parse_scope(scope) for scope in scopes]


class AsyncWatching(Asking):
    """Looking on, for AsyncClient."""

    def watch(self, *scopes: str, hz: float = 2.0, after: tuple[str, int] = ("", 0)) -> Stream:
        """What is new in these scopes, live.

        Args:
            scopes: such as "totals", "queues", "queue:mail"; docs/watching.md has all of them.
            hz: updates a second at most, above 0 and up to 10.
            after: `boot_id` and `seq` of an update of the same scopes, to go on from there: where the broker still can,
                the first update brings what has changed since, and `rows` knows of that alone.

        Raises:
            InvalidArgument: one of the scopes is none, or too many; `hz` or `after` cannot be.
        """
        if not 0 < hz <= HZ_MAX:
            raise InvalidArgument(f"{hz:g} updates a second", hint=f"more than 0, up to {HZ_MAX:g}")
        parsed = parse_scopes(scopes)
        check_request(Watch(0, [scope.text for scope in parsed], hz, *after))
        return Stream(self._make_link, parsed, hz, after)

    async def history(self, *queues: str, by_minute: bool = False, since_ms: int = 0) -> dict[str, list[HistoryPoint]]:
        """What queues did in the last five minutes, second by second; the seconds in which nothing changed left out.

        Args:
            by_minute: the last day, minute by minute.
            since_ms: only what began at or after this moment, in ms since the epoch.

        Raises:
            InvalidArgument: more than 20,000 points at once.
        """
        reply = await self._ask(GetHistory(0, list(queues), by_minute, since_ms), HistoryReply)
        return {history.queue: history.points for history in reply.histories}

    async def attention(self) -> list[Finding]:
        """What somebody should look at, the most urgent first: at most 50."""
        return (await self._ask(GetAttention(0), AttentionReply)).findings


class BlockingStream:
    """A Stream for any thread: the same, with `with` and `for`."""

    def __init__(self, stream: Stream, thread: LoopThread) -> None:
        """For `Client.watch`, which see."""
        self._stream = stream
        self._thread = thread

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.run(lambda: self._stream.close())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Update:
        """See Stream."""
        return self._thread.run(lambda: self._stream.__anext__())

    def rows(self, scope: str) -> Mapping[str, Any]:
        """See Stream.rows."""
        return self._stream.rows(scope)


class Watching(Blocking):
    """Looking on, for Client."""

    def watch(self, *scopes: str, hz: float = 2.0, after: tuple[str, int] = ("", 0)) -> BlockingStream:
        """See AsyncClient.watch."""
        return BlockingStream(self._client.watch(*scopes, hz=hz, after=after), self._thread)

    def history(self, *queues: str, by_minute: bool = False, since_ms: int = 0) -> dict[str, list[HistoryPoint]]:
        """See AsyncClient.history."""
        return self._thread.run(lambda: self._client.history(*queues, by_minute=by_minute, since_ms=since_ms))

    def attention(self) -> list[Finding]:
        """See AsyncClient.attention."""
        return self._thread.run(lambda: self._client.attention())

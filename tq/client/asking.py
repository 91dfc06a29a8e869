"""The base of the client's calls: one link to the broker, one request and its reply."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec
from msgspec.structs import replace

from tq.client.addresses import parse_address
from tq.client.chunks import chunks_of
from tq.client.ids import IdMaker, raw_id
from tq.client.link import Link, make_hello
from tq.client.loop_thread import LoopThread
from tq.config.address import default_addresses, destination
from tq.model.commands import BATCH_MAX, Hello, Request
from tq.model.errors import InvalidArgument, ProtocolViolation
from tq.model.identity import Role
from tq.model.replies import Affected, Reply, Welcome

if TYPE_CHECKING:
    from tq.client.async_client import AsyncClient

Id = str | bytes
"""A task's id: the text of it, or its 16 bytes."""

_FIELD = re.compile(r"\$\[(\d+)\]")
R = TypeVar("R", bound=Reply)


class Asking:
    """What all calls of AsyncClient are made of; each module of calls is a class upon this one."""

    def __init__(
        self,
        address: str | Sequence[str] | None = None,
        *,
        token: str = "",
        name: str = "",
        role: Role = Role.ADMIN,
        acts_for: str = "",
        connect_timeout: float = 5.0,
        reconnect_timeout: float = 30.0,
        can_ask: bool = True,
    ) -> None:
        address, token, role = destination(address, token, role)
        hello = make_hello(token, name, role, acts_for)
        self._begin(address, hello, connect_timeout, reconnect_timeout, can_ask=can_ask)

    def _begin(
        self,
        address: str | Sequence[str] | None,
        hello: Hello,
        connect_timeout: float,
        reconnect_timeout: float,
        *,
        can_ask: bool,
    ) -> None:
        """With the greeting of every connection that this client makes."""
        self._make_link: Callable[..., Link] = partial(
            Link,
            _addresses(address),
            hello,
            connect_seconds=connect_timeout,
            reconnect_seconds=reconnect_timeout,
            can_ask=can_ask,
        )
        self._link = self._make_link()
        self._make_id = IdMaker()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> Welcome:
        """Connect now, if there is no connection.

        Returns:
            The broker's greeting: its version and its limits.
        """
        return (await self._link.ready()).welcome

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now; the next call makes one if there is none."""
        return self._link.is_connected

    async def close(self) -> None:
        """End the connection. Calls that wait raise ConnectionLost, and so does every later one."""
        await self._link.close()

    async def request(self, request: Request) -> Reply:
        """Any request that has a reply: what the other methods are made of.

        Args:
            request: its `request_id` is replaced.

        Raises:
            InvalidArgument: a field is wrong; nothing was sent, for the broker would end the connection.
        """
        check_request(request)
        return await self._link.exchange(lambda request_id: replace(request, request_id=request_id))

    async def _ask(self, request: Request, expected: type[R]) -> R:
        return expect(await self.request(request), expected)

    async def _by_id(self, task_ids: Sequence[Id], make: Callable[[list[bytes]], Request]) -> Affected:
        raw = [raw_id(task_id) for task_id in task_ids]
        total = Affected(0, 0)
        for ids in chunks_of(raw, BATCH_MAX):
            total = add_up(total, await self._ask(make(list(ids)), Affected))
        return total


class Blocking:
    """What all calls of Client are made of: each runs the call of AsyncClient that is called the same."""

    _client: "AsyncClient"
    _thread: LoopThread


def _addresses(address: str | Sequence[str] | None) -> Callable[[], Sequence[str]]:
    if address is None:
        return default_addresses
    given = [address] if isinstance(address, str) else list(address)
    if not given:
        raise InvalidArgument("the list of addresses is empty", hint="give one, or None for the default")
    for one in given:
        parse_address(one)
    return lambda: given


def expect(reply: Reply, expected: type[R]) -> R:
    """The reply, if it is of the kind that the request asks for.

    Raises:
        ProtocolViolation: it is of another kind.
    """
    if not isinstance(reply, expected):
        raise ProtocolViolation(f"the broker answered with {type(reply).__name__} instead of {expected.__name__}")
    return reply


def check_request(request: Request) -> None:
    """Find a wrong field before the broker does, which would end the connection.

    Raises:
        InvalidArgument: names the field.
    """
    try:
        msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=type(request))
    except (msgspec.MsgspecError, TypeError, OverflowError, UnicodeEncodeError) as cause:
        # Element 0 of the array is the tag, so the fields count from 1.
        fields = request.__struct_fields__
        where = _FIELD.sub(lambda match: f"{fields[int(match[1]) - 1]}", str(cause), count=1)
        raise InvalidArgument(f"{type(request).__name__}: {where}") from None


def add_up(first: Affected, second: Affected) -> Affected:
    """Two parts of one bulk request, as one reply."""
    return Affected(0, first.count + second.count, first.skipped + second.skipped, second.has_more, second.cursor)

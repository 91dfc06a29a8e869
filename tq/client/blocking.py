"""The broker as plain, blocking code sees it: the methods of AsyncClient, each for any thread."""

import weakref
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tq.client.access import Access
from tq.client.async_client import AsyncClient
from tq.client.dead import Dead
from tq.client.insight import Insight
from tq.client.loop_thread import LoopThread
from tq.client.operations import Operations
from tq.client.queues import Queues
from tq.client.tasks import Tasks
from tq.client.watching import Watching
from tq.client.workers import Workers
from tq.model.commands import Request
from tq.model.identity import Role
from tq.model.metrics import Metrics
from tq.model.replies import Affected, Reply, StatsReply, Welcome


class Client(Tasks, Queues, Dead, Operations, Workers, Insight, Watching, Access):
    """The blocking twin of AsyncClient: the same arguments, methods and errors, described there.

    Any number of threads may share one: their requests travel together, over one connection. After a fork, make a new
    one. `close`, or the end of a `with` block, ends its thread; a client that is forgotten closes with the program.
    """

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
        self._client = AsyncClient(
            address,
            token=token,
            name=name,
            role=role,
            acts_for=acts_for,
            connect_timeout=connect_timeout,
            reconnect_timeout=reconnect_timeout,
            can_ask=can_ask,
        )
        self._thread = LoopThread("tq client")
        # Also at the end of the program, before daemon threads are cut off in the middle of something.
        self._close = weakref.finalize(self, self._thread.stop, self._client.close)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> Welcome:
        """See AsyncClient.connect."""
        return self._thread.run(lambda: self._client.connect())

    def close(self) -> None:
        """See AsyncClient.close."""
        self._close()

    def stats(self) -> StatsReply:
        """See AsyncClient.stats."""
        return self._thread.run(lambda: self._client.stats())

    def metrics(self, queues: int = 100) -> Metrics:
        """See AsyncClient.metrics."""
        return self._thread.run(lambda: self._client.metrics(queues))

    def backup(self, directory: str) -> Affected:
        """See AsyncClient.backup."""
        return self._thread.run(lambda: self._client.backup(directory))

    def request(self, request: Request) -> Reply:
        """See AsyncClient.request."""
        return self._thread.run(lambda: self._client.request(request))

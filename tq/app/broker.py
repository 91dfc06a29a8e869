"""The backend of production: a broker over the wire."""

import asyncio
import os
import threading
from collections.abc import Sequence

from tq.client.async_client import AsyncClient
from tq.client.blocking import Client
from tq.client.ids import new_id
from tq.model.task import Outcome, TaskSpec, TaskView


class BrokerBackend:
    """One client for each event loop and one for plain code, made when first used. For any thread."""

    def __init__(self, address: str | Sequence[str] | None, *, client_name: str, token: str) -> None:
        self._address = address
        self._name = client_name
        self._token = token
        self._lock = threading.Lock()
        self._of_loops: dict[asyncio.AbstractEventLoop, AsyncClient] = {}
        self._of_processes: dict[int, Client] = {}

    def make_id(self) -> bytes:
        """A new id, from the clock and the system's randomness."""
        return new_id()

    async def submit(self, specs: Sequence[TaskSpec]) -> list[str]:
        """See Backend."""
        return await self._client().submit_specs(specs)

    async def wait(self, task_id: str, timeout_ms: int) -> Outcome:
        """See Backend."""
        return await self._client().wait(task_id, timeout_ms / 1000)

    async def get(self, task_id: str) -> TaskView:
        """See Backend."""
        return await self._client().get_task(task_id)

    async def cancel(self, task_id: str, reason: str) -> bool:
        """See Backend."""
        return (await self._client().cancel(task_id, reason=reason)).count > 0

    async def close(self) -> None:
        """See Backend."""
        client = self._of_loops.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def submit_sync(self, specs: Sequence[TaskSpec]) -> list[str]:
        """See Backend."""
        return self._blocking_client().submit_specs(specs)

    def wait_sync(self, task_id: str, timeout_ms: int) -> Outcome:
        """See Backend."""
        return self._blocking_client().wait(task_id, timeout_ms / 1000)

    def get_sync(self, task_id: str) -> TaskView:
        """See Backend."""
        return self._blocking_client().get_task(task_id)

    def cancel_sync(self, task_id: str, reason: str) -> bool:
        """See Backend."""
        return self._blocking_client().cancel(task_id, reason=reason).count > 0

    def close_sync(self) -> None:
        """See Backend."""
        with self._lock:
            client = self._of_processes.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def _client(self) -> AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._of_loops.get(loop)
        if client is None:
            client = AsyncClient(self._address, token=self._token, name=self._name)
            with self._lock:
                # A loop that ended without `close` cannot close its client any more, but need not be kept for it.
                for ended in [one for one in self._of_loops if one.is_closed()]:
                    del self._of_loops[ended]
                self._of_loops[loop] = client
        return client

    def _blocking_client(self) -> Client:
        # A forked process has a copy of its parent's client, but not the thread that works for it.
        process = os.getpid()
        client = self._of_processes.get(process)
        if client is None:
            with self._lock:
                client = self._of_processes.get(process)
                if client is None:
                    client = Client(self._address, token=self._token, name=self._name)
                    self._of_processes[process] = client
        return client

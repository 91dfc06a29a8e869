"""The broker as plain, blocking code sees it: the methods of AsyncClient, each for any thread."""

import weakref
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from tq.client.async_client import AsyncClient, Id
from tq.client.loop_thread import LoopThread
from tq.client.task import Task
from tq.model.commands import BATCH_MAX, Request
from tq.model.replies import Affected, Reply, StatsReply, TaskPage, Welcome
from tq.model.stats import QueueStats, WorkerInfo
from tq.model.task import Outcome, State, TaskSpec, TaskSummary, TaskView


class Client:
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
        connect_timeout: float = 5.0,
        reconnect_timeout: float = 30.0,
    ) -> None:
        self._client = AsyncClient(
            address, token=token, name=name, connect_timeout=connect_timeout, reconnect_timeout=reconnect_timeout
        )
        self._thread = LoopThread("tq client")
        self._run = self._thread.run
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
        return self._run(lambda: self._client.connect())

    def close(self) -> None:
        """See AsyncClient.close."""
        self._close()

    def submit_task(self, task: Task) -> str:
        """See AsyncClient.submit_task."""
        return self._run(lambda: self._client.submit_task(task))

    def submit_tasks(self, tasks: Iterable[Task]) -> list[str]:
        """See AsyncClient.submit_tasks."""
        listed = list(tasks)  # here, for what makes them is the caller's code and may take its time
        return self._run(lambda: self._client.submit_tasks(listed))

    def submit_specs(self, specs: Sequence[TaskSpec]) -> list[str]:
        """See AsyncClient.submit_specs."""
        return self._run(lambda: self._client.submit_specs(specs))

    def get_task(self, task_id: Id) -> TaskView:
        """See AsyncClient.get_task."""
        return self._run(lambda: self._client.get_task(task_id))

    def wait(self, task_id: Id, timeout: float | None = None) -> Outcome:
        """See AsyncClient.wait."""
        return self._run(lambda: self._client.wait(task_id, timeout))

    def wait_for_result(self, task_id: Id, timeout: float | None = None) -> bytes:
        """See AsyncClient.wait_for_result."""
        return self._run(lambda: self._client.wait_for_result(task_id, timeout))

    def cancel(self, *task_ids: Id, reason: str = "") -> Affected:
        """See AsyncClient.cancel."""
        return self._run(lambda: self._client.cancel(*task_ids, reason=reason))

    def list_tasks(
        self,
        state: State | str | None = None,
        queue: str | None = None,
        task_type: str | None = None,
        limit: int = 100,
        cursor: bytes = b"",
    ) -> TaskPage:
        """See AsyncClient.list_tasks."""
        return self._run(lambda: self._client.list_tasks(state, queue, task_type, limit, cursor))

    def iter_tasks(
        self, state: State | str | None = None, queue: str | None = None, task_type: str | None = None
    ) -> Iterator[TaskSummary]:
        """See AsyncClient.iter_tasks."""
        cursor = b""
        while True:
            page = self.list_tasks(state, queue, task_type, BATCH_MAX, cursor)
            yield from page.tasks
            if not (cursor := page.cursor):
                return

    def resubmit(self, task_id: Id, payload: bytes | None = None, content_type: str | None = None) -> str:
        """See AsyncClient.resubmit."""
        return self._run(lambda: self._client.resubmit(task_id, payload, content_type))

    def queues(self) -> list[QueueStats]:
        """See AsyncClient.queues."""
        return self._run(lambda: self._client.queues())

    def pause_queue(self, queue: str, reason: str = "") -> Affected:
        """See AsyncClient.pause_queue."""
        return self._run(lambda: self._client.pause_queue(queue, reason))

    def resume_queue(self, queue: str) -> Affected:
        """See AsyncClient.resume_queue."""
        return self._run(lambda: self._client.resume_queue(queue))

    def purge_queue(self, queue: str, limit: int = BATCH_MAX, dry_run: bool = False) -> Affected:
        """See AsyncClient.purge_queue."""
        return self._run(lambda: self._client.purge_queue(queue, limit, dry_run))

    def retry_dead(
        self, *task_ids: Id, queue: str | None = None, limit: int = BATCH_MAX, dry_run: bool = False
    ) -> Affected:
        """See AsyncClient.retry_dead."""
        return self._run(lambda: self._client.retry_dead(*task_ids, queue=queue, limit=limit, dry_run=dry_run))

    def purge_dead(
        self, *task_ids: Id, queue: str | None = None, limit: int = BATCH_MAX, dry_run: bool = False
    ) -> Affected:
        """See AsyncClient.purge_dead."""
        return self._run(lambda: self._client.purge_dead(*task_ids, queue=queue, limit=limit, dry_run=dry_run))

    def workers(self) -> list[WorkerInfo]:
        """See AsyncClient.workers."""
        return self._run(lambda: self._client.workers())

    def drain_worker(self, worker: str) -> Affected:
        """See AsyncClient.drain_worker."""
        return self._run(lambda: self._client.drain_worker(worker))

    def report_worker_death(
        self,
        incarnation: bytes,
        *,
        exit_code: int | None = None,
        signal: str = "",
        host: str = "",
        rss_max_bytes: int = 0,
        last_lines: str = "",
        running: Sequence[Id] | None = None,
    ) -> Affected:
        """See AsyncClient.report_worker_death."""
        return self._run(
            lambda: self._client.report_worker_death(
                incarnation,
                exit_code=exit_code,
                signal=signal,
                host=host,
                rss_max_bytes=rss_max_bytes,
                last_lines=last_lines,
                running=running,
            )
        )

    def stats(self) -> StatsReply:
        """See AsyncClient.stats."""
        return self._run(lambda: self._client.stats())

    def backup(self, directory: str) -> Affected:
        """See AsyncClient.backup."""
        return self._run(lambda: self._client.backup(directory))

    def request(self, request: Request) -> Reply:
        """See AsyncClient.request."""
        return self._run(lambda: self._client.request(request))

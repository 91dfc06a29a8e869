"""The client's calls for workers: list, drain, tell of a death."""

from collections.abc import Sequence

from tq.client.asking import Asking, Blocking, Id
from tq.client.ids import raw_id
from tq.model.commands import DrainWorker, ListWorkers, WorkerDied
from tq.model.replies import Affected, WorkerPage
from tq.model.stats import WorkerInfo


class AsyncWorkers(Asking):
    """Workers, for AsyncClient."""

    async def workers(self) -> list[WorkerInfo]:
        """All workers, by name."""
        return (await self._ask(ListWorkers(0), WorkerPage)).workers

    async def drain_worker(self, worker: str) -> Affected:
        """Tell workers to take nothing more, and to end when they are idle.

        Args:
            worker: a name, an incarnation in hex, or a unique beginning of one.

        Raises:
            WorkerNotFound: no worker is called so.
        """
        return await self._ask(DrainWorker(0, worker), Affected)

    async def report_worker_death(
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
        """Say that a worker process has ended: its leases are freed at once, with the evidence.

        Args:
            running: the tasks whose handlers had started, of which alone a crash is counted; None: not known, all.
        """
        started = None if running is None else [raw_id(task_id) for task_id in running]
        return await self._ask(
            WorkerDied(0, incarnation, exit_code, signal, host, rss_max_bytes, last_lines, started), Affected
        )


class Workers(Blocking):
    """Workers, for Client."""

    def workers(self) -> list[WorkerInfo]:
        """See AsyncClient.workers."""
        return self._thread.run(lambda: self._client.workers())

    def drain_worker(self, worker: str) -> Affected:
        """See AsyncClient.drain_worker."""
        return self._thread.run(lambda: self._client.drain_worker(worker))

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
        return self._thread.run(
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

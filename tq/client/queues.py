"""The client's calls for queues: list, pause, resume, purge."""

from tq.client.asking import Asking, Blocking
from tq.model.commands import BATCH_MAX, ListQueues, PauseQueue, PurgeQueue, ResumeQueue
from tq.model.replies import Affected, QueuePage
from tq.model.stats import QueueStats


class AsyncQueues(Asking):
    """Queues, for AsyncClient."""

    async def queues(self) -> list[QueueStats]:
        """All queues, by name."""
        return (await self._ask(ListQueues(0), QueuePage)).queues

    async def pause_queue(self, queue: str, reason: str = "") -> Affected:
        """Dispatch nothing more from a queue; what runs goes on.

        Raises:
            QueueNotFound: no task was ever submitted to it.
        """
        return await self._ask(PauseQueue(0, queue, reason), Affected)

    async def resume_queue(self, queue: str) -> Affected:
        """Dispatch from a paused queue again.

        Raises:
            QueueNotFound: as for `pause_queue`.
        """
        return await self._ask(ResumeQueue(0, queue), Affected)

    async def purge_queue(self, queue: str, limit: int = BATCH_MAX, dry_run: bool = False) -> Affected:
        """Cancel up to `limit` waiting tasks; `resubmit` brings one back until its retention ends.

        Args:
            dry_run: count all of them, change nothing.

        Raises:
            QueueNotFound: as for `pause_queue`.
        """
        return await self._by_number(limit, dry_run, lambda part, cursor: PurgeQueue(0, queue, part, dry_run, cursor))


class Queues(Blocking):
    """Queues, for Client."""

    def queues(self) -> list[QueueStats]:
        """See AsyncClient.queues."""
        return self._thread.run(lambda: self._client.queues())

    def pause_queue(self, queue: str, reason: str = "") -> Affected:
        """See AsyncClient.pause_queue."""
        return self._thread.run(lambda: self._client.pause_queue(queue, reason))

    def resume_queue(self, queue: str) -> Affected:
        """See AsyncClient.resume_queue."""
        return self._thread.run(lambda: self._client.resume_queue(queue))

    def purge_queue(self, queue: str, limit: int = BATCH_MAX, dry_run: bool = False) -> Affected:
        """See AsyncClient.purge_queue."""
        return self._thread.run(lambda: self._client.purge_queue(queue, limit, dry_run))

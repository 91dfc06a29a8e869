"""The client's calls for queues: list, pause, resume."""

from tq.client.asking import Asking, Blocking
from tq.model.commands import ListQueues, PauseQueue, ResumeQueue
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

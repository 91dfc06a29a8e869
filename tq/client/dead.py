"""The client's calls for dead letters: retry, purge."""

from tq.client.asking import Asking, Blocking, Id
from tq.model.commands import BATCH_MAX, PurgeDead, RetryDead
from tq.model.replies import Affected


class AsyncDead(Asking):
    """Dead letters, for AsyncClient."""

    async def retry_dead(
        self, *task_ids: Id, queue: str | None = None, limit: int = BATCH_MAX, dry_run: bool = False
    ) -> Affected:
        """Give dead letters fresh attempts: these, or without ids up to `limit` of a queue, or of all queues.

        Args:
            dry_run: count all of them, change nothing.
        """
        if task_ids:
            return await self._by_id(task_ids, lambda ids: RetryDead(0, ids, queue, is_dry_run=dry_run))
        return await self._by_number(limit, dry_run, lambda part, _: RetryDead(0, [], queue, part, dry_run))

    async def purge_dead(
        self, *task_ids: Id, queue: str | None = None, limit: int = BATCH_MAX, dry_run: bool = False
    ) -> Affected:
        """Dead letters to cancelled: these, or without ids up to `limit` of a queue, or of all queues.

        Args:
            dry_run: count all of them, change nothing.
        """
        if task_ids:
            return await self._by_id(task_ids, lambda ids: PurgeDead(0, ids, queue, is_dry_run=dry_run))
        return await self._by_number(limit, dry_run, lambda part, _: PurgeDead(0, [], queue, part, dry_run))


class Dead(Blocking):
    """Dead letters, for Client."""

    def retry_dead(
        self, *task_ids: Id, queue: str | None = None, limit: int = BATCH_MAX, dry_run: bool = False
    ) -> Affected:
        """See AsyncClient.retry_dead."""
        return self._thread.run(lambda: self._client.retry_dead(*task_ids, queue=queue, limit=limit, dry_run=dry_run))

    def purge_dead(
        self, *task_ids: Id, queue: str | None = None, limit: int = BATCH_MAX, dry_run: bool = False
    ) -> Affected:
        """See AsyncClient.purge_dead."""
        return self._thread.run(lambda: self._client.purge_dead(*task_ids, queue=queue, limit=limit, dry_run=dry_run))

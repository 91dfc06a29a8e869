"""The client's calls for dead letters: groups, retry, purge."""

from tq.client.asking import Asking, Blocking, Id
from tq.model.commands import BATCH_MAX, ListGroups, PurgeDead, RetryDead
from tq.model.errors import InvalidArgument
from tq.model.groups import GroupOrder
from tq.model.replies import Affected, GroupPage


class AsyncDead(Asking):
    """Dead letters, for AsyncClient."""

    async def failure_groups(
        self,
        selector: str = "",
        *,
        order: GroupOrder | str = GroupOrder.COUNT,
        descending: bool = True,
        limit: int = 100,
    ) -> GroupPage:
        """Dead letters by what killed them: the errors that there are, each with its count.

        Args:
            selector: may ask for queue, err, group and age (since the latest death), and for free text in the error.
            order: "count", "last", "first" or "rate".
            limit: 1 to 1,000.

        Returns:
            The groups, how many match in all, and how many dead letters those have.

        Raises:
            SelectorInvalid: the selector makes no sense, or asks for what tells tasks apart and not errors.
            QueueNotFound: it names a queue that does not exist.
        """
        return await self._ask(ListGroups(0, selector, _group_order(order), descending, limit), GroupPage)

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

    def failure_groups(
        self,
        selector: str = "",
        *,
        order: GroupOrder | str = GroupOrder.COUNT,
        descending: bool = True,
        limit: int = 100,
    ) -> GroupPage:
        """See AsyncClient.failure_groups."""
        return self._thread.run(
            lambda: self._client.failure_groups(selector, order=order, descending=descending, limit=limit)
        )

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


def _group_order(order: GroupOrder | str) -> GroupOrder:
    try:
        return GroupOrder(order)
    except ValueError:
        raise InvalidArgument(f"order {order!r} is none of {', '.join(GroupOrder)}") from None

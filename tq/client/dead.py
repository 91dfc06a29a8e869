"""The client's calls for dead letters: failure groups."""

from tq.client.asking import Asking, Blocking
from tq.model.commands import ListGroups
from tq.model.errors import InvalidArgument
from tq.model.groups import GroupOrder
from tq.model.replies import GroupPage


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


def _group_order(order: GroupOrder | str) -> GroupOrder:
    try:
        return GroupOrder(order)
    except ValueError:
        raise InvalidArgument(f"order {order!r} is none of {', '.join(GroupOrder)}") from None

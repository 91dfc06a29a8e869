"""The client's calls for a closer look: why a task is where it is."""

from tq.client.asking import Asking, Blocking, Id
from tq.client.ids import raw_id
from tq.model.commands import Why
from tq.model.insight import Explanation
from tq.model.replies import WhyReply


class AsyncInsight(Asking):
    """A closer look, for AsyncClient."""

    async def why(self, task_id: Id) -> Explanation:
        """Why a task is where it is: what it waits for, where it runs, or how it ended; the deciding reason first.

        Raises:
            TaskNotFound: it never existed, or its record was removed after its retention.
        """
        return (await self._ask(Why(0, raw_id(task_id)), WhyReply)).explanation


class Insight(Blocking):
    """A closer look, for Client."""

    def why(self, task_id: Id) -> Explanation:
        """See AsyncClient.why."""
        return self._thread.run(lambda: self._client.why(task_id))

"""The client's calls for a closer look: why a task is where it is, and what a worker has in hand."""

from tq.client.asking import Asking, Blocking, Id
from tq.client.ids import raw_id
from tq.model.commands import LOG_LINES_MAX, GetLog, GetWorker, TakeStack, Why
from tq.model.insight import Explanation, TaskStack, WorkerView
from tq.model.replies import LogPage, StackReply, WhyReply, WorkerReply


class AsyncInsight(Asking):
    """A closer look, for AsyncClient."""

    async def why(self, task_id: Id) -> Explanation:
        """Why a task is where it is: what it waits for, where it runs, or how it ended; the deciding reason first.

        Raises:
            TaskNotFound: it never existed, or its record was removed after its retention.
        """
        return (await self._ask(Why(0, raw_id(task_id)), WhyReply)).explanation

    async def task_log(self, task_id: Id, after: int = 0, limit: int = LOG_LINES_MAX) -> LogPage:
        """The lines that the handlers of a task have logged with ctx.log, over all its attempts: the latest 500.

        Args:
            after: the number of a line; those above it are wanted.
            limit: of lines, 1 to 500.

        Raises:
            TaskNotFound: as for `why`.
        """
        return await self._ask(GetLog(0, raw_id(task_id), after, limit), LogPage)

    async def task_stack(self, task_id: Id) -> TaskStack:
        """Where the handler of a running task is: its Python frames, taken by its worker within 5 seconds.

        Raises:
            TaskNotFound: as for `why`.
            WrongState: it does not run, or not yet, or its worker is not connected.
            TimedOut: its worker did not answer: it hangs in code that is not Python.
        """
        return (await self._ask(TakeStack(0, raw_id(task_id)), StackReply)).stack

    async def worker(self, worker: str) -> list[WorkerView]:
        """The processes of a worker with the tasks that they have in hand: of 100 processes and 1,000 tasks at most.

        Args:
            worker: a name, an incarnation in hex, or a unique beginning of one.

        Raises:
            WorkerNotFound: no worker is called so.
        """
        return (await self._ask(GetWorker(0, worker), WorkerReply)).workers


class Insight(Blocking):
    """A closer look, for Client."""

    def why(self, task_id: Id) -> Explanation:
        """See AsyncClient.why."""
        return self._thread.run(lambda: self._client.why(task_id))

    def task_log(self, task_id: Id, after: int = 0, limit: int = LOG_LINES_MAX) -> LogPage:
        """See AsyncClient.task_log."""
        return self._thread.run(lambda: self._client.task_log(task_id, after, limit))

    def task_stack(self, task_id: Id) -> TaskStack:
        """See AsyncClient.task_stack."""
        return self._thread.run(lambda: self._client.task_stack(task_id))

    def worker(self, worker: str) -> list[WorkerView]:
        """See AsyncClient.worker."""
        return self._thread.run(lambda: self._client.worker(worker))

"""The client's calls for tasks: submit, look, wait, cancel, resubmit."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from tq.client.asking import Asking, Blocking, Id, expect
from tq.client.chunks import chunks_of_specs
from tq.client.ids import raw_id
from tq.client.task import Task
from tq.model.commands import BATCH_MAX, Cancel, GetSignature, GetTask, ListTasks, Order, Resubmit, Submit, Wait
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument, PayloadTooLarge, TaskCancelled, TaskFailed, TimedOut, TqError
from tq.model.ids import format_id
from tq.model.replies import Affected, OutcomeReply, SignatureReply, Submitted, TaskPage, TaskReply
from tq.model.selector import Selector, parse
from tq.model.signatures import TaskSignature
from tq.model.task import Outcome, State, TaskSpec, TaskSummary, TaskView

WAIT_MS_MAX = 86_400_000
_WAIT_SECONDS_SLACK = 1.0  # the broker's own TIMED_OUT may come this late


class Taken(NamedTuple):
    """A task that the broker has. Not `is_new`: it had it before, by its key or its id."""

    id: str
    is_new: bool


class AsyncTasks(Asking):
    """Tasks, for AsyncClient."""

    async def submit_task(self, task: Task) -> str:
        """Hand a task to the broker; when this returns it is on disk.

        Returns:
            Its id; the id of the task that was there already if its key or its id was.

        Raises:
            InvalidArgument: a field of the task is wrong.
            PayloadTooLarge: above the broker's limit.
            QueueFull, DiskFull: nothing was taken; later.
        """
        spec = task.to_spec(self._make_id())
        reply = await self._link.exchange(lambda request_id: Submit(request_id, [spec]))
        if isinstance(reply, Submitted) and not reply.existing:
            return format_id(spec.id)
        return format_id(_ids_taken([spec], expect(reply, Submitted))[0])

    async def submit_tasks(self, tasks: Iterable[Task]) -> list[str]:
        """Hand many tasks to the broker, in as few requests as hold them: up to 1000 tasks each, all taken or none.

        Returns:
            Their ids, in order.

        Raises:
            InvalidArgument: a field of a task is wrong; nothing was submitted.
            TqError: as for `submit_task`; says how many tasks of earlier requests were taken.
        """
        return await self.submit_specs([task.to_spec(self._make_id()) for task in tasks])

    async def submit_specs(self, specs: Sequence[TaskSpec]) -> list[str]:
        """As `submit_tasks`, of tasks in the form that goes to the broker, which were checked when they were made."""
        if not specs:
            return []
        if len(specs) == 1:
            return [format_id((await self._submit_chunk(list(specs), 0, 1))[0])]
        limits = (await self._link.ready()).welcome.limits
        ids: list[bytes] = []
        for chunk in chunks_of_specs(specs, limits.batch_max, limits.frame_bytes_max):
            ids += await self._submit_chunk(chunk, len(ids), len(specs))
        return [format_id(task_id) for task_id in ids]

    async def submit_together(self, tasks: Sequence[Task]) -> list[Taken]:
        """Hand tasks to the broker in one request: all of them are taken, or none.

        Args:
            tasks: 1 to 1000.

        Raises:
            InvalidArgument: too many or none, or a field of one is wrong: says which, counted from 0.
            PayloadTooLarge: one is above the broker's limit, or all are together.
            QueueFull, DiskFull: nothing was taken; later.
        """
        if not 0 < len(tasks) <= BATCH_MAX:
            raise InvalidArgument(f"{len(tasks)} tasks in one submit", hint=f"1 to {BATCH_MAX:,}")
        specs = [self._numbered_spec(tasks, index) for index in range(len(tasks))]
        if len(specs) > 1:
            limits = (await self._link.ready()).welcome.limits
            if len(list(chunks_of_specs(specs, limits.batch_max, limits.frame_bytes_max))) > 1:
                raise PayloadTooLarge(
                    f"{len(specs)} tasks are together more than one submit takes", hint="submit fewer at once"
                )
        reply = expect(await self._link.exchange(lambda request_id: Submit(request_id, specs)), Submitted)
        known = {existing.index for existing in reply.existing}
        ids = _ids_taken(specs, reply)
        return [Taken(format_id(task_id), index not in known) for index, task_id in enumerate(ids)]

    async def get_task(self, task_id: Id) -> TaskView:
        """All that the broker knows of a task.

        Raises:
            TaskNotFound: it never existed, or its record was removed after its retention.
        """
        return (await self._ask(GetTask(0, raw_id(task_id)), TaskReply)).task

    async def wait(self, task_id: Id, timeout: float | None = None) -> Outcome:
        """Wait until a task has ended, well or not. The broker tells; nothing is polled.

        Args:
            timeout: seconds; None: for ever.

        Raises:
            TaskNotFound: as for `get_task`.
            TimedOut: it has not ended in time.
        """
        wanted = raw_id(task_id)
        clock = asyncio.get_running_loop().time
        deadline = math.inf if timeout is None else clock() + max(0.0, timeout)
        try:
            async with asyncio.timeout_at(None if timeout is None else deadline + _WAIT_SECONDS_SLACK):
                while True:
                    try:
                        reply = await self._link.exchange(
                            lambda request_id: Wait(request_id, wanted, _ms_left(deadline - clock()))
                        )
                    except TimedOut:
                        if clock() >= deadline:
                            raise
                    else:
                        return expect(reply, OutcomeReply).outcome
        except (TimeoutError, TimedOut):
            raise TimedOut(
                f"task {format_id(wanted)} has not ended within {timeout:g} s",
                hint=f"it goes on: `tq task get {format_id(wanted)}` shows it",
            ) from None

    async def wait_for_result(self, task_id: Id, timeout: float | None = None) -> bytes:
        """Wait for a task and return the bytes of its result.

        Args:
            timeout: seconds; None: for ever.

        Raises:
            TaskFailed: it ended in the dead letters; says with which error.
            TaskCancelled: it was cancelled, purged, or expired before it ran.
            TaskNotFound, TimedOut: as for `wait`.
        """
        return result_of(await self.wait(task_id, timeout))

    async def cancel(self, *task_ids: Id, reason: str = "") -> Affected:
        """Cancel waiting tasks at once; ask running ones to stop. Ended ones are skipped.

        Raises:
            TaskNotFound: the only one does not exist; among several, it is skipped.
        """
        return await self._by_id(task_ids, lambda ids: Cancel(0, ids, reason))

    async def list_tasks(
        self,
        selector: str | Selector = "",
        order: Order | str = Order.ANY,
        descending: bool = False,
        limit: int = 100,
        cursor: bytes = b"",
        as_of: int = 0,
    ) -> TaskPage:
        """A page of the tasks of a selector, such as "queue:mail* state:dead_letter err:Timeout"; docs/selectors.md.

        Args:
            order: "id", "age", "queue", or "any": as it is found fastest.
            limit: lines of the page, 1 to 1000.
            cursor: of the page before; an empty one in the reply: there are no more.
            as_of: of the page before: tasks that came or moved since then are left out. 0: those of now.

        Raises:
            SelectorInvalid: it makes no sense; `position` says from which character on.
            QueueNotFound: a queue that it names in full does not exist.
        """
        text = _selector_text(selector)
        return await self._ask(ListTasks(0, text, _order(order), descending, limit, cursor, as_of), TaskPage)

    async def iter_tasks(
        self, selector: str | Selector = "", order: Order | str = Order.ANY, descending: bool = False
    ) -> AsyncIterator[TaskSummary]:
        """All tasks of a selector as of now, fetched page by page."""
        cursor, as_of = b"", 0
        while True:
            page = await self.list_tasks(selector, order, descending, BATCH_MAX, cursor, as_of)
            for summary in page.tasks:
                yield summary
            cursor, as_of = page.cursor, page.as_of
            if not cursor:
                return

    async def resubmit(
        self,
        task_id: Id,
        payload: bytes | None = None,
        content_type: str | None = None,
        *,
        queue: str | None = None,
        priority: int | None = None,
        delay: str | timedelta = "0",
        reason: str = "",
    ) -> str:
        """A new task from an ended one; what is None stays as it was. It is due at once.

        Args:
            payload: another one, with its content type if that changes.
            priority: from 0 to 255.
            delay: not before that long from now, such as "10m".
            reason: why, for the audit.

        Returns:
            The id of the new task.

        Raises:
            TaskNotFound: as for `get_task`.
            WrongState: it has not ended.
            InvalidArgument, PayloadTooLarge, QueueFull: as for `submit_task`.
        """
        delay_ms = duration_ms(delay, "delay")
        request = Resubmit(
            0, raw_id(task_id), self._make_id(), payload, content_type, queue, priority, delay_ms, reason
        )
        reply = await self._ask(request, Submitted)
        return format_id(reply.existing[0].task_id if reply.existing else request.new_id)

    async def signature(self, task_type: str) -> TaskSignature | None:
        """What the handler of a task type takes, as a connected worker announced it; None: none has."""
        return (await self._ask(GetSignature(0, task_type), SignatureReply)).signature

    def _numbered_spec(self, tasks: Sequence[Task], index: int) -> TaskSpec:
        try:
            return tasks[index].to_spec(self._make_id())
        except InvalidArgument as error:
            if len(tasks) == 1:
                raise
            raise type(error)(f"task {index}: {error.message}", hint=error.hint) from None

    async def _submit_chunk(self, specs: list[TaskSpec], before: int, total: int) -> list[bytes]:
        try:
            reply = await self._link.exchange(lambda request_id: Submit(request_id, specs))
        except TqError as error:
            if before == 0:
                raise
            raise type(error)(f"{error.message}; the first {before} of {total} were taken", hint=error.hint) from error
        return _ids_taken(specs, expect(reply, Submitted))


class Tasks(Blocking):
    """Tasks, for Client."""

    def submit_task(self, task: Task) -> str:
        """See AsyncClient.submit_task."""
        return self._thread.run(lambda: self._client.submit_task(task))

    def submit_tasks(self, tasks: Iterable[Task]) -> list[str]:
        """See AsyncClient.submit_tasks."""
        listed = list(tasks)  # here, for what makes them is the caller's code and may take its time
        return self._thread.run(lambda: self._client.submit_tasks(listed))

    def submit_specs(self, specs: Sequence[TaskSpec]) -> list[str]:
        """See AsyncClient.submit_specs."""
        return self._thread.run(lambda: self._client.submit_specs(specs))

    def submit_together(self, tasks: Sequence[Task]) -> list[Taken]:
        """See AsyncClient.submit_together."""
        return self._thread.run(lambda: self._client.submit_together(tasks))

    def get_task(self, task_id: Id) -> TaskView:
        """See AsyncClient.get_task."""
        return self._thread.run(lambda: self._client.get_task(task_id))

    def wait(self, task_id: Id, timeout: float | None = None) -> Outcome:
        """See AsyncClient.wait."""
        return self._thread.run(lambda: self._client.wait(task_id, timeout))

    def wait_for_result(self, task_id: Id, timeout: float | None = None) -> bytes:
        """See AsyncClient.wait_for_result."""
        return self._thread.run(lambda: self._client.wait_for_result(task_id, timeout))

    def cancel(self, *task_ids: Id, reason: str = "") -> Affected:
        """See AsyncClient.cancel."""
        return self._thread.run(lambda: self._client.cancel(*task_ids, reason=reason))

    def list_tasks(
        self,
        selector: str | Selector = "",
        order: Order | str = Order.ANY,
        descending: bool = False,
        limit: int = 100,
        cursor: bytes = b"",
        as_of: int = 0,
    ) -> TaskPage:
        """See AsyncClient.list_tasks."""
        return self._thread.run(lambda: self._client.list_tasks(selector, order, descending, limit, cursor, as_of))

    def iter_tasks(
        self, selector: str | Selector = "", order: Order | str = Order.ANY, descending: bool = False
    ) -> Iterator[TaskSummary]:
        """See AsyncClient.iter_tasks."""
        cursor, as_of = b"", 0
        while True:
            page = self.list_tasks(selector, order, descending, BATCH_MAX, cursor, as_of)
            yield from page.tasks
            cursor, as_of = page.cursor, page.as_of
            if not cursor:
                return

    def resubmit(
        self,
        task_id: Id,
        payload: bytes | None = None,
        content_type: str | None = None,
        *,
        queue: str | None = None,
        priority: int | None = None,
        delay: str | timedelta = "0",
        reason: str = "",
    ) -> str:
        """See AsyncClient.resubmit."""
        return self._thread.run(
            lambda: self._client.resubmit(
                task_id, payload, content_type, queue=queue, priority=priority, delay=delay, reason=reason
            )
        )

    def signature(self, task_type: str) -> TaskSignature | None:
        """See AsyncClient.signature."""
        return self._thread.run(lambda: self._client.signature(task_type))


def result_of(outcome: Outcome) -> bytes:
    """The result of a task that ended well.

    Raises:
        TaskFailed, TaskCancelled: it did not.
    """
    shown = format_id(outcome.id)
    match outcome.state:
        case State.COMPLETED:
            return outcome.result
        case State.CANCELLED:
            raise TaskCancelled(f"task {shown} was cancelled: {outcome.reason or 'no reason given'}")
        case _:
            error = outcome.error
            why = f"{error.error_type}: {error.message}" if error is not None else outcome.reason
            raise TaskFailed(f"task {shown} failed: {why}", hint=f"`tq task get {shown}` shows every attempt")


def _ids_taken(specs: Sequence[TaskSpec], reply: Submitted) -> list[bytes]:
    ids = [spec.id for spec in specs]
    for existing in reply.existing:
        ids[existing.index] = existing.task_id
    return ids


def _selector_text(selector: str | Selector) -> str:
    """What goes to the broker; a slip is found before it is asked."""
    if isinstance(selector, Selector):
        return selector.text
    if not isinstance(selector, str):
        raise InvalidArgument(f"selector {selector!r} is not text")
    parse(selector)
    return selector


def _order(order: Order | str) -> Order:
    try:
        return Order(order)
    except ValueError:
        raise InvalidArgument(f"{order!r} is not an order", hint=f"one of {', '.join(Order)}") from None


def _ms_left(seconds: float) -> int:
    return WAIT_MS_MAX if seconds == math.inf else min(WAIT_MS_MAX, max(0, math.ceil(seconds * 1000)))

"""The broker as an `async` program sees it: bytes and names, one method for each thing that can be asked."""

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import msgspec
from msgspec.structs import replace

from tq.client.addresses import parse_address
from tq.client.chunks import chunks_of, chunks_of_specs
from tq.client.ids import IdMaker, raw_id
from tq.client.link import Link, make_hello
from tq.client.task import Task
from tq.config.address import default_addresses
from tq.model.commands import (
    BATCH_MAX,
    Backup,
    Cancel,
    DrainWorker,
    GetStats,
    GetTask,
    ListQueues,
    ListTasks,
    ListWorkers,
    PauseQueue,
    PurgeDead,
    PurgeQueue,
    Request,
    Resubmit,
    ResumeQueue,
    RetryDead,
    Submit,
    Wait,
    WorkerDied,
)
from tq.model.errors import InvalidArgument, ProtocolViolation, TaskCancelled, TaskFailed, TimedOut, TqError
from tq.model.ids import format_id
from tq.model.replies import (
    Affected,
    OutcomeReply,
    QueuePage,
    Reply,
    StatsReply,
    Submitted,
    TaskPage,
    TaskReply,
    Welcome,
    WorkerPage,
)
from tq.model.stats import QueueStats, WorkerInfo
from tq.model.task import Outcome, State, TaskSpec, TaskSummary, TaskView

Id = str | bytes
"""A task's id: the text of it, or its 16 bytes."""

WAIT_MS_MAX = 86_400_000
_WAIT_SECONDS_SLACK = 1.0  # the broker's own TIMED_OUT may come this late
_FIELD = re.compile(r"\$\[(\d+)\]")
R = TypeVar("R", bound=Reply)


class AsyncClient:
    """A client for one event loop. Connects when it is first used; `async with` connects at once, and closes.

    A lost connection is made again, and what was unanswered is asked again where that is safe: submits are (their
    ids are made here), and so is all that reads or that done twice is done once. What is not raises ConnectionLost.
    As many calls as one likes may be in flight at once; the client holds back what the broker would not take.

    Args:
        address: "host:port", "tcp://host:port" or "unix:///path", or several, tried in turn. None: TQ_URL, or what
            the configuration says, or the socket of the local broker, or 127.0.0.1:6379.
        token: the credentials, if the broker asks for some.
        name: how the broker's log calls this client.
        connect_timeout: seconds for connecting to one address.
        reconnect_timeout: seconds for which a call goes on trying after a lost connection.

    Every method that asks the broker raises ConnectFailed if nobody is there, and the errors that the broker answers.
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
        self._link = Link(
            _addresses(address),
            make_hello(token, name),
            connect_seconds=connect_timeout,
            reconnect_seconds=reconnect_timeout,
        )
        self._make_id = IdMaker()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> Welcome:
        """Connect now, if there is no connection.

        Returns:
            The broker's greeting: its version and its limits.
        """
        return (await self._link.ready()).welcome

    async def close(self) -> None:
        """End the connection. Calls that wait raise ConnectionLost, and so does every later one."""
        await self._link.close()

    # Tasks.

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
        return format_id(_ids_taken([spec], _expect(reply, Submitted))[0])

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
                        return _expect(reply, OutcomeReply).outcome
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
        state: State | str | None = None,
        queue: str | None = None,
        task_type: str | None = None,
        limit: int = 100,
        cursor: bytes = b"",
    ) -> TaskPage:
        """A page of tasks that match all that is given.

        Args:
            limit: lines of the page, 1 to 1000.
            cursor: of the page before; an empty one in the reply: there are no more.
        """
        return await self._ask(ListTasks(0, _state(state), queue, task_type, limit, cursor), TaskPage)

    async def iter_tasks(
        self, state: State | str | None = None, queue: str | None = None, task_type: str | None = None
    ) -> AsyncIterator[TaskSummary]:
        """All tasks that match, fetched page by page."""
        cursor = b""
        while True:
            page = await self.list_tasks(state, queue, task_type, BATCH_MAX, cursor)
            for summary in page.tasks:
                yield summary
            if not (cursor := page.cursor):
                return

    async def resubmit(self, task_id: Id, payload: bytes | None = None, content_type: str | None = None) -> str:
        """A new task from an ended one, with another payload if one is given.

        Returns:
            The id of the new task.

        Raises:
            TaskNotFound: as for `get_task`.
            WrongState: it has not ended.
        """
        request = Resubmit(0, raw_id(task_id), self._make_id(), payload, content_type)
        reply = await self._ask(request, Submitted)
        return format_id(reply.existing[0].task_id if reply.existing else request.new_id)

    # Queues and dead letters.

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

    # Workers and the broker.

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

    async def stats(self) -> StatsReply:
        """The broker in numbers."""
        return await self._ask(GetStats(0), StatsReply)

    async def backup(self, directory: str) -> Affected:
        """A consistent copy of the data, while the broker runs.

        Args:
            directory: a new one, on the broker's machine.
        """
        return await self._ask(Backup(0, directory), Affected)

    async def request(self, request: Request) -> Reply:
        """Any request that has a reply: what the other methods are made of.

        Args:
            request: its `request_id` is replaced.

        Raises:
            InvalidArgument: a field is wrong; nothing was sent, for the broker would end the connection.
        """
        _check(request)
        return await self._link.exchange(lambda request_id: replace(request, request_id=request_id))

    async def _ask(self, request: Request, expected: type[R]) -> R:
        return _expect(await self.request(request), expected)

    async def _submit_chunk(self, specs: list[TaskSpec], before: int, total: int) -> list[bytes]:
        try:
            reply = await self._link.exchange(lambda request_id: Submit(request_id, specs))
        except TqError as error:
            if before == 0:
                raise
            raise type(error)(f"{error.message}; the first {before} of {total} were taken", hint=error.hint) from error
        return _ids_taken(specs, _expect(reply, Submitted))

    async def _by_id(self, task_ids: Sequence[Id], make: Callable[[list[bytes]], Request]) -> Affected:
        raw = [raw_id(task_id) for task_id in task_ids]
        total = Affected(0, 0)
        for ids in chunks_of(raw, BATCH_MAX):
            total = _sum(total, await self._ask(make(list(ids)), Affected))
        return total

    async def _by_number(self, limit: int, dry_run: bool, make: Callable[[int, bytes], Request]) -> Affected:
        """A broker does a bounded amount a request: go on until `limit` is reached or there is no more."""
        if limit < 1:
            raise InvalidArgument(f"limit {limit} is below 1")
        total = Affected(0, 0)
        while True:
            part = await self._ask(make(min(limit - total.count, BATCH_MAX), total.cursor), Affected)
            is_stuck = part.count == 0 and part.cursor == total.cursor
            total = _sum(total, part)
            if dry_run or is_stuck or not part.has_more or total.count >= limit:
                return total


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


def _addresses(address: str | Sequence[str] | None) -> Callable[[], Sequence[str]]:
    if address is None:
        return default_addresses
    given = [address] if isinstance(address, str) else list(address)
    if not given:
        raise InvalidArgument("the list of addresses is empty", hint="give one, or None for the default")
    for one in given:
        parse_address(one)
    return lambda: given


def _ids_taken(specs: Sequence[TaskSpec], reply: Submitted) -> list[bytes]:
    ids = [spec.id for spec in specs]
    for existing in reply.existing:
        ids[existing.index] = existing.task_id
    return ids


def _expect(reply: Reply, expected: type[R]) -> R:
    if not isinstance(reply, expected):
        raise ProtocolViolation(f"the broker answered with {type(reply).__name__} instead of {expected.__name__}")
    return reply


def _check(request: Request) -> None:
    try:
        msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=type(request))
    except (msgspec.MsgspecError, TypeError, OverflowError, UnicodeEncodeError) as cause:
        # Element 0 of the array is the tag, so the fields count from 1.
        fields = request.__struct_fields__
        where = _FIELD.sub(lambda match: f"{fields[int(match[1]) - 1]}", str(cause), count=1)
        raise InvalidArgument(f"{type(request).__name__}: {where}") from None


def _state(state: State | str | None) -> State | None:
    try:
        return None if state is None else State(state)
    except ValueError:
        raise InvalidArgument(f"{state!r} is not a state", hint=f"one of {', '.join(State)}") from None


def _ms_left(seconds: float) -> int:
    return WAIT_MS_MAX if seconds == math.inf else min(WAIT_MS_MAX, max(0, math.ceil(seconds * 1000)))


def _sum(first: Affected, second: Affected) -> Affected:
    return Affected(0, first.count + second.count, first.skipped + second.skipped, second.has_more, second.cursor)

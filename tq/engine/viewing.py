"""What is shown: one task, pages of tasks, queues, workers, the whole. Never more rows read than a page needs."""

from collections.abc import Iterator

from tq.engine.history import check_span
from tq.engine.ledger import Ledger, Record
from tq.engine.queues import Queue
from tq.engine.tables import DEAD_KEY, DUE_KEY, READY_KEY, READY_ROW, DueKind, Table
from tq.engine.waiters import outcome_of
from tq.engine.workers import Worker
from tq.model.commands import GetHistory, GetSignature, GetStats, GetTask, ListQueues, ListTasks, ListWorkers, Wait
from tq.model.errors import InvalidArgument
from tq.model.history import QueueHistory
from tq.model.replies import (
    HistoryReply,
    OutcomeReply,
    QueuePage,
    SignatureReply,
    StatsReply,
    TaskPage,
    TaskReply,
    WorkerPage,
)
from tq.model.stats import EngineStats, QueueStats, WorkerInfo
from tq.model.task import Progress, State, TaskSummary, TaskView

_NO_ID = bytes(16)
_LAST = b"\xff" * 32


def get_task(ledger: Ledger, request: GetTask) -> TaskReply:
    """All of one task.

    Raises:
        TaskNotFound: no such task.
    """
    record = ledger.find(request.task_id)
    stored, spec, state, lease, options = (
        record.stored,
        record.stored.spec,
        record.state,
        record.lease,
        record.options,
    )
    current = record.current
    view = TaskView(
        id=record.id,
        task_type=spec.task_type,
        queue=spec.queue,
        priority=spec.priority,
        state=current,
        payload=spec.payload,
        content_type=spec.content_type,
        submitted_at_ms=stored.submitted_at_ms,
        scheduled_at_ms=0 if lease is not None else state.scheduled_at_ms,
        started_at_ms=lease.leased_at_ms if lease is not None else state.started_at_ms,
        ended_at_ms=state.ended_at_ms,
        expires_at_ms=stored.expires_at_ms,
        attempt=lease.attempt if lease is not None else state.attempt,
        max_retries=spec.max_retries,
        crashes=lease.crashes if lease is not None else state.crashes,
        max_crashes=options.max_crashes,
        timeout_ms=spec.timeout_ms,
        worker=lease.worker.hello.name if lease is not None else state.worker,
        no_handler=current is State.PENDING and state.sequence > 0 and not _has_handler(ledger, record),
        cancel_requested=lease is not None and lease.cancel_reason is not None,
        progress=Progress(*lease.progress) if lease is not None and lease.progress is not None else None,
        result=state.result,
        result_content_type=state.content_type,
        reason=state.reason,
        history=state.history,
        key=options.key,
        resubmit_of=options.resubmit_of,
        resubmitted_as=state.resubmitted_as,
    )
    return TaskReply(request.request_id, view)


def _has_handler(ledger: Ledger, record: Record) -> bool:
    lane = ledger.lane_of(record.stored)
    return any(profile.can_run(lane) for profile in ledger.profiles.values())


def wait(ledger: Ledger, session: int, request: Wait, now_ms: int) -> OutcomeReply | None:
    """The outcome of a task: now if it has ended, else later.

    Raises:
        TaskNotFound: no such task.
        TooManyRequests: too many waits.
    """
    record = ledger.find(request.task_id)
    if record.current.is_final:
        return OutcomeReply(request.request_id, outcome_of(record.id, record.state))
    ledger.waiters.add(session, request.request_id, record.id, now_ms + request.timeout_ms)
    return None


def list_tasks(ledger: Ledger, request: ListTasks) -> TaskPage:
    """A page: of one state from its index, else of all tasks by id, which is the order of their making.

    A page may hold fewer than `limit` tasks, even none, and still have a cursor: the rows looked at are bounded.

    Raises:
        QueueNotFound: no such queue.
        InvalidArgument: a cursor that is not of this listing.
    """
    queue = ledger.queue(request.queue) if request.queue is not None else None
    found: list[TaskSummary] = []
    cursor = b""
    for examined, (position, task_id) in enumerate(_candidates(ledger, request, queue), start=1):
        record = ledger.find(task_id)
        spec = record.stored.spec
        if (
            (request.state is None or record.current is request.state)
            and (request.queue is None or spec.queue == request.queue)
            and (request.task_type is None or spec.task_type == request.task_type)
        ):
            found.append(_summary(record))
        if len(found) == request.limit or examined == ledger.bounds.scan_max:
            cursor = position
            break
    return TaskPage(request.request_id, found, cursor)


def _candidates(ledger: Ledger, request: ListTasks, queue: Queue | None) -> Iterator[tuple[bytes, bytes]]:
    """(position, task id) of the rows that may match, after the cursor. A position is a table and the key in it."""
    start_table, after = _parse_cursor(request.cursor)
    for table, first, last in _ranges(ledger, request, queue):
        if start_table is not None and table < start_table:
            continue
        start = max(first, after + b"\0") if table == start_table else first
        if start >= last:
            continue
        for key, value in ledger.changes.range(table, start, last, ledger.bounds.scan_max):
            yield bytes([table]) + key, _task_id(table, key, value)


def _parse_cursor(cursor: bytes) -> tuple[Table | None, bytes]:
    if not cursor:
        return None, b""
    try:
        return Table(cursor[0]), cursor[1:]
    except ValueError:
        raise InvalidArgument("the cursor is not one of a task listing") from None


def _ranges(ledger: Ledger, request: ListTasks, queue: Queue | None) -> Iterator[tuple[Table, bytes, bytes]]:
    """The parts of indexes that hold the tasks of the wanted state, in an order that cursors can follow."""
    match request.state:
        case State.PENDING:
            lanes = queue.all_lanes() if queue is not None else list(ledger.lanes_by_number.values())
            for lane in sorted(lanes, key=lambda lane: lane.number):
                if lane.row.ready and request.task_type in (None, lane.row.task_type):
                    yield Table.READY, lane.key(lane.low_water), READY_KEY.pack(lane.number + 1, 0)
            yield _waiting_for_a_time(ledger)
        case State.FAILED:
            yield _waiting_for_a_time(ledger)
        case State.IN_PROGRESS:
            yield Table.LEASES, b"", _LAST
        case State.DEAD_LETTER:
            first, last = (0, 0xFFFF_FFFF) if queue is None else (queue.number, queue.number + 1)
            yield Table.DEAD, DEAD_KEY.pack(first, 0, _NO_ID), DEAD_KEY.pack(last, 0, _NO_ID)
        case _:
            yield Table.BODIES, b"", _LAST


def _waiting_for_a_time(ledger: Ledger) -> tuple[Table, bytes, bytes]:
    kind = DueKind.READY
    return Table.DUE, DUE_KEY.pack(kind, ledger.due_floors[kind], _NO_ID), DUE_KEY.pack(kind + 1, 0, _NO_ID)


def _task_id(table: Table, key: bytes, value: bytes) -> bytes:
    match table:
        case Table.READY:
            task_id: bytes = READY_ROW.unpack(value)[0]
            return task_id
        case Table.DUE | Table.DEAD:
            return key[-16:]
        case _:
            return key


def _summary(record: Record) -> TaskSummary:
    spec, state, lease = record.stored.spec, record.state, record.lease
    last = state.history[-1] if state.history else None
    return TaskSummary(
        id=record.id,
        task_type=spec.task_type,
        queue=spec.queue,
        priority=spec.priority,
        state=record.current,
        submitted_at_ms=record.stored.submitted_at_ms,
        scheduled_at_ms=0 if lease is not None else state.scheduled_at_ms,
        ended_at_ms=state.ended_at_ms,
        attempt=lease.attempt if lease is not None else state.attempt,
        worker=lease.worker.hello.name if lease is not None else state.worker,
        error_type=last.error_type if last is not None else "",
        message=last.message[:200] if last is not None else "",
    )


def list_queues(ledger: Ledger, request: ListQueues, now_ms: int) -> QueuePage:
    """All queues, by name."""
    queues = sorted(ledger.queues.values(), key=lambda queue: queue.row.name)
    return QueuePage(request.request_id, [_queue_stats(ledger, queue, now_ms) for queue in queues])


def _queue_stats(ledger: Ledger, queue: Queue, now_ms: int) -> QueueStats:
    row = queue.row
    lanes = [lane for lane in queue.all_lanes() if lane.row.ready]
    moments = [moment for lane in lanes if (moment := lane.oldest_ready_at_ms(ledger.changes)) is not None]
    rates = ledger.history.rates(queue, now_ms)
    return QueueStats(
        name=row.name,
        ready_high=queue.ready[2],
        ready_normal=queue.ready[1],
        ready_low=queue.ready[0],
        scheduled=row.scheduled,
        retrying=row.retrying,
        in_progress=row.in_progress,
        dead=row.dead,
        no_handler=sum(
            lane.row.ready for lane in lanes if not any(profile.can_run(lane) for profile in ledger.profiles.values())
        ),
        oldest_ready_ms=max(0, now_ms - min(moments)) if moments else 0,
        is_paused=row.is_paused,
        paused_at_ms=row.paused_at_ms,
        pause_reason=row.pause_reason,
        paused_by=row.paused_by,
        submitted_total=row.submitted_total,
        completed_total=row.completed_total,
        failed_total=row.failed_total,
        crashed_total=row.crashed_total,
        dead_total=row.dead_total,
        cancelled_total=row.cancelled_total,
        submitted_10s=rates.submitted_10s,
        completed_10s=rates.completed_10s,
        failed_60s=rates.failed_60s,
        dead_60s=rates.dead_60s,
    )


def list_workers(ledger: Ledger, request: ListWorkers) -> WorkerPage:
    """All workers, by name."""
    workers = sorted(ledger.workers.values(), key=lambda worker: (worker.hello.name, worker.hello.incarnation))
    return WorkerPage(request.request_id, [worker_info(worker) for worker in workers])


def worker_info(worker: Worker) -> WorkerInfo:
    """What is shown of a worker."""
    hello = worker.hello
    return WorkerInfo(
        name=hello.name,
        incarnation=hello.incarnation,
        host=hello.host,
        pid=hello.pid,
        status=worker.status,
        version=hello.version,
        queues=tuple(preference.name for preference in hello.queues),
        task_types=tuple(hello.task_types),
        concurrency=hello.concurrency,
        leases=len(worker.leases),
        running=worker.running,
        prefetched=worker.prefetched,
        rss_bytes=worker.rss_bytes,
        connected_at_ms=worker.connected_at_ms,
        last_seen_at_ms=worker.last_seen_at_ms,
        note=worker.note,
        cpu_percent=worker.cpu_percent,
        loop_blocked_ms=worker.loop_blocked_ms,
        stuck=worker.stuck,
        reported_at_ms=worker.reported_at_ms,
    )


def get_signature(ledger: Ledger, request: GetSignature) -> SignatureReply:
    """What a handler takes, by the worker that said so last: the newest deployment."""
    announced = [profile for profile in ledger.profiles.values() if request.task_type in profile.signatures]
    newest = max(announced, key=lambda profile: profile.announced_at_ms, default=None)
    return SignatureReply(request.request_id, newest.signatures[request.task_type] if newest is not None else None)


def get_stats(ledger: Ledger, request: GetStats, now_ms: int) -> StatsReply:
    """All queues together; the server adds its own part."""
    rows = [queue.row for queue in ledger.queues.values()]
    rates = ledger.history.total_rates(now_ms)
    stats = EngineStats(
        queues=len(rows),
        ready=sum(sum(queue.ready) for queue in ledger.queues.values()),
        scheduled=sum(row.scheduled for row in rows),
        retrying=sum(row.retrying for row in rows),
        in_progress=sum(row.in_progress for row in rows),
        dead=sum(row.dead for row in rows),
        workers_connected=sum(worker.session is not None for worker in ledger.workers.values()),
        submitted_total=sum(row.submitted_total for row in rows),
        completed_total=sum(row.completed_total for row in rows),
        failed_total=sum(row.failed_total for row in rows),
        crashed_total=sum(row.crashed_total for row in rows),
        dead_total=sum(row.dead_total for row in rows),
        cancelled_total=sum(row.cancelled_total for row in rows),
        sequence=ledger.meta.applied,
        waiters=len(ledger.waiters),
        submitted_10s=rates.submitted_10s,
        completed_10s=rates.completed_10s,
        failed_60s=rates.failed_60s,
        dead_60s=rates.dead_60s,
    )
    return StatsReply(request.request_id, stats)


def get_history(ledger: Ledger, request: GetHistory, now_ms: int) -> HistoryReply:
    """What queues did, second by second or minute by minute; nothing for those that do not exist.

    Raises:
        InvalidArgument: too many points at once.
    """
    step_ms = 60_000 if request.is_by_minute else 1_000
    check_span(len(request.queues), step_ms, request.since_ms, now_ms)
    histories = []
    for name in request.queues:
        queue = ledger.queues.get(name)
        points = ledger.history.points(queue, step_ms, request.since_ms, now_ms) if queue is not None else []
        histories.append(QueueHistory(name, points))
    return HistoryReply(request.request_id, step_ms, histories)

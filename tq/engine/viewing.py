"""What is shown: one task, queues, workers, the whole. Pages of tasks are in listing.py."""

from collections.abc import Iterable

from tq.engine.history import check_span
from tq.engine.lanes import Lane
from tq.engine.ledger import Ledger, Record
from tq.engine.queues import Queue
from tq.engine.waiters import outcome_of
from tq.engine.workers import Worker
from tq.model.commands import GetHistory, GetSignature, GetStats, GetTask, ListQueues, ListWorkers, Wait
from tq.model.history import QueueHistory
from tq.model.replies import (
    HistoryReply,
    OutcomeReply,
    QueuePage,
    SignatureReply,
    StatsReply,
    TaskReply,
    WorkerPage,
)
from tq.model.stats import EngineStats, QueueStats, WorkerInfo
from tq.model.task import Progress, State, TaskView


def get_task(ledger: Ledger, request: GetTask) -> TaskReply:
    """All of one task.

    Raises:
        TaskNotFound: no such task.
    """
    return TaskReply(request.request_id, task_view(ledger, ledger.find(request.task_id)))


def task_view(ledger: Ledger, record: Record) -> TaskView:
    """All of a task whose rows are at hand."""
    stored, spec, state, lease, options = (
        record.stored,
        record.stored.spec,
        record.state,
        record.lease,
        record.options,
    )
    current = record.current
    return TaskView(
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
        tags=options.tags,
        resubmit_of=options.resubmit_of,
        resubmitted_as=state.resubmitted_as,
        trace=options.trace,
    )


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


def list_queues(ledger: Ledger, request: ListQueues, now_ms: int) -> QueuePage:
    """All queues, by name."""
    queues = sorted(ledger.queues.values(), key=lambda queue: queue.row.name)
    return QueuePage(request.request_id, [queue_stats(ledger, queue, now_ms) for queue in queues])


def queue_stats(ledger: Ledger, queue: Queue, now_ms: int) -> QueueStats:
    """All of one queue."""
    row = queue.row
    lanes = [lane for lane in queue.all_lanes() if lane.row.ready]
    oldest_at_ms = oldest_ready_at_ms(ledger, lanes)
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
        oldest_ready_ms=0 if oldest_at_ms is None else max(0, now_ms - oldest_at_ms),
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


def oldest_ready_at_ms(ledger: Ledger, lanes: Iterable[Lane]) -> int | None:
    """Since when the first task of all these is ready; None: there is none."""
    moments = (lane.oldest_ready_at_ms(ledger.changes) for lane in lanes if lane.row.ready)
    return min((moment for moment in moments if moment is not None), default=None)


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

"""A closer look at a worker: what it says of itself, and what it has in hand."""

from itertools import islice

from tq.engine.ledger import Ledger
from tq.engine.presence import named_workers
from tq.engine.settling import OVERRUN_MARGIN_MS
from tq.engine.viewing import worker_info
from tq.engine.workers import Lease, Worker
from tq.model.commands import GetWorker
from tq.model.insight import HeldTask, WorkerView
from tq.model.replies import WorkerReply
from tq.model.task import Progress

WORKERS_MAX = 100
"""Processes of one name in one answer."""
TASKS_MAX = 1_000
"""Tasks in one answer, all its processes together: about 150 KB."""


def get_worker(ledger: Ledger, request: GetWorker) -> WorkerReply:
    """The worker processes of a name, or the one of an incarnation, with their tasks.

    Raises:
        WorkerNotFound: none of this name, and no incarnation, or more than one, begins so.
    """
    found = sorted(named_workers(ledger, request.worker), key=lambda worker: worker.hello.incarnation)[:WORKERS_MAX]
    each = max(1, TASKS_MAX // len(found))
    return WorkerReply(request.request_id, [_view(worker, each) for worker in found])


def _view(worker: Worker, tasks_max: int) -> WorkerView:
    held = tuple(_held(lease) for lease in islice(worker.leases.values(), tasks_max))
    return WorkerView(info=worker_info(worker), tasks=held)


def _held(lease: Lease) -> HeldTask:
    return HeldTask(
        id=lease.id,
        task_type=lease.lane.row.task_type,
        queue=lease.lane.queue.row.name,
        attempt=lease.attempt,
        leased_at_ms=lease.leased_at_ms,
        deadline_ms=lease.deadline_ms - OVERRUN_MARGIN_MS if lease.deadline_ms else 0,
        cancel_requested=lease.cancel_reason is not None,
        progress=Progress(*lease.progress) if lease.progress is not None else None,
    )

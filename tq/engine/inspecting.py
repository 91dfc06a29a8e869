"""A closer look at a worker: what it says of itself, what it has in hand, and where a handler of it is;
and the lines that handlers logged."""

from itertools import islice

from tq.engine import logs
from tq.engine.ledger import Ledger
from tq.engine.presence import named_workers
from tq.engine.settling import OVERRUN_MARGIN_MS
from tq.engine.stacks import STACK_MS, Question
from tq.engine.viewing import worker_info
from tq.engine.workers import Lease, Worker
from tq.model.commands import GetLog, GetWorker, ReportLog, StackTaken, TakeStack
from tq.model.errors import WrongState
from tq.model.ids import format_id
from tq.model.insight import HeldTask, LogLine, TaskStack, WorkerView
from tq.model.replies import ErrorReply, LogPage, StackReply, StackWanted, WorkerReply
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


def take_stack(ledger: Ledger, session: int, request: TakeStack, now_ms: int) -> None:
    """Ask the worker that runs a task where its handler is; the reply comes with its answer.

    Raises:
        TaskNotFound: no such task.
        WrongState: it does not run, or its worker is not connected.
        TooManyRequests: too many stacks are being taken.
    """
    record = ledger.find(request.task_id)
    lease, why = record.lease, f"tq why {format_id(record.id)} says more"
    if lease is None:
        raise WrongState(f"task {format_id(record.id)} does not run: it is {record.current}", hint=why)
    worker = lease.worker
    if worker.session is None:
        raise WrongState(f"worker {worker.hello.name!r}, which runs it, has lost its connection", hint=why)
    hello = worker.hello
    question = Question(
        session=session,
        request_id=request.request_id,
        task_id=record.id,
        attempt=lease.attempt,
        worker=hello.name,
        host=hello.host,
        pid=hello.pid,
        worker_session=worker.session,
        deadline_ms=now_ms + STACK_MS,
    )
    number = ledger.stacks.add(question)
    ledger.outbox.append((worker.session, StackWanted(number, record.id, lease.token)))


def stack_taken(ledger: Ledger, session: int, request: StackTaken) -> None:
    """A worker answers; what comes too late is dropped."""
    question = ledger.stacks.pop(request.number, session)
    if question is None:
        return
    if request.reason:
        message = f"task {format_id(question.task_id)} has no stack: {request.reason}"
        ledger.outbox.append((question.session, ErrorReply(question.request_id, WrongState.code, message)))
        return
    stack = TaskStack(
        task_id=question.task_id,
        attempt=question.attempt,
        worker=question.worker,
        host=question.host,
        pid=request.pid or question.pid,
        kind=request.kind,
        running_ms=request.running_ms,
        place=request.place,
        text=request.text,
    )
    ledger.outbox.append((question.session, StackReply(question.request_id, stack)))


def report_log(ledger: Ledger, request: ReportLog) -> None:
    """Handlers have logged; kept for the live leases among them."""
    for line in request.lines:
        lease = ledger.leases.get(line.task_id)
        if lease is not None and lease.token == line.token:
            ledger.keep_log(lease, line.at_ms, line.level, line.text)


def get_log(ledger: Ledger, request: GetLog) -> LogPage:
    """The lines that the handlers of a task have logged.

    Raises:
        TaskNotFound: no such task.
    """
    record = ledger.find(request.task_id)
    lines = [
        LogLine(number=number, at_ms=row.at_ms, level=row.level, attempt=row.attempt, text=row.text)
        for number, row in logs.read(ledger.changes, record.id, request.after, request.limit)
    ]
    total = logs.next_number(ledger.changes, record.id) - 1
    return LogPage(request.request_id, lines, total, record.current.is_final)

"""Listings: the tasks of a selector in pages, and how many there are."""

from tq.engine.ledger import Ledger, Record
from tq.engine.matching import attempts_of, error_of, worker_of
from tq.engine.selecting import check_queues, exact_count, plan_scan, scan
from tq.model.commands import ListTasks
from tq.model.replies import TaskPage
from tq.model.selector import parse
from tq.model.task import State, TaskSummary

MESSAGE_CHARS = 200
"""Of an error's message, what a line of a listing has."""
BY_ROWS = "rows"
"""A page or a count was stopped by the number of rows that one request may look at."""


def list_tasks(ledger: Ledger, request: ListTasks, now_ms: int) -> TaskPage:
    """A page, and with the first one how many there are in all: exact where counters tell, or where all were counted
    within a bounded number of rows; else at least so many.

    A page may hold fewer than `limit` tasks, even none, and still have a cursor: the rows looked at are bounded.

    Raises:
        SelectorInvalid: the selector makes no sense.
        QueueNotFound: a queue that it names in full does not exist.
        InvalidArgument: a cursor that is not of this listing.
    """
    selector = parse(request.selector)
    check_queues(ledger, selector)
    as_of = request.as_of or ledger.meta.next_sequence
    plan = plan_scan(ledger, selector, request.order, request.is_descending, as_of)
    step = scan(ledger, plan, request.cursor, ledger.bounds.scan_max, request.limit, now_ms)
    total, examined, is_exact = len(step.records), step.examined, not request.cursor and not step.cursor
    counts = exact_count(ledger, selector)
    if counts is not None:
        total, is_exact = sum(counts.values()), True
    elif step.cursor and not request.cursor:
        rest = scan(ledger, plan, step.cursor, ledger.bounds.count_max, ledger.bounds.count_max, now_ms)
        total, examined, is_exact = total + len(rest.records), examined + rest.examined, not rest.cursor
    is_page_cut = bool(step.cursor) and len(step.records) < request.limit
    is_count_cut = not is_exact and not request.cursor
    return TaskPage(
        request.request_id,
        [summary_of(record) for record in step.records],
        step.cursor,
        as_of,
        total,
        is_exact,
        BY_ROWS if is_page_cut or is_count_cut else "",
        examined,
    )


def summary_of(record: Record) -> TaskSummary:
    """A task as a line of a listing."""
    spec, state, lease, options = record.stored.spec, record.state, record.lease, record.options
    error_type, message = error_of(record)
    is_dead = record.current is State.DEAD_LETTER
    return TaskSummary(
        id=record.id,
        task_type=spec.task_type,
        queue=spec.queue,
        priority=spec.priority,
        state=record.current,
        submitted_at_ms=record.stored.submitted_at_ms,
        scheduled_at_ms=0 if lease is not None else state.scheduled_at_ms,
        ended_at_ms=state.ended_at_ms,
        attempt=attempts_of(record),
        worker=worker_of(record),
        error_type=error_type,
        message=message[:MESSAGE_CHARS],
        group=state.group.hex() if is_dead else "",
        key=options.key,
        tags=options.tags,
        resubmitted_as=state.resubmitted_as,
    )

"""Why a task is where it is, from facts: `tq why`."""

from collections.abc import Iterator
from itertools import islice

import msgspec

from tq.engine.confining import sees
from tq.engine.ledger import Ledger, Record
from tq.engine.places import tasks_ahead
from tq.engine.queues import Queue
from tq.engine.settling import OVERRUN_MARGIN_MS
from tq.engine.workers import Lease, Worker
from tq.model.commands import Why
from tq.model.durations import format_ms
from tq.model.ids import format_id
from tq.model.insight import Because, Explanation, Reason
from tq.model.replies import WhyReply
from tq.model.shell import command
from tq.model.task import AttemptRecord, State, tier_of

NAMES_MAX = 5
"""Workers that a reason names."""
PACES_MS = (10_000, 60_000, 300_000)
"""How far back the pace of a queue is looked at: the shortest time in which PACE_MIN attempts ended."""
PACE_MIN = 10
WORKERS_MAX = 1_000
"""Workers that one answer looks at."""


def why(ledger: Ledger, request: Why, now_ms: int) -> WhyReply:
    """Why a task is where it is, the deciding reason first.

    Raises:
        TaskNotFound: no such task.
    """
    record = ledger.find(request.task_id)
    spec, lease = record.stored.spec, record.lease
    if lease is not None:
        reasons = list(_running(ledger, record, lease, now_ms))
    elif record.current.is_final:
        reasons = list(_ended(record, now_ms))
    else:
        reasons = list(_waiting(ledger, record, now_ms))
    explanation = Explanation(
        id=record.id,
        task_type=spec.task_type,
        queue=spec.queue,
        state=record.current,
        worker=lease.worker.hello.name if lease is not None else record.state.worker,
        submitted_at_ms=record.stored.submitted_at_ms,
        reasons=tuple(reasons),
        history=tuple(msgspec.structs.replace(attempt, traceback="") for attempt in record.state.history),
    )
    return WhyReply(request.request_id, explanation)


# -- it waits ----------------------------------------------------------------------------------------------------------


def _waiting(ledger: Ledger, record: Record, now_ms: int) -> Iterator[Reason]:
    is_ready = record.state.state is State.PENDING and record.state.sequence > 0
    if not is_ready:
        yield _later(record, now_ms)
    paused = _paused(ledger, record, now_ms)
    if paused is not None:
        yield paused
    able = _able(ledger, record)
    takers = [worker for worker in able if not worker.is_draining]
    if not takers:
        yield _nobody(ledger, record, able)
    elif is_ready and paused is None:
        yield from _in_line(ledger, record, takers, now_ms)
    expires_at_ms = record.stored.expires_at_ms
    if expires_at_ms > now_ms:
        yield Reason(
            code=Because.EXPIRES,
            text=f"it is cancelled if it has not started in {_length(expires_at_ms - now_ms)}",
            is_cause=False,
            until_ms=expires_at_ms,
        )


def _later(record: Record, now_ms: int) -> Reason:
    """It waits for a time."""
    state, due_ms = record.state, record.state.scheduled_at_ms
    left = _length(max(0, due_ms - now_ms))
    if state.state is State.FAILED:
        last = state.history[-1] if state.history else None
        error = _error_line(last) if last is not None else ""
        return Reason(
            code=Because.BACKOFF,
            text=f"attempt {state.attempt} of {record.stored.spec.max_retries + 1} failed; the next is in {left}",
            since_ms=last.ended_at_ms if last is not None else 0,
            until_ms=due_ms,
            count=state.attempt,
            note=error,
        )
    if due_ms != record.stored.scheduled_at_ms:
        text = f"its handler asked to be run later: in {left}"
        return Reason(code=Because.SNOOZED, text=text, until_ms=due_ms)
    return Reason(code=Because.NOT_DUE, text=f"it was submitted for later: it is due in {left}", until_ms=due_ms)


def _paused(ledger: Ledger, record: Record, now_ms: int) -> Reason | None:
    row = ledger.lane_of(record.stored).queue.row
    if not row.is_paused:
        return None
    who = f" by {row.paused_by}" if row.paused_by else ""
    note = f": {row.pause_reason}" if row.pause_reason else ""
    return Reason(
        code=Because.QUEUE_PAUSED,
        text=f"queue {row.name!r} was paused {_length(now_ms - row.paused_at_ms)} ago{who}{note}",
        hint=command("tq queue resume", row.name),
        since_ms=row.paused_at_ms,
        who=row.paused_by,
        note=row.pause_reason,
    )


def _able(ledger: Ledger, record: Record) -> list[Worker]:
    """The connected workers that have its handler and serve its queue."""
    lane = ledger.lane_of(record.stored)
    workers = islice(ledger.workers.values(), WORKERS_MAX)
    return [worker for worker in workers if worker.profile is not None and worker.profile.can_run(lane)]


def _nobody(ledger: Ledger, record: Record, draining: list[Worker]) -> Reason:
    """No worker would take it."""
    spec = record.stored.spec
    if draining:
        return Reason(
            code=Because.WORKERS_DRAINING,
            text=f"{_all_of(draining)} with a handler of {spec.task_type!r} will take nothing more: draining",
            hint="start a worker",
            count=len(draining),
            workers=_names(draining),
        )
    connected = [worker for worker in islice(ledger.workers.values(), WORKERS_MAX) if worker.profile is not None]
    elsewhere = [worker for worker in connected if worker.profile and spec.task_type in worker.profile.task_types]
    if not connected:
        text, hint = "no worker is connected", "start one: tq worker module:app"
    elif elsewhere:
        text = f"workers have a handler of {spec.task_type!r}, but none of them serves queue {spec.queue!r}"
        hint = f"start one with --queues {spec.queue}, or without --queues"
    else:
        who = "the one connected worker has no" if len(connected) == 1 else f"none of {len(connected):,} workers has a"
        text = f"{who} handler of {spec.task_type!r}"
        hint = "deploy an application with it; tq worker list -o json shows what each can run"
    return Reason(code=Because.NO_HANDLER, text=text, hint=hint, count=len(elsewhere), workers=_names(elsewhere))


def _in_line(ledger: Ledger, record: Record, takers: list[Worker], now_ms: int) -> Iterator[Reason]:
    """It could run, and has not been given to one of these workers."""
    own, tier = ledger.lane_of(record.stored), tier_of(record.stored.spec.priority)
    profiles = {id(worker.profile): worker.profile for worker in takers if worker.profile is not None}.values()
    lanes = [lane for lane in own.queue.all_lanes() if any(profile.can_run(lane) for profile in profiles)]
    count, is_exact = tasks_ahead(ledger, tier, record.state.sequence, lanes)
    full = [worker for worker in takers if not worker.credit and len(worker.leases) >= worker.hello.concurrency]
    idle = [worker for worker in takers if not worker.credit and worker not in full]
    if len(full) == len(takers):
        yield _full(full, now_ms)
    elif len(full) + len(idle) == len(takers):
        yield _not_asking(idle)
    before = sorted({name for profile in profiles for name in _served_before(ledger, profile.priorities, record)})
    if before:
        names = ", ".join(list(filter(sees(ledger.actor), before))[:NAMES_MAX])
        yield Reason(
            code=Because.OTHER_QUEUES_FIRST,
            text="its workers serve other queues first, which have tasks too" + (f": {names}" if names else ""),
            hint="give this queue a higher priority in --queues, or workers of its own",
            count=len(before),
        )
    if count:
        about = "" if is_exact else "about "
        text = f"{about}{_counted(count, 'task')} of its queue {'is' if count == 1 else 'are'} ahead of it"
        estimate_ms = None
        if (per_second := _pace(ledger, own.queue, now_ms)) is not None:
            estimate_ms = round(count / per_second * 1_000)
            text += f": {_length(estimate_ms)} at {per_second:,.3g} tasks/s, its pace of late"
        yield Reason(code=Because.TASKS_AHEAD, text=text, count=count, is_count_exact=is_exact, estimate_ms=estimate_ms)
    elif len(full) + len(idle) < len(takers) and not before:
        yield Reason(code=Because.NEXT, text="nothing holds it up: it goes to a worker now")


def _pace(ledger: Ledger, queue: Queue, now_ms: int) -> float | None:
    """Attempts that end a second, from the shortest time before now in which there were enough; None: none did."""
    points = ledger.history.points(queue, 1_000, now_ms - PACES_MS[-1], now_ms)
    for span_ms in PACES_MS:
        ended = [(point.at_ms, point.completed + point.failed) for point in points if point.at_ms >= now_ms - span_ms]
        count = sum(number for _, number in ended)
        if count >= PACE_MIN or (count and span_ms == PACES_MS[-1]):
            # Counted from the first that ended: before that the queue may have been idle.
            first_ms = next(at_ms for at_ms, number in ended if number)
            return count * 1_000 / max(1_000, now_ms - first_ms)
    return None


def _served_before(ledger: Ledger, priorities: dict[str, int], record: Record) -> Iterator[str]:
    own = priorities.get(record.stored.spec.queue, 0)
    return (name for name, priority in priorities.items() if priority > own and name in ledger.active)


def _full(full: list[Worker], now_ms: int) -> Reason:
    # A worker is full since it was given the last of the tasks that it holds; all of them since the last one is.
    since_ms = max(_filled_at_ms(worker) for worker in full)
    loads = [f"{worker.hello.name} ({len(worker.leases)}/{worker.hello.concurrency})" for worker in full[:NAMES_MAX]]
    verb = "has been" if len(full) == 1 else "have been"
    since = f" for {_length(now_ms - since_ms)}" if since_ms else ""
    show = command("tq worker show", full[0].hello.name)
    return Reason(
        code=Because.WORKERS_FULL,
        text=f"{_all_of(full)} that can run it {verb} full{since}: {', '.join(loads)}",
        hint=f"{show} shows what they run; more workers, or more --concurrency, help",
        since_ms=since_ms,
        count=len(full),
        workers=_names(full),
    )


def _filled_at_ms(worker: Worker) -> int:
    return max((lease.leased_at_ms for lease in worker.leases.values()), default=0)


def _not_asking(idle: list[Worker]) -> Reason:
    """They have room, and want nothing: as a rule because their event loop hangs."""
    notes = [f"{worker.hello.name}: {worker.note}" for worker in idle if worker.note]
    slow = [f"{worker.hello.name} does not read what it is sent" for worker in idle if worker.is_held]
    said = "; ".join((notes + slow)[:NAMES_MAX])
    return Reason(
        code=Because.WORKERS_NOT_ASKING,
        text="workers that can run it have room, but ask for no tasks at this moment" + (f": {said}" if said else ""),
        hint=command("tq worker show", idle[0].hello.name),
        count=len(idle),
        note=said,
        workers=_names(idle),
    )


# -- it runs -----------------------------------------------------------------------------------------------------------


def _running(ledger: Ledger, record: Record, lease: Lease, now_ms: int) -> Iterator[Reason]:
    worker, name = lease.worker, lease.worker.hello.name
    interval_ms = ledger.settings.broker.worker_heartbeat_interval_secs * 1_000
    if worker.session is None:
        yield Reason(
            code=Because.WORKER_LOST,
            text=f"the connection of worker {name!r} is gone; it has {_length(worker.deadline_ms - now_ms)} to come "
            "back, then its tasks are given to others",
            since_ms=worker.last_seen_at_ms,
            until_ms=worker.deadline_ms,
            workers=(name,),
        )
    elif now_ms - worker.last_seen_at_ms > interval_ms + interval_ms // 2:
        lost_at_ms = worker.lost_at_ms(interval_ms)
        yield Reason(
            code=Because.WORKER_SILENT,
            text=f"worker {name!r} was last heard of {_length(now_ms - worker.last_seen_at_ms)} ago; "
            f"its tasks are given to others in {_length(max(0, lost_at_ms - now_ms))}",
            since_ms=worker.last_seen_at_ms,
            until_ms=lost_at_ms,
            workers=(name,),
        )
    if lease.cancel_reason is not None:
        yield Reason(
            code=Because.CANCEL_REQUESTED,
            text=f"it was asked to stop, and has not yet: {lease.cancel_reason}",
            hint=f"tq task stack {format_id(lease.id)} shows where it is",
            note=lease.cancel_reason,
        )
    yield from _how_it_runs(record, lease, now_ms)


def _how_it_runs(record: Record, lease: Lease, now_ms: int) -> Iterator[Reason]:
    worker, name = lease.worker, lease.worker.hello.name
    timeout_ms = record.stored.spec.timeout_ms
    due_ms = lease.deadline_ms - OVERRUN_MARGIN_MS
    if lease.deadline_ms and now_ms > due_ms:
        yield Reason(
            code=Because.OVERDUE,
            text=f"its timeout of {format_ms(timeout_ms)} is over since {_length(now_ms - due_ms)}; "
            "the attempt is ended by the broker if its worker does not",
            hint=f"tq task stack {format_id(lease.id)} shows where it is",
            since_ms=due_ms,
            until_ms=lease.deadline_ms,
        )
    if worker.note:
        yield Reason(
            code=Because.WORKER_TROUBLED, text=f"worker {name!r} says: {worker.note}", note=worker.note, workers=(name,)
        )
    limit = f" of at most {format_ms(timeout_ms)}" if timeout_ms else ""
    progress = f", {lease.progress[0]:.0%} {lease.progress[1]}".rstrip() if lease.progress is not None else ""
    yield Reason(
        code=Because.RUNNING,
        text=f"attempt {lease.attempt} runs on worker {name!r} for {_length(now_ms - lease.leased_at_ms)}"
        f"{limit}{progress}",
        since_ms=lease.leased_at_ms,
        until_ms=due_ms if lease.deadline_ms else 0,
        count=lease.attempt,
        workers=(name,),
    )
    slots = worker.hello.concurrency
    place = list(worker.leases).index(lease.id)
    if place >= slots:
        yield Reason(
            code=Because.FETCHED_AHEAD,
            text=f"its worker has {_counted(slots, 'slot')} and was given {_counted(place, 'task')} before it "
            "that are not done: it may wait there",
            is_cause=False,
            count=place,
            workers=(name,),
        )


# -- it has ended ------------------------------------------------------------------------------------------------------


def _ended(record: Record, now_ms: int) -> Iterator[Reason]:
    state = record.state
    ago = f"{_length(now_ms - state.ended_at_ms)} ago"
    last = state.history[-1] if state.history else None
    match state.state:
        case State.COMPLETED:
            run = _length(state.ended_at_ms - state.started_at_ms)
            code, note = Because.COMPLETED, ""
            text = f"it completed {ago}: attempt {state.attempt} ran {run} on worker {state.worker!r}"
            hint = f"tq task result {format_id(record.id)}"
        case State.DEAD_LETTER:
            code, note = _why_dead(record), _error_line(last) if last is not None else ""
            text = f"it died {ago}: {state.reason}"
            hint = f"tq dead show {format_id(record.id)} has the traceback; tq dead retry {format_id(record.id)}"
        case _:
            code, note = (Because.EXPIRED if state.reason == "expired" else Because.CANCELLED), state.reason
            text = f"it was cancelled {ago}: {state.reason}"
            hint = f"tq dead resubmit {format_id(record.id)} submits it again"
    if state.resubmitted_as:
        hint = ""
    yield Reason(code=code, text=text, hint=hint, since_ms=state.ended_at_ms, count=state.attempt, note=note)
    if state.resubmitted_as:
        yield Reason(
            code=Because.RESUBMITTED,
            text=f"it was submitted again as {format_id(state.resubmitted_as)}",
            hint=f"tq why {format_id(state.resubmitted_as)}",
            is_cause=False,
        )


def _why_dead(record: Record) -> Because:
    if record.state.crashes >= record.options.max_crashes:
        return Because.QUARANTINED
    if record.state.attempt > record.stored.spec.max_retries:
        return Because.RETRIES_USED_UP
    return Because.FAILED_FOR_GOOD


# -- words -------------------------------------------------------------------------------------------------------------


def _length(length_ms: int) -> str:
    """Whole seconds from one second on."""
    return format_ms(length_ms if length_ms < 1_000 else length_ms // 1_000 * 1_000)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _all_of(workers: list[Worker]) -> str:
    return "the one worker" if len(workers) == 1 else f"all {len(workers):,} workers"


def _names(workers: list[Worker]) -> tuple[str, ...]:
    return tuple(worker.hello.name for worker in workers[:NAMES_MAX])


def _error_line(attempt: AttemptRecord) -> str:
    """The error of an attempt, on one line."""
    first = attempt.message.strip().partition("\n")[0]
    return ": ".join(part for part in (attempt.error_type, first) if part)

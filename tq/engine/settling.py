"""How a lease ends: done, failed, handed back, cancelled, or with the death of its worker."""

from collections.abc import Iterator

import msgspec

from tq.engine.lanes import Ready
from tq.engine.ledger import Ledger, Record, decode_state, encode, with_attempt
from tq.engine.tables import DueKind, Table
from tq.engine.workers import Lease
from tq.model.backoff import backoff_ms
from tq.model.commands import Ack, CancelledByWorker, Extend, Failure, LeaseRef, Nack, Release, ReportProgress
from tq.model.durations import DURATION_MS_MAX
from tq.model.errors import PayloadTooLarge
from tq.model.replies import LeaseRevoked, Settled
from tq.model.task import MESSAGE_CHARS_MAX, TRACEBACK_CHARS_MAX, AttemptRecord, State, TaskState

OVERRUN_MARGIN_MS = 30_000
"""A worker enforces timeouts itself; one that has not settled a task this long after its timeout is overruled."""

SUSPECTS_APART_MS_MAX = 30_000
"""Tasks under which a worker died for the second time wait so long at most, each for another while, before they run
again."""


def ack(ledger: Ledger, request: Ack, now_ms: int) -> Settled:
    """The handlers returned.

    Raises:
        PayloadTooLarge: a result is above `broker.max_payload_bytes`; none of the request is done.
    """
    payload_max = ledger.settings.broker.max_payload_bytes
    for success in request.successes:
        if len(success.result) > payload_max:
            raise PayloadTooLarge(
                f"a result has {len(success.result)} bytes; the limit is {payload_max}",
                hint="store it elsewhere and return a reference, or raise broker.max_payload_bytes",
            )
    lost: list[bytes] = []
    moved = ledger.meta.next_sequence - 1  # after all that was, before the next that takes a number
    leases, waiters, states = ledger.leases, ledger.waiters, ledger.changes.tables[Table.STATES]
    for success in request.successes:
        lease = leases.get(success.task_id)
        if lease is None or lease.token != success.token:
            lost.append(success.task_id)
            continue
        past = _past(ledger, lease) if lease.has_state else None  # before any change: a read may fail
        ledger.drop_lease(lease)
        queue = lease.lane.queue
        queue.note_processing(now_ms - lease.leased_at_ms)
        row = queue.row
        row.completed += 1
        row.completed_total += 1
        remove_at_ms = now_ms + lease.result_ttl_ms
        state = TaskState(
            state=State.COMPLETED,
            attempt=lease.attempt,
            crashes=lease.crashes,
            ended_at_ms=now_ms,
            remove_at_ms=remove_at_ms,
            worker=lease.worker.hello.name,
            started_at_ms=lease.leased_at_ms,
            result=success.result,
            content_type=success.content_type,
            moved=moved,
        )
        if past is not None:
            state = msgspec.structs.replace(state, history=past.history, resubmitted_as=past.resubmitted_as)
        states[lease.id] = encode(state)
        ledger.put_due(DueKind.REMOVE, remove_at_ms, lease.id)
        if waiters:
            ledger.outbox += waiters.answer(lease.id, state)
    return Settled(request.request_id, lost)


def _past(ledger: Ledger, lease: Lease) -> TaskState | None:
    row = ledger.changes.get(Table.STATES, lease.id)
    return decode_state(row) if row is not None else None


def nack(ledger: Ledger, request: Nack, now_ms: int) -> Settled:
    """The handlers failed: each is retried after a backoff, or goes to the dead letters."""
    lost: list[bytes] = []
    for failure in request.failures:
        lease = ledger.leases.get(failure.task_id)
        if lease is None or lease.token != failure.token:
            lost.append(failure.task_id)
        else:
            fail(ledger, lease, failure, now_ms)
    return Settled(request.request_id, lost)


def fail(ledger: Ledger, lease: Lease, failure: Failure, now_ms: int) -> None:
    """One attempt was used up."""
    record = ledger.find(lease.id)
    attempt = AttemptRecord(
        attempt=lease.attempt,
        outcome="timed_out" if failure.is_timeout else "failed",
        started_at_ms=lease.leased_at_ms,
        ended_at_ms=now_ms,
        worker=lease.worker.hello.name,
        error_type=failure.error_type,
        message=failure.message[:MESSAGE_CHARS_MAX],
        traceback=failure.traceback[-TRACEBACK_CHARS_MAX:],
    )
    queue = lease.lane.queue
    queue.note_processing(now_ms - lease.leased_at_ms)
    queue.row.failed_total += 1
    ledger.drop_lease(lease)
    record.state = _after_attempt(record.state, lease, attempt)
    if lease.cancel_reason is not None:
        ledger.enter_final(record, State.CANCELLED, now_ms, reason=lease.cancel_reason)
    elif failure.is_final or lease.attempt > record.stored.spec.max_retries:
        reason = "failed for good" if failure.is_final else "no retries left"
        ledger.enter_final(record, State.DEAD_LETTER, now_ms, reason=reason)
    else:
        queue.row.retried_total += 1
        delay_ms = failure.retry_in_ms
        if delay_ms is None:
            delay_ms = backoff_ms(lease.attempt, record.options.retry, ledger.random.random())
        # Counted from now: from the lease's start, a task that failed late would be retried at once.
        _wait_until(ledger, record, lease, State.FAILED, now_ms + min(delay_ms, DURATION_MS_MAX))


def _after_attempt(state: TaskState, lease: Lease, attempt: AttemptRecord) -> TaskState:
    return msgspec.structs.replace(
        state,
        attempt=lease.attempt,
        worker=lease.worker.hello.name,
        started_at_ms=lease.leased_at_ms,
        history=with_attempt(state.history, attempt),
    )


def _wait_until(ledger: Ledger, record: Record, lease: Lease, state: State, when_ms: int) -> None:
    row = ledger.lane_of(record.stored).queue.row
    if state is State.FAILED:
        row.retrying += 1
    else:
        row.scheduled += 1
    ledger.put_state(record.id, msgspec.structs.replace(record.state, state=state, sequence=0, scheduled_at_ms=when_ms))
    ledger.put_due(DueKind.READY, when_ms, record.id)
    _watch_expiry(ledger, record, lease)


def _watch_expiry(ledger: Ledger, record: Record, lease: Lease) -> None:
    # The row may have been used up while the task ran; a task that waits again can expire again. One that became ready
    # after its expiry was retried from the dead letters: whoever did that wants it to run.
    expires_at_ms = record.stored.expires_at_ms
    if expires_at_ms > lease.ready_at_ms:
        ledger.put_due(DueKind.EXPIRE, expires_at_ms, record.id)


def release(ledger: Ledger, request: Release, now_ms: int) -> Settled:
    """Tasks come back unrun: to the front of their lanes, or after a delay."""
    lost: list[bytes] = []
    for lease in _live(ledger, request.leases, lost):
        if request.delay_ms and lease.cancel_reason is None:
            record = ledger.find(lease.id)
            ledger.drop_lease(lease)
            _wait_until(ledger, record, lease, State.PENDING, now_ms + min(request.delay_ms, DURATION_MS_MAX))
        else:
            hand_back(ledger, lease, now_ms)
    return Settled(request.request_id, lost)


def hand_back(ledger: Ledger, lease: Lease, now_ms: int) -> None:
    """A task returns to the front of its lane, no attempt used; a cancelled one ends instead."""
    record = ledger.find(lease.id)
    ledger.drop_lease(lease)
    if lease.cancel_reason is not None:
        ledger.enter_final(record, State.CANCELLED, now_ms, reason=lease.cancel_reason)
        return
    if ledger.operations.is_known:
        # It ran, and waits again at its old place: an operation or an undo has to see that it was away.
        ledger.put_state(record.id, record.state)
    _put_front(ledger, record, lease)


def _put_front(ledger: Ledger, record: Record, lease: Lease) -> None:
    # Its state row, if any, still says that it is pending with this sequence: leasing does not touch it.
    ready = Ready(lease.id, lease.sequence, lease.attempt - 1, lease.crashes, lease.ready_at_ms)
    ledger.put_ready(lease.lane, ready)
    _watch_expiry(ledger, record, lease)


def cancelled(ledger: Ledger, request: CancelledByWorker, now_ms: int) -> Settled:
    """Handlers stopped because they were asked to."""
    lost: list[bytes] = []
    for lease in _live(ledger, request.leases, lost):
        record = ledger.find(lease.id)
        ledger.drop_lease(lease)
        state = msgspec.structs.replace(
            record.state, attempt=lease.attempt, worker=lease.worker.hello.name, started_at_ms=lease.leased_at_ms
        )
        record.state = state
        ledger.enter_final(record, State.CANCELLED, now_ms, reason=lease.cancel_reason or "cancelled by its worker")
    return Settled(request.request_id, lost)


def crash(ledger: Ledger, lease: Lease, message: str, evidence: str, now_ms: int) -> None:
    """The worker died under the task: counted apart from failures, and quarantined when it happens too often. After the
    first time it runs again at once, from the second on at a moment of its own.

    Args:
        message: what is known of the death, one line.
        evidence: the last lines that the worker wrote.
    """
    record = ledger.find(lease.id)
    attempt = AttemptRecord(
        attempt=lease.attempt,
        outcome="crashed",
        started_at_ms=lease.leased_at_ms,
        ended_at_ms=now_ms,
        worker=lease.worker.hello.name,
        error_type="WorkerCrashed",
        message=message[:MESSAGE_CHARS_MAX],
        traceback=evidence[-TRACEBACK_CHARS_MAX:],
    )
    lease.lane.queue.row.crashed_total += 1
    ledger.drop_lease(lease)
    crashes = lease.crashes + 1
    state = msgspec.structs.replace(
        record.state,
        crashes=crashes,
        worker=attempt.worker,
        started_at_ms=attempt.started_at_ms,
        history=with_attempt(record.state.history, attempt),
    )
    record.state = state
    if lease.cancel_reason is not None:
        ledger.enter_final(record, State.CANCELLED, now_ms, reason=lease.cancel_reason)
    elif crashes >= record.options.max_crashes:
        ledger.enter_final(record, State.DEAD_LETTER, now_ms, reason=f"quarantined: {crashes} workers died running it")
    elif crashes == 1:
        lease.crashes = crashes
        ledger.put_state(record.id, msgspec.structs.replace(state, sequence=lease.sequence))
        _put_front(ledger, record, lease)
    else:
        # It, or one that ran beside it, has brought down more than one worker. Together at the front of their lanes
        # they would run together again, and all be quarantined for what one of them does.
        apart_ms = ledger.random.randint(1, SUSPECTS_APART_MS_MAX)
        _wait_until(ledger, record, lease, State.PENDING, now_ms + apart_ms)


def extend(ledger: Ledger, request: Extend, now_ms: int) -> Settled:
    """Handlers need longer than their timeout said."""
    lost: list[bytes] = []
    for lease in _live(ledger, request.leases, lost):
        lease.deadline_ms = now_ms + min(request.extend_ms, DURATION_MS_MAX) + OVERRUN_MARGIN_MS
        lease.extended_to_ms = lease.deadline_ms
        ledger.rewrite_lease(lease)
    return Settled(request.request_id, lost)


def report_progress(ledger: Ledger, request: ReportProgress, now_ms: int) -> None:
    """Handlers say how far they are; kept in memory, for the live leases among them."""
    for note in request.notes:
        lease = ledger.leases.get(note.task_id)
        if lease is not None and lease.token == note.token:
            lease.progress = (note.fraction, note.note, now_ms)


def overrule(ledger: Ledger, lease: Lease, now_ms: int) -> None:
    """A worker lives, but held a task beyond its timeout and the margin: the attempt has failed."""
    if lease.worker.session is not None:
        ledger.outbox.append((lease.worker.session, LeaseRevoked(lease.id, lease.token)))
    failure = Failure(
        lease.id,
        lease.token,
        error_type="Timeout",
        message="the worker did not settle the task within its timeout",
        is_timeout=True,
    )
    fail(ledger, lease, failure, now_ms)


def _live(ledger: Ledger, refs: list[LeaseRef], lost: list[bytes]) -> Iterator[Lease]:
    # Looked up one by one as they are settled: a task named twice is live only once.
    for ref in refs:
        lease = ledger.leases.get(ref.task_id)
        if lease is None or lease.token != ref.token:
            lost.append(ref.task_id)
        else:
            yield lease

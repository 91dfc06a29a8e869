"""The first half: freeze a set, count it, and offer it for a minute."""

from tq.engine.ledger import Ledger
from tq.engine.listing import summary_of
from tq.engine.operations.book import PREPARED_MAX, Book, Frozen, Preview, by_queue
from tq.engine.operations.members import narrowed, plan_of, walk
from tq.engine.plans import group_tests
from tq.engine.selecting import check_queues, exact_count
from tq.model.commands import PrepareOperation
from tq.model.errors import InvalidArgument, TooManyRequests, WrongState
from tq.model.ids import format_id
from tq.model.operations import OPERATION_ID_BYTES, PREPARED_MS, RATE, SAMPLE_MAX, Action, Overrides
from tq.model.replies import Prepared
from tq.model.selector import parse

_U32_BYTES, _U32_MAX = 4, (1 << 32) - 1


def prepare(ledger: Ledger, session: int, request: PrepareOperation, now_ms: int) -> Prepared | None:
    """Freeze the tasks that a request names as of now; the preview, at once where counters or a short walk give it,
    else when `advance` has counted them.

    Raises:
        InvalidArgument, SelectorInvalid: the request makes no sense.
        TaskNotFound, WrongState: the only task of the request does not exist, or is not one to which this can be done.
        QueueNotFound: there is no queue of that very name.
        TooManyRequests: too many previews.
    """
    book = ledger.operations
    _check(request)
    selector = parse(request.selector)
    check_queues(ledger, selector)
    if len(request.task_ids) == 1:
        _check_only(ledger, request)
    _make_room(book, now_ms)
    frozen = Frozen(
        action=request.action,
        is_hard=request.is_hard,
        selector=narrowed(selector, request.action, is_hard=request.is_hard),
        ids=b"".join(dict.fromkeys(request.task_ids)) if request.task_ids else None,
        as_of=ledger.next_sequence(),
        as_of_ms=now_ms,
        token_as_of=ledger.meta.next_token,
    )
    preview = Preview(new_id(ledger, frozen.as_of), session, request, frozen, plan_of(ledger, frozen))
    counts = None if frozen.ids is not None else exact_count(ledger, frozen.selector)
    if counts is None:
        is_over = _count(ledger, preview)
    else:
        preview.counts.update(counts)
        sample = walk(ledger, frozen, preview.plan, b"", SAMPLE_MAX).members
        preview.sample = [summary_of(record) for record in sample]
        is_over = True
    if is_over:
        return _offer(ledger, preview, now_ms)
    book.counting.append(preview)
    book.refresh()
    return None


def count_on(ledger: Ledger, now_ms: int) -> None:
    """Count on for the preview whose turn it is, a bounded amount; answer if that was all of it."""
    counting = ledger.operations.counting
    if not counting:
        return
    preview = counting.popleft()
    if _count(ledger, preview):
        ledger.outbox.append((preview.session, _offer(ledger, preview, now_ms)))
    else:
        counting.append(preview)


def _check(request: PrepareOperation) -> None:
    if request.action is Action.UNDO:
        raise InvalidArgument("an undo is not prepared", hint="tq undo OPERATION")
    if request.task_ids and request.selector:
        raise InvalidArgument("a selector and ids do not go together", hint="name the tasks in one way")
    if request.is_hard and request.action is not Action.PURGE:
        raise InvalidArgument(f"a {request.action} is never hard", hint="only a purge can remove records for good")
    if request.overrides != Overrides() and request.action is not Action.RESUBMIT:
        raise InvalidArgument(f"a {request.action} changes no queue, priority or delay", hint="a resubmit does")


def _check_only(ledger: Ledger, request: PrepareOperation) -> None:
    record = ledger.find(request.task_ids[0])
    if not request.action.takes(record.current, is_hard=request.is_hard):
        raise WrongState(
            f"task {format_id(record.id)} is {record.current}: there is nothing to {request.action}",
            hint=f"look at it: tq task get {format_id(record.id)}",
        )


def _make_room(book: Book, now_ms: int) -> None:
    for token in [token for token, preview in book.prepared.items() if preview.expires_at_ms <= now_ms]:
        del book.prepared[token]
    if len(book.prepared) + len(book.counting) >= PREPARED_MAX:
        raise TooManyRequests(f"{PREPARED_MAX} previews wait already", hint="they are given up after a minute")


def new_id(ledger: Ledger, as_of: int) -> bytes:
    """The token of a preview, which is the id of its operation: random digits, to be called by, and the number of its
    freeze, of which there is only one, whatever a restarted broker draws."""
    while True:
        digits = ledger.random.randbytes(OPERATION_ID_BYTES - _U32_BYTES)
        token = digits + (as_of & _U32_MAX).to_bytes(_U32_BYTES, "big")
        if token not in ledger.operations.rows and token not in ledger.operations.prepared:
            return token


def _count(ledger: Ledger, preview: Preview) -> bool:
    """Count a part of the set; whether it was the last."""
    part = walk(ledger, preview.frozen, preview.plan, preview.cursor, ledger.bounds.scan_max)
    preview.counts.update(record.stored.spec.queue for record in part.members)
    if preview.frozen.ids is not None:
        preview.ids += b"".join(record.id for record in part.members)
    preview.sample += [summary_of(record) for record in part.members[: SAMPLE_MAX - len(preview.sample)]]
    preview.cursor = part.cursor
    return not part.cursor


def _offer(ledger: Ledger, preview: Preview, now_ms: int) -> Prepared:
    book, request = ledger.operations, preview.request
    preview.expires_at_ms = now_ms + PREPARED_MS
    book.prepared[preview.token] = preview
    book.refresh()
    count = preview.counts.total()
    return Prepared(
        request.request_id,
        token=preview.token,
        action=request.action,
        count=count,
        queues=by_queue(preview),
        sample=preview.sample,
        as_of=preview.frozen.as_of,
        rate=RATE,
        estimated_ms=count * 1_000 // RATE,
        expires_at_ms=preview.expires_at_ms,
        warnings=_warnings(ledger, preview, now_ms),
    )


def _deaths_per_minute(ledger: Ledger, preview: Preview, now_ms: int) -> float:
    """At what rate tasks die of the errors that the previewed ones died of, as far as the selector tells."""
    if preview.frozen.ids is not None:
        return 0.0
    tests = [test for test, _ in group_tests(preview.frozen.selector)]
    numbers = {ledger.queues[name].number for name in preview.counts if name in ledger.queues}
    groups = [group for group in ledger.groups.by_id.values() if not numbers.isdisjoint(group.queues)]
    return sum(group.deaths_per_minute(now_ms) for group in groups if all(test(group) is not False for test in tests))


def _warnings(ledger: Ledger, preview: Preview, now_ms: int) -> list[str]:
    """What whoever decides should know, a sentence each."""
    warnings = []
    request = preview.request
    if request.is_hard:
        warnings.append("records are removed for good: this cannot be undone")
    if request.action is Action.RESUBMIT:
        warnings.append("this cannot be undone; the new tasks can be cancelled")
    if request.action is Action.RETRY:
        queues = [ledger.queues[name] for name in preview.counts if name in ledger.queues]
        paused = sorted(queue.row.name for queue in queues if queue.row.is_paused)
        if paused:
            warnings.append(f"paused, so the tasks will wait: {', '.join(paused[:SAMPLE_MAX])}")
        if not any(profile.serves(queue) for profile in ledger.profiles.values() for queue in queues):
            warnings.append("no connected worker serves these queues")
        if (rate := _deaths_per_minute(ledger, preview, now_ms)) >= 1:
            warnings.append(f"{rate:,.0f} a minute still die of this: likely they will again")
    return warnings

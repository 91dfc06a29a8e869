"""Finding the tasks of a selector: a walk that can be taken up again, a bounded amount at a time."""

import heapq
from collections import Counter
from collections.abc import Iterator

import msgspec

from tq.engine.ledger import Ledger, Record
from tq.engine.matching import record_test
from tq.engine.plans import GroupTest, Plan, Segment, group_tests, held, plan_scan, wanted_queues, wanted_states
from tq.engine.queues import Queue
from tq.engine.tables import READY_ROW, Table
from tq.model.errors import InvalidArgument
from tq.model.selector import Field, Selector, TextTerm, field_of
from tq.model.task import State

__all__ = ["Plan", "ScanStep", "check_queues", "exact_count", "matches", "plan_scan", "scan"]

_CHUNK_ROWS = 256
_CHUNK_ROWS_MIN = 8
_ID_BYTES = 16
_END = b"\xff" * 32
"""The position behind the last row of a segment."""


class ScanStep(msgspec.Struct, frozen=True):
    """What one step of a walk found, in order. `cursor` is where to go on, empty at the end; `examined` counts the
    rows that were looked at, matching or not."""

    records: list[Record]
    cursor: bytes
    examined: int


def matches(selector: Selector, record: Record, now_ms: int) -> bool:
    """Whether a task is one of those that a selector means."""
    return record_test(selector)(record, now_ms)


def check_queues(ledger: Ledger, selector: Selector) -> None:
    """Whether a queue that is named in full exists: a slip in a name must not look like an empty queue.

    Raises:
        QueueNotFound: nothing was ever submitted to it.
    """
    for term in selector.terms:
        if isinstance(term, TextTerm) and term.field is Field.QUEUE and not term.is_inverted:
            for pattern in term.patterns:
                if pattern.literal is not None:
                    ledger.queue(pattern.literal)


def exact_count(ledger: Ledger, selector: Selector) -> dict[str, int] | None:
    """How many tasks each queue has of those that a selector means, from counters alone; None where they cannot tell.

    Queues without any are left out.
    """
    states, tests = wanted_states(selector), [test for test, _ in group_tests(selector)]
    others = sum(field_of(term) not in (Field.STATE, Field.QUEUE) for term in selector.terms)
    if others > len(tests) or (tests and states != {State.DEAD_LETTER}):
        return None
    queues = wanted_queues(ledger, selector)
    if tests:
        return _count_groups(ledger, queues, tests)
    return {queue.row.name: count for queue in queues if (count := held(queue, states))}


def _count_groups(ledger: Ledger, queues: list[Queue], tests: list[GroupTest]) -> dict[str, int] | None:
    names = {queue.number: queue.row.name for queue in queues}
    counts: Counter[str] = Counter()
    for group in ledger.groups.by_id.values():
        answers = [test(group) for test in tests]
        if not group.count or False in answers:
            continue
        if None in answers:
            return None
        for number, count in group.queues.items():
            if number in names:
                counts[names[number]] += count
    return dict(counts)


def scan(ledger: Ledger, plan: Plan, cursor: bytes, rows_max: int, found_max: int, now_ms: int) -> ScanStep:
    """The next tasks of a walk: up to `found_max` of them, looking at up to `rows_max` rows; fewer if each costs more.

    A step may find fewer, even none, and still have a cursor.

    Args:
        cursor: of the step before; empty: from the start.

    Raises:
        InvalidArgument: a cursor that no step gave.
    """
    rows_max = max(1, rows_max // plan.weight)
    rank, position = _parse_cursor(cursor)
    end = b"" if plan.is_descending else _END
    found: list[Record] = []
    examined = 0
    for segment in plan.segments:
        if rank is not None and (segment.rank > rank if plan.is_descending else segment.rank < rank):
            continue
        after = position if segment.rank == rank else None
        if after == end:
            continue
        for place, task_id in _rows(ledger, plan, segment, after, rows_max, now_ms):
            examined += 1
            record = ledger.find_or_none(task_id)
            if record is not None and _is_wanted(plan, segment, record, now_ms):
                found.append(record)
            if len(found) == found_max or examined >= rows_max:
                return ScanStep(found, _cursor(segment.rank, place), examined)
        examined += 1  # a segment costs a seek, also without rows
        if examined >= rows_max and segment is not plan.segments[-1]:
            return ScanStep(found, _cursor(segment.rank, end), examined)
    return ScanStep(found, b"", examined)


def _is_wanted(plan: Plan, segment: Segment, record: Record, now_ms: int) -> bool:
    return (
        (segment.queue is None or record.stored.spec.queue == segment.queue)
        and (not plan.as_of or record.moved < plan.as_of)
        and plan.test(record, now_ms)
    )


def _cursor(rank: bytes, position: bytes) -> bytes:
    return bytes([len(rank)]) + rank + position


def _parse_cursor(cursor: bytes) -> tuple[bytes | None, bytes]:
    if not cursor:
        return None, b""
    end = 1 + cursor[0]
    if end > len(cursor):
        raise InvalidArgument("the cursor is not one of a task listing")
    return cursor[1:end], cursor[end:]


def _rows(
    ledger: Ledger, plan: Plan, segment: Segment, after: bytes | None, rows_max: int, now_ms: int
) -> Iterator[tuple[bytes, bytes]]:
    """(position, task id) of the rows of a segment that are left after a position."""
    low, high = _narrowed(plan, segment, now_ms)
    if after is not None:
        low, high = (low, min(high, after)) if plan.is_descending else (max(low, after + b"\0"), high)
    if low >= high:
        return
    sources = len(segment.prefixes)
    chunk = max(_CHUNK_ROWS_MIN, min(_CHUNK_ROWS, rows_max) // sources)
    walks = [_walk(ledger, segment.table, prefix, low, high, chunk, plan.is_descending) for prefix in segment.prefixes]
    yield from walks[0] if sources == 1 else heapq.merge(*walks, reverse=plan.is_descending)


def _narrowed(plan: Plan, segment: Segment, now_ms: int) -> tuple[bytes, bytes]:
    """The ends of a segment, closer where the wanted ages are known and the keys tell them."""
    low, high = segment.low, segment.high
    if segment.is_timed:
        if plan.age_ms_max is not None:
            low = max(low, max(0, now_ms - plan.age_ms_max).to_bytes(8, "big"))
        if plan.age_ms_min:
            high = min(high, max(0, now_ms - plan.age_ms_min + 1).to_bytes(8, "big"))
    return low, high


def _walk(
    ledger: Ledger, table: Table, prefix: bytes, low: bytes, high: bytes, chunk: int, is_descending: bool
) -> Iterator[tuple[bytes, bytes]]:
    """(position, task id) of the rows of one prefix."""
    length = len(prefix)
    start, end = prefix + low, prefix + high
    while True:
        rows = ledger.changes.range(table, start, end, chunk, is_descending)
        for key, value in rows:
            yield key[length:], _task_id(table, key, value)
        if len(rows) < chunk:
            return
        if is_descending:
            end = rows[-1][0]
        else:
            start = rows[-1][0] + b"\0"


def _task_id(table: Table, key: bytes, value: bytes) -> bytes:
    """The id that an index row names: the end of its key, but for the ready index, which has it in the value."""
    if table is Table.READY:
        task_id: bytes = READY_ROW.unpack(value)[0]
        return task_id
    return key[-_ID_BYTES:]

"""What is shown of failure groups. Costs the groups, however many dead letters there are."""

from collections.abc import Callable

from tq.engine.grouping import Group
from tq.engine.ledger import Ledger
from tq.engine.tables import DEAD_BY_GROUP_KEY, DeadOrder, Table
from tq.model.commands import ListGroups
from tq.model.groups import QUEUES_SHOWN_MAX, FailureGroup, GroupOrder, parse_for_groups
from tq.model.matching import error_test, free_test, hex_test, number_test, text_test
from tq.model.operations import QueueCount
from tq.model.replies import GroupPage
from tq.model.selector import Field, HexTerm, NumberTerm, Selector, Term, TextTerm, field_of

_SAMPLES_READ = 20
"""Dead letters that are looked at to find one of the wanted queues."""

GroupTest = Callable[[Group], bool]


def list_groups(ledger: Ledger, request: ListGroups, now_ms: int) -> GroupPage:
    """The groups that have dead letters, of the queues that are asked for.

    Raises:
        SelectorInvalid: it makes no sense, or asks for what tells tasks apart and not errors.
        QueueNotFound: no such queue.
    """
    selector = parse_for_groups(request.selector)
    wanted = _wanted_queues(ledger, selector)
    tests = [_test_of(term, now_ms) for term in selector.terms if field_of(term) is not Field.QUEUE]
    found = []
    for group in ledger.groups.by_id.values():
        count = group.count if wanted is None else sum(group.queues.get(number, 0) for number in wanted)
        if count and all(test(group) for test in tests):
            found.append((group, count))
    found.sort(key=_sort_key(request.order, now_ms), reverse=request.is_descending)
    shown = [_shown(ledger, group, count, wanted, now_ms) for group, count in found[: request.limit]]
    return GroupPage(request.request_id, shown, len(found), sum(count for _, count in found))


def _wanted_queues(ledger: Ledger, selector: Selector) -> frozenset[int] | None:
    """The numbers of the queues that are asked for; None: all."""
    terms = [term for term in selector.terms_of(Field.QUEUE) if isinstance(term, TextTerm)]
    if not terms:
        return None
    for pattern in (pattern for term in terms if not term.is_inverted for pattern in term.patterns):
        if pattern.literal is not None:
            ledger.queue(pattern.literal)  # a slip in a name must not look like a queue without failures
    tests = [text_test(term) for term in terms]
    return frozenset(queue.number for name, queue in ledger.queues.items() if all(test(name) for test in tests))


def _test_of(term: Term, now_ms: int) -> GroupTest:
    match term:
        case HexTerm():
            begins = hex_test(term)
            return lambda group: begins(group.id)
        case NumberTerm():
            is_age = number_test(term)
            return lambda group: is_age(now_ms - group.row.last_died_at_ms)
        case TextTerm(field=Field.ERR):
            fits = error_test(term)
            return lambda group: fits(group.row.error_type, group.row.message)
        case TextTerm():
            found = free_test(term)
            return lambda group: found("", group.row.error_type, group.row.message)
        case _:
            raise AssertionError(term)


def _sort_key(order: GroupOrder, now_ms: int) -> Callable[[tuple[Group, int]], tuple[float, bytes]]:
    """With the fingerprint, so that equal ones keep their places from page to page."""
    match order:
        case GroupOrder.COUNT:
            return lambda found: (found[1], found[0].id)
        case GroupOrder.LAST:
            return lambda found: (found[0].row.last_died_at_ms, found[0].id)
        case GroupOrder.FIRST:
            return lambda found: (found[0].row.first_died_at_ms, found[0].id)
        case GroupOrder.RATE:
            return lambda found: (found[0].deaths_per_minute(now_ms), found[0].id)


def _shown(ledger: Ledger, group: Group, count: int, wanted: frozenset[int] | None, now_ms: int) -> FailureGroup:
    row = group.row
    held = [(number, held) for number, held in group.queues.items() if wanted is None or number in wanted]
    queues = [QueueCount(ledger.queues_by_number[number].row.name, held) for number, held in held]
    queues.sort(key=lambda queue: (-queue.count, queue.queue))
    return FailureGroup(
        fingerprint=group.id.hex(),
        error_type=row.error_type,
        message=row.message,
        place=row.place,
        count=count,
        queues=tuple(queues[:QUEUES_SHOWN_MAX]),
        queues_total=len(queues),
        first_died_at_ms=row.first_died_at_ms,
        last_died_at_ms=row.last_died_at_ms,
        deaths_per_minute=round(group.deaths_per_minute(now_ms), 1),
        sample=_sample(ledger, group, wanted),
        dead_total=row.dead_total,
        retried_total=row.retried_total,
    )


def _sample(ledger: Ledger, group: Group, wanted: frozenset[int] | None) -> bytes:
    """The latest dead letter of a group, in a wanted queue; empty if none of the latest few is in one."""
    key = DEAD_BY_GROUP_KEY.pack(DeadOrder.GROUP, group.id, group.row.last_died_at_ms, group.row.sample)
    if wanted is None and ledger.changes.get(Table.DEAD_INDEX, key) is not None:
        return group.row.sample
    start = DEAD_BY_GROUP_KEY.pack(DeadOrder.GROUP, group.id, 0, bytes(16))
    end = start[:9] + b"\xff" * 25
    rows = ledger.changes.range(Table.DEAD_INDEX, start, end, _SAMPLES_READ if wanted else 1, is_descending=True)
    ids = (key[-16:] for key, _ in rows)
    if wanted is None:
        return next(ids)
    return next((each for each in ids if ledger.lane_of(ledger.find(each).stored).queue.number in wanted), b"")

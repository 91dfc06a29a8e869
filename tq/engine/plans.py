"""Which rows to walk to find the tasks of a selector, in an order: the smallest index that holds all of them.

A plan is a row of segments, each with a rank; ranks grow along the walk. A place in the walk is a rank and a position
in the keys of that segment, never a count of rows: tasks, lanes and queues may come and go between two pages. A task
that does not change its place meanwhile is met exactly once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from tq.engine.grouping import Group
from tq.engine.ledger import Ledger, idempotency_key
from tq.engine.matching import RecordTest, counts_from_ms, record_test
from tq.engine.queues import Queue
from tq.engine.tables import U32, DeadOrder, DueKind, Table
from tq.model.commands import Order
from tq.model.fingerprint import OTHER_GROUP, TYPE_CHARS_MAX
from tq.model.matching import error_test, hex_test, text_test
from tq.model.selector import ID_DIGITS, Field, HexTerm, NumberTerm, Relation, Selector, StateTerm, TextTerm
from tq.model.task import State

_LAST = b"\xff" * 32
_U64 = 8
MERGED_MAX = 256
"""Ranges that are walked side by side, in the order of their common part: each costs a seek for every page."""
SEARCHES_PER_ROW = 2
"""Patterns that are searched for in an error's message at the cost of a row. A hostile selector has hundreds of them,
and each may take 0.1 ms for a message: such a selector looks at fewer rows in a step."""
KEYS_MAX = 2_000
"""Idempotency keys that are looked up, over all queues: a few ms."""
_INDEXED = frozenset({State.PENDING, State.FAILED, State.IN_PROGRESS, State.DEAD_LETTER})
GroupTest = Callable[[Group], bool | None]
"""Whether all dead letters of a failure group are meant, or none; None: each is to be looked at."""
_FINAL = frozenset(state for state in State if state.is_final)


class Segment(msgspec.Struct, frozen=True, gc=False):
    """Rows of one table: those with a key from prefix + `low` to below prefix + `high`, for each of the prefixes, in
    the order of what follows the prefix.

    `queue`: tasks of others are passed over. `is_timed`: what follows the prefix begins with the moment of death, u64.
    """

    rank: bytes
    table: Table
    prefixes: tuple[bytes, ...] = (b"",)
    low: bytes = b""
    high: bytes = _LAST
    queue: str | None = None
    is_timed: bool = False


class Plan(msgspec.Struct, frozen=True):
    """A walk to be: segments in its order, and what is asked of each task. Made anew for every page: it costs a pass
    over the queues. `weight`: what a row costs, in those of usual selectors."""

    segments: tuple[Segment, ...]
    is_descending: bool
    test: RecordTest
    as_of: int
    weight: int = 1
    age_ms_min: int = 0
    age_ms_max: int | None = None


def plan_scan(ledger: Ledger, selector: Selector, order: Order, is_descending: bool, as_of: int) -> Plan:
    """How to find the tasks of a selector.

    Args:
        as_of: only tasks that came to where they are before this number of the order of all changes; 0: all.
    """
    segments = sorted(_Planner(ledger, selector).segments(order), key=lambda segment: segment.rank)
    is_descending ^= order is Order.AGE  # the smallest age is the latest moment
    if is_descending:
        segments.reverse()
    age_ms_min, age_ms_max = _age_bounds(selector)
    return Plan(tuple(segments), is_descending, record_test(selector), as_of, _weight(selector), age_ms_min, age_ms_max)


def _weight(selector: Selector) -> int:
    searched = sum(
        len(term.patterns) for term in selector.terms if isinstance(term, TextTerm) and term.field in (None, Field.ERR)
    )
    return 1 + searched // SEARCHES_PER_ROW


def wanted_states(selector: Selector) -> frozenset[State]:
    """The states that the tasks of a selector can be in."""
    states = frozenset(State)
    for term in selector.terms:
        match term:
            case StateTerm(states=named, is_inverted=is_inverted):
                states = states.difference(named) if is_inverted else states.intersection(named)
            case HexTerm(field=Field.GROUP, is_inverted=False):
                states &= {State.DEAD_LETTER}
            case _:
                pass
    return states


def wanted_queues(ledger: Ledger, selector: Selector) -> list[Queue]:
    """The queues that its tasks can be in, by name."""
    tests = [text_test(term) for term in selector.terms if isinstance(term, TextTerm) and term.field is Field.QUEUE]
    names = [name for name in ledger.queues if all(test(name) for test in tests)] if tests else list(ledger.queues)
    return [ledger.queues[name] for name in sorted(names)]


def held(queue: Queue, states: Iterable[State]) -> int:
    """How many tasks of these states a queue holds, from its counters."""
    row = queue.row
    counts = {
        State.PENDING: sum(queue.ready) + row.scheduled,
        State.IN_PROGRESS: row.in_progress,
        State.COMPLETED: row.completed,
        State.FAILED: row.retrying,
        State.DEAD_LETTER: row.dead,
        State.CANCELLED: row.cancelled,
    }
    return sum(counts[state] for state in states)


class _Planner:
    """Chooses the segments for one selector. `states` and `queues` are those that its tasks can be in."""

    def __init__(self, ledger: Ledger, selector: Selector) -> None:
        self.ledger = ledger
        self.selector = selector
        self.states = wanted_states(selector)
        self.is_dead = self.states == {State.DEAD_LETTER}
        queues = wanted_queues(ledger, selector)
        self.is_of_all_queues = len(queues) == len(ledger.queues)
        self.queues = [queue for queue in queues if held(queue, self.states)]

    def segments(self, order: Order) -> Iterable[Segment]:
        if not self.queues:
            return ()
        ids = self._known_ids()
        if ids is not None:
            return self._of_ids(ids, order)
        match order:
            case Order.QUEUE:
                return (segment for queue in self.queues for segment in self._of_queue(queue))
            case Order.AGE if self.is_dead:
                return self._dead_by_time()
            case Order.ANY if not self._id_prefixes():
                by_group = self._dead_by_group()
                return by_group if by_group is not None else self._anyhow(self.queues, b"", None)
            case _:
                return self._by_id(b"", None)

    # -- the ids themselves ---------------------------------------------------------------------------------------

    def _known_ids(self) -> list[bytes] | None:
        """The ids of all tasks that can be meant, where the selector names them or their keys; None: it does not."""
        for prefixes in self._id_prefixes():
            if all(len(prefix) == ID_DIGITS for prefix in prefixes):
                return sorted({bytes.fromhex(prefix) for prefix in prefixes})
        for term in self.selector.terms:
            if isinstance(term, TextTerm) and term.field is Field.KEY and not term.is_inverted:
                keys = [pattern.literal for pattern in term.patterns]
                if None not in keys and len(keys) * len(self.queues) <= KEYS_MAX:
                    return self._ids_of_keys([key for key in keys if key is not None])
        return None

    def _ids_of_keys(self, keys: list[str]) -> list[bytes]:
        get = self.ledger.changes.get
        rows = [get(Table.KEYS, idempotency_key(queue, key)) for queue in self.queues for key in keys]
        return sorted({task_id for task_id in rows if task_id is not None})

    def _of_ids(self, ids: list[bytes], order: Order) -> Iterator[Segment]:
        for task_id in ids:
            yield Segment(self._rank_of(task_id, order) + task_id, Table.BODIES, low=task_id, high=task_id + b"\0")

    def _rank_of(self, task_id: bytes, order: Order) -> bytes:
        record = self.ledger.find_or_none(task_id) if order in (Order.AGE, Order.QUEUE) else None
        if record is None:
            return b""
        if order is Order.QUEUE:
            return _rank_of_queue(record.stored.spec.queue)
        return counts_from_ms(record).to_bytes(_U64, "big")

    def _id_prefixes(self) -> list[tuple[str, ...]]:
        return [
            term.prefixes
            for term in self.selector.terms
            if isinstance(term, HexTerm) and term.field is Field.ID and not term.is_inverted
        ]

    # -- by id ----------------------------------------------------------------------------------------------------

    def _by_id(self, rank: bytes, queue: str | None) -> Iterator[Segment]:
        table = Table.LEASES if self.states == {State.IN_PROGRESS} else Table.BODIES
        prefix = b""
        if self.is_dead:
            table, prefix = Table.DEAD_INDEX, bytes([DeadOrder.ID])
        for low, high in _id_ranges(self._id_prefixes()):
            yield Segment(rank + low, table, (prefix,), low, high, queue)

    # -- by queue -------------------------------------------------------------------------------------------------

    def _of_queue(self, queue: Queue) -> Iterable[Segment]:
        rank = _rank_of_queue(queue.row.name)
        if self.is_dead or not self._id_prefixes():
            return self._anyhow([queue], rank, queue.row.name)
        return self._by_id(rank, queue.row.name)

    # -- in whatever order is the cheapest ------------------------------------------------------------------------

    def _anyhow(self, queues: Sequence[Queue], rank: bytes, queue: str | None) -> Iterator[Segment]:
        """The tasks of some queues, each state from its own index.

        Args:
            queue: the name of the only one, where it is to be one alone.
        """
        states = self.states
        if not states <= _INDEXED:
            if states <= _FINAL:
                yield self._due(DueKind.REMOVE, rank, queue)
            else:
                yield from self._by_id(rank, queue)
            return
        if State.PENDING in states:
            yield from self._ready(queues, rank + b"1")
        if states & {State.PENDING, State.FAILED}:
            yield self._due(DueKind.READY, rank + b"2", queue)
        if State.IN_PROGRESS in states:
            yield Segment(rank + b"3", Table.LEASES, queue=queue)
        if State.DEAD_LETTER in states:
            for each in queues:
                number = U32.pack(each.number)
                yield Segment(rank + b"4" + number, Table.DEAD, (number,), is_timed=True)

    def _ready(self, queues: Sequence[Queue], rank: bytes) -> Iterator[Segment]:
        tests = [
            text_test(term) for term in self.selector.terms if isinstance(term, TextTerm) and term.field is Field.TYPE
        ]
        for queue in queues:
            for lane in queue.all_lanes():
                if lane.row.ready and all(test(lane.row.task_type) for test in tests):
                    number = U32.pack(lane.number)
                    low = lane.low_water.to_bytes(_U64, "big")  # what lies below is gone: reading it costs much
                    yield Segment(rank + number, Table.READY, (number,), low=low)

    def _due(self, kind: DueKind, rank: bytes, queue: str | None) -> Segment:
        low = self.ledger.due_floors[kind].to_bytes(_U64, "big")
        return Segment(rank, Table.DUE, (bytes([kind]),), low=low, queue=queue)

    # -- dead letters ---------------------------------------------------------------------------------------------

    def _dead_by_time(self) -> Iterator[Segment]:
        """One segment, whose positions are the same in all three indexes: the next page may be of another."""
        groups = self._group_prefixes()
        queues = tuple(U32.pack(queue.number) for queue in self.queues)
        if groups == ():
            return
        if groups is not None and len(groups) <= MERGED_MAX:
            yield Segment(b"", Table.DEAD_INDEX, groups, is_timed=True)
        elif self.is_of_all_queues or len(queues) > MERGED_MAX:
            yield Segment(b"", Table.DEAD_INDEX, (bytes([DeadOrder.TIME]),), is_timed=True)
        else:
            yield Segment(b"", Table.DEAD, queues, is_timed=True)

    def _dead_by_group(self) -> list[Segment] | None:
        """The dead letters of the wanted groups, group by group; None where the selector says nothing of them."""
        groups = self._group_prefixes() if self.is_dead else None
        if groups is None:
            return None
        return [Segment(prefix, Table.DEAD_INDEX, (prefix,), is_timed=True) for prefix in groups]

    def _group_prefixes(self) -> tuple[bytes, ...] | None:
        tests = group_tests(self.selector)
        if not any(is_narrow for _, is_narrow in tests):
            return None
        return tuple(
            bytes([DeadOrder.GROUP]) + group.id
            for group in self.ledger.groups.by_id.values()
            if group.count and all(test(group) is not False for test, _ in tests)
        )


def group_tests(selector: Selector) -> list[tuple[GroupTest, bool]]:
    """What the terms of a selector say of failure groups, and whether each leaves but a few of them."""
    tests: list[tuple[GroupTest, bool]] = []
    for term in selector.terms:
        match term:
            case HexTerm(field=Field.GROUP):
                tests.append((_fingerprint_test(term), not term.is_inverted))
            case TextTerm(field=Field.ERR) if all(pattern.literal is not None for pattern in term.patterns):
                tests.append((_type_test(term), not term.is_inverted))
            case _:
                pass
    return tests


def _fingerprint_test(term: HexTerm) -> GroupTest:
    begins = hex_test(term)
    return lambda group: begins(group.id)


def _type_test(term: TextTerm) -> GroupTest:
    fits = error_test(term)

    def test(group: Group) -> bool | None:
        error_type = group.row.error_type
        # Other errors have types of their own, and of a very long one the group has but the beginning.
        if group.id == OTHER_GROUP or len(error_type) >= TYPE_CHARS_MAX:
            return None
        return fits(error_type, "")

    return test


def _rank_of_queue(name: str) -> bytes:
    return name.encode() + b"\0"  # names have no control characters: a name that begins another comes first


def _id_ranges(terms: list[tuple[str, ...]]) -> list[tuple[bytes, bytes]]:
    """Ranges of ids, ascending and apart from each other, that hold all that begin with a prefix of each term."""
    if not terms:
        return [(b"", _LAST)]
    shortest = min(terms, key=len)
    ranges: list[tuple[bytes, bytes]] = []
    for prefix in sorted(shortest):
        low = bytes.fromhex(prefix.ljust(ID_DIGITS, "0"))
        high = bytes.fromhex(prefix.ljust(ID_DIGITS, "f")) + b"\0"
        if not ranges or low >= ranges[-1][1]:  # else it begins with a prefix that is there already
            ranges.append((low, high))
    return ranges


def _age_bounds(selector: Selector) -> tuple[int, int | None]:
    """The smallest and the largest age that a task of the selector can have, None for any."""
    age_ms_min, age_ms_max = 0, None
    for term in selector.terms:
        if not isinstance(term, NumberTerm) or term.field is not Field.AGE or term.is_inverted:
            continue
        if len(term.comparisons) > 1:
            continue  # alternatives: the test of each task tells
        (comparison,) = term.comparisons
        if comparison.relation in (Relation.GREATER, Relation.GREATER_EQUAL):
            age_ms_min = max(age_ms_min, comparison.number)
        else:
            age_ms_max = comparison.number if age_ms_max is None else min(age_ms_max, comparison.number)
    return age_ms_min, age_ms_max

"""Which tasks belong to a frozen set, and the walk over them: the same for the count and for the operation."""

from typing import NamedTuple

from tq.engine.ledger import Ledger, Record
from tq.engine.operations.book import Frozen
from tq.engine.plans import wanted_states
from tq.engine.selecting import Plan, matches, plan_scan, scan
from tq.model.commands import Order
from tq.model.ids import ID_BYTES
from tq.model.operations import Action
from tq.model.selector import Selector, StateTerm
from tq.model.task import State


class Part(NamedTuple):
    """A bounded part of the walk. `cursor` goes into the next; empty: there is none. `gone` counts the ids among those
    of the set at whose place there was no member."""

    members: list[Record]
    cursor: bytes
    gone: int = 0


def narrowed(selector: Selector, action: Action, *, is_hard: bool) -> Selector:
    """The tasks of a selector that an action takes: the selector itself where it means no others."""
    states = tuple(state for state in State if action.takes(state, is_hard=is_hard))
    if wanted_states(selector) <= set(states):
        return selector
    return Selector((*selector.terms, StateTerm(states)))


def plan_of(ledger: Ledger, frozen: Frozen) -> Plan | None:
    """How to walk over the set of a selector; made once for a walk, so that all its parts go the same way. None: the
    set has ids."""
    if frozen.ids is not None:
        return None
    return plan_scan(ledger, frozen.selector, Order.ANY, is_descending=False, as_of=frozen.as_of)


def walk(ledger: Ledger, frozen: Frozen, plan: Plan | None, cursor: bytes, members_max: int) -> Part:
    """The next members of a set, at most `members_max`, from where `cursor` says (empty: from the beginning)."""
    if plan is None:
        assert frozen.ids is not None
        return _walk_ids(ledger, frozen, frozen.ids, cursor, members_max)
    step = scan(ledger, plan, cursor, ledger.bounds.scan_max, members_max, frozen.as_of_ms)
    return Part([record for record in step.records if _is_member(frozen, record)], step.cursor)


def _walk_ids(ledger: Ledger, frozen: Frozen, ids: bytes, cursor: bytes, members_max: int) -> Part:
    start = int.from_bytes(cursor, "big")
    end = min(start + members_max * ID_BYTES, len(ids))
    members = []
    for at in range(start, end, ID_BYTES):
        record = ledger.find_or_none(ids[at : at + ID_BYTES])
        if record is not None and _is_member(frozen, record):
            members.append(record)
    gone = (end - start) // ID_BYTES - len(members)
    return Part(members, end.to_bytes(4, "big") if end < len(ids) else b"", gone)


def _is_member(frozen: Frozen, record: Record) -> bool:
    if record.moved >= frozen.as_of or not frozen.action.takes(record.current, is_hard=frozen.is_hard):
        return False
    lease = record.lease
    if lease is None or lease.token < frozen.token_as_of:
        return True
    # It was leased after the freeze: what counts is what it was before, waiting.
    before = Record(record.id, record.stored, record.state, record.has_state, None)
    return frozen.ids is not None or matches(frozen.selector, before, frozen.as_of_ms)

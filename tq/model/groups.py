"""Failure groups as they are shown: the dead letters by what killed them."""

from enum import StrEnum

import msgspec

from tq.model.errors import SelectorInvalid
from tq.model.operations import QueueCount
from tq.model.selector import Field, Selector, field_of, parse

_FIELDS = (Field.QUEUE, Field.ERR, Field.GROUP, Field.AGE)

QUEUES_SHOWN_MAX = 20
"""Queues that are named of one group, those with the most dead letters first."""


class GroupOrder(StrEnum):
    """How groups are sorted; each can be reversed."""

    COUNT = "count"  # dead letters now
    LAST = "last"  # the moment of the latest death
    FIRST = "first"  # of the first
    RATE = "rate"  # deaths per minute


class FailureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One error, as long as it has dead letters. Moments are ms since the epoch.

    What it holds now, `count` and `queues`, is of the queues that were asked for; the rest is of all.
    """

    fingerprint: str  # 16 hex digits; all zeros: errors for which there was no room, together
    error_type: str
    message: str  # with * for what differs from task to task
    place: str  # where the latest happened, such as "http.py:212 post()"; empty: not known
    count: int
    queues: tuple[QueueCount, ...]  # the largest first, at most QUEUES_SHOWN_MAX
    queues_total: int
    first_died_at_ms: int
    last_died_at_ms: int
    deaths_per_minute: float  # over the last minute
    sample: bytes  # the id of one of them, the latest; empty if the latest 20 of the group are in other queues
    dead_total: int  # since the group is known, those that have left included
    retried_total: int  # of these


def parse_for_groups(text: str) -> Selector:
    """A selector that failure groups can answer.

    Raises:
        SelectorInvalid: it makes no sense, or asks for what tells tasks apart and not errors.
    """
    selector = parse(text)
    for term in selector.terms:
        field = field_of(term)
        if field is not None and field not in _FIELDS:
            at = text.find(f"{field}:")
            raise SelectorInvalid(
                f"groups are not found by {field}:",
                hint=f"by {', '.join(_FIELDS)} or free text; for tasks: tq dead list",
                position=at if at >= 0 else None,
            )
    return selector

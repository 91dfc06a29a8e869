"""The live stream: what can be watched, and the rows that say how it is now.

A scope is one thing to watch, by the text that every edge takes:

    totals              all queues and workers together, one row
    queues              every queue, a row each; queues:mail*,orders.* those whose names match
    queue:NAME          all of one queue
    workers             the workers, up to 200, by name; workers:attention, :busy, :memory, :silent by that;
                        workers:attention:ip-10* -old, the first of those whose names or hosts match
    groups              the failure groups, up to 200, the largest first; groups:SELECTOR those that match
    task:ID             one task, without its payload and result
    ops                 the last 100 operations: what is done to many tasks, and how far it is
    events              what was done lately, and which workers came and went
    attention           what somebody should look at, the most urgent first
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from tq.model.errors import InvalidArgument
from tq.model.groups import FailureGroup
from tq.model.ids import format_id, parse_id
from tq.model.name_filter import name_filter
from tq.model.names import check_name
from tq.model.operations import Operation
from tq.model.stats import QueueStats
from tq.model.task import TaskView

SCOPES_MAX = 16
"""Scopes of one watch."""
HZ_MAX = 10.0
QUEUE_ROWS_MAX = 2_000
"""Rows of one `queues` scope; with more queues, those made first."""
WORKER_ROWS_MAX = 200
GROUP_ROWS_MAX = 200
OPERATIONS_MAX = 100
FINDINGS_MAX = 50
EVENTS_MAX = 200


class ScopeKind(StrEnum):
    """The first word of a scope."""

    TOTALS = "totals"
    QUEUES = "queues"
    QUEUE = "queue"
    WORKERS = "workers"
    GROUPS = "groups"
    TASK = "task"
    OPS = "ops"
    EVENTS = "events"
    ATTENTION = "attention"


WORKER_ORDERS = ("name", "attention", "busy", "memory", "silent")


class Scope(NamedTuple):
    """One thing to watch; `about` is what stands behind the colon, empty where nothing does."""

    kind: ScopeKind
    about: str = ""

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.kind}:{self.about}" if self.about else str(self.kind)


def parse_scope(text: str) -> Scope:
    """A scope from its text. What stands behind `queues:` and `groups:` is read where it is used.

    Raises:
        InvalidArgument: there is no such scope, or what it is about is missing, not wanted or wrong.
    """
    word, colon, about = text.partition(":")
    try:
        kind = ScopeKind(word)
    except ValueError:
        raise InvalidArgument(f"{text!r} is not a scope", hint=f"one of: {', '.join(ScopeKind)}") from None
    match kind:
        case ScopeKind.QUEUE:
            check_name("queue", about)
        case ScopeKind.TASK:
            about = format_id(parse_id(about))
        case ScopeKind.WORKERS if about:
            about = _workers_about(about)
        case ScopeKind.TOTALS | ScopeKind.OPS | ScopeKind.EVENTS | ScopeKind.ATTENTION if colon:
            raise InvalidArgument(f"{text!r} is not a scope", hint=f"{kind} takes nothing behind it")
    return Scope(kind, about)


def _workers_about(about: str) -> str:
    order, _, names = about.partition(":")
    if order not in WORKER_ORDERS:
        raise InvalidArgument(f"workers are not sorted by {order!r}", hint=f"one of: {', '.join(WORKER_ORDERS)}")
    name_filter(names, lambda _: ())
    return ":".join(filter(None, (order, " ".join(names.split()))))


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """All queues and workers together, now. Workers and slots are counted once a second."""

    queues: int
    ready: int
    scheduled: int
    retrying: int
    in_progress: int
    dead: int
    workers: int
    workers_lost: int  # their grace is running
    slots: int  # tasks that the connected workers can run at once
    submitted_10s: int  # in the last ten whole seconds
    completed_10s: int
    failed_60s: int
    dead_60s: int
    submitted_total: int
    completed_total: int
    sequence: int  # the number of the next change: the as-of of a listing that shows the same


class Severity:
    """How urgent something is."""

    OK, LOOK, ACT = 0, 1, 2


class QueueLive(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One queue, now, in as few bytes as a table needs; moments instead of ages, so that what stands still is silent.

    `state` is a word: ok, behind, dead+ (dead letters rise), no_worker, slow, or paused. `severity` is 0 for all is
    well, 1 for look at it, 2 for act.
    """

    name: str
    state: str
    severity: int
    ready: int
    in_progress: int
    scheduled: int
    retrying: int
    dead: int
    no_handler: int  # of the ready ones
    oldest_at_ms: int  # since when the first of the ready ones waits; 0: none does
    submitted_10s: int
    completed_10s: int
    failed_60s: int
    dead_60s: int


class WorkerLive(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One worker process, now. `seen_at_ms` is when it was last heard of, to the last 5 s."""

    incarnation: str  # hex
    name: str
    host: str
    pid: int
    status: str  # connected, draining or lost
    slots: int
    leases: int
    running: int
    prefetched: int
    rss_bytes: int
    connected_at_ms: int
    seen_at_ms: int
    note: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done, or a worker that came or went. Kept in memory, the last 200."""

    number: int
    at_ms: int
    actor: str
    action: str
    target: str
    count: int = 0
    reason: str = ""
    operation: str = ""  # its id, in hex


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody should look at. `code` says what it is, `scope` what to watch to see more."""

    severity: int
    code: str
    scope: str
    name: str
    text: str
    since_ms: int = 0  # 0: not known


class ScopePart(msgspec.Struct, array_like=True, frozen=True):
    """What is new in one scope.

    `is_whole`: these are all rows, in order where there is one, and what was there before is gone. Else `rows` are
    those that came or changed, and `gone` the keys of those that went. `left_out`: how many more there are than are
    shown.
    """

    scope: str
    is_whole: bool
    rows: list[msgspec.Raw]
    gone: list[str] = []
    left_out: int = 0

    def decoded(self) -> list[Any]:
        """The rows, each of the type that its scope has (ROWS)."""
        decode = ROWS[parse_scope(self.scope).kind].decode
        return [decode(row) for row in self.rows]


class _Rows(NamedTuple):
    decode: Callable[[msgspec.Raw], Any]
    key: Callable[[Any], str]


def _rows_of(kind: type, key: Callable[[Any], str]) -> _Rows:
    return _Rows(msgspec.msgpack.Decoder(kind).decode, key)


ROWS: dict[ScopeKind, _Rows] = {
    ScopeKind.TOTALS: _rows_of(Totals, lambda _: "totals"),
    ScopeKind.QUEUES: _rows_of(QueueLive, lambda row: str(row.name)),
    ScopeKind.QUEUE: _rows_of(QueueStats, lambda row: str(row.name)),
    ScopeKind.WORKERS: _rows_of(WorkerLive, lambda row: str(row.incarnation)),
    ScopeKind.GROUPS: _rows_of(FailureGroup, lambda row: str(row.fingerprint)),
    ScopeKind.OPS: _rows_of(Operation, lambda row: str(row.id.hex())),
    ScopeKind.TASK: _rows_of(TaskView, lambda row: format_id(row.id)),
    ScopeKind.EVENTS: _rows_of(Event, lambda row: str(row.number)),
    ScopeKind.ATTENTION: _rows_of(Finding, lambda row: f"{row.code} {row.name}"),
}
"""The type of the rows of each kind of scope, and the key by which they come and go."""

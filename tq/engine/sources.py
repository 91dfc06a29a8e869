"""Where the rows of each kind of scope come from. Each keeps the image of one scope true when it is asked to."""

from collections.abc import Callable
from heapq import nsmallest
from typing import Protocol, assert_never

import msgspec

from tq.engine.board import Board
from tq.engine.failures import list_groups
from tq.engine.findings import findings
from tq.engine.images import Image
from tq.engine.ledger import Ledger
from tq.engine.operations.book import shown
from tq.engine.viewing import queue_stats, task_view
from tq.engine.workers import Worker
from tq.model.commands import ListGroups
from tq.model.errors import InvalidArgument, QueueNotFound
from tq.model.groups import GroupOrder, parse_for_groups
from tq.model.ids import format_id, parse_id
from tq.model.name_filter import name_filter
from tq.model.selector import TextTerm, parse
from tq.model.watching import (
    GROUP_ROWS_MAX,
    OPERATIONS_MAX,
    QUEUE_ROWS_MAX,
    WORKER_ROWS_MAX,
    Scope,
    ScopeKind,
    Totals,
    WorkerLive,
)

SLOW_REFRESH_MS = 1_000
"""Scopes whose rows are found by a pass over many things are refreshed once in this time, however often sent."""
SEEN_STEP_MS = 5_000

_encode = msgspec.msgpack.Encoder().encode


class Source(Protocol):
    """The image of a scope, and how it is kept true."""

    image: Image

    def refresh(self, now_ms: int, version: int) -> None:
        """Bring the image up to this moment; what is new in it gets `version`."""
        ...


class QueuesSource:
    """Every queue whose name matches, a row each. Told of changed rows by the board; never looks at the others."""

    def __init__(self, board: Board, scope: Scope, version: int) -> None:
        """
        Raises:
            InvalidArgument: the pattern of the names is wrong.
        """
        self.image = Image(scope.text, version)
        self._board = board
        self._matches = _name_test(scope.about)
        self._left_out: set[int] = set()
        self.take(list(board.rows), version)

    def take(self, changed: list[int], version: int) -> None:
        """The rows of these queues changed."""
        image, board = self.image, self._board
        for number in changed:
            name = board.rows[number].name
            if name not in image:
                if number in self._left_out or not self._matches(name):
                    continue
                if len(image) >= QUEUE_ROWS_MAX:
                    self._left_out.add(number)
                    image.left_out = len(self._left_out)
                    continue
            image.put(name, board.raws[number], version)

    def refresh(self, now_ms: int, version: int) -> None:
        """Nothing to do: the board has told."""


def _name_test(pattern: str) -> Callable[[str], bool]:
    if not pattern:
        return lambda _: True
    terms = parse(f"queue:{pattern}").terms
    if len(terms) != 1 or not isinstance(terms[0], TextTerm):
        raise InvalidArgument(f"{pattern!r} are not names of queues", hint="such as mail.*,orders; no spaces")
    tests = [each.matcher() for each in terms[0].patterns]
    return lambda name: any(test(name) for test in tests)


class TotalsSource:
    """All queues together."""

    def __init__(self, ledger: Ledger, board: Board, scope: Scope, version: int) -> None:
        self.image = Image(scope.text, version)
        self._ledger = ledger
        self._board = board
        self._workers = (0, 0, 0)
        self._counted_at_ms = 0

    def refresh(self, now_ms: int, version: int) -> None:
        """Add up what the board has added up already."""
        if now_ms - self._counted_at_ms >= SLOW_REFRESH_MS:
            self._counted_at_ms = now_ms
            self._workers = self._count_workers()
        workers, workers_lost, slots = self._workers
        (
            ready, scheduled, retrying, in_progress, dead, submitted_10s, completed_10s, failed_60s, dead_60s,
            submitted_total, completed_total,
        ) = self._board.sums  # fmt: skip
        row = Totals(
            queues=len(self._board.rows),
            ready=ready,
            scheduled=scheduled,
            retrying=retrying,
            in_progress=in_progress,
            dead=dead,
            workers=workers,
            workers_lost=workers_lost,
            slots=slots,
            submitted_10s=submitted_10s,
            completed_10s=completed_10s,
            failed_60s=failed_60s,
            dead_60s=dead_60s,
            submitted_total=submitted_total,
            completed_total=completed_total,
            sequence=self._ledger.meta.next_sequence,
        )
        self.image.put("totals", msgspec.Raw(_encode(row)), version)

    def _count_workers(self) -> tuple[int, int, int]:
        connected = [worker for worker in self._ledger.workers.values() if worker.session is not None]
        slots = sum(worker.hello.concurrency for worker in connected)
        return len(connected), len(self._ledger.workers) - len(connected), slots


class QueueSource:
    """One queue, all of it; no row while there is no such queue."""

    def __init__(self, ledger: Ledger, scope: Scope, version: int) -> None:
        self.image = Image(scope.text, version)
        self._ledger = ledger
        self._name = scope.about

    def refresh(self, now_ms: int, version: int) -> None:
        """Look at it."""
        queue = self._ledger.queues.get(self._name)
        if queue is not None:
            self.image.put(self._name, msgspec.Raw(_encode(queue_stats(self._ledger, queue, now_ms))), version)


class TaskSource:
    """One task, without its payload and result; no row where there is none, or no longer."""

    def __init__(self, ledger: Ledger, scope: Scope, version: int) -> None:
        self.image = Image(scope.text, version)
        self._ledger = ledger
        self._id = parse_id(scope.about)

    def refresh(self, now_ms: int, version: int) -> None:  # noqa: ARG002 - as all sources
        """Look at it."""
        key = format_id(self._id)
        record = self._ledger.find_or_none(self._id)
        if record is None:
            self.image.remove(key, version)
            return
        view = msgspec.structs.replace(task_view(self._ledger, record), payload=b"", result=b"")
        self.image.put(key, msgspec.Raw(_encode(view)), version)


class WorkersSource:
    """The first workers by some order, of those whose names or hosts match."""

    def __init__(self, ledger: Ledger, scope: Scope, version: int) -> None:
        self.image = Image(scope.text, version)
        self._ledger = ledger
        order, _, names = scope.about.partition(":")
        self._order = _WORKER_ORDERS[order or "name"]
        self._matches = name_filter(names, _names_of)
        self._matching: dict[bytes, bool] = {}  # of the workers that there are: neither names nor hosts change
        self._refreshed_at_ms = 0

    def refresh(self, now_ms: int, version: int) -> None:
        """Look at all workers, once a second."""
        if now_ms - self._refreshed_at_ms < SLOW_REFRESH_MS:
            return
        self._refreshed_at_ms = now_ms
        workers = self._matching_workers()
        shown = nsmallest(WORKER_ROWS_MAX, workers, key=self._order)
        self.image.left_out = len(workers) - len(shown)
        rows = {worker.hello.incarnation.hex(): worker for worker in shown}
        self.image.keep_only(rows, version)
        for key, worker in rows.items():
            self.image.put(key, msgspec.Raw(_encode(_worker_live(key, worker))), version)

    def _matching_workers(self) -> list[Worker]:
        workers, matches, known = self._ledger.workers, self._matches, self._matching
        if matches is None:
            return list(workers.values())
        self._matching = {key: known[key] if key in known else matches(worker) for key, worker in workers.items()}
        return [worker for key, worker in workers.items() if self._matching[key]]


def _names_of(worker: Worker) -> tuple[str, str]:
    return worker.hello.name, worker.hello.host


def _calm(worker: Worker) -> int:
    """The lower, the sooner somebody should look at it: lost, with something to say of itself, draining, well."""
    if worker.session is None:
        return 0
    return 1 if worker.note else 2 if worker.is_draining else 3


_WORKER_ORDERS: dict[str, Callable[[Worker], tuple[int, str, bytes]]] = {
    "name": lambda worker: (0, worker.hello.name, worker.hello.incarnation),
    "attention": lambda worker: (_calm(worker), worker.hello.name, worker.hello.incarnation),
    "busy": lambda worker: (-len(worker.leases), worker.hello.name, worker.hello.incarnation),
    "memory": lambda worker: (-worker.rss_bytes, worker.hello.name, worker.hello.incarnation),
    "silent": lambda worker: (worker.last_seen_at_ms // SEEN_STEP_MS, worker.hello.name, worker.hello.incarnation),
}


def _worker_live(incarnation: str, worker: Worker) -> WorkerLive:
    hello = worker.hello
    return WorkerLive(
        incarnation,
        hello.name,
        hello.host,
        hello.pid,
        worker.status,
        hello.concurrency,
        len(worker.leases),
        worker.running,
        worker.prefetched,
        worker.rss_bytes,
        worker.connected_at_ms,
        worker.last_seen_at_ms // SEEN_STEP_MS * SEEN_STEP_MS,
        worker.note,
    )


class GroupsSource:
    """The failure groups that match, the largest first."""

    def __init__(self, ledger: Ledger, scope: Scope, version: int) -> None:
        """
        Raises:
            SelectorInvalid: what the scope is about is not what groups are found by.
        """
        parse_for_groups(scope.about)
        self.image = Image(scope.text, version)
        self._ledger = ledger
        self._request = ListGroups(0, scope.about, GroupOrder.COUNT, True, GROUP_ROWS_MAX)
        self._refreshed_at_ms = 0

    def refresh(self, now_ms: int, version: int) -> None:
        """Look at all groups, once a second."""
        if now_ms - self._refreshed_at_ms < SLOW_REFRESH_MS:
            return
        self._refreshed_at_ms = now_ms
        try:
            page = list_groups(self._ledger, self._request, now_ms)
        except QueueNotFound:  # as long as nothing was submitted to it, nothing of it has failed
            return
        self.image.left_out = page.total - len(page.groups)
        self.image.keep_only((group.fingerprint for group in page.groups), version)
        for group in page.groups:
            self.image.put(group.fingerprint, msgspec.Raw(_encode(group)), version)


class OperationsSource:
    """The last operations, and how far they are."""

    def __init__(self, ledger: Ledger, scope: Scope, version: int) -> None:
        self.image = Image(scope.text, version)
        self._ledger = ledger
        self._refreshed_at_ms = 0

    def refresh(self, now_ms: int, version: int) -> None:
        """Look at them, once a second."""
        if now_ms - self._refreshed_at_ms < SLOW_REFRESH_MS:
            return
        self._refreshed_at_ms = now_ms
        rows = self._ledger.operations.rows
        latest = list(rows)[-OPERATIONS_MAX:]
        self.image.left_out = len(rows) - len(latest)
        self.image.keep_only((key.hex() for key in latest), version)
        for key in latest:
            self.image.put(key.hex(), msgspec.Raw(_encode(shown(key, rows[key]))), version)


class EventsSource:
    """The last events."""

    def __init__(self, ledger: Ledger, scope: Scope, version: int) -> None:
        self.image = Image(scope.text, version)
        self._ledger = ledger
        self._last = 0

    def refresh(self, now_ms: int, version: int) -> None:  # noqa: ARG002 - as all sources
        """Take up those that are new."""
        events = self._ledger.events
        if events.last == self._last:
            return
        for event in events.ring:
            if event.number > self._last:
                self.image.put(str(event.number), msgspec.Raw(_encode(event)), version)
        self._last = events.last
        self.image.keep_only((str(event.number) for event in events.ring), version)


class AttentionSource:
    """What somebody should look at; sent whole, for it is short and its order matters."""

    def __init__(self, ledger: Ledger, board: Board, scope: Scope, version: int) -> None:
        self.image = Image(scope.text, version)
        self._ledger = ledger
        self._board = board
        self._refreshed_at_ms = 0

    def refresh(self, now_ms: int, version: int) -> None:
        """Judge, once a second."""
        if now_ms - self._refreshed_at_ms < SLOW_REFRESH_MS:
            return
        self._refreshed_at_ms = now_ms
        found, self.image.left_out = findings(self._ledger, self._board, now_ms)
        rows = [(f"{finding.code} {finding.name}", msgspec.Raw(_encode(finding))) for finding in found]
        self.image.replace(rows, version)


def make_source(ledger: Ledger, board: Callable[[], Board], scope: Scope, version: int) -> Source:
    """The source of a scope.

    Args:
        board: gives the rows of all queues, made if need be.

    Raises:
        InvalidArgument: what the scope is about is no selector.
    """
    match scope.kind:
        case ScopeKind.TOTALS:
            return TotalsSource(ledger, board(), scope, version)
        case ScopeKind.QUEUES:
            return QueuesSource(board(), scope, version)
        case ScopeKind.QUEUE:
            return QueueSource(ledger, scope, version)
        case ScopeKind.WORKERS:
            return WorkersSource(ledger, scope, version)
        case ScopeKind.GROUPS:
            return GroupsSource(ledger, scope, version)
        case ScopeKind.OPS:
            return OperationsSource(ledger, scope, version)
        case ScopeKind.TASK:
            return TaskSource(ledger, scope, version)
        case ScopeKind.EVENTS:
            return EventsSource(ledger, scope, version)
        case ScopeKind.ATTENTION:
            return AttentionSource(ledger, board(), scope, version)
        case _:
            assert_never(scope.kind)

"""The attention list of a broker: facts gathered from queues, workers and disk, and judged by attention.py."""

from collections.abc import Iterator
from heapq import nsmallest
from typing import NamedTuple

from tq.engine.attention import (
    TELL_ERRORS,
    TELL_SLOTS,
    QueueContext,
    Verdict,
    WorkerFacts,
    disk_finding,
    queue_finding,
    rank,
    silent_before_ms,
    worker_finding,
)
from tq.engine.board import Board
from tq.engine.grouping import Group
from tq.engine.ledger import Ledger
from tq.engine.queues import Queue
from tq.engine.workers import Profile
from tq.model.watching import FINDINGS_MAX, Finding


def findings(ledger: Ledger, board: Board, now_ms: int) -> tuple[list[Finding], int]:
    """What somebody should look at, the most urgent first, at most FINDINGS_MAX; and how many more there are.

    Args:
        board: refreshed at this moment.
    """
    others = list(_of_workers(ledger, now_ms))
    if (disk := _of_disk(ledger)) is not None:
        others.append(disk)
    worst = nsmallest(FINDINGS_MAX, board.verdicts.items(), key=lambda item: (-item[1].severity, item[0]))
    codes = {verdict.code for _, verdict in worst}
    view = _View(_capacity(ledger) if codes & TELL_SLOTS else [], _top_errors(ledger) if codes & TELL_ERRORS else {})
    found = others + [_of_queue(ledger, board, number, verdict, view, now_ms) for number, verdict in worst]
    shown = sorted(found, key=rank)[:FINDINGS_MAX]
    return shown, len(others) + len(board.verdicts) - len(shown)


class _View(NamedTuple):
    """What the sentences about all queues are made from. `capacity`: for each kind of worker, the slots of those that
    are connected, and how many are busy; `top_errors`: by number of queue."""

    capacity: list[tuple[Profile, int, int]]
    top_errors: dict[int, str]


def _of_disk(ledger: Ledger) -> Finding | None:
    disk = ledger.disk
    return disk_finding(disk.why_not_accepting, disk.is_read_only, disk.free_bytes, disk.bytes_min)


def _of_workers(ledger: Ledger, now_ms: int) -> Iterator[Finding]:
    heartbeat_ms = ledger.settings.broker.worker_heartbeat_interval_secs * 1_000
    silent_ms = silent_before_ms(heartbeat_ms, now_ms)
    for worker in ledger.workers.values():
        if (
            worker.session is not None
            and not worker.note
            and (worker.last_seen_at_ms >= silent_ms or worker.excused_at_ms >= silent_ms)
        ):
            continue  # of thousands, nearly all are well: no more is asked of those
        facts = WorkerFacts(
            name=worker.hello.name,
            incarnation=worker.hello.incarnation,
            is_connected=worker.session is not None,
            seen_at_ms=max(worker.last_seen_at_ms, worker.excused_at_ms),
            lost_at_ms=worker.lost_at_ms(heartbeat_ms),
            leases=len(worker.leases),
            note=worker.note,
        )
        finding = worker_finding(facts, heartbeat_ms, now_ms)
        if finding is not None:
            yield finding


def _capacity(ledger: Ledger) -> list[tuple[Profile, int, int]]:
    """Costs a pass over the workers, who may be thousands."""
    profiles = ledger.profiles.values()
    slots = {id(profile): 0 for profile in profiles}
    busy = dict(slots)
    for worker in ledger.workers.values():
        profile = id(worker.profile)
        if profile in slots:
            concurrency, leases = worker.hello.concurrency, len(worker.leases)
            slots[profile] += concurrency
            busy[profile] += leases if leases < concurrency else concurrency
    return [(profile, slots[id(profile)], busy[id(profile)]) for profile in profiles]


def _top_errors(ledger: Ledger) -> dict[int, str]:
    """For each queue with dead letters, the error of most of them, and of how many. Costs a pass over the groups."""
    most: dict[int, tuple[int, Group]] = {}
    for group in ledger.groups.by_id.values():
        for number, count in group.queues.items():
            if number not in most or count > most[number][0]:
                most[number] = (count, group)
    return {number: _error_words(ledger, number, *found) for number, found in most.items()}


def _error_words(ledger: Ledger, number: int, count: int, group: Group) -> str:
    row, dead = group.row, ledger.queues_by_number[number].row.dead
    name = " ".join(part for part in (row.error_type or row.message, row.place) if part)
    return f"{count * 100 // dead if dead else 0} % {name}"


def _of_queue(
    ledger: Ledger,
    board: Board,
    number: int,
    verdict: Verdict,
    view: _View,
    now_ms: int,
) -> Finding:
    row, queue = board.rows[number], ledger.queues_by_number[number]
    serving = [(slots, busy) for profile, slots, busy in view.capacity if profile.serves(queue)]
    context = QueueContext(
        name=row.name,
        ready=row.ready,
        no_handler=row.no_handler,
        dead=row.dead,
        submitted_10s=row.submitted_10s,
        completed_10s=row.completed_10s,
        dead_60s=row.dead_60s,
        oldest_at_ms=row.oldest_at_ms,
        behind_since_ms=ledger.history.rates(queue, now_ms).behind_since_ms,
        paused_at_ms=queue.row.paused_at_ms,
        paused_by=queue.row.paused_by,
        pause_reason=queue.row.pause_reason,
        slots=sum(slots for slots, _ in serving),
        busy=sum(busy for _, busy in serving),
        missing=_missing(ledger, queue) if row.no_handler else "",
        top_error=view.top_errors.get(number, ""),
    )
    return queue_finding(context, verdict, now_ms)


def _missing(ledger: Ledger, queue: Queue) -> str:
    """Of the task types that nobody can run, the one with the most ready tasks."""
    lanes = [
        lane
        for lane in queue.all_lanes()
        if lane.row.ready and not any(profile.can_run(lane) for profile in ledger.profiles.values())
    ]
    return max(lanes, key=lambda lane: lane.row.ready).row.task_type if lanes else ""

"""The live rows of all queues, kept as queues change: a tick costs by what changed, not by how many there are."""

import msgspec

from tq.engine.attention import Verdict, judge
from tq.engine.lanes import Lane
from tq.engine.ledger import Ledger
from tq.engine.queues import Queue
from tq.model.watching import QueueLive

_encode = msgspec.msgpack.Encoder().encode
_SUMMED = 11


class Board:
    """A row for each queue, and the sums over all of them. Made when somebody begins to watch, and thrown away after.

    Attributes:
        rows, raws: the rows by the numbers of their queues, and the same encoded.
        verdicts: of the queues that are not as they should be.
        sums: of what `_summed` says, over all queues.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.rows: dict[int, QueueLive] = {}
        self.raws: dict[int, msgspec.Raw] = {}
        self.verdicts: dict[int, Verdict] = {}
        self.sums = [0] * _SUMMED
        self._summed: dict[int, tuple[int, ...]] = {}
        self._dirty: dict[int, Queue] = dict(ledger.queues_by_number)
        self._warm: set[int] = set()  # the queues whose rows show a rate
        self._turns: dict[int, int] = {}  # when time alone may change how a queue is
        self._second = 0
        self._profiles: list[object] = []
        self._is_handled: dict[int, bool] = {}  # by lane: whether a connected worker can run its tasks

    def note(self, touched: dict[int, Queue]) -> None:
        """These queues change in this batch."""
        self._dirty.update(touched)

    def refresh(self, now_ms: int) -> list[int]:
        """Make the rows true again; the numbers of the queues whose rows changed."""
        self._notice_workers()
        if self.rows and now_ms // 1000 != self._second:
            self._notice_time(now_ms)
        self._second = now_ms // 1000
        changed, rows, raws = [], self.rows, self.raws
        for number, queue in self._dirty.items():
            row = self._row(queue, now_ms)
            if rows.get(number) != row:
                rows[number] = row
                raws[number] = msgspec.Raw(_encode(row))
                changed.append(number)
        self._dirty = {}
        return changed

    def _notice_workers(self) -> None:
        """Workers that came or went have changed what can be run."""
        profiles: list[object] = list(self._ledger.profiles)
        if profiles != self._profiles:
            self._profiles = profiles
            self._is_handled.clear()
            queues = self._ledger.queues_by_number
            self._dirty.update((number, queues[number]) for number, row in self.rows.items() if row.ready)

    def _notice_time(self, now_ms: int) -> None:
        """A new second has changed rates, and how queues are that stand still."""
        history, dirty, queues, rows = self._ledger.history, self._dirty, self._ledger.queues_by_number, self.rows
        for number in self._warm | history.marked:
            if number in dirty or number not in rows:
                continue
            row, rates = rows[number], history.rates(queues[number], now_ms)
            if (
                rates.submitted_10s != row.submitted_10s
                or rates.completed_10s != row.completed_10s
                or rates.failed_60s != row.failed_60s
                or rates.dead_60s != row.dead_60s
                or rates.behind_since_ms
                or row.state == "behind"
            ):
                dirty[number] = queues[number]
        history.marked.clear()
        dirty.update((number, queues[number]) for number, moment in self._turns.items() if moment <= now_ms)

    def _row(self, queue: Queue, now_ms: int) -> QueueLive:
        row, number = queue.row, queue.number
        high, normal, low = queue.ready
        ready = high + normal + low
        oldest_at_ms, no_handler = self._look_at_lanes(queue) if ready else (0, 0)
        rates = self._ledger.history.rates(queue, now_ms)
        submitted_10s, completed_10s = rates.submitted_10s, rates.completed_10s
        failed_60s, dead_60s = rates.failed_60s, rates.dead_60s
        if submitted_10s or completed_10s or failed_60s or dead_60s:
            self._warm.add(number)
        else:
            self._warm.discard(number)
        paused_at_ms = row.paused_at_ms if row.is_paused else 0
        verdict = judge(ready, no_handler, oldest_at_ms, rates.behind_since_ms, dead_60s, paused_at_ms, now_ms)
        self._keep(number, verdict)
        self._sum_up(
            number,
            (
                ready, row.scheduled, row.retrying, row.in_progress, row.dead, submitted_10s, completed_10s,
                failed_60s, dead_60s, row.submitted_total, row.completed_total,
            ),
        )  # fmt: skip
        return QueueLive(
            row.name,
            verdict.state,
            verdict.severity,
            ready,
            row.in_progress,
            row.scheduled,
            row.retrying,
            row.dead,
            no_handler,
            oldest_at_ms,
            submitted_10s,
            completed_10s,
            failed_60s,
            dead_60s,
        )

    def _look_at_lanes(self, queue: Queue) -> tuple[int, int]:
        """Since when the first ready task waits, and how many of them no connected worker can run."""
        changes, is_handled = self._ledger.changes, self._is_handled
        oldest_at_ms = no_handler = 0
        for lanes in queue.lanes:
            for lane in lanes.values():
                ready = lane.row.ready
                if not ready:
                    continue
                moment = lane.oldest_ready_at_ms(changes)
                if moment is not None and (not oldest_at_ms or moment < oldest_at_ms):
                    oldest_at_ms = moment
                if not (is_handled[lane.number] if lane.number in is_handled else self._find_handler(lane)):
                    no_handler += ready
        return oldest_at_ms, no_handler

    def _find_handler(self, lane: Lane) -> bool:
        found = any(profile.can_run(lane) for profile in self._ledger.profiles.values())
        self._is_handled[lane.number] = found
        return found

    def _sum_up(self, number: int, summed: tuple[int, ...]) -> None:
        before = self._summed.get(number)
        if before == summed:
            return
        self._summed[number] = summed
        if before is None:
            self.sums = list(map(int.__add__, self.sums, summed))
        else:
            self.sums = [total + new - old for total, new, old in zip(self.sums, summed, before, strict=True)]

    def _keep(self, number: int, verdict: Verdict) -> None:
        if verdict.severity:
            self.verdicts[number] = verdict
        elif number in self.verdicts:
            del self.verdicts[number]
        if verdict.until_ms:
            self._turns[number] = verdict.until_ms
        elif number in self._turns:
            del self._turns[number]

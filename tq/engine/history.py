"""What each queue did in its last seconds and minutes: on disk as rows of HISTORY, in memory as rates.

A queue costs something only in a second in which it changed: two small rows, once that second is over. The rows of a
queue are a ring, one slot a second and one a minute, overwritten in turn: no sweeps, no tombstones. A point is the
difference between the totals of the queue and those at its last point, which its head remembers on disk: what a crash
kept from being written is in the next one, and the points always add up to the totals.
"""

import msgspec

from tq.engine.changes import Changes
from tq.engine.queues import Queue
from tq.engine.tables import HISTORY_KEY, POINT_ROW, HistoryHead, Table
from tq.model.errors import InvalidArgument
from tq.model.history import MINUTES_KEPT, POINTS_MAX, SECONDS_KEPT, HistoryPoint, Rates

HEAD, BY_SECOND, BY_MINUTE = 0, 1, 2
"""The kinds of rows in HISTORY, the first byte of a key."""

_U32_MAX = 0xFFFF_FFFF

RATE_SECONDS = 10
TREND_SECONDS = 60
BEHIND_READY_MIN = 100
"""Fewer ready tasks than this are no backlog, whatever the trend."""

_Mark = tuple[int, int, int, int, int, int]
"""At the end of a second: the second, then as in HistoryPoint, in totals."""

NO_RATES = Rates()
_NEVER = 1 << 62

_encode = msgspec.msgpack.Encoder().encode


_decode_head = msgspec.msgpack.Decoder(HistoryHead).decode


class Pace:
    """The totals of a queue at the ends of its last seconds, each list from old to new: `fine` one a second for as long
    as a rate looks back, `coarse` one in ten for as long as a trend does. Both begin with one that is older."""

    __slots__ = ("behind_since_ms", "coarse", "fine", "rated", "rated_from", "rated_until")

    def __init__(self, base: _Mark) -> None:
        self.fine = [base]
        self.coarse = [base]
        self.behind_since_ms = 0
        self.rated = NO_RATES  # from second `rated_from` on, before `rated_until`, if nothing was added since
        self.rated_from = self.rated_until = 0

    def add(self, mark: _Mark) -> None:
        """The queue changed in this second."""
        second = mark[0]
        fine, coarse = self.fine, self.coarse
        self.rated_until = 0
        if fine[-1][0] == second:
            fine[-1] = mark
        else:
            fine.append(mark)
        while len(fine) > 1 and fine[1][0] <= second - RATE_SECONDS:
            del fine[0]
        if second - coarse[-1][0] >= RATE_SECONDS:
            coarse.append(mark)
        while len(coarse) > 1 and coarse[1][0] <= second - TREND_SECONDS:
            del coarse[0]
        self._note_trend(mark)

    def _note_trend(self, mark: _Mark) -> None:
        """Behind is who has a backlog that grew over the last minute while more came than was done."""
        base = self.coarse[0]
        is_behind = (
            mark[5] >= BEHIND_READY_MIN
            and mark[5] > base[5]
            and mark[1] - base[1] > mark[2] - base[2]
            and mark[0] - base[0] >= TREND_SECONDS // 2
        )
        if not is_behind:
            self.behind_since_ms = 0
        elif not self.behind_since_ms:
            self.behind_since_ms = (base[0] + 1) * 1000  # when the second of the base was over

    def rates(self, now_ms: int) -> Rates:
        """Over the last whole seconds before this moment."""
        second = now_ms // 1000
        if not self.rated_from <= second < self.rated_until:
            self.rated_from = second
            self.rated, self.rated_until = self._rates(second - 1)
        return self.rated

    def _rates(self, last: int) -> tuple[Rates, int]:
        """After this second; and the next second in which they may be others, for time alone changes them as well."""
        latest = self.fine[-1]
        if latest[0] <= last - TREND_SECONDS:
            return NO_RATES, _NEVER
        near, near_until = _before(self.fine, last - RATE_SECONDS)
        far, far_until = _before(self.coarse, last - TREND_SECONDS)
        # A backlog that neither grows nor shrinks any more is not behind but stuck.
        behind_since_ms = self.behind_since_ms if latest[0] > last - RATE_SECONDS else 0
        until = min(near_until + RATE_SECONDS, far_until + TREND_SECONDS, latest[0] + TREND_SECONDS) + 1
        rates = Rates(latest[1] - near[1], latest[2] - near[2], latest[3] - far[3], latest[4] - far[4], behind_since_ms)
        return rates, until


def _before(marks: list[_Mark], second: int) -> tuple[_Mark, int]:
    """The last mark at or before a second, the first one if all are later; and the second of the one behind it."""
    found = marks[0]
    for mark in marks:
        if mark[0] > second:
            if mark is not found:
                return found, mark[0]
        else:
            found = mark
    return found, _NEVER


class History:
    """The history of all queues. To be told of the queues that changed, and called again when their second is over."""

    def __init__(self, changes: Changes, queues_max: int) -> None:
        """`queues_max`: points written in one call; the others wait for the next."""
        self._changes = changes
        self._queues_max = queues_max
        self._heads: dict[int, HistoryHead] = {}
        self.paces: dict[int, Pace] = {}
        """Of the queues that went in the last minutes, by number."""
        self.marked: set[int] = set()
        """The queues that got a point since this was last emptied; for one reader."""
        self._open: dict[int, Queue] = {}  # changed in `_second`, which runs
        self._second = 0
        self._closing: dict[int, Queue] = {}  # changed in `_closing_second`, which is over
        self._closing_second = 0

    def advance(self, touched: dict[int, Queue], now_ms: int) -> bool:
        """Write the points of a second that is over, and remember who changed in this one; whether there is more.

        Args:
            touched: the queues that this batch changes, by number.
        """
        second = now_ms // 1000
        if self._open and second != self._second and not self._closing:
            self._closing, self._open = self._open, {}
            self._closing_second = self._second
            if second // TREND_SECONDS != self._second // TREND_SECONDS:
                self._forget_idle(second)
        if self._closing:
            self._close()
        if touched:
            if not self._open:
                self._second = second
            self._open.update(touched)
        return bool(self._closing)

    @property
    def next_deadline_ms(self) -> int | None:
        """When the second is over in which a queue changed."""
        return (self._second + 1) * 1000 if self._open else None

    def rates(self, queue: Queue, now_ms: int) -> Rates:
        """How fast a queue goes."""
        pace = self.paces.get(queue.number)
        return NO_RATES if pace is None else pace.rates(now_ms)

    def total_rates(self, now_ms: int) -> Rates:
        """How fast all queues go together. Costs a pass over those that went in the last minutes."""
        rates = [pace.rates(now_ms) for pace in self.paces.values()]
        return Rates(
            submitted_10s=sum(rate.submitted_10s for rate in rates),
            completed_10s=sum(rate.completed_10s for rate in rates),
            failed_60s=sum(rate.failed_60s for rate in rates),
            dead_60s=sum(rate.dead_60s for rate in rates),
        )

    def points(self, queue: Queue, step_ms: int, since_ms: int, now_ms: int) -> list[HistoryPoint]:
        """The points of a queue that begin at or after a moment, the oldest first.

        Args:
            step_ms: 1,000 for seconds, 60,000 for minutes.
        """
        kind, kept = (BY_SECOND, SECONDS_KEPT) if step_ms == 1000 else (BY_MINUTE, MINUTES_KEPT)
        last = now_ms // step_ms
        first = max(last - kept + 1, -(-since_ms // step_ms))
        found: dict[int, HistoryPoint] = {}
        for start, end in _slots(first, last, kept):
            rows = self._changes.range(
                Table.HISTORY,
                HISTORY_KEY.pack(kind, queue.number, start),
                HISTORY_KEY.pack(kind, queue.number, end),
                kept,
            )
            for _, value in rows:
                moment, *counts = POINT_ROW.unpack(value)
                if first <= moment <= last:
                    found[moment] = HistoryPoint(moment * step_ms, *counts)
        head = self._head(queue)
        if kind == BY_MINUTE and first <= head.minute <= last:
            found[head.minute] = HistoryPoint(head.minute * step_ms, *_minute_counts(head))
        return [found[moment] for moment in sorted(found)]

    def _head(self, queue: Queue) -> HistoryHead:
        head = self._heads.get(queue.number)
        if head is None:
            row = self._changes.get(Table.HISTORY, HISTORY_KEY.pack(HEAD, queue.number, 0))
            head = self._heads[queue.number] = HistoryHead() if row is None else _decode_head(row)
        return head

    def _close(self) -> None:
        second = self._closing_second
        for number in list(self._closing)[: self._queues_max]:
            self._write_point(self._closing.pop(number), second)

    def _write_point(self, queue: Queue, second: int) -> None:
        row, head = queue.row, self._head(queue)
        totals = (row.submitted_total, row.completed_total, row.failed_total, row.dead_total)
        before = (head.submitted, head.completed, head.failed, head.dead)
        ready = sum(queue.ready)
        if totals == before and ready == head.ready:
            return
        pace = self.paces.get(queue.number)
        if pace is None:
            pace = self.paces[queue.number] = Pace((second - 1, *before, head.ready))
        pace.add((second, *totals, ready))
        self.marked.add(queue.number)
        key = HISTORY_KEY.pack(BY_SECOND, queue.number, second % SECONDS_KEPT)
        counts = list(map(int.__sub__, totals, before))
        if head.second == second:  # the broker was started again within the second, or it is closed a second time
            counts = self._merged(key, counts, second)
        self._changes.put(Table.HISTORY, key, _point_row(second, counts, ready))
        if head.minute != second // 60:
            self._turn_minute(queue, head, second // 60)
        head.second, head.ready = second, ready
        head.submitted, head.completed, head.failed, head.dead = totals
        self._changes.put(Table.HISTORY, HISTORY_KEY.pack(HEAD, queue.number, 0), _encode(head))

    def _merged(self, key: bytes, counts: list[int], second: int) -> list[int]:
        row = self._changes.get(Table.HISTORY, key)
        if row is None:
            return counts
        moment, *before, _ = POINT_ROW.unpack(row)
        return list(map(int.__add__, counts, before)) if moment == second else counts

    def _turn_minute(self, queue: Queue, head: HistoryHead, minute: int) -> None:
        """Write the minute of the last point, which is over, and begin another."""
        if head.minute:
            *counts, ready = _minute_counts(head)
            slot = HISTORY_KEY.pack(BY_MINUTE, queue.number, head.minute % MINUTES_KEPT)
            self._changes.put(Table.HISTORY, slot, _point_row(head.minute, counts, ready))
        head.minute = minute
        head.minute_submitted, head.minute_completed = head.submitted, head.completed
        head.minute_failed, head.minute_dead = head.failed, head.dead

    def _forget_idle(self, second: int) -> None:
        """Rates of queues that have none any more: memory is for those that go."""
        self.paces = {
            number: pace for number, pace in self.paces.items() if pace.fine[-1][0] > second - 2 * TREND_SECONDS
        }


def _minute_counts(head: HistoryHead) -> tuple[int, int, int, int, int]:
    return (
        head.submitted - head.minute_submitted,
        head.completed - head.minute_completed,
        head.failed - head.minute_failed,
        head.dead - head.minute_dead,
        head.ready,
    )


def _point_row(moment: int, counts: list[int], ready: int) -> bytes:
    return POINT_ROW.pack(moment, *(min(count, _U32_MAX) for count in counts), min(ready, _U32_MAX))


def _slots(first: int, last: int, kept: int) -> list[tuple[int, int]]:
    """The slots of the moments from `first` to `last`, as ranges without their ends; two where the ring wraps."""
    if first > last:
        return []
    start, end = first % kept, last % kept + 1
    return [(start, end)] if start < end else [(start, kept), (0, end)]


def check_span(queues: int, step_ms: int, since_ms: int, now_ms: int) -> None:
    """Whether one request may ask for so much.

    Raises:
        InvalidArgument: more than POINTS_MAX points.
    """
    kept = SECONDS_KEPT if step_ms == 1000 else MINUTES_KEPT
    points = queues * min(kept, max(0, (now_ms - since_ms) // step_ms + 1))
    if points > POINTS_MAX:
        raise InvalidArgument(
            f"{queues} queues for so long are {points} points, more than {POINTS_MAX}",
            hint="ask for fewer queues at once, or from a later moment on",
        )

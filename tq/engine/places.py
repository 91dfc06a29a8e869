"""How many tasks stand before one, without counting more rows than a bound."""

from bisect import bisect_left
from collections.abc import Iterable

from tq.engine.lanes import Lane, sequence_of
from tq.engine.ledger import Ledger
from tq.engine.tables import READY_KEY, Table
from tq.model.task import Tier


def tasks_ahead(ledger: Ledger, tier: Tier, sequence: int, lanes: Iterable[Lane]) -> tuple[int, bool]:
    """How many ready tasks go before the one with this tier and sequence, and whether that is exact.

    Counted are higher tiers, and in its own tier what came before it. The one dispatch in 16 that goes to a lower tier
    is left out. Beyond `bounds.scan_max` rows the count is an estimate: from how the sequences of a lane are spread.

    Args:
        lanes: of its queue, those whose tasks the same workers run.
    """
    count, is_exact, budget = 0, True, ledger.bounds.scan_max
    for lane in lanes:
        if lane.row.tier > tier:
            count += lane.row.ready
        elif lane.row.tier == tier and lane.row.ready:
            before, rows, is_counted = _before(ledger, lane, sequence, budget)
            budget -= rows
            count += before
            is_exact = is_exact and is_counted
    return count, is_exact


def _before(ledger: Ledger, lane: Lane, sequence: int, rows_max: int) -> tuple[int, int, bool]:
    """How many tasks of a lane lie below a sequence, how many rows were read for it, and whether it is exact."""
    if sequence <= lane.window_end:
        place = bisect_left(lane.window, sequence, key=sequence_of)
        return place - sum(gone < sequence for gone in lane.gone), 0, True
    in_window = len(lane.window) - len(lane.gone)
    beyond = lane.row.ready - in_window
    if not beyond:
        return in_window, 0, True
    start, read = lane.key(lane.window_end + 1), ledger.changes.range
    rows = len(read(Table.READY, start, lane.key(sequence), max(1, rows_max)))
    if rows < max(1, rows_max):
        return in_window + rows, rows, True
    last = read(Table.READY, start, READY_KEY.pack(lane.number + 1, 0), 1, is_descending=True)
    last_sequence = READY_KEY.unpack(last[0][0])[1] if last else sequence
    share = (sequence - lane.window_end) / max(1, last_sequence - lane.window_end)
    return in_window + max(rows, round(beyond * min(1.0, share))), rows, False

"""What all processes of a worker did, those that are gone included: the parent's books, for monitoring."""

from copy import deepcopy

import msgspec

from tq.worker.counts import OTHER_TYPES, TYPES_MAX, Counted, TypeCounts

_NOTHING = Counted(
    types={},
    is_connected=False,
    connects=0,
    running=0,
    waiting=0,
    unconfirmed=0,
    stuck=0,
    cpu_ms=0,
    rss_bytes=0,
)


class Totals(msgspec.Struct, kw_only=True):
    """All processes together. First what they have now, then what happened since the parent began."""

    processes: int = 0
    connected: int = 0
    slots: int = 0
    running: int = 0
    waiting: int = 0
    unconfirmed: int = 0
    stuck: int = 0
    rss_bytes: int = 0

    types: dict[str, TypeCounts] = {}
    connects: int = 0
    cpu_ms: int = 0
    deaths: int = 0


class Tally:
    """Adds up reports. What a process counted stays counted when it ends.

    Args:
        slots: of each process.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._latest: dict[int, Counted] = {}  # of the processes that live, by pid
        self._types: dict[int, dict[str, TypeCounts]] = {}
        self._gone = Totals()

    def began(self, pid: int) -> None:
        """A process has loaded its application."""
        self._latest.setdefault(pid, _NOTHING)
        self._types.setdefault(pid, {})

    def counted(self, pid: int, counted: Counted) -> None:
        """A process says how it does."""
        self._latest[pid] = counted
        self._types.setdefault(pid, {}).update(counted.types)

    def ended(self, pid: int, *, is_death: bool) -> None:
        """A process is gone; `is_death`: not in order."""
        self._gone.deaths += is_death
        last = self._latest.pop(pid, None)
        if last is not None:
            self._gone.connects += last.connects
            self._gone.cpu_ms += last.cpu_ms
            _add_types(self._gone.types, self._types.pop(pid))

    def totals(self) -> Totals:
        """As far as the processes have told."""
        totals = deepcopy(self._gone)
        for pid, latest in self._latest.items():
            totals.processes += 1
            totals.connected += latest.is_connected
            totals.slots += self._slots
            totals.running += latest.running
            totals.waiting += latest.waiting
            totals.unconfirmed += latest.unconfirmed
            totals.stuck += latest.stuck
            totals.rss_bytes += latest.rss_bytes
            totals.connects += latest.connects
            totals.cpu_ms += latest.cpu_ms
            _add_types(totals.types, self._types[pid])
        return totals


def _add_types(totals: dict[str, TypeCounts], types: dict[str, TypeCounts]) -> None:
    for task_type, counts in types.items():
        name = task_type if task_type in totals or len(totals) < TYPES_MAX else OTHER_TYPES
        totals.setdefault(name, TypeCounts()).add(counts)

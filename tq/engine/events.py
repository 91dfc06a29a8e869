"""What was done lately, and which workers came and went: a ring in memory, begun from the last rows of the audit."""

from collections import deque

import msgspec

from tq.engine.changes import Changes
from tq.engine.tables import AUDIT_KEY, AuditRow, Table
from tq.model.identity import BROKER
from tq.model.watching import EVENTS_MAX, Event

_decode = msgspec.msgpack.Decoder(AuditRow).decode


class Events:
    """The last events, the oldest first."""

    def __init__(self, changes: Changes) -> None:
        self.ring: deque[Event] = deque(maxlen=EVENTS_MAX)
        self._last = 0
        rows = changes.range(Table.AUDIT, b"", b"\xff" * AUDIT_KEY.size, EVENTS_MAX, is_descending=True)
        for key, value in reversed(rows):
            self.add(AUDIT_KEY.unpack(key)[0], _decode(value))

    @property
    def last(self) -> int:
        """The number of the newest; they count from 1."""
        return self._last

    def add(self, at_ms: int, row: AuditRow) -> None:
        """Somebody did something."""
        self._last += 1
        self.ring.append(
            Event(
                number=self._last,
                at_ms=at_ms,
                actor=row.actor,
                action=row.action,
                target=row.target,
                count=row.count,
                reason=row.reason,
                operation=row.operation.hex(),
            )
        )

    def add_worker(self, at_ms: int, action: str, worker: str, *, leases: int = 0, reason: str = "") -> None:
        """A worker came or went; `leases` is what it held then."""
        self.add(at_ms, AuditRow(BROKER.name, BROKER.origin, action, worker, leases, reason))

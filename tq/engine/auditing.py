"""Who did what: one row for everything that an operator changes, in the same batch as the change."""

from tq.engine.ledger import Ledger, encode
from tq.engine.tables import AUDIT_KEY, AuditRow, Table

TARGET_CHARS_MAX = 1_000
REASON_CHARS_MAX = 2_000


def record(
    ledger: Ledger, now_ms: int, action: str, target: str, *, count: int = 0, reason: str = "", operation: bytes = b""
) -> None:
    """Note that whoever asks now has done something.

    Args:
        action: a verb, such as "pause".
        target: what it was done to: a queue, a task id, a selector.
        count: how many tasks it concerned.
        operation: the id of the operation that carries it out; empty if it is done.
    """
    actor = ledger.actor
    row = AuditRow(
        actor.name, actor.origin, action, target[:TARGET_CHARS_MAX], count, reason[:REASON_CHARS_MAX], operation
    )
    ledger.changes.put(Table.AUDIT, AUDIT_KEY.pack(now_ms, ledger.next_sequence()), encode(row))

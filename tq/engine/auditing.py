"""Who did what: one row for everything that an operator changes, in the same batch as the change; and its reading."""

from collections.abc import Callable

import msgspec

from tq.engine.ledger import HOUR_MS, Ledger, encode
from tq.engine.tables import AUDIT_KEY, AuditRow, Table
from tq.model.commands import ListAudit
from tq.model.credentials import AuditEntry
from tq.model.errors import InvalidArgument
from tq.model.patterns import glob
from tq.model.replies import AuditPage

TARGET_CHARS_MAX = 1_000
REASON_CHARS_MAX = 2_000
MOMENT_MAX = (1 << 53) + 1
_decode: Callable[[bytes], AuditRow] = msgspec.msgpack.Decoder(AuditRow).decode


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
    ledger.events.add(now_ms, row)
    if ledger.audit_due_ms is None:
        ledger.audit_due_ms = now_ms + _keep_ms(ledger)


def list_audit(ledger: Ledger, request: ListAudit) -> AuditPage:
    """A page, the latest first. It may be short and have a cursor: the rows looked at are bounded.

    Raises:
        InvalidArgument: a pattern with too many wildcards, or a cursor that is not of this listing.
    """
    is_wanted = _wanted(request)
    start = max(ledger.audit_floor, AUDIT_KEY.pack(request.since_ms, 0))
    end = AUDIT_KEY.pack(MOMENT_MAX if request.until_ms is None else request.until_ms + 1, 0)
    if request.cursor:
        if len(request.cursor) != AUDIT_KEY.size:
            raise InvalidArgument("the cursor is not of this listing", hint="start again without one")
        end = min(end, request.cursor)
    rows_max = ledger.bounds.scan_max if request.who or request.action else request.limit
    rows = ledger.changes.range(Table.AUDIT, start, end, rows_max, is_descending=True) if start < end else []
    entries: list[AuditEntry] = []
    for key, value in rows:
        row = _decode(value)
        if is_wanted(row):
            entries.append(_entry(key, row))
        if len(entries) == request.limit:
            return AuditPage(request.request_id, entries, key)
    return AuditPage(request.request_id, entries, rows[-1][0] if len(rows) == rows_max else b"")


def _wanted(request: ListAudit) -> Callable[[AuditRow], bool]:
    is_actor, is_action = _test_of(request.who), _test_of(request.action)
    return lambda row: is_actor(row.actor) and is_action(row.action)


def _test_of(text: str) -> Callable[[str], bool]:
    """A pattern is for the whole; a text without wildcards may stand anywhere."""
    if not text:
        return lambda _: True
    pattern = glob(text)
    return pattern.matcher(is_case_ignored=True, is_anywhere=pattern.literal is not None)


def _entry(key: bytes, row: AuditRow) -> AuditEntry:
    return AuditEntry(
        at_ms=AUDIT_KEY.unpack(key)[0],
        actor=row.actor,
        origin=row.origin,
        action=row.action,
        target=row.target,
        count=row.count,
        reason=row.reason,
        operation=row.operation,
    )


def sweep(ledger: Ledger, now_ms: int) -> bool:
    """Remove the rows that are too old, a bounded number; whether more are."""
    if ledger.audit_due_ms is None or now_ms < ledger.audit_due_ms:
        return False
    sweep_max = ledger.bounds.sweep_max
    end = AUDIT_KEY.pack(max(0, now_ms - _keep_ms(ledger) + 1), 0)
    rows = ledger.changes.range(Table.AUDIT, ledger.audit_floor, max(end, ledger.audit_floor), sweep_max)
    for key, _ in rows:
        ledger.changes.delete(Table.AUDIT, key)
        ledger.audit_floor = key
    has_more = len(rows) == sweep_max
    ledger.audit_due_ms = now_ms if has_more else _first_due_ms(ledger)
    return has_more


def _first_due_ms(ledger: Ledger) -> int | None:
    rows = ledger.changes.range(Table.AUDIT, ledger.audit_floor, AUDIT_KEY.pack(MOMENT_MAX, 0), 1)
    if not rows:
        return None
    at_ms: int = AUDIT_KEY.unpack(rows[0][0])[0]
    return at_ms + _keep_ms(ledger)


def _keep_ms(ledger: Ledger) -> int:
    return ledger.settings.persistence.audit_retention_hours * HOUR_MS

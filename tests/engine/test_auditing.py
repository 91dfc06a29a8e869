"""Who did what: written with the change, read newest first, kept for a time."""

import pytest

from tests.engine.operations.desk import Desk
from tests.engine.rig import DAY, HOUR, NOW_MS, Rig, id_of, task
from tq.engine.bounds import Bounds
from tq.engine.tables import Table
from tq.model.commands import (
    Backup,
    Cancel,
    CancelOperation,
    CommitOperation,
    CreateToken,
    DrainWorker,
    ListAudit,
    PauseQueue,
    Request,
    Resubmit,
    ResumeQueue,
    RevokeToken,
    UndoOperation,
)
from tq.model.credentials import AuditEntry
from tq.model.errors import InvalidArgument
from tq.model.identity import Actor, Role
from tq.model.operations import Action
from tq.model.replies import AuditPage
from tq.model.roles import RULES
from tq.model.settings import PersistenceSettings

ANNA = Actor("uid:1000 anna", "unix")


def entries(rig: Rig, **fields: object) -> list[AuditEntry]:
    """All pages."""
    found: list[AuditEntry] = []
    cursor = b""
    while True:
        page = rig.ask(ListAudit(1, cursor=cursor, **fields), AuditPage)  # type: ignore[arg-type]
        found += page.entries
        cursor = page.cursor
        if not cursor:
            return found


def pause_often(rig: Rig, count: int) -> None:
    """One entry a millisecond: pause, resume, pause..."""
    rig.submit(task(1))
    for number in range(count):
        rig.now_ms = NOW_MS + number
        rig.step(PauseQueue(1, "default", f"n{number}") if number % 2 == 0 else ResumeQueue(1, "default"))
        rig.commit()


def test_all_that_an_operator_changes_is_told_with_who_from_where_what_and_why() -> None:
    """All kinds of request that the table of roles calls audited: a new one has its place here."""
    rig = Rig()
    desk = Desk(rig)
    rig.engine.identify(1, ANNA)
    rig.submit(*map(task, range(1, 6)))
    rig.worker("w1", types=())
    done: list[Request] = [
        PauseQueue(1, "default", "disk"),
        ResumeQueue(1, "default"),
        Cancel(1, [id_of(1)], "not needed"),
        Cancel(1, [id_of(2), id_of(3), id_of(1)]),
        Resubmit(1, id_of(1), id_of(9), reason="again"),
        DrainWorker(1, "w1"),
        CreateToken(1, b"token1", bytes(32), "ci", Role.PRODUCER, ["mail*"]),
        RevokeToken(1, "ci"),
        Backup(1, "/backup"),
    ]
    for request in done:
        rig.step(request)
    prepared = desk.prepare(Action.PURGE, "", 4, 5)
    operation = prepared.token
    slow = CommitOperation(1, operation, "old", rate=1)
    for request in (slow, CancelOperation(1, operation.hex(), "enough"), UndoOperation(1, operation.hex(), "oh")):
        rig.step(request)
        rig.turn()
        done.append(request)

    found = entries(rig)[::-1]

    assert {type(request) for request in done} == {kind for kind, rule in RULES.items() if rule.is_audited}
    assert {(entry.actor, entry.origin, entry.at_ms) for entry in found} == {("uid:1000 anna", "unix", rig.now_ms)}
    assert [(entry.action, entry.target, entry.count, entry.reason) for entry in found] == [
        ("pause", "default", 0, "disk"),
        ("resume", "default", 0, ""),
        ("cancel", "00000000-0000-0000-0000-000000000001", 1, "not needed"),
        ("cancel", "3 ids from 00000000-0000-0000-0000-000000000002", 2, ""),
        ("resubmit", "00000000-0000-0000-0000-000000000001", 1, "again"),
        ("drain", "w1", 0, ""),
        ("token-create", "ci (746f6b656e31), producer for mail*", 0, ""),
        ("token-revoke", "ci (746f6b656e31)", 0, ""),
        ("backup", "/backup", 0, ""),
        ("purge", "2 named tasks", 2, "old"),
        ("cancel-operation", operation.hex(), 1, "enough"),
        ("undo", operation.hex(), 1, "oh"),
    ]
    assert [entry.operation for entry in found[-3:-1]] == [operation, operation]


def test_what_changed_nothing_is_not_told() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.step(PauseQueue(1, "default"))
    rig.step(PauseQueue(1, "default"))
    rig.step(Cancel(1, [id_of(1)]))
    rig.step(Cancel(1, [id_of(1)]))
    rig.commit()

    assert [entry.action for entry in entries(rig)] == ["cancel", "pause"]


def test_a_connection_that_said_nothing_is_anonymous() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.step(PauseQueue(1, "default"))
    rig.commit()

    assert [entry.actor for entry in entries(rig)] == ["anonymous"]


def test_the_latest_comes_first_page_by_page() -> None:
    rig = Rig()
    pause_often(rig, 25)

    found = entries(rig, limit=10)

    assert [entry.at_ms - NOW_MS for entry in found] == list(range(24, -1, -1))


def test_entries_of_the_same_moment_come_each_once_in_their_order() -> None:
    rig = Rig()
    rig.submit(task(1))
    for _ in range(3):
        rig.step(PauseQueue(1, "default"))
        rig.step(ResumeQueue(1, "default"))
    rig.commit()

    assert [entry.action for entry in entries(rig, limit=1)] == ["resume", "pause"] * 3


def test_a_span_of_time_has_both_its_ends_in_it() -> None:
    rig = Rig()
    pause_often(rig, 10)

    found = entries(rig, since_ms=NOW_MS + 3, until_ms=NOW_MS + 5)

    assert [entry.at_ms - NOW_MS for entry in found] == [5, 4, 3]


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"action": "pause"}, 5),
        ({"action": "PAU"}, 5),
        ({"action": "*e"}, 10),
        ({"action": "p?use"}, 5),
        ({"action": "p?s"}, 0),
        ({"who": "anna"}, 10),
        ({"who": "uid:1000*", "action": "resume"}, 5),
        ({"who": "ben"}, 0),
    ],
)
def test_entries_are_found_by_who_and_what(fields: dict[str, object], count: int) -> None:
    rig = Rig(bounds=Bounds(scan_max=3))
    rig.engine.identify(1, ANNA)
    pause_often(rig, 10)

    assert len(entries(rig, **fields)) == count


def test_a_page_looks_at_a_bounded_number_of_rows() -> None:
    rig = Rig(bounds=Bounds(scan_max=4))
    pause_often(rig, 10)

    page = rig.ask(ListAudit(1, who="nobody"), AuditPage)

    assert page.entries == []
    assert page.cursor


@pytest.mark.parametrize("request_", [ListAudit(1, cursor=b"x"), ListAudit(1, who="*" * 30)])
def test_a_reading_that_makes_no_sense_is_refused(request_: ListAudit) -> None:
    with pytest.raises(InvalidArgument):
        Rig().step(request_)


def test_entries_go_when_their_time_is_over_a_bounded_number_at_once_and_no_others() -> None:
    rig = Rig(persistence=PersistenceSettings(audit_retention_hours=24), bounds=Bounds(sweep_max=4))
    pause_often(rig, 10)
    rig.restart()
    rig.jump(DAY - 6)

    assert [entry.at_ms - NOW_MS for entry in entries(rig)] == [9, 8, 7, 6, 5, 4]
    rig.jump(HOUR)
    assert entries(rig) == []
    assert rig.rows.range(Table.AUDIT, b"", b"\xff" * 16, 10) == []


def test_the_engine_asks_to_be_called_when_the_oldest_entry_is_to_go() -> None:
    rig = Rig(persistence=PersistenceSettings(audit_retention_hours=1))
    rig.submit(task(1))
    rig.step(PauseQueue(1, "default"))
    rig.commit()

    rig.pass_time(HOUR + 1)

    assert rig.rows.range(Table.AUDIT, b"", b"\xff" * 16, 10) == []

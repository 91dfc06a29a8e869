"""`tq watch`: tables for people, JSON for programs, of a real broker."""

import json

import pytest

from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq, on_terminal, run_tq
from tests.cli.samples import GROUP, NOW_MS, view
from tests.cli.samples import queue as queue_stats
from tq.cli.live_view import draw_scope, totals_fields
from tq.client.task import Task
from tq.client.watching import Change, Update
from tq.model.operations import Action, Operation, OperationState
from tq.model.watching import Event, Finding, QueueLive, Severity, Totals, WorkerLive
from tq.views.records import row_record, update_record

HOSTILE = "a\x1b[2J\u202eb"

TOTALS = Totals(
    queues=2, ready=1_204, scheduled=4, retrying=5, in_progress=3, dead=7, workers=1, workers_lost=1, slots=8,
    submitted_10s=123, completed_10s=12_340, failed_60s=2, dead_60s=1, submitted_total=2_000, completed_total=700,
    sequence=9,
)  # fmt: skip
QUEUE = QueueLive("mail", "behind", Severity.ACT, 1_204, 3, 4, 5, 7, 0, NOW_MS - 61_000, 123, 45, 2, 1)
WORKER = WorkerLive("ab" * 16, "web-1", "host", 4_711, "connected", 8, 3, 3, 0, 50 << 20, NOW_MS, NOW_MS - 5_000)
EVENT = Event(number=1, at_ms=NOW_MS - 60_000, actor="uid:1000 anna", action="pause", target="mail", reason="migration")
FINDING = Finding(severity=Severity.ACT, code="behind", scope="queue:mail", name="mail", text="in 12.3/s > out 4.5/s")
OPERATION = Operation(
    id=bytes(range(8)), action=Action.RETRY, state=OperationState.RUNNING, target="queue:mail", is_hard=False,
    total=200,
    done=50, skipped=0, failed=0, queues=(), rate=500, reason="", actor="anna", origin="unix", as_of=7,
    started_at_ms=NOW_MS, ended_at_ms=0, remaining_ms=300, undo_until_ms=0, undo_of=None, undone_by=None, error="",
)  # fmt: skip


def drawn(capsys: pytest.CaptureFixture[str], scope: str, *rows: object) -> list[list[str]]:
    draw_scope(scope, {str(number): row for number, row in enumerate(rows)}, NOW_MS, 100, "never")
    return [line.split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("scope", "row", "line"),
    [
        ("queues", QUEUE, "mail ! behind 1,204 3 12.3 4.5 1m1s 5 7"),
        ("workers", WORKER, "web-1 connected 3/8 50.0 MiB host 4711 5s ago"),
        ("events", EVENT, "1m ago uid:1000 anna pause mail - migration"),
        ("attention", FINDING, "! mail behind in 12.3/s > out 4.5/s"),
        ("ops", OPERATION, "00010203 anna retry queue:mail 50 of 200 25 % running"),
    ],
)
def test_a_row_is_a_line_of_a_table(capsys: pytest.CaptureFixture[str], scope: str, row: object, line: str) -> None:
    assert drawn(capsys, scope, row)[1] == line.split()


def test_one_queue_groups_and_a_task_are_shown_as_their_verbs_show_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert drawn(capsys, "queue:mail", queue_stats())[1][0] == "mail"
    assert len(drawn(capsys, "groups", GROUP)) == 2
    assert drawn(capsys, "task:019ab697-e800-7001-8203-040506070809", view())[0][0] == "id"


def test_the_totals_are_told_in_rates() -> None:
    told = {title: cell.text for title, cell in totals_fields(TOTALS)}

    assert told["in"] == "12.3/s, 2,000 in all"
    assert told["out"] == "1,234/s, 700 in all"
    assert told["running"] == "3 of 8 slots, 1 worker, 1 lost"
    assert told["dead letters"] == "7 +1/min"


def test_the_worst_queues_come_first_and_the_others_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [QueueLive(f"q{number}", "ok", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) for number in range(9)]
    draw_scope("queues", {row.name: row for row in [*rows, QUEUE]}, NOW_MS, 3, "never")

    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == ["QUEUE", "mail", "q0", "q1"]
    assert printed.err.strip() == "... and 7 more"


def test_hostile_names_reach_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    event = Event(number=1, at_ms=NOW_MS, actor=HOSTILE, action=HOSTILE, target=HOSTILE, reason=HOSTILE)
    draw_scope("events", {"1": event}, NOW_MS, 9, "never")
    printed = capsys.readouterr().out

    assert "\x1b" not in printed
    assert "\u202e" not in printed


@pytest.mark.parametrize("row", [TOTALS, QUEUE, WORKER, EVENT, FINDING, OPERATION, GROUP, queue_stats(), view()])
def test_every_row_has_a_json_with_names(row: object) -> None:
    record = json.loads(json.dumps(row_record(row), default=str))

    assert record
    assert not any(isinstance(value, bytes) for value in row_record(row).values())


def test_the_json_of_a_frame_says_what_is_new_by_scope() -> None:
    record = update_record(Update("boot", 7, NOW_MS, [Change("queues", False, [QUEUE], ["old"], 3)]))

    assert {key: record[key] for key in ("boot_id", "seq", "now_ms")} == {"boot_id": "boot", "seq": 7, "now_ms": NOW_MS}
    assert record["scopes"] == {
        "queues": {"is_whole": False, "rows": [row_record(QUEUE)], "gone": ["old"], "left_out": 3}
    }


def test_watching_a_broker_prints_one_json_a_line(broker: RunningBroker, queue: str) -> None:
    broker.client.submit_tasks([Task("nobody", queue=queue) for _ in range(3)])

    run = run_tq("watch", f"queues:{queue}", "totals", "--json", "--count", "2", "--hz", "10", "--url", broker.address)

    first, second = map(json.loads, run.stdout.splitlines())
    assert run.returncode == 0
    assert first["scopes"][f"queues:{queue}"]["is_whole"]
    assert [(row["name"], row["ready"]) for row in first["scopes"][f"queues:{queue}"]["rows"]] == [(queue, 3)]
    assert second["seq"] > first["seq"]


def test_without_scopes_the_whole_is_shown_and_drawn_anew_on_a_terminal(broker: RunningBroker, queue: str) -> None:
    broker.client.submit_task(Task("nobody", queue=queue))

    piped = run_tq("watch", "-n", "1", "--url", broker.address)
    assert piped.returncode == 0
    assert queue in piped.stdout
    assert "\x1b" not in piped.stdout

    with on_terminal("watch", "--url", broker.address) as terminal:
        terminal.read_until("\x1b[H\x1b[J")
        terminal.read_until("\x1b[H\x1b[J")
        terminal.interrupt()
        assert terminal.end() == 130


@pytest.mark.parametrize("scope", ["everything", "queue:", "task:x", "totals:x"])
def test_what_is_no_scope_is_a_usage_error(broker: RunningBroker, scope: str) -> None:
    run = call_tq("watch", scope, "--url", broker.address)

    assert run.returncode == 2

"""docs/cli.md is a contract: what it says of fields, verbs and exit codes is what there is."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from tests.cli.samples import (
    EXPLANATION,
    FAILED_ATTEMPT,
    GROUP,
    HELD,
    ID,
    LINE,
    OPERATION,
    STACK,
    STATS,
    WORKER,
    queue,
    summary,
    view,
)
from tq.cli.doctor import FINDINGS
from tq.cli.exits import Exit
from tq.cli.profiles import profile_record
from tq.cli.verbs import app
from tq.cli.verdicts import as_record, queue_readings
from tq.client.watching import Update
from tq.config.profiles import Profile
from tq.model.credentials import AuditEntry, TokenInfo
from tq.model.task import Outcome, State
from tq.storage.consistency import Fault, Finding
from tq.views.records import (
    explanation_record,
    group_record,
    held_record,
    line_record,
    operation_record,
    outcome_record,
    queue_record,
    reason_record,
    stack_record,
    stats_record,
    summary_record,
    task_record,
    update_record,
    worker_record,
)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
OUTCOME = Outcome(id=ID, state=State.DEAD_LETTER, result=b"", content_type="", reason="", error=FAILED_ATTEMPT)
UPDATE = Update("boot", 1, 2, [])
CHECK = as_record(queue_readings(queue(), latency_ms_max=1, dead_max=None, waiting_max=None))
TOTALS = ["submitted_total", "completed_total", "failed_total", "crashed_total", "dead_total", "cancelled_total"]


def _documented(title: str) -> str:
    section = re.search(rf"^\*\*{title}\*\*(.*?)^$", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert section, f"docs/cli.md has no JSON section {title}"
    return section[1]


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        ("Line of a listing", list(summary_record(summary()))),
        ("Task", list(task_record(view()))),
        ("Attempt", list(FAILED_ATTEMPT.__struct_fields__)),
        ("Outcome", list(outcome_record(OUTCOME))),
        ("Explanation", list(explanation_record(EXPLANATION))),
        ("Reason", list(reason_record(EXPLANATION.reasons[0]))),
        ("Stack", list(stack_record(STACK))),
        ("Log line", list(line_record(LINE))),
        ("Task in hand", list(held_record(HELD))),
        ("Queue", list(queue_record(queue()))),
        ("Frame", [*update_record(UPDATE), "is_whole", "rows", "gone", "left_out"]),
        ("Failure group", list(group_record(GROUP))),
        ("Worker", list(worker_record(WORKER))),
        ("Operation", list(operation_record(OPERATION))),
        ("Check", [*as_record([]), *CHECK["readings"][0]]),  # type: ignore[index]
        ("Profile", list(profile_record(Profile("host:1")))),
        ("Token", list(TokenInfo.__struct_fields__)),
        ("Entry of the audit", list(AuditEntry.__struct_fields__)),
        ("Finding", list(FINDINGS.record(Finding(Fault.LOG_TORN, "x")))),
    ],
)
def test_every_field_of_json_is_documented(title: str, fields: list[str]) -> None:
    text = _documented(title)

    assert [field for field in fields if f"`{field}`" not in text] == []


def test_every_field_of_stats_is_documented() -> None:
    text = _documented("Stats")
    record = stats_record(STATS)

    for part in ("tasks", "broker"):
        fields = record[part]
        assert isinstance(fields, dict)
        assert [field for field in fields if field not in TOTALS and f"`{field}`" not in text] == []


def test_every_exit_code_is_documented() -> None:
    assert [code.value for code in Exit if f"\n| {code.value} |" not in DOCUMENT] == []


def test_every_verb_is_documented_and_every_documented_verb_exists() -> None:
    root = get_command(app)
    paths = set()
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        if command.hidden:  # tq starts it by itself
            continue
        nested = getattr(command, "commands", {})
        paths |= {f"{name} {inner}" for inner in nested} if nested else {name}
    paths = (paths - {"worker run"}) | {"worker"}
    table = DOCUMENT.split("## Which broker")[0]

    shown = " ".join(re.findall(r"`([^`]*)`", table)).replace("tq config show check", "tq config show tq config check")
    missing = [path for path in paths if f"tq {path}" not in shown and path.split()[-1] not in shown.split()]
    assert missing == []
    for verb in re.findall(r"`tq ([a-z]+)", table):
        assert verb in root.commands  # type: ignore[attr-defined]

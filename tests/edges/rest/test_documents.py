"""The types at /schema are those of the records: the same fields, of the same types, for all that is answered."""

from typing import Any

import msgspec
import pytest

from tests.cli.samples import (
    EXPLANATION,
    FAILED_ATTEMPT,
    GROUP,
    HELD,
    ID,
    LINE,
    NOW_MS,
    OPERATION,
    STACK,
    STATS,
    WORKER,
    queue,
    summary,
    view,
)
from tq.edges.rest import documents
from tq.model.credentials import AuditEntry, TokenInfo
from tq.model.history import HistoryPoint
from tq.model.identity import Role
from tq.model.insight import WorkerView
from tq.model.operations import Action, QueueCount
from tq.model.replies import Prepared
from tq.model.signatures import Parameter, TaskSignature
from tq.model.task import Outcome, State
from tq.model.watching import Finding
from tq.views import records

OUTCOME = Outcome(id=ID, state=State.DEAD_LETTER, result=b"", content_type="", reason="", error=FAILED_ATTEMPT)
TOKEN = TokenInfo(
    id="00" * 6, name="ci", role=Role.VIEWER, queues=("a*",), created_at_ms=NOW_MS, created_by="x", expires_at_ms=0
)
AUDIT = AuditEntry(
    at_ms=NOW_MS, actor="a", origin="unix", action="pause", target="q", count=1, reason="", operation=b""
)
PREVIEW = Prepared(
    1, b"12345678", Action.RETRY, 1, [QueueCount("a", 1)], [summary()], 7, 500, 2, NOW_MS, ["it may run twice"]
)
SIGNATURE = TaskSignature("add", [Parameter("a", ["int"], True)])
FINDING = Finding(severity=1, code="DEAD", scope="queue:a", name="a", text="t")

CASES: list[tuple[Any, object]] = [
    (documents.TASK, records.task_record(view())),
    (documents.SUMMARY, records.summary_record(summary())),
    (documents.OUTCOME, records.outcome_record(OUTCOME)),
    (documents.EXPLANATION, records.explanation_record(EXPLANATION)),
    (documents.EXPLAINED_REASON, records.reason_record(EXPLANATION.reasons[0])),
    (documents.LINE, records.line_record(LINE)),
    (documents.STACK, records.stack_record(STACK)),
    (documents.SIGNATURE, records.signature_record(SIGNATURE)),
    (documents.QUEUE, records.queue_record(queue())),
    (documents.HISTORY, records.history_record({"a": [HistoryPoint(NOW_MS, 1, 2, 3, 4, 5)]}, by_minute=True)),
    (documents.GROUP, records.group_record(GROUP)),
    (documents.WORKER, records.worker_record(WORKER)),
    (documents.WORKER_VIEW, records.worker_view_record(WorkerView(info=WORKER, tasks=(HELD,)))),
    (documents.HELD, records.held_record(HELD)),
    (documents.OPERATION, records.operation_record(OPERATION)),
    (documents.PREVIEW, records.preview_record(PREVIEW)),
    (documents.STATS, records.stats_record(STATS)),
    (documents.FINDINGS, {"findings": [records.row_record(FINDING)]}),
    (documents.TOKEN, records.token_record(TOKEN)),
    (documents.AUDIT_ENTRY, records.audit_record(AUDIT)),
]


@pytest.mark.parametrize(("document", "record"), CASES, ids=[document.__name__ for document, _ in CASES])
def test_a_document_describes_its_record(document: Any, record: object) -> None:
    answered = msgspec.json.decode(msgspec.json.encode(record))

    understood = msgspec.convert(answered, document)

    # What came out of the type is all that went in: nothing at any depth is left out of the document.
    assert msgspec.to_builtins(understood) == answered

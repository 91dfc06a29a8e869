"""The types of what is answered, for /schema: those of tq/model, as tq/views/records.py writes them.

They are made from the model, so a new field there is a new field here; a test holds both to the records themselves.
"""

from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from tq.model.credentials import AuditEntry, TokenInfo
from tq.model.groups import FailureGroup
from tq.model.history import HistoryPoint
from tq.model.insight import Explanation, HeldTask, LogLine, Reason, TaskStack, WorkerView
from tq.model.operations import Operation, QueueCount
from tq.model.replies import Prepared
from tq.model.signatures import Parameter, TaskSignature
from tq.model.stats import EngineStats, ProcessStats, QueueStats, WorkerInfo
from tq.model.task import AttemptRecord, Outcome, Progress, TaskSummary, TaskView
from tq.model.watching import Finding

Moment = Annotated[int, Meta(ge=0, description="ms since the epoch")]
TaskId = Annotated[str, Meta(description="UUID of a task")]
Hex = Annotated[str, Meta(pattern="^[0-9a-f]*$")]
Encoding = Annotated[
    Literal["json", "text", "base64"], Meta(description="how the bytes are written here: as their content type allows")
]
Document = Any
"""A type of msgspec, made below."""

_made: dict[type, Document] = {}


def document(
    name: str, source: type | None, about: str = "", without: tuple[str, ...] = (), /, **changed: Any
) -> Document:
    """The type of a record: the fields of a Struct of the model in their order, those in `changed` with other types or
    added, and all of them always there."""
    hints: dict[str, Any] = {} if source is None else get_type_hints(source, include_extras=True)
    fields = {field: _object_form(hint) for field, hint in hints.items() if field not in without}
    fields.update(changed)
    doc = about or ((source.__doc__ if source is not None else "") or "").replace(
        '0 for "not yet"', 'null for "not yet"'
    )
    made = msgspec.defstruct(name, list(fields.items()), kw_only=True, namespace={"__doc__": doc}, module=__name__)
    if source is not None:
        _made[source] = made
    return made


def _object_form(hint: Any) -> Any:
    """A type with the Structs in it replaced by the documents made of them."""
    if hint in _made:
        return _made[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if not arguments or origin is Literal:
        return hint
    if origin is Annotated:
        return Annotated[_object_form(arguments[0]), *arguments[1:]]
    if origin in (tuple, list):
        return list[_object_form(arguments[0])]  # type: ignore[misc]
    result = _object_form(arguments[0])
    for argument in arguments[1:]:
        result = result | _object_form(argument)
    return result


def list_of(item: Document) -> Document:
    """An array of these."""
    return list[item]


def dict_of(item: Document) -> Document:
    """An object of these by name."""
    return dict[str, item]


ATTEMPT = document("Attempt", AttemptRecord)
PROGRESS = document("Progress", Progress)
SUMMARY = document(
    "TaskLine",
    TaskSummary,
    id=TaskId,
    resubmitted_as=TaskId | None,
    submitted_at_ms=Moment | None,
    scheduled_at_ms=Moment | None,
    ended_at_ms=Moment | None,
)
TASK = document(
    "Task",
    TaskView,
    id=TaskId,
    tier=Literal["low", "normal", "high"],
    payload=Any,
    payload_encoding=Encoding,
    result=Any,
    result_encoding=Encoding | None,
    submitted_at_ms=Moment | None,
    scheduled_at_ms=Moment | None,
    started_at_ms=Moment | None,
    ended_at_ms=Moment | None,
    expires_at_ms=Moment | None,
    resubmit_of=TaskId | None,
    resubmitted_as=TaskId | None,
)
OUTCOME = document("Outcome", Outcome, id=TaskId, result=Any, result_encoding=Encoding | None)
TAKEN = document(
    "Taken",
    None,
    "A task that the broker has. Not `is_new`: it had it before, by its key or its id.",
    id=TaskId,
    is_new=bool,
)
TAKEN_TOGETHER = document("TakenTogether", None, "In the order in which they were given.", tasks=list_of(TAKEN))
TASK_PAGE = document(
    "TaskPage",
    None,
    "Some tasks of a listing. `next` is the address of the next page, null on the last one; all pages show "
    "the tasks as of the first. `total` is how many there are in all, at least so many where it is not exact.",
    tasks=list_of(SUMMARY),
    next=str | None,
    as_of=int,
    total=int,
    is_total_exact=bool,
    stopped_by=str,
)
EXPLAINED_REASON = document("Reason", Reason, since_ms=Moment | None, until_ms=Moment | None)
EXPLANATION = document("Explanation", Explanation, id=TaskId)
LINE = document("LogLine", LogLine)
LOG_PAGE = document(
    "LogPage", None, "Lines that the handlers of a task have logged.", lines=list_of(LINE), total=int, is_over=bool
)
STACK = document("Stack", TaskStack, task_id=TaskId)
TYPE_PARAMETER = document("Parameter", Parameter)
SIGNATURE = document("Signature", TaskSignature)
SIGNATURE_OR_NONE = document(
    "HandlerSignature", None, "Null: no connected worker has said so.", signature=SIGNATURE | None
)

QUEUE = document("Queue", QueueStats, ready=int, waiting=int, paused_at_ms=Moment | None)
QUEUES = document("Queues", None, "All queues, by name.", queues=list_of(QUEUE))
HISTORY = document(
    "History",
    None,
    "Points of `step_ms` each.",
    step_ms=int,
    queues=dict_of(list_of(document("HistoryPoint", HistoryPoint))),
)
QUEUE_COUNT = document("QueueCount", QueueCount)
GROUP = document("FailureGroup", FailureGroup, sample=TaskId | None)
GROUPS = document(
    "FailureGroups", None, "Groups, as many as were asked for.", groups=list_of(GROUP), total=int, dead_total=int
)

WORKER = document("Worker", WorkerInfo, incarnation=Hex)
WORKERS = document("Workers", None, "All worker processes, by name.", workers=list_of(WORKER))
HELD = document("HeldTask", HeldTask, id=TaskId, deadline_ms=Moment | None)
WORKER_VIEW = document("WorkerView", None, WorkerView.__doc__ or "", **get_type_hints(WORKER), tasks=list_of(HELD))
WORKER_VIEWS = document("WorkerViews", None, "The processes of a worker.", workers=list_of(WORKER_VIEW))

PREVIEW = document(
    "Preview",
    Prepared,
    "What an operation would be done to. `token` starts it until `expires_at_ms`.",
    ("request_id",),
    token=Hex,
    queues=dict[str, int],
    expires_at_ms=Moment,
)
OPERATION = document(
    "Operation",
    Operation,
    id=Hex,
    queues=dict[str, int],
    ended_at_ms=Moment | None,
    undo_until_ms=Moment | None,
    undo_of=Hex | None,
    undone_by=Hex | None,
)
OPERATIONS = document("Operations", None, "The latest operations, the latest first.", operations=list_of(OPERATION))

STATS = document(
    "Stats",
    None,
    "The broker in numbers: all queues together, and the process.",
    tasks=document("TaskCounts", EngineStats),
    broker=document("BrokerProcess", ProcessStats) | None,
)
FINDINGS = document(
    "Attention",
    None,
    "What somebody should look at, the most urgent first.",
    findings=list_of(document("Finding", Finding)),
)
TOKEN = document("Token", TokenInfo, expires_at_ms=Moment | None)
TOKENS = document("Tokens", None, "All tokens, by name; never the secrets.", tokens=list_of(TOKEN))
NEW_TOKEN = document(
    "NewToken", None, "A token that was just made. `token` is shown this once.", **get_type_hints(TOKEN), token=str
)
AUDIT_ENTRY = document("AuditEntry", AuditEntry, operation=Hex | None)
AUDIT = document("Audit", None, "What was done, the latest first.", entries=list_of(AUDIT_ENTRY))
BACKUP = document("Backup", None, "A complete copy of the data.", directory=str)
AFFECTED = document(
    "Affected",
    None,
    "To how many it was done, and how many were skipped: they were so already.",
    count=int,
    skipped=int,
)
HEALTH = document(
    "Health",
    None,
    "`is_live`: this process turns. `is_ready`: the broker takes tasks; if not, `reason` says why.",
    status=Literal["ok", "unavailable"],
    is_live=bool,
    is_ready=bool,
    reason=str,
)
LIVENESS = document("Liveness", None, "This process turns.", status=Literal["ok"], is_live=bool)
PROBLEM = document(
    "Problem",
    None,
    "RFC 9457. `code` is stable, and the same at every edge of tq; `hint` says what to do next.",
    type=str,
    title=str,
    status=int,
    detail=str,
    code=str,
    hint=str,
    instance=str,
)

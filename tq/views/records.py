"""The JSON of everything that can be asked for: what `-o json` prints and what REST answers, from one definition. Pure.

Ids are UUID text (of operations and incarnations: hex), moments are ms since the epoch and null for "not yet", payloads
and results are decoded where their content type says how.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from tq.model.credentials import AuditEntry, TokenInfo
from tq.model.groups import FailureGroup
from tq.model.history import HistoryPoint
from tq.model.ids import format_id
from tq.model.insight import Explanation, HeldTask, LogLine, Reason, TaskStack, WorkerView
from tq.model.operations import Operation
from tq.model.replies import Affected, Prepared, StatsReply
from tq.model.signatures import TaskSignature
from tq.model.stats import QueueStats, WorkerInfo
from tq.model.task import Outcome, State, TaskSummary, TaskView, tier_of
from tq.views.payloads import decoded

if TYPE_CHECKING:
    from tq.client.watching import Update

_MOMENTS = ("submitted_at_ms", "scheduled_at_ms", "started_at_ms", "ended_at_ms", "expires_at_ms")


def summary_record(task: TaskSummary) -> dict[str, object]:
    """The JSON of a line of a listing."""
    return {
        **msgspec.structs.asdict(task),
        "id": format_id(task.id),
        "resubmitted_as": _id_or_none(task.resubmitted_as),
        "state": task.state.value,
        "submitted_at_ms": task.submitted_at_ms or None,
        "scheduled_at_ms": task.scheduled_at_ms or None,
        "ended_at_ms": task.ended_at_ms or None,
    }


def task_record(task: TaskView) -> dict[str, object]:
    """The JSON of a task in full: the fields of TaskView, ids as text, bytes decoded, null for "not yet"."""
    payload, payload_encoding = decoded(task.payload, task.content_type)
    result, result_encoding = _result(task.state, task.result, task.result_content_type)
    return {
        **msgspec.structs.asdict(task),
        **{name: getattr(task, name) or None for name in _MOMENTS},
        "id": format_id(task.id),
        "state": task.state.value,
        "tier": tier_of(task.priority).name.lower(),
        "payload": payload,
        "payload_encoding": payload_encoding,
        "result": result,
        "result_encoding": result_encoding,
        "progress": msgspec.structs.asdict(task.progress) if task.progress else None,
        "history": [msgspec.structs.asdict(attempt) for attempt in task.history],
        "resubmit_of": _id_or_none(task.resubmit_of),
        "resubmitted_as": _id_or_none(task.resubmitted_as),
    }


def _result(state: State, data: bytes, content_type: str) -> tuple[object, str | None]:
    return decoded(data, content_type) if state is State.COMPLETED else (None, None)


def _id_or_none(task_id: bytes | None) -> str | None:
    return format_id(task_id) if task_id else None


def outcome_record(outcome: Outcome) -> dict[str, object]:
    """The JSON of how a task ended: what `task wait`, `task result` and `submit --wait` print."""
    result, encoding = _result(outcome.state, outcome.result, outcome.content_type)
    return {
        "id": format_id(outcome.id),
        "state": outcome.state.value,
        "result": result,
        "result_encoding": encoding,
        "content_type": outcome.content_type,
        "reason": outcome.reason,
        "error": msgspec.structs.asdict(outcome.error) if outcome.error else None,
    }


def affected_record(affected: Affected) -> dict[str, object]:
    """The JSON of how many something was done to."""
    return {"count": affected.count, "skipped": affected.skipped}


def queue_record(queue: QueueStats) -> dict[str, object]:
    """The JSON of a queue: the fields of QueueStats, with the two sums that everybody needs."""
    return {
        **msgspec.structs.asdict(queue),
        "ready": queue.ready,
        "waiting": queue.waiting,
        "paused_at_ms": queue.paused_at_ms or None,
    }


def worker_record(worker: WorkerInfo) -> dict[str, object]:
    """The JSON of a worker: the fields of WorkerInfo, its incarnation in hex."""
    return {**msgspec.structs.asdict(worker), "incarnation": worker.incarnation.hex()}


def stats_record(stats: StatsReply) -> dict[str, object]:
    """The JSON of the broker in numbers: `tasks` are the counters of all queues together, `broker` the process."""
    process = stats.process
    return {
        "tasks": msgspec.structs.asdict(stats.engine),
        "broker": msgspec.structs.asdict(process) if process else None,
    }


def operation_record(operation: Operation) -> dict[str, object]:
    """The JSON of an operation: its fields, ids in hex, moments that are not yet null."""
    record = msgspec.structs.asdict(operation)
    return {
        **record,
        "id": operation.id.hex(),
        "action": operation.action.value,
        "state": operation.state.value,
        "queues": {each.queue: each.count for each in operation.queues},
        "ended_at_ms": operation.ended_at_ms or None,
        "undo_until_ms": operation.undo_until_ms or None,
        "undo_of": operation.undo_of.hex() if operation.undo_of is not None else None,
        "undone_by": operation.undone_by.hex() if operation.undone_by is not None else None,
    }


def explanation_record(explanation: Explanation) -> dict[str, object]:
    """The JSON of an explanation: the fields of Explanation, its id as text, null for facts that a reason has not."""
    return {
        **msgspec.structs.asdict(explanation),
        "id": format_id(explanation.id),
        "state": explanation.state.value,
        "reasons": [reason_record(reason) for reason in explanation.reasons],
        "history": [msgspec.structs.asdict(attempt) for attempt in explanation.history],
    }


def reason_record(reason: Reason) -> dict[str, object]:
    """The JSON of one reason."""
    return {
        **msgspec.structs.asdict(reason),
        "code": str(reason.code),
        "since_ms": reason.since_ms or None,
        "until_ms": reason.until_ms or None,
    }


def worker_view_record(view: WorkerView) -> dict[str, object]:
    """The JSON of a worker process looked at: that of a line of `worker list`, and its tasks."""
    return {**worker_record(view.info), "tasks": [held_record(task) for task in view.tasks]}


def held_record(task: HeldTask) -> dict[str, object]:
    """The JSON of a task in hand."""
    return {
        **msgspec.structs.asdict(task),
        "id": format_id(task.id),
        "deadline_ms": task.deadline_ms or None,
        "progress": msgspec.structs.asdict(task.progress) if task.progress else None,
    }


def stack_record(stack: TaskStack) -> dict[str, object]:
    """The JSON of a stack."""
    return {**msgspec.structs.asdict(stack), "task_id": format_id(stack.task_id)}


def line_record(line: LogLine) -> dict[str, object]:
    """The JSON of a log line."""
    return msgspec.structs.asdict(line)


def update_record(update: "Update") -> dict[str, object]:
    """The JSON of a frame: what is new, by scope."""
    return {
        "boot_id": update.boot_id,
        "seq": update.seq,
        "now_ms": update.now_ms,
        "scopes": {
            change.scope: {
                "is_whole": change.is_whole,
                "rows": [row_record(row) for row in change.rows],
                "gone": change.gone,
                "left_out": change.left_out,
            }
            for change in update.changes
        },
    }


def row_record(row: object) -> dict[str, object]:
    """The JSON of a row: as the listing of such things has it, or its fields."""
    match row:
        case QueueStats():
            return queue_record(row)
        case TaskView():
            return task_record(row)
        case TaskSummary():
            return summary_record(row)
        case FailureGroup():
            return group_record(row)
        case Operation():
            return operation_record(row)
        case msgspec.Struct():
            return msgspec.structs.asdict(row)
        case _:
            raise AssertionError(row)


def history_record(histories: Mapping[str, Sequence[HistoryPoint]], by_minute: bool) -> dict[str, object]:
    """The JSON of what queues did."""
    return {
        "step_ms": 60_000 if by_minute else 1_000,
        "queues": {queue: [msgspec.structs.asdict(point) for point in points] for queue, points in histories.items()},
    }


def signature_record(signature: TaskSignature) -> dict[str, object]:
    """The JSON of what a handler takes."""
    return {
        "task_type": signature.task_type,
        "parameters": [msgspec.structs.asdict(parameter) for parameter in signature.parameters],
    }


def preview_record(preview: Prepared) -> dict[str, object]:
    """The JSON of what an operation would be done to."""
    record = msgspec.structs.asdict(preview)
    del record["request_id"]
    return {
        **record,
        "token": preview.token.hex(),
        "action": preview.action.value,
        "queues": {each.queue: each.count for each in preview.queues},
        "sample": [summary_record(task) for task in preview.sample],
    }


def group_record(group: FailureGroup) -> dict[str, object]:
    """The JSON of a group: the fields of FailureGroup, the id of the sample as text."""
    return {
        "fingerprint": group.fingerprint,
        "error_type": group.error_type,
        "message": group.message,
        "place": group.place,
        "count": group.count,
        "queues": [{"queue": queue.queue, "count": queue.count} for queue in group.queues],
        "queues_total": group.queues_total,
        "first_died_at_ms": group.first_died_at_ms,
        "last_died_at_ms": group.last_died_at_ms,
        "deaths_per_minute": group.deaths_per_minute,
        "sample": format_id(group.sample) if group.sample else None,
        "dead_total": group.dead_total,
        "retried_total": group.retried_total,
    }


def token_record(token: TokenInfo) -> dict[str, object]:
    """The JSON of a token."""
    return {**msgspec.structs.asdict(token), "expires_at_ms": token.expires_at_ms or None}


def audit_record(entry: AuditEntry) -> dict[str, object]:
    """The JSON of an entry."""
    return {**msgspec.structs.asdict(entry), "operation": entry.operation.hex() or None}

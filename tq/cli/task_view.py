"""How tasks are shown: as lines of a listing, in full, and as JSON. Pure."""

from collections.abc import Iterable
from typing import assert_never

from tq.cli.listing import Cell, Column, View
from tq.model.durations import format_ms
from tq.model.ids import format_id
from tq.model.task import AttemptRecord, Outcome, State, TaskSummary, TaskView, tier_of
from tq.views.errors import error_line, summary_error
from tq.views.moments import NONE, ago, clock, took
from tq.views.payloads import as_text, size
from tq.views.records import summary_record

PAYLOAD_CHARS = 4_000
"""Of a payload or a result, what `tq task get` shows to people; JSON has all of it."""
GROUP_CHARS = 8
"""Of the fingerprint of an error, what tables show; `group:` takes any beginning."""


def state_style(state: State) -> str:
    """The colour of a state; the word itself says the same."""
    match state:
        case State.COMPLETED:
            return "green"
        case State.DEAD_LETTER:
            return "red"
        case State.FAILED:
            return "yellow"
        case State.IN_PROGRESS:
            return "cyan"
        case State.PENDING | State.CANCELLED:
            return ""
        case _:
            assert_never(state)


def tasks_view(now_ms: int) -> View[TaskSummary]:
    """Tasks of any state; `now_ms` is what ages are counted from."""

    def cells(task: TaskSummary) -> tuple[Cell, ...]:
        return (
            Cell(format_id(task.id)),
            Cell(task.state.value, state_style(task.state)),
            Cell(task.task_type),
            Cell(task.queue),
            Cell(str(task.attempt)),
            Cell(_when(task, now_ms)),
            Cell(task.worker or NONE),
            Cell(summary_error(task)),
        )

    columns = (
        Column("ID"),
        Column("STATE"),
        Column("TYPE", is_elastic=True),
        Column("QUEUE", rank=2, is_elastic=True),
        Column("TRIES", rank=4, is_number=True),
        Column("WHEN", rank=1),
        Column("WORKER", rank=5, is_elastic=True),
        Column("ERROR", rank=3, is_elastic=True, least=16),
    )
    return View(columns, cells, summary_record, lambda task: format_id(task.id), "No tasks.")


def _when(task: TaskSummary, now_ms: int) -> str:
    if task.state.is_final:
        return ago(task.ended_at_ms, now_ms)
    if task.scheduled_at_ms > now_ms:
        return ago(task.scheduled_at_ms, now_ms)
    return ago(task.submitted_at_ms, now_ms)


def dead_view(now_ms: int) -> View[TaskSummary]:
    """Dead letters."""

    def cells(task: TaskSummary) -> tuple[Cell, ...]:
        return (
            Cell(format_id(task.id)),
            Cell(task.task_type),
            Cell(task.queue),
            Cell(ago(task.ended_at_ms, now_ms)),
            Cell(str(task.attempt)),
            Cell(task.group[:GROUP_CHARS] or NONE),
            Cell(summary_error(task), "dim" if task.resubmitted_as else "red"),
        )

    columns = (
        Column("ID"),
        Column("TYPE", rank=1, is_elastic=True),
        Column("QUEUE", rank=3, is_elastic=True),
        Column("DIED", rank=2),
        Column("TRIES", rank=4, is_number=True),
        Column("GROUP", rank=5),
        Column("ERROR", is_elastic=True, least=16),
    )
    return View(columns, cells, summary_record, lambda task: format_id(task.id), "No dead letters.")


def task_fields(task: TaskView, now_ms: int, *, with_tracebacks: bool = False) -> Iterable[tuple[str, Cell]]:
    """A task in full for people, one field at a time; what says nothing is left out."""
    yield "id", Cell(format_id(task.id), "bold")
    yield "state", Cell(_state_line(task, now_ms), state_style(task.state))
    yield "type", Cell(task.task_type)
    yield "queue", Cell(task.queue)
    yield "priority", Cell(f"{task.priority} ({tier_of(task.priority).name.lower()})")
    if task.key is not None:
        yield "key", Cell(task.key)
    if task.tags:
        yield "tags", Cell(", ".join(task.tags))
    if task.trace:
        yield "trace", Cell(task.trace)
    yield "submitted", Cell(f"{clock(task.submitted_at_ms)} ({ago(task.submitted_at_ms, now_ms)})")
    if task.started_at_ms:
        yield "started", Cell(f"{clock(task.started_at_ms)} ({ago(task.started_at_ms, now_ms)})")
    if task.ended_at_ms:
        yield "ended", Cell(f"{clock(task.ended_at_ms)} (ran {took(task.started_at_ms, task.ended_at_ms)})")
    if task.expires_at_ms and not task.state.is_final:
        yield "expires", Cell(f"{clock(task.expires_at_ms)} ({ago(task.expires_at_ms, now_ms)})")
    yield "attempts", Cell(f"{task.attempt} of {task.max_retries + 1}, timeout {format_ms(task.timeout_ms)}")
    if task.crashes:
        yield "crashes", Cell(f"{task.crashes} of {task.max_crashes}", "red")
    if task.worker:
        yield "worker", Cell(task.worker)
    if task.progress:
        yield "progress", Cell(f"{task.progress.fraction:.0%} {task.progress.note}".rstrip())
    yield "payload", Cell(_body(task.payload, task.content_type))
    if task.state is State.COMPLETED:
        yield "result", Cell(_body(task.result, task.result_content_type))
    if task.resubmit_of:
        yield "resubmit of", Cell(format_id(task.resubmit_of))
    if task.resubmitted_as:
        yield "resubmitted as", Cell(format_id(task.resubmitted_as))
    seen: dict[str, int] = {}
    for attempt in task.history:
        first = seen.setdefault(attempt.traceback, attempt.attempt)
        text = attempt_text(attempt, with_traceback=with_tracebacks and first == attempt.attempt)
        if with_tracebacks and attempt.traceback and first != attempt.attempt:
            text += f" (the traceback of attempt {first} again)"
        yield f"attempt {attempt.attempt}", Cell(text, "yellow")


def _state_line(task: TaskView, now_ms: int) -> str:
    parts = [task.state.value]
    if task.state in (State.PENDING, State.FAILED) and task.scheduled_at_ms > now_ms:
        parts.append(f"{'retries' if task.state is State.FAILED else 'ready'} {ago(task.scheduled_at_ms, now_ms)}")
    if task.no_handler:
        parts.append("no connected worker can run this type")
    if task.cancel_requested:
        parts.append("asked to stop")
    if task.reason:
        parts.append(task.reason)
    return ", ".join(parts)


def _body(data: bytes, content_type: str) -> str:
    if not data:
        return NONE
    text = as_text(data, content_type, indent=True)
    if len(text) > PAYLOAD_CHARS:
        text = f"{text[:PAYLOAD_CHARS]}\n... ({size(len(data))}; all of it: -o json)"
    return text


def attempt_text(attempt: AttemptRecord, *, with_traceback: bool) -> str:
    """One failed attempt: how, how long it took, where, and its error."""
    head = f"{attempt.outcome} after {took(attempt.started_at_ms, attempt.ended_at_ms)}"
    if attempt.worker:
        head += f" on {attempt.worker}"
    body = (
        attempt.traceback.rstrip()
        if with_traceback and attempt.traceback
        else error_line(attempt.error_type, attempt.message)
    )
    return f"{head}: {body}" if "\n" not in body else f"{head}\n{body}"


def outcome_line(outcome: Outcome) -> str:
    """How a task ended, in one sentence for people."""
    line = f"{format_id(outcome.id)} {outcome.state.value}"
    if outcome.reason:
        line += f", {outcome.reason}"
    if outcome.error:
        line += f": {error_line(outcome.error.error_type, outcome.error.message)}"
    return line


def sample_line(task: TaskSummary, now_ms: int) -> str:
    """A task in the sample that is shown before something is done to many."""
    what = summary_error(task)
    return f"  {format_id(task.id)}  {task.task_type}  {_when(task, now_ms)}" + (f"  {what}" if what != NONE else "")

"""How the answers of a closer look are shown: why a task is where it is, and what a worker has in hand. Pure."""

from collections.abc import Iterable

from tq.cli.broker_view import worker_status
from tq.cli.listing import Cell, Column, View
from tq.cli.task_view import attempt_text, state_style
from tq.cli.words import counted
from tq.model.durations import format_ms
from tq.model.ids import format_id
from tq.model.insight import Explanation, HeldTask, LogLine, Reason, TaskStack, WorkerView
from tq.views.moments import NONE, ago, clock, rounded
from tq.views.payloads import size
from tq.views.records import held_record, worker_view_record

TYPES_SHOWN = 20
"""Task types of a worker that are shown to people; JSON has all."""


def explanation_fields(explanation: Explanation) -> Iterable[tuple[str, Cell]]:
    """An explanation for people: the reasons one under the other, then what happened before."""
    yield "task", Cell(f"{format_id(explanation.id)}, {explanation.task_type} in queue {explanation.queue}")
    yield "state", Cell(explanation.state.value, state_style(explanation.state))
    for number, reason in enumerate(explanation.reasons):
        yield "why" if number == 0 else "and", Cell(_reason_text(reason), "bold" if number == 0 else "")
    for attempt in explanation.history:
        when = f"{clock(attempt.started_at_ms)} " if attempt.started_at_ms else ""
        yield f"attempt {attempt.attempt}", Cell(when + attempt_text(attempt, with_traceback=False), "yellow")


def _reason_text(reason: Reason) -> str:
    lines = [reason.text]
    if reason.code in ("BACKOFF", "RETRIES_USED_UP", "FAILED_FOR_GOOD", "QUARANTINED") and reason.note:
        lines.append(reason.note)
    if reason.until_ms or reason.since_ms:
        moments = [("since", reason.since_ms), ("until", reason.until_ms)]
        lines.append(", ".join(f"{word} {clock(moment)}" for word, moment in moments if moment))
    if reason.hint:
        lines.append(f"-> {reason.hint}")
    return "\n".join(lines)


WORKER_VIEWS: View[WorkerView] = View(
    columns=(),  # a table is not how it is shown: see worker_fields and held_view
    cells=lambda _: (),
    record=worker_view_record,
    name=lambda view: view.info.incarnation.hex(),
    nothing="No workers.",
)


def worker_fields(view: WorkerView, now_ms: int) -> Iterable[tuple[str, Cell]]:
    """A worker process for people; its tasks are a table of their own."""
    info = view.info
    status, style = worker_status(info)
    yield "worker", Cell(info.name, "bold")
    yield "status", Cell(status, style)
    yield "pid", Cell(f"{info.pid} on {info.host}, tq {info.version}, {info.incarnation.hex()}")
    yield "connected", Cell(f"{ago(info.connected_at_ms, now_ms)}, last heard of {ago(info.last_seen_at_ms, now_ms)}")
    yield "queues", Cell(", ".join(info.queues) or "all")
    types = ", ".join(info.task_types[:TYPES_SHOWN])
    yield "task types", Cell(types if len(info.task_types) <= TYPES_SHOWN else f"{types}, ... ({len(info.task_types)})")
    stuck = f", {counted(info.stuck, 'handler does', 'handlers do')} not stop" if info.stuck else ""
    ahead = f", {info.prefetched:,} fetched ahead" if info.prefetched else ""
    busy = min(info.leases, info.concurrency)
    yield "slots", Cell(f"{busy:,} of {info.concurrency:,} busy{ahead}{stuck}", "red" if stuck else "")
    if info.reported_at_ms:
        yield (
            "process",
            Cell(
                f"{size(info.rss_bytes)} of memory, {info.cpu_percent} % of a core, event loop blocked for "
                f"{format_ms(info.loop_blocked_ms)} at the longest; as of {ago(info.reported_at_ms, now_ms)}"
            ),
        )
    left_out = f" (the first {len(view.tasks):,} are shown)" if len(view.tasks) < info.leases else ""
    yield "tasks", Cell(f"{info.leases:,} in hand{left_out}")


def held_view(now_ms: int) -> View[HeldTask]:
    """The tasks that a worker has in hand; `now_ms` is what lengths are counted to."""

    def cells(task: HeldTask) -> tuple[Cell, ...]:
        is_late = 0 < task.deadline_ms < now_ms
        progress = f"{task.progress.fraction:.0%} {task.progress.note}".rstrip() if task.progress else NONE
        return (
            Cell(format_id(task.id)),
            Cell(task.task_type),
            Cell(task.queue),
            Cell(str(task.attempt)),
            Cell(rounded(max(0, now_ms - task.leased_at_ms))),
            Cell(ago(task.deadline_ms, now_ms) if task.deadline_ms else NONE, "red" if is_late else ""),
            Cell("asked to stop" if task.cancel_requested else progress),
        )

    columns = (
        Column("ID"),
        Column("TYPE", is_elastic=True),
        Column("QUEUE", rank=2, is_elastic=True),
        Column("TRY", rank=4, is_number=True),
        Column("FOR", is_number=True),
        Column("TIMEOUT", rank=3),
        Column("PROGRESS", rank=1, is_elastic=True),
    )
    return View(columns, cells, held_record, lambda task: format_id(task.id), "No tasks.")


def stack_fields(stack: TaskStack) -> Iterable[tuple[str, Cell]]:
    """A stack for people."""
    yield "task", Cell(f"{format_id(stack.task_id)}, attempt {stack.attempt}")
    yield (
        "runs",
        Cell(f"for {rounded(stack.running_ms)} on {stack.worker}: a {stack.kind} of pid {stack.pid} on {stack.host}"),
    )
    yield "at", Cell(stack.place, "bold")
    yield "stack", Cell(stack.text.rstrip())


def line_text(line: LogLine) -> str:
    """A log line for people; what follows its first line is indented."""
    return f"{clock(line.at_ms)} {line.level:<8} " + line.text.rstrip().replace("\n", "\n    ")


def level_style(level: str) -> str:
    """The colour of a level; the word itself says the same."""
    return {"debug": "dim", "warning": "yellow", "error": "red", "critical": "red"}.get(level, "")

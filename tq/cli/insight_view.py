"""How the answers of a closer look are shown: why a task is where it is. Pure."""

from collections.abc import Iterable

import msgspec

from tq.cli.listing import Cell
from tq.cli.moments import clock
from tq.cli.task_view import attempt_text, state_style
from tq.model.ids import format_id
from tq.model.insight import Explanation, Reason


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

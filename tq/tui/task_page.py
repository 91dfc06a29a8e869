"""What the screen of a task says, section by section, as text. Pure: the present is handed in.

Everything from outside is made plain, and nothing of it is markup.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from tq.model.durations import format_ms
from tq.model.ids import format_id
from tq.model.insight import Explanation, LogLine
from tq.model.plain import plain
from tq.model.task import HISTORY_MAX, State, TaskView
from tq.tui.figures import clock, length, since
from tq.tui.glyphs import Glyphs, bar
from tq.views.payloads import as_text

BODY_CHARS_MAX = 20_000
"""Of a payload or a result, what is drawn; `tq task get ID -o json` has all of it."""
RAW_BYTES_MAX = 4_096
"""Of the same as bytes, what is drawn."""
RAW_WIDE = 82
"""A page with fewer cells has eight bytes a line, not sixteen."""
TRACEBACKS_MAX = 3
"""Tracebacks that differ from each other, the latest first; `tq task get ID` has all of them."""
GAUGE_CELLS_MAX = 60
NAME_CELLS = 15
_LEVELS = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}
"""The colours of log levels; the word stands beside it."""


class Look(NamedTuple):
    """How moments and lines are drawn. `now_ms`: the broker's clock; `width`: of the page, in cells."""

    now_ms: int
    is_utc: bool
    glyphs: Glyphs
    width: int

    def moment(self, at_ms: int) -> str:
        """The time of day, and how long ago that was, or how long it is until then."""
        if at_ms > self.now_ms:
            return f"{clock(at_ms, is_utc=self.is_utc)}  in {length(at_ms - self.now_ms)}"
        return f"{clock(at_ms, is_utc=self.is_utc)}  {since(at_ms, self.now_ms)} ago"

    def heading(self, title: str) -> Text:
        """The line above a section."""
        line = self.glyphs.line
        return Text().append(f"\n{line} {title} {line * 40}\n", "bold")  # of its own: what is appended is not


class Run(NamedTuple):
    """One attempt. `outcome`: running, completed, cancelled, or that of its AttemptRecord; `ended_at_ms`: 0 while it
    runs; `error`: what went wrong."""

    attempt: int
    outcome: str
    started_at_ms: int
    ended_at_ms: int
    worker: str
    error: str = ""


def runs_of(task: TaskView) -> list[Run]:
    """Every attempt of a task that is still known, the first one first, with the one that runs or ended it."""
    runs = [
        Run(
            one.attempt,
            one.outcome,
            one.started_at_ms,
            one.ended_at_ms,
            one.worker,
            ": ".join(part for part in (one.error_type, one.message) if part),
        )
        for one in task.history
    ]
    is_told = any((one.attempt, one.started_at_ms) == (task.attempt, task.started_at_ms) for one in task.history)
    outcome = {State.IN_PROGRESS: "running", State.COMPLETED: "completed", State.CANCELLED: "cancelled"}.get(task.state)
    if outcome is not None and task.started_at_ms and not is_told:
        runs.append(Run(task.attempt, outcome, task.started_at_ms, task.ended_at_ms, task.worker))
    return runs


def facts(task: TaskView, look: Look, note: str = "") -> Text:
    """What it is and where it stands. `note`: why this may not be true any more; empty if it is."""
    text = Text().append(f" {look.glyphs.slow} {plain(note)}\n" if note else "", "bold")
    reason = f"  {task.reason}" if task.reason else ""
    asked = "  asked to stop" if task.cancel_requested else ""
    named = [
        ("state", f"{task.state.value}{reason}{asked}"),
        ("type", task.task_type),
        ("queue", f"{task.queue}  priority {task.priority}"),
        ("submitted", look.moment(task.submitted_at_ms)),
        ("due", look.moment(task.scheduled_at_ms) if task.scheduled_at_ms > look.now_ms else ""),
        ("started", f"{look.moment(task.started_at_ms)} on {task.worker}" if task.started_at_ms else ""),
        ("ended", look.moment(task.ended_at_ms) if task.ended_at_ms else ""),
        ("expires", look.moment(task.expires_at_ms) if task.expires_at_ms else ""),
        ("attempts", f"{task.attempt} of {task.max_retries + 1}, timeout {format_ms(task.timeout_ms)}"),
        ("crashes", f"{task.crashes} of {task.max_crashes}" if task.crashes else ""),
        ("key", task.key or ""),
        ("tags", ", ".join(task.tags)),
        ("resubmit of", f"{format_id(task.resubmit_of)}  < opens it" if task.resubmit_of else ""),
        ("resubmitted as", f"{format_id(task.resubmitted_as)}  > opens it" if task.resubmitted_as else ""),
    ]
    for name, value in named:
        if value:
            text.append(f" {name:<{NAME_CELLS}}", "dim")
            text.append(f"{plain(value)}\n", "bold" if name == "state" else "")
    return text


def progress(task: TaskView, look: Look) -> Text:
    """What the running handler says of itself; empty if it says nothing."""
    if task.progress is None:
        return Text()
    done = task.progress
    gauge = bar(done.fraction, 30, look.glyphs)
    ago = since(done.at_ms, look.now_ms)
    return look.heading("Progress").append(f"  {gauge} {done.fraction:.0%}  {plain(done.note)}  said {ago} ago\n")


def reasons(why: Explanation | None, look: Look) -> Text:
    """Why it is where it is."""
    if why is None:
        return Text()
    text = look.heading("Why")
    for reason in why.reasons:
        text.append(f"  {plain(reason.text)}\n", "" if reason.is_cause else "dim")
        if reason.hint:
            text.append(f"    -> {plain(reason.hint)}\n", "dim")
    return text


def attempts(task: TaskView, look: Look) -> Text:
    """The attempts on a line of time, and one under the other: how long it waited before each, how long it ran."""
    runs = runs_of(task)
    if not runs:
        return Text()
    is_cut = len(task.history) >= HISTORY_MAX
    text = look.heading(f"Attempts ({len(runs)}{', the first ones are no longer kept' if is_cut else ''})")
    text.append(f"  {_gauge(task, runs, look)}\n", "dim")
    before_ms = 0 if is_cut else task.submitted_at_ms
    for run in runs:
        ended_ms = run.ended_at_ms or look.now_ms
        waited = f"waited {length(run.started_at_ms - before_ms)}" if before_ms else ""
        ran = f"ran {length(max(0, ended_ms - run.started_at_ms))}"
        glyph = {"running": look.glyphs.cursor, "completed": look.glyphs.fine, "cancelled": look.glyphs.gone}
        text.append(f"  {glyph.get(run.outcome, look.glyphs.broken)} {run.attempt:<3} ", "bold")
        text.append(f"{clock(run.started_at_ms, is_utc=look.is_utc)}  {waited:<14} {ran:<11} ")
        text.append(f"{plain(run.outcome):<9} ", "bold")
        text.append(f"on {plain(run.worker)}\n")
        if run.error:
            text.append(f"        {plain(run.error)}\n")
        before_ms = run.ended_at_ms
    return text


def _gauge(task: TaskView, runs: Sequence[Run], look: Look) -> str:
    """Its life from left to right, full where an attempt ran: of a moment's work, one cell is still seen."""
    first_ms = task.submitted_at_ms
    last_ms = max(task.ended_at_ms or look.now_ms, runs[-1].ended_at_ms, first_ms + 1)
    ends = (clock(first_ms, is_utc=look.is_utc), clock(last_ms, is_utc=look.is_utc))
    cells = max(10, min(GAUGE_CELLS_MAX, look.width - sum(map(len, ends)) - 8))

    def cell(at_ms: int) -> int:
        return min(cells - 1, max(0, (at_ms - first_ms) * cells // (last_ms - first_ms)))

    drawn = [look.glyphs.bar_empty] * cells
    for run in runs:
        first, last = cell(run.started_at_ms), cell(run.ended_at_ms or last_ms)
        drawn[first : last + 1] = look.glyphs.bar_full * (last + 1 - first)
    return f"{ends[0]} {''.join(drawn)} {ends[1]}{'' if task.state.is_final else ' now'}"


def body(title: str, data: bytes, content_type: str, look: Look) -> Text:
    """A payload or a result, decoded."""
    text = look.heading(f"{title}  {len(data):,} bytes  {plain(content_type)}")
    if not data:
        return text
    shown = as_text(data, content_type, indent=True)
    text.append(f"{plain(shown[:BODY_CHARS_MAX], keep_lines=True)}\n")
    if len(shown) > BODY_CHARS_MAX:
        text.append("  ... more: tq task get ID -o json\n", "dim")
    return text


def raw(title: str, data: bytes, look: Look) -> Text:
    """A payload or a result byte by byte, in hex and as ASCII."""
    text = look.heading(f"{title}  {len(data):,} bytes, as they are")
    per_line = 16 if look.width >= RAW_WIDE else 8
    for at in range(0, min(len(data), RAW_BYTES_MAX), per_line):
        some = data[at : at + per_line]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in some)
        text.append(f"  {at:08x}  ", "dim").append(f"{some.hex(' '):<{3 * per_line}} {shown}\n")
    if len(data) > RAW_BYTES_MAX:
        text.append(f"  ... {len(data) - RAW_BYTES_MAX:,} bytes more\n", "dim")
    return text


def stack(taken: str, look: Look) -> Text:
    """Where the handler was, when that was asked for; empty if it was not."""
    if not taken:
        return Text()
    return look.heading("Stack, as of when it was asked for").append(f"{plain(taken, keep_lines=True)}\n")


def tracebacks(task: TaskView, look: Look) -> Text:
    """Those that differ, the latest first, with the attempts that ended so."""
    ended: dict[str, list[int]] = {}
    for one in reversed(task.history):
        if one.traceback:
            ended.setdefault(one.traceback.rstrip(), []).append(one.attempt)
    text = Text()
    for trace, numbers in list(ended.items())[:TRACEBACKS_MAX]:
        others = f", the same as of {', '.join(map(str, reversed(numbers[1:])))}" if numbers[1:] else ""
        text.append_text(look.heading(f"Traceback of attempt {numbers[0]}{others}"))
        text.append(f"{plain(trace, keep_lines=True)}\n")
    if len(ended) > TRACEBACKS_MAX:
        text.append(f"  ... {len(ended) - TRACEBACKS_MAX} others: tq task get ID\n", "dim")
    return text


def log(lines: Sequence[LogLine], look: Look, *, is_followed: bool) -> Text:
    """What its handlers have logged; empty if they have not."""
    if not lines:
        return Text()
    gone = lines[0].number - 1
    note = f", {gone:,} earlier ones are gone" if gone else ""
    text = look.heading(f"Log ({len(lines):,} lines{note}){'  FOLLOWED' if is_followed else ''}")
    attempt = lines[0].attempt
    for line in lines:
        if line.attempt != attempt:
            text.append(f"  --- attempt {line.attempt} ---\n", "dim")
            attempt = line.attempt
        said = plain(line.text.rstrip(), keep_lines=True).replace("\n", "\n      ")
        level = plain(line.level)
        text.append(f"  {clock(line.at_ms, is_utc=look.is_utc)} {level:<8} {said}\n", _LEVELS.get(line.level, ""))
    return text

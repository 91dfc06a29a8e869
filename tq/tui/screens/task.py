"""One task, in full: why it is where it is, what it was given, how each attempt went, what it said."""

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tq.model.durations import format_ms
from tq.model.errors import TqError
from tq.model.ids import format_id
from tq.model.insight import Explanation
from tq.model.plain import plain
from tq.model.task import AttemptRecord, State, TaskView
from tq.tui.actions import Target
from tq.tui.figures import clock, length, since
from tq.tui.glyphs import Glyphs, bar
from tq.tui.mirror import Changed, Mirror
from tq.tui.screens.base import Selection, TopScreen, fetching
from tq.tui.widgets.footer import Hint
from tq.views.payloads import as_text

BODY_CHARS_MAX = 20_000
"""Of a payload or a result, what is drawn; `tq task get ID -o json` has all of it."""


class TaskScreen(TopScreen):
    """A page of text about one task; what changes in the broker changes here."""

    hints = (Hint("y", "copy id"), Hint("i", "stack"), Hint("r", "reload"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space", "scroll(20)", "A screenful down", show=False),
        Binding("pageup", "scroll(-20)", "A screenful up", show=False),
        Binding("g,home", "scroll(-100000)", "To the top", show=False),
        Binding("G,end", "scroll(100000)", "To the end", show=False),
        Binding("r", "reload", "Reload", show=False),
        Binding("i", "stack", "Where the handler is", show=False),
        Binding("y", "copy_id", "Copy the id", show=False),
    ]

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self.task_id = task_id
        self._view: TaskView | None = None
        self._why: Explanation | None = None
        self._stack = ""

    @property
    def crumb(self) -> str:
        """Where one is."""
        return f"task {self.task_id}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """The task, without payload and result: those are fetched when it changes."""
        return (f"task:{self.task_id}",)

    @property
    def command(self) -> str:
        """The same, printed."""
        return f"tq task get {self.task_id}"

    @property
    def targets(self) -> tuple[Target, ...]:
        """What the task is now."""
        is_dead = self._view is not None and self._view.state is State.DEAD_LETTER
        return (Target.DEAD,) if is_dead else (Target.TASK,)

    def selection(self) -> Selection | None:
        """This task."""
        return Selection(self.targets[0], (self.task_id,)) if self._view is not None else None

    def body(self) -> ComposeResult:
        """One long text."""
        with VerticalScroll(id="page", can_focus=False):
            yield Static("fetching ...", id="text", markup=False)

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """Fetch what changed."""
        del mirror
        if self._view is None or self.scopes[0] in changes:
            self.action_reload()

    @fetching("task")
    async def action_reload(self) -> None:
        """Fetch the task, and why it is where it is."""
        client = self.top.client
        if client is None:
            return
        try:
            self._view = await client.get_task(self.task_id)
            self._why = await client.why(self.task_id)
        except TqError as error:
            self.query_one("#text", Static).update(Text(str(error)))
            return
        self._show()

    def _show(self) -> None:
        if self._view is not None:
            text = page(self._view, self._why, self._stack, self.top.now_ms, self.top.look.glyphs)
            self.query_one("#text", Static).update(text)
            self.say()

    @fetching("stack")
    async def action_stack(self) -> None:
        """Ask the worker where the handler is."""
        client = self.top.client
        if client is None:
            return
        try:
            stack = await client.task_stack(self.task_id)
        except TqError as error:
            self.top.report(error)
            return
        self._stack = f"{stack.kind} on {stack.worker} pid {stack.pid}, at {stack.place}\n{stack.text}"
        self._show()

    def action_scroll(self, lines: int) -> None:
        """Up or down."""
        self.query_one("#page", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_copy_id(self) -> None:
        """Copy the id."""
        self.top.copy(self.task_id)


def page(task: TaskView, why: Explanation | None, stack: str, now_ms: int, glyphs: Glyphs) -> Text:
    """The whole text; everything from outside made plain, nothing of it markup."""
    text = Text()
    _facts(text, task, now_ms)
    if task.progress is not None:
        done = task.progress
        _heading(text, "Progress", glyphs)
        text.append(f"  {bar(done.fraction, 30, glyphs)} {done.fraction:.0%}  {plain(done.note)}\n")
    if why is not None:
        _heading(text, "Why", glyphs)
        for reason in why.reasons:
            text.append(f"  {plain(reason.text)}\n", "" if reason.is_cause else "dim")
            if reason.hint:
                text.append(f"    -> {plain(reason.hint)}\n", "dim")
    _bytes(text, "Payload", task.payload, task.content_type, glyphs)
    if task.state is State.COMPLETED:
        _bytes(text, "Result", task.result, task.result_content_type, glyphs)
    if stack:
        _heading(text, "Stack, as of when it was asked for", glyphs)
        text.append(f"{plain(stack, keep_lines=True)}\n")
    if task.history:
        _heading(text, f"Attempts that went wrong ({len(task.history)})", glyphs)
        for attempt in task.history:
            _attempt(text, attempt, glyphs)
        last = task.history[-1]
        if last.traceback:
            _heading(text, f"Traceback of attempt {last.attempt}", glyphs)
            text.append(f"{plain(last.traceback.rstrip(), keep_lines=True)}\n")
    return text


def _facts(text: Text, task: TaskView, now_ms: int) -> None:
    reason = f"  {task.reason}" if task.reason else ""
    asked = "  asked to stop" if task.cancel_requested else ""
    facts = [
        ("state", f"{task.state.value}{reason}{asked}"),
        ("type", task.task_type),
        ("queue", f"{task.queue}  priority {task.priority}"),
        ("submitted", _moment(task.submitted_at_ms, now_ms)),
        ("due", _moment(task.scheduled_at_ms, now_ms) if task.scheduled_at_ms > now_ms else ""),
        ("started", f"{_moment(task.started_at_ms, now_ms)} on {task.worker}" if task.started_at_ms else ""),
        ("ended", _moment(task.ended_at_ms, now_ms) if task.ended_at_ms else ""),
        ("expires", _moment(task.expires_at_ms, now_ms) if task.expires_at_ms else ""),
        ("attempts", f"{task.attempt} of {task.max_retries + 1}, timeout {format_ms(task.timeout_ms)}"),
        ("crashes", f"{task.crashes} of {task.max_crashes}" if task.crashes else ""),
        ("key", task.key or ""),
        ("tags", ", ".join(task.tags)),
        ("resubmit of", format_id(task.resubmit_of) if task.resubmit_of else ""),
        ("resubmitted as", format_id(task.resubmitted_as) if task.resubmitted_as else ""),
    ]
    for name, value in facts:
        if value:
            text.append(f" {name:<15}", "dim")
            text.append(f"{plain(value)}\n", "bold" if name == "state" else "")


def _moment(at_ms: int, now_ms: int) -> str:
    if at_ms > now_ms:
        return f"{clock(at_ms, is_utc=True)}  in {length(at_ms - now_ms)}"
    return f"{clock(at_ms, is_utc=True)}  {since(at_ms, now_ms)} ago"


def _heading(text: Text, title: str, glyphs: Glyphs) -> None:
    text.append(f"\n{glyphs.line} {title} {glyphs.line * 40}\n", "bold")


def _bytes(text: Text, title: str, data: bytes, content_type: str, glyphs: Glyphs) -> None:
    _heading(text, f"{title}  {len(data):,} bytes  {plain(content_type)}", glyphs)
    if not data:
        return
    shown = as_text(data, content_type, indent=True)
    text.append(f"{plain(shown[:BODY_CHARS_MAX], keep_lines=True)}\n")
    if len(shown) > BODY_CHARS_MAX:
        text.append("  ... more: tq task get ID -o json\n", "dim")


def _attempt(text: Text, attempt: AttemptRecord, glyphs: Glyphs) -> None:
    took = length(attempt.ended_at_ms - attempt.started_at_ms)
    text.append(f"  {glyphs.broken} {attempt.attempt}  {clock(attempt.started_at_ms, is_utc=True)}  ", "bold")
    text.append(f"{plain(attempt.outcome)} after {took} on {plain(attempt.worker)}: ")
    text.append(f"{plain(attempt.error_type)}: {plain(attempt.message)}\n")

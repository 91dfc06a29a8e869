"""One task, in full: why it is where it is, what it was given, how each attempt went, what it said."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tq.client.async_client import AsyncClient
from tq.model.commands import LOG_LINES_MAX
from tq.model.errors import TaskNotFound, TqError
from tq.model.ids import format_id
from tq.model.insight import Explanation, LogLine
from tq.model.plain import plain
from tq.model.task import State, TaskView
from tq.tui import task_page
from tq.tui.actions import Target
from tq.tui.commandline import Place
from tq.tui.mirror import Changed, Mirror
from tq.tui.screens.base import Record, Selection, TopScreen, fetching, only
from tq.tui.searching import Hit, hits_in, marked, row_of
from tq.tui.shell import Command
from tq.tui.widgets.footer import Hint
from tq.views.records import task_record

SECTIONS = ("facts", "attempts", "bodies", "stack", "trace", "log")
"""Parts of the page from top to bottom. Only those that changed are drawn again, and what is read stands still."""
WHY_REFRESH_MS = 2_000
"""How often the broker is asked again why the task is where it is: that can change while the task does not."""


class TaskScreen(TopScreen):
    """A page of text about one task; what changes in the broker changes here.

    The stream brings the task without its payload and result, so these are fetched when its state changes; the log and
    the reasons it does not bring at all. One request is made after the other: on a slow link the page is late, not
    starved by its own questions.
    """

    hints = (
        Hint("y", "copy id"),
        Hint("/", "search"),
        Hint("f", "follow the log"),
        Hint("i", "stack"),
        Hint("x", "bytes"),
        Hint("<", "made from"),
        Hint(">", "made into"),
        Hint("r", "reload"),
        Hint("n", "next hit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space", "scroll(20)", "A screenful down", show=False),
        Binding("pageup", "scroll(-20)", "A screenful up", show=False),
        Binding("g,home", "scroll(-100000)", "To the top", show=False),
        Binding("G,end", "scroll(100000)", "To the end", show=False),
        Binding("n", "hit(1)", "To the next hit", show=False),
        Binding("N", "hit(-1)", "To the hit before", show=False),
        Binding("f", "follow", "The end of the log, as it grows", show=False),
        Binding("less_than_sign", "older", "The task that this one was made from", show=False),
        Binding("greater_than_sign", "newer", "The task that was made from this one", show=False),
        Binding("r", "reload", "Reload", show=False),
        Binding("i", "stack", "Where the handler is", show=False),
        Binding("x", "raw", "Arguments and result as bytes, or decoded", show=False),
        Binding("y", "copy_id", "Copy the id", show=False),
    ]

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self.task_id = task_id
        self._full: TaskView | None = None
        """As it was fetched last, with payload and result."""
        self._view: TaskView | None = None
        """As the stream last had it, with those."""
        self._is_due = True
        """Whether it has to be fetched."""
        self._why: Explanation | None = None
        self._why_at_ms = 0
        self._log: list[LogLine] = []
        self._is_log_over = False
        self._is_following = False
        self._is_fetching = False
        self._is_gone = False
        """Whether the broker knows it no more: purged, or it has expired."""
        self._note = ""
        """What went wrong with the last request."""
        self._stack = ""
        self._is_raw = False
        """Whether payload and result are shown as bytes."""
        self._shown: dict[str, Text] = {}
        self._wanted = ""
        """What is searched for on the page; empty: nothing."""
        self._hits: list[Hit] = []
        self._hit_at = 0

    @property
    def place(self) -> Place:
        """This task."""
        return Place("task", self.task_id)

    @property
    def crumb(self) -> str:
        """Where one is."""
        return f"task {self.task_id}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """The task, without payload and result."""
        return (f"task:{self.task_id}",)

    @property
    def command(self) -> Command:
        """The same, printed."""
        return Command("tq task get", (self.task_id,))

    @property
    def filter_text(self) -> str:
        """What is searched for."""
        return self._wanted

    @property
    def filter_hint(self) -> str:
        """All of the page stays: what is typed is searched in it."""
        return "a text to search for on this page; n and N go to the next hit and the one before"

    @property
    def targets(self) -> tuple[Target, ...]:
        """What the task is now."""
        is_dead = self._view is not None and self._view.state is State.DEAD_LETTER
        return (Target.DEAD,) if is_dead else (Target.TASK,)

    def selection(self) -> Selection | None:
        """This task."""
        return Selection(self.targets[0], (self.task_id,)) if self._view is not None else None

    async def thing(self) -> Record:
        """The task, as it is now."""
        return task_record(await self.broker().get_task(self.task_id))

    def hints_now(self) -> Sequence[Hint]:
        """Those keys dim that lead nowhere for this task."""
        view = self._view
        why_not = {
            "f": "" if self._log else "it has logged nothing",
            "i": "" if view is not None and view.state is State.IN_PROGRESS else "it does not run",
            "x": "" if self._full is not None and (self._full.payload or self._full.result) else "it has none",
            "<": "" if view is not None and view.resubmit_of else "it was made from no other",
            ">": "" if view is not None and view.resubmitted_as else "none was made from it",
        }
        hints = [hint._replace(why_not=why_not.get(hint.key, "")) for hint in self.hints]
        if self._wanted:  # then that is what one is at
            hits = f"hit {self._hit_at + 1:,} of {len(self._hits):,}" if self._hits else "next hit"
            hints = [Hint("n", hits, "" if self._hits else "no hit"), *(hint for hint in hints if hint.key != "n")]
        return hints

    def body(self) -> ComposeResult:
        """One long text in parts."""
        with VerticalScroll(id="page", can_focus=False):
            for name in SECTIONS:
                yield Static("fetching ..." if name == "facts" else "", id=name, markup=False)

    # -- what is known ----------------------------------------------------------------------------------------------

    def draw(self, mirror: Mirror, changes: Mapping[str, Changed]) -> None:
        """Take what the stream says of it, and ask for the rest."""
        row = mirror.rows(self.scopes[0]).get(self.task_id)
        if isinstance(row, TaskView):
            self._take(row)
        elif self.scopes[0] in changes:
            self._is_due = True  # gone: asked once, the broker says what became of it
        if self.top.client is not None:
            self._look(self.top.client)
        self._show()

    def _take(self, row: TaskView) -> None:
        """Payload and result are of the last fetch; a state in which there may be others is fetched anew."""
        if self._full is None or self._full.state is not row.state:
            self._is_due, self._is_gone = True, False
        if row.state is State.IN_PROGRESS:
            self._is_log_over = False
        known = self._full
        self._view = row if known is None else msgspec.structs.replace(row, payload=known.payload, result=known.result)

    def _look(self, client: AsyncClient) -> None:
        if not self._is_fetching and not self._is_gone:
            self._is_fetching = True
            self._fetch(client)

    @fetching("task")
    async def _fetch(self, client: AsyncClient) -> None:
        """All that is due."""
        was_due, self._is_due = self._is_due, False
        try:
            if was_due:
                self._full = self._view = await client.get_task(self.task_id)
                self._why_at_ms = 0
            if self.top.now_ms - self._why_at_ms >= WHY_REFRESH_MS:
                self._why = await client.why(self.task_id)
                self._why_at_ms = self.top.now_ms
            if not self._is_log_over:
                await self._read_log(client)
            self._note = ""
        except TaskNotFound as error:
            self._note, self._is_gone = error.message, True
        except TqError as error:
            self._note, self._is_due = error.message, self._is_due or was_due
        finally:
            self._is_fetching = False
        self._show()

    async def _read_log(self, client: AsyncClient) -> None:
        """The lines that came since the last ones. What is over is not asked for again, until it runs again."""
        page = await client.task_log(self.task_id, after=self._log[-1].number if self._log else 0)
        self._log = [*self._log, *page.lines][-LOG_LINES_MAX:]
        self._is_log_over = page.is_over

    # -- what is shown ----------------------------------------------------------------------------------------------

    def tell_time(self) -> None:
        """Ages are all over the page."""
        self._show()

    def _show(self) -> None:
        sections = dict(self._sections())
        for text in sections.values():
            text.rstrip()
        self._hits = hits_in(sections, self._wanted) if self._wanted else []
        self._hit_at = min(self._hit_at, max(0, len(self._hits) - 1))
        for name, plain_text in sections.items():
            text = marked(name, plain_text, self._hits, self._hit_at)
            if self._shown.get(name) != text:
                self._shown[name] = text
                part = self.query_one(f"#{name}", Static)
                part.update(text)
                only(part, is_shown=bool(text))
                if name == "log" and self._is_following:
                    self.call_after_refresh(self.action_scroll, 100_000)
        self.say()

    def _sections(self) -> Iterable[tuple[str, Text]]:
        view, top = self._view, self.top
        if view is None:
            waiting = "fetching ..." if top.client is not None else "No recording has it: ask a broker."
            yield "facts", Text(f" {self._note or waiting}")
            return
        look = task_page.Look(top.now_ms, top.is_utc, top.look.glyphs, self.size.width)
        facts = task_page.facts(view, look, self._note)
        yield "facts", facts + task_page.progress(view, look) + task_page.reasons(self._why, look)
        yield "attempts", task_page.attempts(view, look)
        yield "bodies", self._bodies(view, look)
        yield "stack", task_page.stack(self._stack, look)
        yield "trace", task_page.tracebacks(view, look)
        yield "log", task_page.log(self._log, look, is_followed=self._is_following)

    def _bodies(self, view: TaskView, look: task_page.Look) -> Text:
        if self._full is None:  # the stream has none
            return Text()
        bodies = [("Payload", view.payload, view.content_type)]
        if view.state is State.COMPLETED:
            bodies.append(("Result", view.result, view.result_content_type))
        text = Text()
        for title, data, content_type in bodies:
            is_raw = self._is_raw and data
            text += task_page.raw(title, data, look) if is_raw else task_page.body(title, data, content_type, look)
        return text

    # -- keys -------------------------------------------------------------------------------------------------------

    def apply_filter(self, text: str) -> None:
        """Search for a text, and go to the first hit."""
        self._wanted, self._hit_at = text, 0
        self._show()
        if text and not self._hits:
            self.notify(f"no hit for {plain(text)}", severity="warning", markup=False, timeout=4)
        self._go_to_hit()

    def action_hit(self, steps: int) -> None:
        """To the next hit, or the one before; after the last one comes the first."""
        if not self._hits:
            why = f"no hit for {plain(self._wanted)}" if self._wanted else "/ searches for a text on this page"
            self.notify(why, markup=False, timeout=4)
            return
        self._hit_at = (self._hit_at + steps) % len(self._hits)
        self._show()
        self._go_to_hit()

    def _go_to_hit(self) -> None:
        if self._hits:
            self._is_following = False
            self.call_after_refresh(self._scroll_to_hit)

    def _scroll_to_hit(self) -> None:
        """Into the middle of the page."""
        with self.drawing():
            if not self._hits:
                return
            hit, page = self._hits[self._hit_at], self.query_one("#page", VerticalScroll)
            part = self.query_one(f"#{hit.section}", Static)
            row = row_of(self._shown[hit.section], hit.start, part.size.width)
            page.scroll_to(y=part.virtual_region.y + row - page.size.height // 2, animate=False)

    def action_reload(self) -> None:
        """All of it again."""
        self._is_due, self._is_gone, self._is_log_over = True, False, False
        if self.top.client is not None:
            self._look(self.top.client)

    def action_raw(self) -> None:
        """Payload and result as bytes, or decoded again."""
        self._is_raw = not self._is_raw
        self._show()

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
        """Up or down. Whoever goes up does not want to be taken to the end again."""
        if lines < 0:
            self._is_following = False
        self.query_one("#page", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_follow(self) -> None:
        """Stay at the end of the log, or no longer."""
        if not self._log:
            self.notify("its handlers have not logged with ctx.log", markup=False, timeout=4)
            return
        self._is_following = not self._is_following
        self._show()
        if self._is_following:
            self.action_scroll(100_000)

    def action_older(self) -> None:
        """The task that this one was made from."""
        self._follow_lineage(self._view.resubmit_of if self._view is not None else None, "it was made from no other")

    def action_newer(self) -> None:
        """The task that was made from this one."""
        self._follow_lineage(self._view.resubmitted_as if self._view is not None else None, "none was made from it")

    def _follow_lineage(self, other: bytes | None, why_not: str) -> None:
        """There and back again on one way: what one came from is not put on top of itself."""
        if other is None:
            self.notify(f"{why_not}: E makes a new task from one that has ended", markup=False, timeout=4)
            return
        under = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else None
        if isinstance(under, TaskScreen) and under.task_id == format_id(other):
            self.top.action_climb()
        else:
            self.top.open(Place("task", format_id(other)))

    def action_copy_id(self) -> None:
        """Copy the id."""
        self.top.copy(self.task_id)

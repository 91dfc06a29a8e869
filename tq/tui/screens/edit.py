"""Where a task is corrected before it is submitted again: its payload as text, and where it goes.

Nothing is sent from here: what was typed is handed to whoever opened the screen, which stays as it is until that says
that all is done.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar, NamedTuple

from textual import work
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, TextArea

from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument, TqError
from tq.model.operations import Overrides
from tq.model.plain import plain
from tq.model.priorities import parse_priority
from tq.tui.columns import aligned
from tq.tui.widgets.area import Area
from tq.tui.widgets.fields import Field
from tq.views.editor import EditedFile

WIDE_CELLS = 74
"""On a narrower terminal, keys have short names."""
NAME_CHARS_MAX, NUMBER_CHARS_MAX = 200, 20


class Draft(NamedTuple):
    """What is to be corrected. `text`: the payload, None if it is not edited here; `suffix`: of a file that holds it;
    `note`: what the handler takes, or why nothing can be edited."""

    title: str
    note: str
    text: str | None = None
    suffix: str = ".json"


class Correction(NamedTuple):
    """What was typed. `text`: the payload, None if it is not edited here."""

    text: str | None
    overrides: Overrides
    delay: str


class Edit(ModalScreen[bool]):
    """A form; True: what was typed has been submitted.

    Args:
        submit: checks, asks, and submits; False: it was decided not to, and the form stays.
        has_editor: whether the editor of this machine may be started: not where the screen is somewhere else.
    """

    DEFAULT_CSS = """
    Edit { background: $background; }
    Edit > Vertical { height: 100%; background: $surface; padding: 0 1; }
    Edit Label { width: 1fr; height: auto; max-height: 3; }
    Edit .title { text-style: bold; height: 1; }
    Edit .note { color: $text-muted; }
    Edit .refusal { color: $error; display: none; }
    Edit .keys { color: $text-muted; height: 1; }
    Edit TextArea { height: 1fr; border: none; padding: 0; margin: 1 0; background: $background; }
    Edit TextArea:focus { border: none; }
    Edit.-small TextArea { margin: 0; }
    Edit #space { height: 1fr; }
    Edit Horizontal { height: 1; }
    Edit Horizontal Label { width: auto; padding: 0 1 0 0; }
    Edit Input { height: 1; border: none; padding: 0 1; background: $background; width: 1fr; margin: 0 1 0 0; }
    Edit Input:focus { border: none; height: 1; background: $boost; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,f2", "review", "See what changes", show=False, priority=True),
        Binding("ctrl+o,f4", "editor", "In $EDITOR", show=False, priority=True),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(self, draft: Draft, submit: Callable[[Correction], Awaitable[bool]], *, has_editor: bool) -> None:
        super().__init__()
        self._draft = draft
        self._submit = submit
        self._has_editor = has_editor and draft.text is not None
        self._is_leaving = False

    def compose(self) -> ComposeResult:
        """Title, what the handler takes, the payload, fields, keys."""
        with Vertical():
            yield Label("", classes="title", markup=False)
            yield Label(plain(self._draft.note), classes="note", markup=False)
            if self._draft.text is None:
                yield Label("", id="space")
            else:
                yield Area(self._draft.text, id="payload", tab_behavior="focus")
            with Horizontal():
                yield Label("queue")
                yield Field(id="queue", placeholder="as it was", max_length=NAME_CHARS_MAX)
                yield Label("priority")
                yield Field(id="priority", placeholder="as it was", max_length=NUMBER_CHARS_MAX)
                yield Label("delay")
                yield Field(id="delay", placeholder="such as 10m", max_length=NUMBER_CHARS_MAX)
            yield Label("", classes="refusal", markup=False)
            yield Label("", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Begin where there is most to do."""
        self.query_one("#queue" if self._draft.text is None else "#payload").focus()

    def on_resize(self) -> None:
        """Keys by their long or short names, blank lines where there is room for them, and the title in one line."""
        width, height = self.size
        self.query_one(".title", Label).update(aligned(self._draft.title, width - 2, is_number=False))
        self.set_class(height < 20, "-small")
        is_wide = width >= WIDE_CELLS
        editor = ("ctrl+o $EDITOR   " if is_wide else "^o editor  ") if self._has_editor else ""
        keys = (
            f"ctrl+s see what changes   {editor}Tab fields   Esc leave"
            if is_wide
            else f"^s changes  {editor}Tab fields  Esc leave"
        )
        self.query_one(".keys", Label).update(keys)

    def _typed(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def correction(self) -> Correction:
        """What was typed.

        Raises:
            InvalidArgument: a field makes no sense.
        """
        priority, delay = self._typed("priority"), self._typed("delay") or "0"
        overrides = Overrides(
            self._typed("queue") or None,
            parse_priority(priority) if priority else None,
            duration_ms(delay, "delay"),
        )
        text = None if self._draft.text is None else self.query_one("#payload", TextArea).text
        return Correction(text, overrides, delay)

    def _refuse(self, text: str) -> None:
        label = self.query_one(".refusal", Label)
        label.update(plain(text))
        label.display = bool(text)

    @work(exclusive=True, group="review")
    async def action_review(self) -> None:
        """Check it; show what changes, and ask."""
        if self.app.screen is not self:
            return
        self._is_leaving = False
        self._refuse("")
        try:
            is_done = await self._submit(self.correction())
        except TqError as error:
            self._refuse(f"{error.message}{f' - {error.hint}' if error.hint else ''}")
            return
        if is_done:
            self.dismiss(True)

    def action_editor(self) -> None:
        """The payload in the editor of this machine, in a file that nobody else can read."""
        if not self._has_editor or self.app.screen is not self:
            return
        area = self.query_one("#payload", TextArea)
        try:
            file = EditedFile(self._draft.suffix)
            with self.app.suspend():
                written = file.edit(area.text)
        except SuspendNotSupported:
            file.remove()
            self._refuse("this terminal cannot be handed to an editor: edit it here")
            return
        except InvalidArgument as error:
            self._refuse(f"{error.message}{f' - {error.hint}' if error.hint else ''}")
            return
        file.remove()
        area.text = written
        self.refresh(layout=True)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter in a field goes to the next one, never on."""
        message.stop()
        self.focus_next()

    def _is_changed(self) -> bool:
        fields = any(self._typed(name) for name in ("queue", "priority", "delay"))
        return fields or (
            self._draft.text is not None and self.query_one("#payload", TextArea).text != self._draft.text
        )

    def action_leave(self) -> None:
        """Away; what was typed is lost, so a second Esc is wanted."""
        if self._is_changed() and not self._is_leaving:
            self._is_leaving = True
            self._refuse("what you typed would be lost: Esc again leaves")
            return
        self.dismiss(False)

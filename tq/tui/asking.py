"""The line at the bottom: what is typed there is a filter, a place, or the name of a file."""

from typing import TYPE_CHECKING

from tq.model.errors import InvalidArgument, TqError
from tq.tui.commandline import completions, parse_command
from tq.tui.screens.base import TopScreen
from tq.tui.taking import default_name, save_json
from tq.tui.widgets.prompt import FILE, FILTER, PLACE, Prompt
from tq.tui.widgets.table import VTable

if TYPE_CHECKING:
    from tq.tui.app import TopApp


class Asking:
    """Opens the line for an application, and does what was typed."""

    def __init__(self, top: "TopApp") -> None:
        self._top = top

    def open(self, kind: str) -> None:
        """Ask for a line on the screen that is seen; or say why not."""
        screen = self._top.here
        if screen is None or self._top.screen is not screen:
            return
        why_not = self._why_not(kind, screen)
        if why_not:
            self._top.notify(why_not, severity="warning", markup=False)
            return
        text, hint = {
            FILTER: (screen.filter_text, screen.filter_hint),
            PLACE: ("", "queues, dead SELECTOR, task ID, help ..."),
            FILE: (default_name(screen.place, self._top.now_ms), "the name of a new file"),
        }[kind]
        screen.query_one(Prompt).open(kind, text, hint)
        screen.say()

    def _why_not(self, kind: str, screen: TopScreen) -> str:
        if kind == FILTER and not screen.filter_hint:
            return "there is nothing to filter here"
        return screen.why_not_saved if kind == FILE else ""

    def complete(self, line: str) -> list[str]:
        """Whole lines for what was typed so far."""
        return completions(line, self._top.mirror.rows("queues"), ())

    async def take(self, kind: str, text: str) -> None:
        """Do what was typed; a slip is said, and the line stays to be corrected."""
        try:
            if kind == FILTER:
                self._top.filter(text)
            elif kind == PLACE:
                await self._top.go(parse_command(text))
            else:  # it asks the broker, and keys go on meanwhile
                self._top.run_worker(self._save(text.strip()), exclusive=True, group="save")
                return
        except InvalidArgument as error:
            self._top.report(error)
            return
        self.close()

    async def _save(self, name: str) -> None:
        screen = self._top.here
        try:
            if screen is not None:
                await save_json(self._top, screen, name)
        except TqError as error:
            self._top.report(error)
            return
        self.close()

    def close(self) -> None:
        """Ask no more."""
        for screen in self._top.screen_stack:
            is_asking = [prompt for prompt in screen.query(Prompt) if prompt.display]
            for prompt in is_asking:
                prompt.close()
            screen.set_focus(next(iter(screen.query(VTable)), None))
            if is_asking and isinstance(screen, TopScreen):
                screen.say()  # its keys, not those of the line

"""The dashboard that belongs to a `tq up`, which has the broker and its workers and started this process for it."""

import os
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tq.client.async_client import AsyncClient
from tq.tui.app import CLOCK_SECONDS, Look, TopApp
from tq.tui.commandline import HOME, Place
from tq.tui.feed import Feed
from tq.tui.leaving import EXIT_CODES, Leaving
from tq.tui.screens.leave import Leave


class OwnedApp(TopApp):
    """Asks before it ends. Ctrl-C stops everything, as without a dashboard.

    Args:
        log_path: where broker and workers write their log, to be shown.
        parent: which process this one belongs to, now; with another one, it has none any more and ends.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        # Before fields and dialogs, where it would copy: whoever started tq up knows Ctrl-C as the end of it.
        Binding("ctrl+c", "stop", "Stop everything", show=False, priority=True),
    ]

    def __init__(
        self,
        feed: Feed,
        look: Look,
        client: AsyncClient | None,
        *,
        log_path: str,
        start: Place = HOME,
        reach: Sequence[str] = (),
        parent: Callable[[], int] = os.getppid,
    ) -> None:
        super().__init__(feed, look, client, start=start, reach=reach)
        self._log_path = log_path
        self._owner_now = parent
        self._owner = parent()

    def on_mount(self) -> None:
        """Say where the log is; look after the parent. (Textual calls the one of TopApp by itself.)"""
        self.notify(self._log_path, title="The log of broker and workers", markup=False, timeout=6)
        self.set_interval(CLOCK_SECONDS, self._follow_parent)

    def _follow_parent(self) -> None:
        if self._owner_now() != self._owner:
            self.exit(return_code=1, message="tq up has ended, and its broker and workers with it.")

    def leave(self) -> None:
        """Ask first."""
        if not isinstance(self.screen, Leave):
            self.push_screen(Leave(self._log_path), self._decide)

    def _decide(self, answer: Leaving | None) -> None:
        if answer is not None:
            self.exit(return_code=EXIT_CODES[answer])

    def action_suspend_process(self) -> None:
        """Not this one: `tq up` would hold the terminal all the same, or the broker would stand still too."""
        self.notify("tq up cannot wait in the background: q, then k, leaves it running without the dashboard")

    def action_stop(self) -> None:
        """Stop everything."""
        self.exit(return_code=EXIT_CODES[Leaving.STOP])

"""What the stream has told, as plain values. Pure: no Textual, no clock; the moment of each frame is handed in.

One table of rows for each scope that is watched, by the keys of tq/model/watching.py: a screen asks for the rows of a
scope, and for what the last frame changed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tq.client.watching import Change
from tq.model.watching import ROWS, parse_scope
from tq.tui.pulse import Pulse

STALE_PERIODS = 3
"""Frames that did not come after which what is shown is called stale."""


class Changed(NamedTuple):
    """What a frame changed in one scope. `is_whole`: all rows are new, and those that were there before are gone."""

    is_whole: bool
    rows: dict[str, Any]
    gone: list[str]


class Mirror:
    """The rows of every scope that is watched."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Any]] = {}
        self._left_out: dict[str, int] = {}
        self.at_ms = 0
        """The broker's clock at the last frame, ms since the epoch; 0 before the first."""
        self.heard_at: float | None = None
        """When the last frame came, by the clock of whoever calls `apply`; None before the first."""
        self.pulse = Pulse()

    def apply(self, changes: Iterable[Change], at_ms: int, heard_at: float) -> dict[str, Changed]:
        """Take in a frame; what changed, by scope."""
        self.at_ms, self.heard_at = at_ms, heard_at
        changed = {change.scope: self._apply(change) for change in changes}
        for totals in self.rows("totals").values():
            self.pulse.take(totals, at_ms)
        return changed

    def _apply(self, change: Change) -> Changed:
        key = ROWS[parse_scope(change.scope).kind].key
        fresh = {key(row): row for row in change.rows}
        rows = self._rows.setdefault(change.scope, {})
        self._left_out[change.scope] = change.left_out
        if change.is_whole:
            gone = [one for one in rows if one not in fresh]
            self._rows[change.scope] = dict(fresh)
            return Changed(True, fresh, gone)
        for one in change.gone:
            rows.pop(one, None)
        rows.update(fresh)
        return Changed(False, fresh, list(change.gone))

    def rows(self, scope: str) -> Mapping[str, Any]:
        """The rows of a scope by key, in the broker's order as far as it has one; none before its first frame."""
        return self._rows.get(scope, {})

    def left_out(self, scope: str) -> int:
        """How many rows the scope has beyond those that are sent."""
        return self._left_out.get(scope, 0)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Those of which something is known."""
        return tuple(self._rows)

    def whole(self, scope: str) -> Change:
        """All of a scope, as a frame that begins has it."""
        return Change(scope, True, list(self.rows(scope).values()), [], self.left_out(scope))

    def forget(self, kept: Iterable[str]) -> None:
        """Drop the rows of all scopes but these: nobody watches the others any more."""
        wanted = set(kept)
        self._rows = {scope: rows for scope, rows in self._rows.items() if scope in wanted}
        self._left_out = {scope: number for scope, number in self._left_out.items() if scope in wanted}

    def silence(self, now: float) -> float:
        """Seconds since the last frame; 0 before the first."""
        return 0.0 if self.heard_at is None else max(0.0, now - self.heard_at)

    def is_stale(self, now: float, hz: float) -> bool:
        """Whether so many frames are missing that what is shown may not be true any more. A broker in which nothing
        happens still says so once a second."""
        return self.heard_at is not None and hz > 0 and self.silence(now) > STALE_PERIODS / min(hz, 1.0)

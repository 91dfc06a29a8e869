"""The last line: the keys that mean something here, those that do not dimmed, with the reason."""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget


class Hint(NamedTuple):
    """A key and what it does. `why_not` says why it does nothing now; then it is dim, and stays where it is, so that
    fingers learn one place."""

    key: str
    label: str
    why_not: str = ""


class Footer(Widget):
    """Hints from left to right; those that do not fit are left out from the end, but the last one. Where there is room,
    the reason why most of the dim ones do nothing stands after them."""

    DEFAULT_CSS = """
    Footer { dock: bottom; height: 1; background: $panel; color: $foreground; }
    Footer .footer--key { color: $accent; text-style: bold; }
    Footer .footer--off { color: $text-disabled; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--off"}

    class Pressed(Message):
        """A hint was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self) -> None:
        super().__init__()
        self._hints: tuple[Hint, ...] = ()

    def show(self, hints: Sequence[Hint]) -> None:
        """Draw these."""
        if tuple(hints) != self._hints:
            self._hints = tuple(hints)
            self.refresh()

    def _fitting(self) -> list[tuple[int, Hint]]:
        """Hints with the cell that each begins in; among them the reason of the dim ones, as a hint without a key."""
        width = self.size.width
        last = self._hints[-1:]
        reserved = sum(_width(hint) for hint in last)
        placed, x = [], 1
        for hint in _explained(self._hints[:-1]):
            if x + _width(hint) + reserved > width:
                if not hint.key:
                    continue
                break
            placed.append((x, hint))
            x += _width(hint)
        return placed + [(x, hint) for hint in last]

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one line
        """The line."""
        segments = [Segment(" ", self.rich_style)]
        off, key = (self.get_component_rich_style(f"footer--{name}") for name in ("off", "key"))
        for _, hint in self._fitting():
            segments.append(Segment(hint.key, off if hint.why_not else key))
            segments.append(Segment(f" {hint.label}  ", off if hint.why_not else self.rich_style))
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """As if the key were pressed."""
        for x, hint in self._fitting():
            if hint.key and x <= event.x < x + _width(hint) - 1:
                self.post_message(self.Pressed(hint.key))


def _explained(hints: Sequence[Hint]) -> list[Hint]:
    """The hints, and after the last of those that are dim for the most common reason, that reason."""
    reasons = Counter(hint.why_not for hint in hints if hint.why_not)
    if not reasons:
        return list(hints)
    most, _ = reasons.most_common(1)[0]
    place = max(place for place, hint in enumerate(hints) if hint.why_not == most)
    return [*hints[: place + 1], Hint("", f"({most})", most), *hints[place + 1 :]]


def _width(hint: Hint) -> int:
    return len(hint.key) + len(hint.label) + 3

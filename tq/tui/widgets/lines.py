"""A few lines of text from anywhere: totals, findings, what was done."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from tq.tui.columns import Cell, aligned
from tq.tui.glyphs import Glyphs


class Lines(Widget):
    """Lines with one look each, and a rule with a heading above them if there is one. No line: nothing is there."""

    DEFAULT_CSS = """
    Lines { height: auto; background: $background; }
    Lines .lines--title { color: $text-muted; }
    Lines .lines--bad { color: $error; }
    Lines .lines--warn { color: $warning; }
    Lines .lines--good { color: $success; }
    Lines .lines--dim { color: $text-muted; }
    Lines .lines--accent { color: $accent; }
    Lines .lines--strong { text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"lines--{name}" for name in ("title", "bad", "warn", "good", "dim", "accent", "strong")
    }

    def __init__(self, glyphs: Glyphs, widget_id: str) -> None:
        super().__init__(id=widget_id)
        self._glyphs = glyphs
        self._lines: list[Cell] = []
        self._heading = ""

    def show(self, lines: Sequence[Cell], heading: str = "") -> None:
        """Draw these, if they are not what is drawn already."""
        if (list(lines), heading) == (self._lines, self._heading):
            return
        has_other_height = len(lines) + bool(heading) != len(self._lines) + bool(self._heading)
        self._lines, self._heading = list(lines), heading
        self.display = bool(lines)
        self.refresh(layout=has_other_height)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line each."""
        del container, viewport, width
        return len(self._lines) + bool(self._heading)

    def render_line(self, y: int) -> Strip:
        """Line `y`."""
        width = self.size.width
        if self._heading and y == 0:
            text = f"{self._glyphs.line} {self._heading} "
            rule = text + self._glyphs.line * max(0, width - len(text))
            return Strip([Segment(rule[:width], self.get_component_rich_style("lines--title"))])
        place = y - bool(self._heading)
        if place >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line = self._lines[place]
        style = self.get_component_rich_style(f"lines--{line.style}") if line.style else self.rich_style
        return Strip([Segment(aligned(line.text, width, is_number=False), style)])

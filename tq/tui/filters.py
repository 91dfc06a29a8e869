"""The last look at what is drawn: nothing else reaches a terminal without Unicode, or one that wants no colour,
wherever it came from."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter, NoColor

from tq.tui.glyphs import ASCII, Glyphs

_CUT = {"\N{HORIZONTAL ELLIPSIS}": "~"}
"""Where text from anywhere was cut."""


class AsciiOnly(LineFilter):
    """Puts a question mark into each cell of a character that is not ASCII. Our own glyphs are ASCII there already;
    names and errors have what their authors wrote, and Textual draws some lines of its own."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same cells, in ASCII."""
        del background
        return [
            segment if segment.text.isascii() else Segment(in_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def in_ascii(text: str) -> str:
    """As many cells, each of them ASCII."""
    return "".join(char if char.isascii() else _CUT.get(char, "?" * cell_len(char)) for char in text)


def last_filters(glyphs: Glyphs, *, no_color: bool) -> list[LineFilter]:
    """What becomes of each line at last. Textual's own filter for NO_COLOR leaves greys, in themes of other colours."""
    colours: list[LineFilter] = [NoColor()] if no_color else []
    return [*colours, AsciiOnly()] if glyphs is ASCII else colours

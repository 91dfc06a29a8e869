"""Text that is searched for in a page of text: where it is, how it is shown there, and in which line. Pure."""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from rich.text import Text
from textual.content import Content

HITS_MAX = 1_000
BEFORE, AFTER = ">", "<"
"""Stand around the hit that one is at: bold and reverse alone are not seen everywhere."""
_WORD = re.compile(r"\S*")


class Hit(NamedTuple):
    """One place where it is: in which section of the page, from which character to which."""

    section: str
    start: int
    end: int


def hits_in(sections: Mapping[str, Text], wanted: str) -> list[Hit]:
    """The first HITS_MAX places from top to bottom. Case counts where there is any upper case in `wanted`."""
    flags = re.NOFLAG if wanted != wanted.lower() else re.IGNORECASE
    pattern = re.compile(re.escape(wanted), flags)
    found = ((name, match) for name, text in sections.items() for match in pattern.finditer(text.plain))
    return [Hit(name, match.start(), match.end()) for name, match in islice(found, HITS_MAX)]


def marked(name: str, text: Text, hits: Sequence[Hit], at: int) -> Text:
    """A section with its hits underlined, and the one that one is at, `hits[at]`, between two signs."""
    shown = text.copy()
    for place, hit in enumerate(hits):
        if hit.section == name:
            shown.stylize("bold reverse" if place == at else "underline", hit.start, hit.end)
    if not hits or hits[at].section != name:
        return shown
    start, end = hits[at].start, hits[at].end
    return Text.assemble(shown[:start], (BEFORE, "bold"), shown[start:end], (AFTER, "bold"), shown[end:])


def row_of(text: Text, at: int, width: int) -> int:
    """In which of its lines, from 0, a character stands where the text is folded at `width` cells."""
    word = _WORD.match(text.plain, at)  # as a whole: it may be what does not fit into the line before
    end = word.end() if word is not None else at
    return max(0, Content.from_rich_text(text[:end]).get_height({}, width) - 1)

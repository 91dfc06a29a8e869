"""The few characters that are more than text: Unicode where the terminal can show it, ASCII where it cannot. Pure.

No colour stands alone: every state has a glyph and a word.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Glyphs(NamedTuple):
    """One set of them. `spark` rises from nothing to full."""

    cursor: str
    mark: str
    broken: str
    slow: str
    paused: str
    fine: str
    gone: str
    spark: str
    bar_full: str
    bar_empty: str
    line: str
    ellipsis: str
    up: str
    down: str


UNICODE = Glyphs(
    cursor="\N{BLACK RIGHT-POINTING SMALL TRIANGLE}",
    mark="*",
    broken="!",
    slow="~",
    paused="#",
    fine="=",
    gone="-",
    spark=" ▁▂▃▄▅▆▇█",
    bar_full="█",
    bar_empty="░",
    line="─",
    ellipsis="…",
    up="▲",
    down="▼",
)
ASCII = Glyphs(
    cursor=">",
    mark="*",
    broken="!",
    slow="~",
    paused="#",
    fine="=",
    gone="-",
    spark=" _.-=*#%",
    bar_full="#",
    bar_empty=".",
    line="-",
    ellipsis="~",
    up="^",
    down="v",
)


_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python writes into LC_CTYPE where the locale is C, which it then takes for UTF-8 (PEP 538)."""


def glyphs_for(environment: Mapping[str, str], encoding: str) -> Glyphs:
    """The set that a terminal can show.

    Args:
        environment: the locale of the terminal, as its user has set it. Without any, it is taken to be a modern one.
        encoding: that of Python's output, which is UTF-8 in the locale C too.
    """
    own = {name: environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")}
    if own["LC_CTYPE"] in _COERCED and own["LANG"] in ("C", "POSIX"):
        own["LC_CTYPE"] = ""
    locale = next(filter(None, own.values()), "UTF-8")
    can = all("utf" in name.lower() for name in (locale, encoding))
    return UNICODE if can else ASCII


def sparkline(values: Sequence[float], width: int, glyphs: Glyphs) -> str:
    """The last values as a line of `width` characters, the highest of them full, zero blank; older ones are merged so
    that all of them are seen, each character the highest of its share."""
    if not values or width <= 0:
        return " " * max(0, width)
    per_cell = max(1, -(-len(values) // width))
    first = len(values) % per_cell
    shares = [values[:first]] if first else []
    shares += [values[at : at + per_cell] for at in range(first, len(values), per_cell)]
    heights = [max(share) for share in shares]
    most = max(heights)
    steps = len(glyphs.spark) - 1
    drawn = "".join(
        glyphs.spark[0 if value <= 0 or most <= 0 else max(1, round(value / most * steps))] for value in heights
    )
    return drawn[-width:].rjust(width)


def bar(fraction: float, width: int, glyphs: Glyphs) -> str:
    """A gauge: full at 1."""
    full = round(min(max(fraction, 0.0), 1.0) * width)
    return glyphs.bar_full * full + glyphs.bar_empty * (width - full)

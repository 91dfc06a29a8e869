"""Untrusted text, made safe to print.

Names, reasons, errors and payloads come from producers and handlers. Written as they are to a terminal, they could move
the cursor, set its title, forge lines of output, or swap what is read left to right (CVE-2021-42574). Every such text
goes through `plain` on its way to a terminal; exact bytes are to be had with `-o json` and `tq task result --raw`.
"""

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_SPACES = {"\n": " ", "\r": " ", "\t": " "}
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def is_unsafe(char: str) -> bool:
    """Whether a terminal could do something else than show this character.

    True for the categories Cc, Cf, Cs, Co and Cn (controls, bidirectional and zero-width formats, surrogates, private,
    unassigned) and for the line and paragraph separators.
    """
    category = unicodedata.category(char)
    return category[0] == "C" or category in ("Zl", "Zp")


def plain(text: str, *, keep_lines: bool = False) -> str:
    """`text` with every unsafe character replaced by U+FFFD: shown, so that "a" and "a" with something hidden differ.

    Args:
        keep_lines: line breaks and tabs stay (a traceback); else they become spaces (a cell of a table).
    """
    if text.isascii() and text.isprintable():
        return text
    if keep_lines:
        text = text.replace("\r\n", "\n").expandtabs(4)
    return "".join(_plain_char(char, keep_lines) for char in text)


def _plain_char(char: str, keep_lines: bool) -> str:
    if char == "\n" and keep_lines:
        return char
    if char in _SPACES:
        return " "
    return REPLACEMENT if is_unsafe(char) else char


def preview(text: str, chars_max: int) -> str:
    """The beginning of `text` on one line, made plain, at most `chars_max` characters long, its end marked if cut.

    Only as much of `text` as is shown is looked at, however long it is.
    """
    shown = plain(text[: chars_max + 1])
    return shown if len(shown) <= chars_max else shown[: chars_max - 1] + _ELLIPSIS


def safe_json(document: str) -> str:
    """A JSON document with unsafe characters as escapes: it means the same, and a terminal cannot be fooled by it.

    JSON itself escapes only U+0000 to U+001F; so what is unsafe here stands inside a string, except for line breaks.
    """
    if document.isascii() and document.isprintable():
        return document
    return "".join(_json_escape(char) if char != "\n" and is_unsafe(char) else char for char in document)


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))

"""The filter of things that have names and little else: words that are parts of a name, or patterns. Pure."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from tq.model.errors import InvalidArgument

CHARS_MAX, WORDS_MAX = 200, 10
"""Each word is looked for in each name, every second where the broker does it."""
R = TypeVar("R")


def name_filter(text: str, names: Callable[[R], Sequence[str]]) -> Callable[[R], bool] | None:
    """Which rows a typed filter shows; None: all.

    Args:
        text: words, all of which must match one of the names: a part of it, or a pattern with * and ?; a word with a
            minus before it must match none.

    Raises:
        InvalidArgument: it is too long.
    """
    words = text.split()
    if len(text) > CHARS_MAX or len(words) > WORDS_MAX:
        raise InvalidArgument(f"a filter of names has at most {WORDS_MAX} words and {CHARS_MAX} characters")
    if not words:
        return None

    def matches(word: str, row: R) -> bool:
        if any(char in word for char in "*?"):
            return any(fnmatchcase(name, word) for name in names(row))
        return any(word in name for name in names(row))

    def is_shown(row: R) -> bool:
        return all(
            not matches(word[1:], row) if word.startswith("-") and len(word) > 1 else matches(word, row)
            for word in words
        )

    return is_shown

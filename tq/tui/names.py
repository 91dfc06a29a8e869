"""The filter of tables that are all there: words that are parts of a name, or patterns."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

R = TypeVar("R")


def name_filter(text: str, names: Callable[[R], Sequence[str]]) -> Callable[[R], bool] | None:
    """Which rows a typed filter shows; None: all.

    Args:
        text: words, all of which must match one of the names: a part of it, or a pattern with * and ?; a word with a
            minus before it must match none.
    """
    words = text.split()
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

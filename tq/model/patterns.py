"""Patterns of selectors: text in which `*` is any characters and `?` is one, and what is in quotes is itself."""

import re
from collections.abc import Callable
from enum import Enum

import msgspec

from tq.model.errors import InvalidArgument

GLOB_WILDCARDS_MAX = 20
"""Each wildcard costs a pass over the text."""

_WILD = frozenset("*?")
_QUOTED = frozenset('",*?')
"""What has a meaning outside of quotes, besides white space."""


class Wildcard(Enum):
    """What a pattern holds besides text; the value is how it is written."""

    MANY = "*"  # any characters, also none
    ONE = "?"  # exactly one


class Pattern(msgspec.Struct, frozen=True):
    """What a text as a whole has to look like. `parts`: texts, none empty and no two in a row, and wildcards."""

    parts: tuple[str | Wildcard, ...]

    @property
    def literal(self) -> str | None:
        """The only text that it matches; None if it has wildcards."""
        first = self.parts[0]
        return first if len(self.parts) == 1 and isinstance(first, str) else None

    @property
    def plain(self) -> str:
        """The characters as written, without quotes; wildcards are * and ?."""
        return "".join(part if isinstance(part, str) else part.value for part in self.parts)

    @property
    def text(self) -> str:
        """How a selector has it: quotes only where they are needed."""
        return "".join(_quoted_if_needed(part) if isinstance(part, str) else part.value for part in self.parts)

    def matcher(self, *, is_case_ignored: bool = False, is_anywhere: bool = False) -> Callable[[str], bool]:
        """A test of texts. Its time is linear in the text for each wildcard, whatever the pattern.

        Args:
            is_anywhere: a part of the text is enough.
        """
        literal = self.literal
        if literal is not None and not is_case_ignored:
            return (lambda text: literal in text) if is_anywhere else literal.__eq__
        match = self._expression(is_case_ignored, is_anywhere).match
        return lambda text: match(text) is not None

    def _expression(self, is_case_ignored: bool, is_anywhere: bool) -> "re.Pattern[str]":
        # Between two stars the first place that fits is as good as any later one, so it is never given up again: that
        # is what the atomic groups say. Without them, a hostile pattern would keep the broker busy for hours.
        first, *others = ["", *self._runs(), ""] if is_anywhere else self._runs()
        if others:
            between = "".join(f"(?>.*?{run})" for run in others[:-1] if run)
            first = f"{first}{between}.*{others[-1]}"
        return re.compile(rf"{first}\Z", re.DOTALL | (re.IGNORECASE if is_case_ignored else 0))

    def _runs(self) -> list[str]:
        """The expressions between the stars; one `?` is one dot."""
        runs = [""]
        for part in self.parts:
            if part is Wildcard.MANY:
                runs.append("")
            else:
                runs[-1] += "." if part is Wildcard.ONE else re.escape(str(part))
        return runs


def glob(text: str) -> Pattern:
    """The pattern of a text in which quotes mean nothing: `*` and `?`, all else is itself.

    Raises:
        InvalidArgument: nothing in it, or more wildcards than anybody needs.
    """
    parts: list[str | Wildcard] = [
        Wildcard(part) if part in _WILD else part for part in re.split(r"([*?])", text) if part
    ]
    if not parts:
        raise InvalidArgument("a pattern is empty", hint="* matches everything")
    if sum(isinstance(part, Wildcard) for part in parts) > GLOB_WILDCARDS_MAX:
        raise InvalidArgument(f"pattern {text[:60]!r} has more than {GLOB_WILDCARDS_MAX} wildcards")
    return Pattern(tuple(parts))


def _quoted_if_needed(text: str) -> str:
    return quoted(text) if any(char in _QUOTED or char.isspace() for char in text) else text


def quoted(text: str) -> str:
    """A text in quotes, in which only `"` and `\\` are escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

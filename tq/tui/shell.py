"""What the dashboard does, as a command for a shell: text that can be copied, pasted, and does the same. Pure."""

import shlex
from collections.abc import Iterable

from tq.model.errors import SelectorInvalid
from tq.model.selector import parse


def command(verb: str, *words: str) -> str:
    """A verb such as "tq task list", and words that may hold anything, each as a shell takes it."""
    return " ".join([verb, *(shlex.quote(word) for word in words)])


def words_of(selector: str) -> list[str]:
    """A selector term by term: each is a word of the command line."""
    try:
        return [term.text for term in parse(selector).terms]
    except SelectorInvalid:
        return [selector] if selector else []


def each(verb: str, words: Iterable[str]) -> str:
    """A verb that takes one thing, for each of several."""
    return "; ".join(command(verb, word) for word in words)

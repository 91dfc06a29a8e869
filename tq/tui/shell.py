"""What the dashboard shows and does, as commands that can be copied into a shell and do the same. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tq.model.errors import InvalidArgument, SelectorInvalid
from tq.model.ids import parse_id
from tq.model.patterns import quoted
from tq.model.selector import Term, TextTerm, parse
from tq.model.shell import command


class Command(NamedTuple):
    """A command of tq in its parts: a verb such as "tq task list", words that may hold anything, and options, each with
    its value in one word."""

    verb: str
    words: Sequence[str] = ()
    options: Sequence[str] = ()

    def text(self, reach: Sequence[str] = ()) -> str:
        """As a shell takes it. `reach`: the options that name the broker; without them, a copied command would be for
        whatever broker is the default where it is pasted."""
        return command(self.verb, *self.words, options=(*self.options, *reach))


def words_of(selector: str) -> list[str]:
    """A selector term by term: each is a word of the command line."""
    try:
        return [_word(term) for term in parse(selector).terms]
    except SelectorInvalid:
        return [selector] if selector else []


def _word(term: Term) -> str:
    """Text to search for that looks like an id is quoted: as a bare word it would mean that very task."""
    if isinstance(term, TextTerm) and term.field is None and not term.is_inverted:
        try:
            parse_id(term.text)
        except InvalidArgument:
            return term.text
        return quoted(term.text)
    return term.text


def each(lines: Iterable[Command], reach: Sequence[str] = ()) -> str:
    """One command after the other, for verbs that take one thing."""
    return "; ".join(line.text(reach) for line in lines)


def one_each(verb: str, words: Iterable[str]) -> list[Command]:
    """A verb that takes one thing, for each of several."""
    return [Command(verb, (word,)) for word in words]

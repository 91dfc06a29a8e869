"""Selectors: one line of text that says which tasks, the same at every edge. docs/selectors.md is for their writers.

    selector    = [term *(spaces term)]          all of them have to hold
    term        = ["-"] [field ":"] value *("," value)      one of the values has to; "-": none of them
    value       = pattern                        of queue, type, worker, tag, key, err; without a field: anywhere in
                                                 the type or the error
                | state                          of state
                | hex digits                     of id and group: how it begins
                | comparison                     of age (a duration) and attempts (a number): > >= < <= =
    pattern     = text, * and ?; what is in quotes is itself, with \\" and \\\\ for the two

A field that is not known is an error, never text to search for: a slip must not widen what is purged.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, assert_never

import msgspec

from tq.model.durations import duration_ms, exact_ms
from tq.model.errors import InvalidArgument, SelectorInvalid
from tq.model.patterns import Pattern, Wildcard, quoted
from tq.model.task import State

SELECTOR_CHARS_MAX = 2_000
TERMS_MAX = 50
VALUES_MAX = 100
"""Values of one term."""
WILDCARDS_MAX = 20
"""Wildcards of one value: each costs a pass over the text."""
ATTEMPTS_MAX = 1_000_000
ID_DIGITS, GROUP_DIGITS = 32, 16


class Field(StrEnum):
    """What a term may be about, by the name that is written."""

    QUEUE = "queue"
    TYPE = "type"
    STATE = "state"
    ERR = "err"
    GROUP = "group"
    AGE = "age"
    ATTEMPTS = "attempts"
    WORKER = "worker"
    TAG = "tag"
    KEY = "key"
    ID = "id"


class TextTerm(msgspec.Struct, frozen=True):
    """A field matches one of the patterns. `field` is QUEUE, TYPE, WORKER, TAG, KEY or ERR; None: free text."""

    field: Field | None
    patterns: tuple[Pattern, ...]
    is_inverted: bool = False

    @property
    def text(self) -> str:
        """How a selector has it."""
        sign = "-" if self.is_inverted else ""
        if self.field is None:
            return sign + ",".join(_free_text(pattern) for pattern in self.patterns)
        return f"{sign}{self.field}:{','.join(pattern.text for pattern in self.patterns)}"


class StateTerm(msgspec.Struct, frozen=True):
    """The public state is one of these."""

    states: tuple[State, ...]
    is_inverted: bool = False

    @property
    def text(self) -> str:
        """How a selector has it."""
        return f"{'-' if self.is_inverted else ''}state:{','.join(self.states)}"


class HexTerm(msgspec.Struct, frozen=True):
    """An ID, or the GROUP of a dead letter, begins with one of these: lower-case hex digits, without dashes."""

    field: Field
    prefixes: tuple[str, ...]
    is_inverted: bool = False

    @property
    def text(self) -> str:
        """How a selector has it."""
        return f"{'-' if self.is_inverted else ''}{self.field}:{','.join(self.prefixes)}"


class Relation(StrEnum):
    """How a number compares with the one that was given."""

    GREATER_EQUAL = ">="  # those of two characters first: that is how they are read
    LESS_EQUAL = "<="
    GREATER = ">"
    LESS = "<"
    EQUAL = "="


class Comparison(msgspec.Struct, frozen=True):
    """Such as ">= 3"."""

    relation: Relation
    number: int

    def holds(self, number: int) -> bool:
        """Whether a number satisfies it."""
        match self.relation:
            case Relation.GREATER:
                return number > self.number
            case Relation.GREATER_EQUAL:
                return number >= self.number
            case Relation.LESS:
                return number < self.number
            case Relation.LESS_EQUAL:
                return number <= self.number
            case Relation.EQUAL:
                return number == self.number
            case _:
                assert_never(self.relation)


class NumberTerm(msgspec.Struct, frozen=True):
    """The AGE (ms) or the ATTEMPTS of a task satisfy one of the comparisons."""

    field: Field
    comparisons: tuple[Comparison, ...]
    is_inverted: bool = False

    @property
    def text(self) -> str:
        """How a selector has it."""
        show = exact_ms if self.field is Field.AGE else str
        values = ",".join(
            f"{'' if each.relation is Relation.EQUAL else each.relation}{show(each.number)}"
            for each in self.comparisons
        )
        return f"{'-' if self.is_inverted else ''}{self.field}:{values}"


Term = TextTerm | StateTerm | HexTerm | NumberTerm


class Selector(msgspec.Struct, frozen=True):
    """Tasks for which all terms hold; without terms, all tasks."""

    terms: tuple[Term, ...] = ()

    @property
    def text(self) -> str:
        """The canonical text: parsing it gives an equal selector."""
        return " ".join(term.text for term in self.terms)

    def terms_of(self, field: Field | None) -> list[Term]:
        """The terms about one field, inverted ones included; None: those of free text."""
        return [term for term in self.terms if field_of(term) is field]


def field_of(term: Term) -> Field | None:
    """What a term is about; None: free text."""
    return Field.STATE if isinstance(term, StateTerm) else term.field


def state_selector(state: State) -> Selector:
    """All tasks of one state."""
    return Selector((StateTerm((state,)),))


def literal_term(field: Field, text: str) -> TextTerm:
    """Exactly this text, whatever characters it has, in one of the fields of patterns."""
    return TextTerm(field, (Pattern((text,)),))


def parse(text: str) -> Selector:
    """The selector of a text.

    Raises:
        SelectorInvalid: with the position of the character at which it stops making sense.
    """
    if len(text) > SELECTOR_CHARS_MAX:
        raise SelectorInvalid(f"it is longer than {SELECTOR_CHARS_MAX:,} characters", position=SELECTOR_CHARS_MAX)
    terms: list[Term] = []
    at = _skip_spaces(text, 0)
    while at < len(text):
        if len(terms) == TERMS_MAX:
            raise SelectorInvalid(f"it has more than {TERMS_MAX} terms", position=at)
        term, at = _read_term(text, at)
        terms.append(term)
        at = _skip_spaces(text, at)
    return Selector(tuple(terms))


class _Value(NamedTuple):
    """A value as written: where it begins, and its parts."""

    position: int
    pattern: Pattern


def _skip_spaces(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _read_term(text: str, at: int) -> tuple[Term, int]:
    is_inverted = text[at] == "-"
    at += is_inverted
    field, at = _read_field(text, at)
    values, end = _read_values(text, at, field)
    match field:
        case Field.STATE:
            return StateTerm(tuple(_state(value) for value in values), is_inverted), end
        case Field.ID | Field.GROUP:
            return HexTerm(field, tuple(_hex_prefix(field, value) for value in values), is_inverted), end
        case Field.AGE | Field.ATTEMPTS:
            return NumberTerm(field, tuple(_comparison(field, value) for value in values), is_inverted), end
        case _:
            return TextTerm(field, tuple(value.pattern for value in values), is_inverted), end


def _read_field(text: str, at: int) -> tuple[Field | None, int]:
    """The field and where its values begin. What comes before a colon outside of quotes is a field."""
    end = at
    while end < len(text) and text[end] not in ':",' and not text[end].isspace():
        end += 1
    if end == len(text) or text[end] != ":":
        return None, at
    name = text[at:end]
    try:
        return Field(name), end + 1
    except ValueError:
        near = _nearest(name, Field)
        hint = f"did you mean {near}:?" if near is not None else f"fields are {', '.join(Field)}"
        raise SelectorInvalid(
            f"there is no field {name[:60]!r}", hint=f"{hint}; put text with a colon in quotes", position=at
        ) from None


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """The word that was meant, if that can be guessed."""
    from difflib import get_close_matches  # only for a slip: most programs never make one

    names = list(known)
    begun = [each for each in names if name and (each.startswith(name) or name.startswith(each))]
    return next(iter(begun or get_close_matches(name, names, n=1)), None)


def _read_values(text: str, at: int, field: Field | None) -> tuple[list[_Value], int]:
    values: list[_Value] = []
    while True:
        pattern, end = _read_pattern(text, at, field)
        if pattern is None:
            raise _nothing_there(text, end, field, is_first=not values)
        values.append(_Value(at, pattern))
        if len(values) > VALUES_MAX:
            raise SelectorInvalid(f"a term has more than {VALUES_MAX} values", position=at)
        if end == len(text) or text[end] != ",":
            return values, end
        at = end + 1


def _nothing_there(text: str, at: int, field: Field | None, *, is_first: bool) -> SelectorInvalid:
    if not is_first or (at < len(text) and text[at] == ","):
        return SelectorInvalid("a value is missing at the comma", hint="commas stand between alternatives", position=at)
    if field is None:
        return SelectorInvalid("there is nothing after the -", hint="put - into quotes to search for it", position=at)
    # An unquoted > is taken by the shell, which leaves "age:".
    example = {Field.AGE: "age:>2h", Field.ATTEMPTS: "attempts:>=3"}.get(field)
    hint = f"in a shell, put quotes around it: '{example}'" if example else f"such as {field}:{_EXAMPLES[field]}"
    return SelectorInvalid(f"{field}: has no value", hint=hint, position=at)


_EXAMPLES = {
    Field.QUEUE: "mail*",
    Field.TYPE: "send_*",
    Field.STATE: "dead_letter",
    Field.ERR: "ConnectTimeout",
    Field.GROUP: "8f31",
    Field.WORKER: "ip-10*",
    Field.TAG: "nightly",
    Field.KEY: "order-*",
    Field.ID: "018f",
}


def _read_pattern(text: str, at: int, field: Field | None) -> tuple[Pattern | None, int]:
    """The pattern at a position and where it ends; None if there is none."""
    parts: list[str | Wildcard] = []
    start = at
    while at < len(text) and text[at] != "," and not text[at].isspace():
        char = text[at]
        if char == '"':
            piece, at = _read_quoted(text, at)
            _add_text(parts, piece)
        elif char in "*?":
            parts.append(Wildcard(char))
            at += 1
        elif char == ":" and field is None:  # "timeout,queue:mail": a comma where a space was meant
            raise SelectorInvalid(
                "a colon stands in a text to search for", hint="put the text in quotes, or the field first", position=at
            )
        else:
            _add_text(parts, char)
            at += 1
    if sum(isinstance(part, Wildcard) for part in parts) > WILDCARDS_MAX:
        raise SelectorInvalid(f"a value has more than {WILDCARDS_MAX} wildcards", position=start)
    if not parts and at > start:
        raise SelectorInvalid("there is nothing in the quotes", position=start)
    return (Pattern(tuple(parts)) if parts else None), at


def _add_text(parts: list[str | Wildcard], piece: str) -> None:
    if parts and not isinstance(parts[-1], Wildcard):
        parts[-1] += piece
    elif piece:
        parts.append(piece)


def _read_quoted(text: str, at: int) -> tuple[str, int]:
    start = at
    at += 1
    chars: list[str] = []
    while at < len(text):
        char = text[at]
        if char == '"':
            return "".join(chars), at + 1
        if char == "\\" and text[at + 1 : at + 2] in ('"', "\\"):
            at += 1
            char = text[at]
        chars.append(char)
        at += 1
    raise SelectorInvalid("the quotes are not closed", hint='write \\" for quotes inside of quotes', position=start)


def _free_text(pattern: Pattern) -> str:
    """A pattern that cannot be mistaken for a field or a sign."""
    text = pattern.text
    if ":" not in text and not text.startswith("-"):
        return text
    return "".join(quoted(part) if isinstance(part, str) else part.value for part in pattern.parts)


def _state(value: _Value) -> State:
    name = value.pattern.plain.lower()
    try:
        return State(name)
    except ValueError:
        near = _nearest(name, State)
        hint = f"did you mean {near}?" if near is not None else f"one of {', '.join(State)}"
        raise SelectorInvalid(f"{name[:60]!r} is not a state", hint=hint, position=value.position) from None


def _hex_prefix(field: Field, value: _Value) -> str:
    text = value.pattern.plain
    digits = text.lower().replace("-", "")
    longest = ID_DIGITS if field is Field.ID else GROUP_DIGITS
    if not digits or len(digits) > longest or not set(digits) <= set("0123456789abcdef"):
        raise SelectorInvalid(
            f"{text[:60]!r} is not the beginning of {'an id' if field is Field.ID else 'a group'}",
            hint=f"up to {longest} hex digits, such as {field}:{_EXAMPLES[field]}",
            position=value.position,
        )
    return digits


def _comparison(field: Field, value: _Value) -> Comparison:
    text = value.pattern.plain
    relation = next((each for each in Relation if text.startswith(each)), None)
    number = text.removeprefix(relation or "")
    position = value.position + len(text) - len(number)
    if field is Field.ATTEMPTS:
        return Comparison(relation or Relation.EQUAL, _attempts(number, position))
    if relation is None or relation is Relation.EQUAL:
        raise SelectorInvalid(
            f"age: needs > or < before {number[:60]!r}", hint="such as age:>2h or age:<10m", position=value.position
        )
    try:
        return Comparison(relation, duration_ms(number, "age"))
    except InvalidArgument as error:
        raise SelectorInvalid(error.message, hint=error.hint, position=position) from None


def _attempts(number: str, position: int) -> int:
    if not (number.isascii() and number.isdigit() and len(number) <= 7 and int(number) <= ATTEMPTS_MAX):
        raise SelectorInvalid(
            f"attempts {number[:60]!r} is not a whole number up to {ATTEMPTS_MAX:,}",
            hint="such as attempts:>=3",
            position=position,
        )
    return int(number)

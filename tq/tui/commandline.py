"""What can be typed after `:`. Each word goes somewhere; nothing here changes anything in the broker."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from tq.model.errors import InvalidArgument
from tq.model.selector import Field, literal_term


class Place(NamedTuple):
    """Somewhere to go: `screen` by name, with the queue, worker, task or selector that it is about."""

    screen: str
    argument: str = ""


HOME = Place("queues")


class Word(NamedTuple):
    """One word of the command line."""

    names: tuple[str, ...]
    screen: str
    takes: str
    """What follows the word: "", "queue", "worker", "id" or "selector"."""
    help: str
    is_optional: bool = False
    verb: tuple[str, ...] = ()
    """The verb of tq that prints the same; empty: there is none."""
    form: Callable[[str], str] = str
    """What follows the word, as the verb takes it."""


def _waiting_in(queue: str) -> str:
    return f"{literal_term(Field.QUEUE, queue).text} state:pending,failed"


WORDS = (
    Word(("queues", "q", "1"), "queues", "", "all queues", verb=("queue", "list")),
    Word(("queue",), "queue", "queue", "one queue", verb=("task", "list"), form=_waiting_in),
    Word(("workers", "w", "2"), "workers", "", "all workers", verb=("worker", "list")),
    Word(("worker",), "worker", "worker", "one worker", verb=("worker", "show")),
    Word(("dead", "d", "3"), "dead", "selector", "dead letters by error", is_optional=True, verb=("dead", "groups")),
    Word(("tasks", "t", "4"), "tasks", "selector", "search tasks", is_optional=True, verb=("task", "list")),
    Word(("task", "id"), "task", "id", "one task", verb=("task", "get")),
    Word(("activity", "ops", "5"), "activity", "", "operations and audit", verb=("op", "list")),
    Word(("doctor",), "doctor", "", "connection, versions, delays", verb=("stats",)),
    Word(("help", "h", "?"), "help", "", "keys of this screen"),
    Word(("quit", "q!", "exit"), "quit", "", "leave"),
)


def parse_command(line: str) -> Place:
    """Where a typed line goes.

    Raises:
        InvalidArgument: an unknown word, or something is missing or too much.
    """
    word, _, rest = line.strip().removeprefix(":").partition(" ")
    argument = rest.strip()
    found = next((one for one in WORDS if word in one.names), None)
    if found is None:
        near = [one.names[0] for one in WORDS if word and one.names[0].startswith(word)]
        if len(near) != 1:
            known = ", ".join(one.names[0] for one in WORDS)
            raise InvalidArgument(f"there is no command {word!r}", hint=f"one of {known}")
        return parse_command(f"{near[0]} {argument}")
    if argument and not found.takes:
        raise InvalidArgument(f":{found.names[0]} takes nothing after it")
    if found.takes and not argument and not found.is_optional:
        raise InvalidArgument(
            f":{found.names[0]} needs {'an' if found.takes[0] in 'aeiou' else 'a'} {found.takes}",
            hint=f":{found.names[0]} {found.takes.upper()}",
        )
    return Place(found.screen, argument)


def verb_of(place: Place) -> list[str]:
    """The arguments of tq that print what a place shows; empty if none do."""
    word = next((word for word in WORDS if word.screen == place.screen and word.verb), None)
    if word is None:
        return []
    return [*word.verb, "--", word.form(place.argument)] if place.argument else list(word.verb)


def completions(line: str, queues: Iterable[str], workers: Iterable[str]) -> list[str]:
    """Whole lines that begin as this one does, the best first."""
    text = line.strip().removeprefix(":")
    word, blank, rest = text.partition(" ")
    if not blank:
        return [one.names[0] for one in WORDS if one.names[0].startswith(word)]
    takes = next((one.takes for one in WORDS if word in one.names), "")
    names = queues if takes == "queue" else workers if takes == "worker" else ()
    return [f"{word} {name}" for name in sorted(names) if name.startswith(rest.strip())]

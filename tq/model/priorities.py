"""A priority as people give it: a number, or the name of a tier."""

from tq.model.errors import InvalidArgument
from tq.model.task import HIGH, LOW, NORMAL, PRIORITY_MAX

NAMED = {"high": HIGH, "normal": NORMAL, "low": LOW}


def parse_priority(text: str) -> int:
    """A priority from 0 to 255, by number or by the name of its tier.

    Raises:
        InvalidArgument: neither.
    """
    if text.lower() in NAMED:
        return NAMED[text.lower()]
    if text.isascii() and text.isdigit() and int(text[:4]) <= PRIORITY_MAX:
        return int(text)
    raise InvalidArgument(f"{text!r} is not a priority", hint="give 0 to 255, or high, normal, low")

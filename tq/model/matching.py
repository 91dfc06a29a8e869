"""What the terms of a selector say of plain values. Whoever has tasks, or groups of them, brings the values."""

from collections.abc import Callable

from tq.model.patterns import Pattern
from tq.model.selector import HexTerm, NumberTerm, TextTerm

ErrorTest = Callable[[str, str], bool]
"""Takes an error's type and its message."""


def text_test(term: TextTerm) -> Callable[[str], bool]:
    """Whether a text matches one of the patterns as a whole, or none if the term is inverted."""
    return _inverted_if(term.is_inverted, _any_of([pattern.matcher() for pattern in term.patterns]))


def hex_test(term: HexTerm) -> Callable[[bytes], bool]:
    """Whether bytes begin with one of the digits, or with none if the term is inverted."""
    prefixes, is_wanted = term.prefixes, not term.is_inverted
    return lambda value: value.hex().startswith(prefixes) is is_wanted


def number_test(term: NumberTerm) -> Callable[[int], bool]:
    """Whether a number (an age in ms, a count of attempts) satisfies one of the comparisons, or none if inverted."""
    comparisons, is_wanted = term.comparisons, not term.is_inverted
    return lambda number: any(comparison.holds(number) for comparison in comparisons) is is_wanted


def error_test(term: TextTerm) -> ErrorTest:
    """Whether an error is what an `err` term says, whatever the case of its letters. Inverts if the term does.

    A pattern without wildcards is an error's type, whole or its last dotted part; one with wildcards may also be the
    line "Type: message".
    """
    tests = [_error_test(pattern) for pattern in term.patterns]
    is_wanted = not term.is_inverted
    return lambda error_type, message: any(test(error_type, message) for test in tests) is is_wanted


def _error_test(pattern: Pattern) -> ErrorTest:
    match = pattern.matcher(is_case_ignored=True)
    if pattern.literal is not None:
        return lambda error_type, _: match(error_type) or match(error_type.rpartition(".")[2])
    return lambda error_type, message: (
        match(error_type) or match(error_type.rpartition(".")[2]) or match(error_line(error_type, message))
    )


def free_test(term: TextTerm) -> Callable[[str, str, str], bool]:
    """Whether free text stands anywhere in a task's type or its error, whatever the case; takes type, error type and
    message. Inverts if the term does."""
    found = _any_of([pattern.matcher(is_case_ignored=True, is_anywhere=True) for pattern in term.patterns])
    is_wanted = not term.is_inverted
    return lambda task_type, error_type, message: (
        (found(task_type) or found(error_line(error_type, message))) is is_wanted
    )


def error_line(error_type: str, message: str) -> str:
    """An error on one line, as it is shown and searched."""
    return f"{error_type}: {message}" if message else error_type


def _any_of(tests: list[Callable[[str], bool]]) -> Callable[[str], bool]:
    if len(tests) == 1:
        return tests[0]
    return lambda text: any(test(text) for test in tests)


def _inverted_if(is_inverted: bool, test: Callable[[str], bool]) -> Callable[[str], bool]:
    return (lambda text: not test(text)) if is_inverted else test

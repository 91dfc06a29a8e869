"""Patterns: the same as the plainest definition says, in bounded time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.patterns import Pattern, Wildcard

MANY, ONE = Wildcard.MANY, Wildcard.ONE


def plain_match(parts: tuple[str | Wildcard, ...], text: str) -> bool:
    """The definition, word by word."""
    if not parts:
        return not text
    first, rest = parts[0], parts[1:]
    if first is MANY:
        return any(plain_match(rest, text[at:]) for at in range(len(text) + 1))
    if first is ONE:
        return bool(text) and plain_match(rest, text[1:])
    assert isinstance(first, str)
    return text.startswith(first) and plain_match(rest, text[len(first) :])


parts_of_patterns = st.lists(st.sampled_from(["a", "b", "ab", ".", "\n", MANY, ONE]), min_size=1, max_size=6).map(
    lambda parts: tuple(
        part
        for at, part in enumerate(parts)
        if at == 0 or isinstance(part, Wildcard) or isinstance(parts[at - 1], Wildcard)
    )
)


@given(parts_of_patterns, st.text("ab.\n", max_size=8))
def test_a_pattern_matches_what_its_definition_says(parts: tuple[str | Wildcard, ...], text: str) -> None:
    pattern = Pattern(parts)

    assert pattern.matcher()(text) == plain_match(parts, text)
    assert pattern.matcher(is_case_ignored=True)(text.upper()) == plain_match(parts, text)
    assert pattern.matcher(is_anywhere=True)(text) == plain_match((MANY, *parts, MANY), text)


def test_a_hostile_pattern_over_a_long_message_takes_no_time() -> None:
    parts: tuple[str | Wildcard, ...] = ("a", MANY)
    pattern = Pattern(parts * 20 + ("b",))
    match = pattern.matcher(is_case_ignored=True)

    started = time.perf_counter()
    assert not match("a" * 2_048)
    assert time.perf_counter() - started < 0.5  # without its atomic groups: for ever


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("mail",), "mail"),
        (("mail", MANY), "mail*"),
        (("a b", ONE), '"a b"?'),
        (("2*3",), '"2*3"'),
        (('say "no"',), '"say \\"no\\""'),
        (("c:\\d",), "c:\\d"),
    ],
)
def test_a_pattern_is_written_with_quotes_only_where_they_are_needed(
    parts: tuple[str | Wildcard, ...], text: str
) -> None:
    assert Pattern(parts).text == text

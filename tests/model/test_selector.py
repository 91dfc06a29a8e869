"""Selectors: what is written is what is meant, and what is not understood is an error that points at its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.errors import InvalidArgument, SelectorInvalid
from tq.model.patterns import Pattern, Wildcard
from tq.model.selector import (
    ATTEMPTS_MAX,
    SELECTOR_CHARS_MAX,
    Comparison,
    Field,
    HexTerm,
    NumberTerm,
    Relation,
    Selector,
    StateTerm,
    Term,
    TextTerm,
    literal_term,
    parse,
    state_selector,
)
from tq.model.task import State

MANY, ONE = Wildcard.MANY, Wildcard.ONE


def text_term(field: Field | None, *patterns: str | tuple[str | Wildcard, ...], is_inverted: bool = False) -> TextTerm:
    parts = [(pattern,) if isinstance(pattern, str) else pattern for pattern in patterns]
    return TextTerm(field, tuple(Pattern(each) for each in parts), is_inverted)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("queue:mail", text_term(Field.QUEUE, "mail")),
        ("queue:mail*", text_term(Field.QUEUE, ("mail", MANY))),
        ("queue:mail,sms", text_term(Field.QUEUE, "mail", "sms")),
        ("-type:send_?", text_term(Field.TYPE, ("send_", ONE), is_inverted=True)),
        ("queue:a:b", text_term(Field.QUEUE, "a:b")),
        ('tag:"a, b"', text_term(Field.TAG, "a, b")),
        ('key:order-"*"*', text_term(Field.KEY, ("order-*", MANY))),
        ('err:*"timed out"*', text_term(Field.ERR, (MANY, "timed out", MANY))),
        ('err:"say \\"no\\" \\d"', text_term(Field.ERR, 'say "no" \\d')),
        ("worker:ip-10*", text_term(Field.WORKER, ("ip-10", MANY))),
        ("timeout", text_term(None, "timeout")),
        ("-timeout,refused", text_term(None, "timeout", "refused", is_inverted=True)),
        ('"queue:mail"', text_term(None, "queue:mail")),
        ("state:dead_letter", StateTerm((State.DEAD_LETTER,))),
        ("state:Failed,pending", StateTerm((State.FAILED, State.PENDING))),
        ("-state:completed", StateTerm((State.COMPLETED,), is_inverted=True)),
        ("group:8F31", HexTerm(Field.GROUP, ("8f31",))),
        ("id:0192f0c1-7e5a,0193", HexTerm(Field.ID, ("0192f0c17e5a", "0193"))),
        ("age:>2h", NumberTerm(Field.AGE, (Comparison(Relation.GREATER, 7_200_000),))),
        ("age:<=1h30m", NumberTerm(Field.AGE, (Comparison(Relation.LESS_EQUAL, 5_400_000),))),
        ("attempts:3", NumberTerm(Field.ATTEMPTS, (Comparison(Relation.EQUAL, 3),))),
        (
            "attempts:=1,>=3",
            NumberTerm(Field.ATTEMPTS, (Comparison(Relation.EQUAL, 1), Comparison(Relation.GREATER_EQUAL, 3))),
        ),
    ],
)
def test_each_field_has_values_of_its_own_kind(text: str, term: Term) -> None:
    assert parse(text) == Selector((term,))
    assert parse(parse(text).text) == parse(text)


def test_terms_are_set_apart_by_any_white_space_and_all_of_them_count() -> None:
    selector = parse("  queue:mail\tstate:failed\n timeout ")

    assert selector.text == "queue:mail state:failed timeout"
    assert [len(selector.terms_of(field)) for field in (Field.QUEUE, None, Field.TAG)] == [1, 1, 0]


def test_an_empty_selector_means_all_tasks() -> None:
    assert parse("") == parse("  ") == Selector()


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("state:failed quue:mail", 13, "no field 'quue'"),
        ("-quue:mail", 1, "no field 'quue'"),
        ("http://x", 0, "no field 'http'"),
        (":mail", 0, "no field ''"),
        ("timeout,queue:mail", 13, "colon"),
        ("queue:", 6, "queue: has no value"),
        ("queue: mail", 6, "queue: has no value"),
        ("queue:a,,b", 8, "missing at the comma"),
        ("queue:a,", 8, "missing at the comma"),
        (",a", 0, "missing at the comma"),
        ("a -", 3, "nothing after the -"),
        ('key:"order', 4, "not closed"),
        ('key:""', 4, "nothing in the quotes"),
        ("state:failed,ded", 13, "'ded' is not a state"),
        ("state:dead*", 6, "'dead*' is not a state"),
        ("group:8f3g", 6, "not the beginning of a group"),
        ("group:00112233445566778", 6, "not the beginning of a group"),
        ("id:x", 3, "not the beginning of an id"),
        ("age:2h", 4, "age: needs > or <"),
        ("age:=2h", 4, "age: needs > or <"),
        ("age:>2", 5, "'2' is not a duration"),
        ("age:>", 5, "'' is not a duration"),
        ("age:>=11000d", 6, "ten years"),
        ("age:", 4, "age: has no value"),
        ("attempts:>x", 10, "attempts 'x' is not a whole number"),
        ("attempts:-1", 9, "attempts '-1' is not a whole number"),
        ("attempts:\N{SUPERSCRIPT TWO}", 9, "is not a whole number"),
        ("x" * (SELECTOR_CHARS_MAX + 1), SELECTOR_CHARS_MAX, "longer than"),
        ("a " * 51, 100, "more than 50 terms"),
        ("a," * 101 + "a", 200, "more than 100 values"),
        ("*a" * 21, 0, "more than 20 wildcards"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_position(text: str, position: int, message: str) -> None:
    with pytest.raises(SelectorInvalid) as refusal:
        parse(text)

    assert refusal.value.position == position
    assert message in refusal.value.message
    assert f"character {position + 1}" in refusal.value.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("que:mail", "did you mean queue:?"),
        ("queues:mail", "did you mean queue:?"),
        ("quue:mail", "did you mean queue:?"),
        ("state:canceled", "did you mean cancelled?"),
        ("flavour:sweet", "fields are queue, type"),
        ("state:dead", "did you mean dead_letter?"),
        ("state:none", "one of pending"),
        ("age: ", "in a shell, put quotes around it: 'age:>2h'"),
        ("tag:", "such as tag:nightly"),
    ],
)
def test_an_error_says_what_to_write_instead(text: str, hint: str) -> None:
    with pytest.raises(SelectorInvalid) as refusal:
        parse(text)

    assert hint in refusal.value.hint


def test_an_error_that_came_over_the_wire_has_its_text_and_no_position_of_its_own() -> None:
    error = SelectorInvalid("selector, character 3: no", hint="do")

    assert (error.message, error.position) == ("selector, character 3: no", None)
    assert isinstance(error, InvalidArgument)


def test_programs_build_terms_from_texts_of_any_characters() -> None:
    term = literal_term(Field.QUEUE, 'a "b", *:c')

    assert parse(Selector((term,)).text) == Selector((term,))
    assert state_selector(State.FAILED) == parse("state:failed")


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8) | st.text('ab-:,*?"\\ ', min_size=1, max_size=6)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    parts: list[str | Wildcard] = []
    for part in draw(st.lists(texts | st.sampled_from(Wildcard), min_size=1, max_size=5)):
        if not (parts and isinstance(parts[-1], str) and isinstance(part, str) and not isinstance(part, Wildcard)):
            parts.append(part)
    return Pattern(tuple(parts))


def hex_terms(field: Field, digits: int) -> st.SearchStrategy[HexTerm]:
    prefixes = st.lists(st.text("0123456789abcdef", min_size=1, max_size=digits), min_size=1, max_size=3)
    return st.builds(HexTerm, st.just(field), prefixes.map(tuple), st.booleans())


def number_terms(field: Field, relations: list[Relation], largest: int) -> st.SearchStrategy[NumberTerm]:
    comparisons = st.lists(
        st.builds(Comparison, st.sampled_from(relations), st.integers(0, largest)), min_size=1, max_size=3
    )
    return st.builds(NumberTerm, st.just(field), comparisons.map(tuple), st.booleans())


TEXT_FIELDS = [None, Field.QUEUE, Field.TYPE, Field.ERR, Field.WORKER, Field.TAG, Field.KEY]
terms: st.SearchStrategy[Term] = st.one_of(
    st.builds(
        TextTerm, st.sampled_from(TEXT_FIELDS), st.lists(patterns(), min_size=1, max_size=3).map(tuple), st.booleans()
    ),
    st.builds(StateTerm, st.lists(st.sampled_from(State), min_size=1, max_size=3).map(tuple), st.booleans()),
    hex_terms(Field.ID, 32),
    hex_terms(Field.GROUP, 16),
    number_terms(Field.AGE, [relation for relation in Relation if relation is not Relation.EQUAL], 10**10),
    number_terms(Field.ATTEMPTS, list(Relation), ATTEMPTS_MAX),
)


@given(st.lists(terms, max_size=5).map(lambda each: Selector(tuple(each))))
def test_the_text_of_any_selector_reads_as_that_selector(selector: Selector) -> None:
    assert parse(selector.text) == selector


@given(st.text(st.sampled_from('abqueue:state,"*?<>=-0 1\\age\n'), max_size=40) | st.text(max_size=40))
def test_any_text_is_a_selector_or_an_error_with_a_position_in_it(text: str) -> None:
    try:
        selector = parse(text)
    except SelectorInvalid as error:
        position = error.position
    else:
        position = 0
        assert parse(selector.text) == selector

    assert position is not None
    assert 0 <= position <= len(text)

"""A payload becomes text that can be corrected, and the correction a payload of the same kind."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.app.codec import ARGUMENTS, encode
from tq.model.errors import InvalidArgument
from tq.model.signatures import Parameter, TaskSignature
from tq.views.corrections import (
    DIFF_LINES_MAX,
    Payload,
    arguments_as,
    check,
    corrected,
    diff,
    editable,
    given_as,
    parse_json,
)

ADD = TaskSignature("add", [Parameter("a", ["int"]), Parameter("b", ["int"], False)])
JSON = "application/json"


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (Payload(encode({"a": 1}), ARGUMENTS), '{\n  "a": 1\n}'),
        (Payload(encode([b"\xff"]), "application/msgpack"), '[\n  {\n    "$bytes": "/w=="\n  }\n]'),
        (Payload(b'{"a":1.0}', JSON), '{\n  "a": 1.0\n}'),
        (Payload('{"a":"\u202e"}'.encode(), JSON), '{\n  "a": "\\u202e"\n}'),
        (Payload("größe\n".encode(), "text/plain"), "größe\n"),
        (Payload(b"a\tb", ""), "a\tb"),
    ],
)
def test_a_payload_is_shown_as_text_and_unchanged_text_is_the_payload(payload: Payload, shown: str) -> None:
    assert editable(payload) == shown
    assert corrected(payload, shown) == payload


@pytest.mark.parametrize(
    ("data", "content_type", "message"),
    [
        (b"\xff\xd8", "image/jpeg", "2 B of image/jpeg, which cannot be edited"),
        (b"\xff\xd8", "", "2 B of bytes, which cannot be edited"),
        (b"\x1b[2J", "text/plain", "4 B of text/plain, which cannot be edited"),
        (b"{broken", JSON, "not the JSON that it says it is"),
        (b"[" * 100_000, JSON, "not the JSON that it says it is"),
        (b"\xc1", ARGUMENTS, "not MessagePack"),
    ],
)
def test_what_is_no_text_is_not_edited(data: bytes, content_type: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        editable(Payload(data, content_type))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_json_that_was_shown_and_not_changed_means_the_same(value: Any) -> None:
    payload = arguments_as(Payload(b"{}", JSON), value)

    again = corrected(payload, editable(payload))

    assert json.loads(again.data) == value


def test_arguments_for_a_task_that_had_none_are_json() -> None:
    assert arguments_as(Payload(b"\xff", ""), {"a": 1}) == Payload(b'{"a":1}', JSON)


def test_a_json_object_given_for_a_task_of_the_python_api_is_its_arguments() -> None:
    old = Payload(encode({"a": 1}), ARGUMENTS)

    guessed = given_as(old, b'{"a": {"$int": "7"}}', JSON, is_guessed=True)
    named = given_as(old, b'{"a": 2}', JSON, is_guessed=False)

    assert guessed == Payload(encode({"a": 7}), ARGUMENTS)
    assert named == Payload(b'{"a": 2}', JSON)
    assert given_as(Payload(b"", ""), b'{"a": 2}', JSON, is_guessed=True).content_type == JSON


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n}', "line 2, column 1"),
        ('{"a": 1, "a": 2}', "the key 'a' is there twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "not JSON that can be read"),
        ("9" * 10_000, "not JSON that can be read"),
        ("", "line 1, column 1"),
    ],
)
def test_what_is_not_json_is_an_error_that_says_where(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        parse_json(text)


def test_half_a_character_is_refused_in_every_form() -> None:
    for old in (Payload(b"{}", JSON), Payload(encode({}), ARGUMENTS)):
        with pytest.raises(InvalidArgument):
            corrected(old, '{"a": "\\ud800"}')


def test_arguments_of_both_kinds_are_checked_and_bytes_are_not() -> None:
    check(ADD, Payload(encode({"a": 1}), ARGUMENTS))
    check(ADD, Payload(b'{"a": 1, "b": 2}', JSON))
    check(ADD, Payload(b"\xff", ""))
    for wrong in (Payload(encode({"a": "1"}), ARGUMENTS), Payload(b'{"b": 1}', JSON), Payload(b"{", JSON)):
        with pytest.raises(InvalidArgument):
            check(ADD, wrong)


def test_a_diff_shows_what_goes_and_what_comes() -> None:
    old, new = Payload(encode({"a": 1, "b": 2}), ARGUMENTS), Payload(encode({"a": 1, "b": 3}), ARGUMENTS)

    assert list(diff(old, new)) == [" {", '   "a": 1,', '-  "b": 2', '+  "b": 3', " }"]
    assert list(diff(old, old)) == []


def test_a_diff_says_how_much_of_what_is_no_text_and_what_it_is_now() -> None:
    lines = list(diff(Payload(b"\xff\xd8", "image/jpeg"), Payload(b"hello", "")))

    assert lines == ["-image/jpeg", "+no content type", "-2 B of image/jpeg", "+hello"]


def test_a_long_diff_ends_with_how_much_longer_it_is() -> None:
    old, new = (Payload("\n".join(f"{word}{n}" for n in range(500)).encode(), "text/plain") for word in ("a", "b"))

    lines = list(diff(old, new))

    assert len(lines) == DIFF_LINES_MAX + 1
    assert lines[-1] == " ... and 800 lines more"

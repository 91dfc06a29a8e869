"""Arguments against what a worker announced: refused here as the worker would refuse them."""

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.app.announcing import announced
from tq.app.checking import check_arguments, type_of
from tq.app.codec import ARGUMENTS, encode
from tq.app.signature import Signature
from tq.model.errors import InvalidArgument
from tq.model.signatures import Parameter, TaskSignature


def report(
    user_id: int,
    kind: Literal["daily", "weekly"],
    since: datetime | None = None,
    ref: str | UUID = "",
    *marks: float,
    **more: list[int],
) -> None: ...


HANDLER = Signature("report", report)
SIGNATURE = announced([("report", HANDLER)])[0]


def test_what_fits_is_taken_as_json_has_it_and_as_python_has_it() -> None:
    check_arguments(SIGNATURE, {"user_id": 7, "kind": "daily"}, has_text_keys=True)
    check_arguments(SIGNATURE, {"user_id": 7, "kind": "daily", "since": "2026-11-24T08:00:00Z"}, has_text_keys=True)
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    rest = {"since": moment, "ref": UUID(int=1), "marks": [1, 2.5], "more": {"x": [1]}}
    check_arguments(SIGNATURE, {"user_id": 7, "kind": "weekly", **rest}, has_text_keys=False)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"kind": "daily"}, "missing a required argument: 'user_id'", "its signature is report(user_id: int, "),
        ({"usr_id": 7, "kind": "daily"}, "got an unexpected argument: 'usr_id'", "did you mean user_id? "),
        ({"user_id": "7", "kind": "daily"}, "argument 'user_id': Expected `int`, got `str`", "its signature"),
        ({"user_id": 7, "kind": "hourly"}, "argument 'kind': Invalid enum value 'hourly'", '"daily" or "weekly"'),
        ({"user_id": 7, "kind": "daily", "ref": 1.5}, "argument 'ref': none of str, uuid", "its signature"),
        ({"user_id": 7, "kind": "daily", "marks": ["x"]}, "argument 'marks': Expected `float`, got `str`", "its"),
        ([1], "the arguments are no object from name to value but list", "its signature"),
    ],
)
def test_what_does_not_fit_is_named_with_what_would(arguments: Any, message: str, hint: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_arguments(SIGNATURE, arguments, has_text_keys=False)

    assert refusal.value.message.startswith(f"task 'report': {message}")
    assert hint in refusal.value.hint


_VALUES = st.sampled_from([7, "7", None, 1.5, True, "daily", [1], ["x"], [1.5], {"x": [1]}, {"x": ["y"]}, UUID(int=1)])
_NAMES = st.sampled_from(["user_id", "kind", "since", "ref", "marks", "more", "other"])


@given(st.dictionaries(_NAMES, _VALUES, max_size=6))
def test_it_refuses_what_the_worker_would_and_nothing_else(arguments: dict[str, Any]) -> None:
    try:
        HANDLER.decode(encode(arguments), ARGUMENTS)
        by_worker = True
    except InvalidArgument:
        by_worker = False
    try:
        check_arguments(SIGNATURE, arguments, has_text_keys=False)
        by_us = True
    except InvalidArgument:
        by_us = False

    assert by_us == by_worker


@pytest.mark.parametrize(
    "words", [[], ["from the future"], ["int", "from the future"], ["= 1.5"], ["= true", "int"], ["= {broken"]]
)
def test_what_is_not_known_here_is_left_to_the_worker(words: list[str]) -> None:
    assert type_of(words) is Any
    check_arguments(TaskSignature("t", [Parameter("x", words)]), {"x": object()}, has_text_keys=False)


def test_words_may_be_nested() -> None:
    signature = TaskSignature("t", [Parameter("x", ["map of array of int"])])

    with pytest.raises(InvalidArgument, match=r"Expected `int`, got `str` - at `\$\[\.\.\.\]\[0\]`"):
        check_arguments(signature, {"x": {"a": ["b"]}}, has_text_keys=True)
    assert msgspec.convert({"a": [1]}, type_of(["map of array of int"])) == {"a": [1]}

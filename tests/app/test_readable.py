"""Arguments for people: JSON that says all of it, and becomes the same arguments again."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.app.codec import decode, encode
from tq.app.readable import from_readable, readable
from tq.model.errors import InvalidArgument

_ZONES = st.none() | st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_KEYS = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(["$datetime", "$map", "$", "$set"])
_HASHABLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8"), max_size=10)
    | st.floats(allow_nan=False)
    | st.binary(max_size=10)
    | st.datetimes(timezones=_ZONES)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.decimals(allow_nan=False)
)
_VALUES = st.recursive(
    _HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_KEYS, inner, max_size=4)
        | st.dictionaries(_HASHABLE, inner, max_size=3)
        | st.sets(_HASHABLE, max_size=3)
        | st.frozensets(_HASHABLE, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_what_is_shown_as_json_becomes_the_same_payload_again(arguments: dict[str, Any]) -> None:
    sent = decode(encode(arguments))

    text = msgspec.json.encode(readable(sent)).decode()

    again = from_readable(json.loads(text))
    assert again == sent
    assert _kinds(again) == _kinds(sent)


def _kinds(value: Any) -> Any:
    """1 == 1.0 == True, so equality alone would not see a type that was lost."""
    if isinstance(value, dict):
        return [(type(key), _kinds(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [_kinds(item) for item in value]
    if isinstance(value, set | frozenset):
        return type(value), {type(item) for item in value}
    return type(value)


def test_each_kind_has_its_name_and_plain_values_are_plain() -> None:
    moment = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)

    assert readable({"user_id": 7, "tags": ["a"], "at": moment, "price": Decimal("1.20"), "n": 1 << 70}) == {
        "user_id": 7,
        "tags": ["a"],
        "at": {"$datetime": "2026-11-24T08:30:00+00:00"},
        "price": {"$decimal": "1.20"},
        "n": {"$int": str(1 << 70)},
    }
    assert readable([date(2026, 1, 2), time(3, 4), timedelta(days=1), UUID(int=7), b"\xff", {2, 1}]) == [
        {"$date": "2026-01-02"},
        {"$time": "03:04:00"},
        {"$timedelta": "P1D"},
        {"$uuid": str(UUID(int=7))},
        {"$bytes": "/w=="},
        {"$set": [1, 2]},
    ]


def test_a_map_that_looks_like_a_kind_or_has_keys_of_other_kinds_is_told_from_one() -> None:
    assert readable({"$set": 1}) == {"$map": [["$set", 1]]}
    assert readable({1: "a"}) == {"$map": [[1, "a"]]}
    assert readable({"$set": 1, "b": 2}) == {"$set": 1, "b": 2}


def test_what_no_number_can_say_is_said() -> None:
    assert readable(math.inf) == {"$float": "inf"}
    assert math.isnan(from_readable(readable(math.nan)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"$when": "now"}, "'\\$when' is no kind of value"),
        ({"a": [{"$datetime": "yesterday"}]}, "'yesterday' is no datetime"),
        ({"$datetime": 7}, "'7' is no datetime"),
        ({"$uuid": "x"}, "'x' is no uuid"),
        ({"$uuid": 7}, "'7' is no uuid"),
        ({"$decimal": "one"}, "'one' is no decimal"),
        ({"$bytes": "%"}, "'%' is no bytes"),
        ({"$set": "ab"}, "'ab' is no set"),
        ({"$set": [{"a": 1}]}, "is no set"),
        ({"$map": [[1]]}, "is no map"),
        ({"$map": [[[1], 2]]}, "is no map"),
        ({"$int": 1.5}, "'1.5' is no int"),
        ({"$timedelta": "soon"}, "'soon' is no timedelta"),
    ],
)
def test_what_is_behind_a_kind_must_be_of_it(wrong: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        from_readable(wrong)


def test_hostile_nesting_is_an_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(InvalidArgument, match="nested too deeply"):
        readable(deep)
    with pytest.raises(InvalidArgument, match="nested too deeply"):
        from_readable(deep)

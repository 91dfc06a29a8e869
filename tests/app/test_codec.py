"""Arguments and results survive the wire, and hostile bytes give one clear error."""

import contextlib
import dataclasses
import enum
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import msgpack  # type: ignore[import-untyped]
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.app.codec import ARGUMENTS, JSON, VALUE, TypedDecoder, decode, encode, format_of
from tq.model.errors import InvalidArgument


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Line:
    points: tuple[Point, ...]
    colour: Colour
    tags: set[str]
    drawn_at: datetime | None = None


class Order(msgspec.Struct):
    id: UUID
    total: Decimal
    line: Line
    path: Path


class Text(str):
    """A subclass of str, as some frameworks have."""


LINE = Line((Point(1, 2), Point(3, 4)), Colour.RED, {"a", "b"}, datetime(2026, 1, 2, tzinfo=UTC))
ORDER = Order(UUID(int=5), Decimal("1.50"), LINE, Path("/tmp/x"))
NAIVE = datetime.fromisoformat("2026-01-02T03:04:05.000006")
ZURICH = timezone(timedelta(hours=1))

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | st.sampled_from([UTC, ZURICH]))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.decimals(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
        | st.sets(SCALARS, max_size=4)
        | st.frozensets(SCALARS, max_size=4)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_what_has_a_form_of_its_own_comes_back_without_an_annotation(value: Any) -> None:
    back = decode(encode(value))

    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (tuple[int, str], (1, "a")),
        (Point, Point(1, 2)),
        (Colour, Colour.RED),
        (Level, Level.LOW),
        (Line, LINE),
        (Order, ORDER),
        (list[Order], [ORDER]),
        (dict[UUID, Decimal], {UUID(int=1): Decimal(1)}),
        (set[tuple[int, int]], {(1, 2)}),
        (PurePath, PurePosixPath("a/b")),
        (datetime, NAIVE),
        (datetime, datetime(2026, 1, 2, tzinfo=ZURICH)),
        (int, 1 << 100),
        (str | UUID, UUID(int=1)),
        (str | UUID, "text"),
        (str | bytes | None, b"bytes"),
        (str | datetime, NAIVE),
        (Iterable[int], [1, 2]),
    ],
)
def test_an_annotation_rebuilds_what_was_sent(type_: Any, value: Any) -> None:
    back: Any = TypedDecoder(type_).decode(encode(value), ARGUMENTS)

    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        (Point(1, 2), [1, 2]),
        (Colour.RED, "red"),
        (Level.LOW, 1),
        (PurePosixPath("a/b"), "a/b"),
        (Text("text"), "text"),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (deque([1, 2]), [1, 2]),
        (bytearray(b"x"), b"x"),
        (Line((), Colour.RED, {"a"}), {"points": [], "colour": "red", "tags": ["a"], "drawn_at": None}),
    ],
)
def test_without_an_annotation_a_handler_gets_the_plain_form(value: Any, plain: Any) -> None:
    assert decode(encode(value)) == plain


def test_the_extension_types_are_those_of_the_documentation() -> None:
    """A released code never changes its meaning."""
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    forms = {
        1: (moment, b"2026-01-02T03:04:00+00:00"),
        2: (moment.date(), b"2026-01-02"),
        3: (moment.time(), b"03:04:00"),
        4: (timedelta(days=1, seconds=2, microseconds=3), b"\x93\x01\x02\x03"),
        5: (UUID(int=1), bytes(15) + b"\x01"),
        6: (Decimal("1.50"), b"1.50"),
        7: ({1}, b"\x91\x01"),
        8: (frozenset({1}), b"\x91\x01"),
        9: (1 << 64, b"18446744073709551616"),
    }

    for code, (value, content) in forms.items():
        assert encode(value) == msgpack.packb(msgpack.ExtType(code, content))


def test_the_timestamp_of_other_languages_is_a_moment_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)

    assert decode(msgpack.packb(moment, datetime=True)) == moment


def test_a_pydantic_model_is_rebuilt_by_its_annotation() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Model", at=(datetime, ...), names=(set[str], ...))
    value = model(at=NAIVE, names={"a"})

    assert TypedDecoder(model).decode(encode(value), ARGUMENTS) == value
    with pytest.raises(InvalidArgument, match="names"):
        TypedDecoder(model).decode(encode({"at": NAIVE}), ARGUMENTS)


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


class Evil:
    def model_dump(self) -> Any:
        raise KeyError("no")


@pytest.mark.parametrize("value", [Evil(), object(), [{"a": open}], lambda: 0, "\ud800", CYCLE, {1: {2: object()}}])
def test_what_has_no_form_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="cannot be encoded"):
        encode(value)


def nested_extensions(depth: int) -> bytes:
    data: bytes = msgpack.packb([])
    for _ in range(depth):
        data = msgpack.packb(msgpack.ExtType(7, b"\x91" + data))
    return data


HOSTILE = [
    b"",
    b"\xc1",
    b"\xa5abc",
    b"\xa1\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xffx",
    b"\x91" * 100_000,
    b"\x01\x02",
    nested_extensions(5_000),
    *(msgpack.packb(msgpack.ExtType(code, b"\xc1\xff\x00")) for code in range(1, 12)),
    msgpack.packb(msgpack.ExtType(9, b"9" * 100_000)),
    msgpack.packb(msgpack.ExtType(4, msgpack.packb([10**12, 0, 0]))),
    msgpack.packb({(1, 2): [1]})[:-1],
    msgpack.packb(msgpack.ExtType(7, msgpack.packb([{}]))),
]


@pytest.mark.parametrize("type_", [Any, Order, int, str | UUID])
@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bytes_give_one_clear_error(data: bytes, type_: Any) -> None:
    with pytest.raises(InvalidArgument):
        TypedDecoder(type_).decode(data, ARGUMENTS)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_value_or_one_clear_error(data: bytes) -> None:
    for content_type in (ARGUMENTS, JSON):
        for type_ in (Any, Order):
            with contextlib.suppress(InvalidArgument):
                TypedDecoder(type_).decode(data, content_type)


def test_a_wrong_type_is_named_with_its_place() -> None:
    with pytest.raises(InvalidArgument, match=r"Expected `array`, got `int` - at `\$\[0\]\.points`"):
        TypedDecoder(list[Line]).decode(encode([{"points": 7}]), ARGUMENTS)


def test_a_type_that_cannot_be_built_is_named() -> None:
    class Connection: ...

    with pytest.raises(InvalidArgument, match=r"Connection cannot be built from dict"):
        TypedDecoder(Connection).decode(encode({}), ARGUMENTS)


def test_json_says_moments_uuids_bytes_and_keys_as_text() -> None:
    class Everything(msgspec.Struct):
        at: datetime
        id: UUID
        data: bytes
        by_number: dict[int, date]
        either: UUID | None

    text = (
        b'{"at": "2026-01-02T03:04:05Z", "id": "00000000-0000-0000-0000-000000000001", "data": "aGk=", '
        b'"by_number": {"7": "2026-01-02"}, "either": null}'
    )

    value: Everything = TypedDecoder(Everything).decode(text, JSON)

    assert value == Everything(
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), UUID(int=1), b"hi", {7: date(2026, 1, 2)}, None
    )
    with pytest.raises(InvalidArgument, match="not JSON"):
        TypedDecoder(Everything).decode(b"{", JSON)


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        (ARGUMENTS, "msgpack"),
        (VALUE, "msgpack"),
        ("application/msgpack", "msgpack"),
        ("application/json; charset=utf-8", "json"),
        ("application/vnd.shop+json", "json"),
        ("", "raw"),
        ("application/octet-stream", "raw"),
        ("image/png", "image/png"),
    ],
)
def test_content_types_have_their_forms(content_type: str, form: str) -> None:
    assert format_of(content_type) == form


def test_another_content_type_is_not_guessed_at() -> None:
    with pytest.raises(InvalidArgument, match="image/png"):
        TypedDecoder(Any).decode(b"\x89PNG", "image/png")


def test_a_time_of_day_and_a_union_of_classes_that_nothing_tells_apart() -> None:
    assert decode(encode(time(1, 2, 3, tzinfo=UTC))) == time(1, 2, 3, tzinfo=UTC)
    with pytest.raises(InvalidArgument, match="Expected"):
        TypedDecoder(str | UUID).decode(encode(1.5), ARGUMENTS)
    with pytest.raises(TypeError):
        TypedDecoder(list[str | bytes])

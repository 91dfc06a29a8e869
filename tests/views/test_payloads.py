"""Payloads are shown as what their content type says, and never pretend to be something that they are not."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from tq.app.codec import ARGUMENTS, VALUE, encode
from tq.views.payloads import as_file, as_text, decoded, size


@pytest.mark.parametrize(
    ("data", "content_type", "shown"),
    [
        (b'{"a": [1, null]}', "application/json", ({"a": [1, None]}, "json")),
        (b'{"a": 1}', "application/json; charset=utf-8", ({"a": 1}, "json")),
        (b'{"a": 1}', "application/problem+json", ({"a": 1}, "json")),
        (encode({"user_id": 7}), ARGUMENTS, ({"user_id": 7}, "json")),
        (encode(None), VALUE, (None, "json")),
        (encode(b"\x00\x01"), VALUE, ("AAE=", "base64")),
        ("größe".encode(), "text/plain", ("größe", "text")),
        (b"hello", "", ("aGVsbG8=", "base64")),
        (b"", "", ("", "base64")),
        (b"{broken", "application/json", ("e2Jyb2tlbg==", "base64")),
        (b"\xff", "text/plain", ("/w==", "base64")),
        (b"\xc1", ARGUMENTS, ("wQ==", "base64")),
        (b"[" * 100_000, "application/json", None),
    ],
)
def test_json_has_the_value_and_how_to_read_it(
    data: bytes, content_type: str, shown: tuple[object, str] | None
) -> None:
    value, encoding = decoded(data, content_type)

    if shown is None:
        assert encoding == "base64"
    else:
        assert (value, encoding) == shown


def test_arguments_say_what_json_has_not_so_that_they_can_be_submitted_again() -> None:
    assert decoded(encode({"big": 1 << 70}), ARGUMENTS) == ({"big": {"$int": str(1 << 70)}}, "json")


def test_what_a_result_has_and_json_has_not_becomes_text_that_json_can_hold() -> None:
    moment = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
    user = UUID("00000000-0000-0000-0000-000000000007")
    result = {"at": moment, "user": user, "price": Decimal("1.20"), "big": 1 << 70, "raw": b"\xff", "set": {1}}

    value, encoding = decoded(encode(result), VALUE)

    assert encoding == "json"
    assert msgspec.json.decode(msgspec.json.encode(value)) == {
        "at": "2026-11-24T06:30:00Z",
        "user": str(user),
        "price": "1.20",
        "big": str(1 << 70),
        "raw": "/w==",
        "set": [1],
    }


def test_bytes_without_a_content_type_are_shown_to_people_as_text_if_they_are_readable() -> None:
    assert as_text(b"hello\nworld", "") == "hello\nworld"
    assert as_text(b"\x1b[2J", "") == "G1sySg=="
    assert as_text(b"\xff", "") == "/w=="
    assert as_text(b"{}", "application/octet-stream") == "e30="


def test_json_for_people_is_indented_where_there_is_room() -> None:
    assert as_text(b'{"a":1}', "application/json") == '{"a":1}'
    assert as_text(b'{"a":1}', "application/json", indent=True) == '{\n  "a": 1\n}'


def test_a_file_of_a_result_holds_the_bytes_that_the_handler_returned() -> None:
    assert as_file(b"\x89PNG", "") == b"\x89PNG"
    assert as_file(encode(b"\x89PNG"), VALUE) == b"\x89PNG"
    assert as_file(b"text", "text/plain") == b"text"
    assert as_file(encode({"a": 1}), VALUE) is None


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_536, "1.5 KiB"),
        (50 << 20, "50.0 MiB"),
        (3 << 30, "3.0 GiB"),
        (2 << 40, "2.0 TiB"),
    ],
)
def test_sizes_are_in_units_of_1024(count: int, shown: str) -> None:
    assert size(count) == shown

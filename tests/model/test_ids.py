"""Task ids: UUIDv7, which sort by the time they were made."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.errors import InvalidArgument
from tq.model.ids import ID_BYTES, format_id, make_id, parse_id

MOMENTS = st.integers(0, (1 << 48) - 1)
RANDOM = st.binary(min_size=10, max_size=10)


@given(MOMENTS, RANDOM)
def test_an_id_is_a_uuid_of_version_7(now_ms: int, random: bytes) -> None:
    made = uuid.UUID(bytes=make_id(now_ms, random))

    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == now_ms


@given(MOMENTS, MOMENTS, RANDOM, RANDOM)
def test_ids_sort_by_the_time_they_were_made(first_ms: int, second_ms: int, first: bytes, second: bytes) -> None:
    if first_ms != second_ms:
        assert (make_id(first_ms, first) < make_id(second_ms, second)) == (first_ms < second_ms)


@given(st.binary(min_size=ID_BYTES, max_size=ID_BYTES))
def test_an_id_is_shown_as_a_uuid_is_and_read_again(task_id: bytes) -> None:
    assert format_id(task_id) == str(uuid.UUID(bytes=task_id))
    assert parse_id(format_id(task_id)) == task_id
    assert parse_id(format_id(task_id).upper()) == task_id


@given(RANDOM)
def test_the_other_74_bits_are_random(random: bytes) -> None:
    flipped = bytes(byte ^ 0xFF for byte in random)
    difference = int.from_bytes(make_id(5, random), "big") ^ int.from_bytes(make_id(5, flipped), "big")

    assert difference.bit_count() == 74


@pytest.mark.parametrize("text", ["", "nonsense", "0192f0c1-7e5a-7cc2-b5e5", "g" * 32, "x" * 10_000])
def test_what_is_no_id_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        parse_id(text)

    assert len(refusal.value.message) < 120
    assert "0192f0c1" in refusal.value.hint

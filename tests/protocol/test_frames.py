import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.errors import PayloadTooLarge
from tq.protocol.frames import HEADER, HEADER_BYTES, FrameReader

BYTES_MAX = 300


def framed(bodies: list[bytes]) -> bytes:
    return b"".join(HEADER.pack(len(body)) + body for body in bodies)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(places)]


@given(st.lists(st.binary(max_size=BYTES_MAX), max_size=8), st.lists(st.integers(0, 1 << 16), max_size=12))
def test_any_split_of_the_bytes_gives_the_same_frames(bodies: list[bytes], cuts: list[int]) -> None:
    reader = FrameReader(BYTES_MAX)

    frames = [frame for piece in pieces(framed(bodies), cuts) for frame in reader.feed(piece)]

    assert frames == bodies
    assert not reader.is_midway


def test_a_frame_arrives_byte_by_byte() -> None:
    reader = FrameReader(BYTES_MAX)
    stream = framed([b"first", b"", b"second"])

    arrived = [(index, frame) for index in range(len(stream)) for frame in reader.feed(stream[index : index + 1])]

    assert arrived == [(8, b"first"), (12, b""), (22, b"second")]


def test_an_unfinished_frame_is_told_from_none() -> None:
    reader = FrameReader(BYTES_MAX)
    told: list[tuple[list[bytes], bool]] = []
    for piece in (b"", HEADER.pack(3) + b"ab", b"c"):
        told.append((reader.feed(piece), reader.is_midway))

    assert told == [([], False), ([], True), ([b"abc"], False)]


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_any_bytes_give_frames_within_the_limit_or_the_one_error(stream: list[bytes]) -> None:
    reader = FrameReader(BYTES_MAX)
    fed = cut = 0
    try:
        for piece in stream:
            fed += len(piece)
            for frame in reader.feed(piece):
                assert len(frame) <= BYTES_MAX
                cut += HEADER_BYTES + len(frame)
    except PayloadTooLarge:
        return
    assert fed - cut < HEADER_BYTES + BYTES_MAX  # what is held: less than one frame


@pytest.mark.parametrize("length", [BYTES_MAX + 1, 1 << 31, (1 << 32) - 1])
def test_a_frame_above_the_limit_is_refused_by_its_header_alone(length: int) -> None:
    reader = FrameReader(BYTES_MAX)

    assert reader.feed(HEADER.pack(length)[:3]) == []
    with pytest.raises(PayloadTooLarge, match=f"a frame of {length} bytes is above the limit of {BYTES_MAX}"):
        reader.feed(HEADER.pack(length)[3:])


def test_a_frame_of_just_the_limit_is_taken() -> None:
    assert FrameReader(BYTES_MAX).feed(framed([bytes(BYTES_MAX)])) == [bytes(BYTES_MAX)]


def test_a_large_frame_in_small_pieces_is_held_once_and_let_go() -> None:
    """A slow sender must cost neither time nor memory out of proportion."""
    size = 4 << 20
    reader = FrameReader(size)
    piece = bytes(4_096)
    tracemalloc.start()
    try:
        assert reader.feed(HEADER.pack(size)) == []
        for _ in range(size // len(piece) - 1):
            assert reader.feed(piece) == []
        held, peak = tracemalloc.get_traced_memory()
        assert size - 2 * len(piece) <= held < 1.3 * size
        assert peak < 2.5 * size

        assert len(reader.feed(piece)) == 1
        assert tracemalloc.get_traced_memory()[0] < 1 << 20
    finally:
        tracemalloc.stop()

"""The checksum against published values and against the plain algorithm."""

import random

import pytest

from tq.storage.checksum import masked_crc32c


def plain_crc32c(data: bytes) -> int:
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x82F63B78 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def unmasked(crc: int) -> int:
    rotated = (crc - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"", 0),
    ],
)
def test_published_values(data: bytes, crc: int) -> None:
    assert unmasked(masked_crc32c(data)) == crc


def test_any_length_gives_what_the_plain_algorithm_gives() -> None:
    chance = random.Random(3)
    for length in [*range(70), 127, 128, 129, 1_000, 5_003]:
        data = chance.randbytes(length)
        assert unmasked(masked_crc32c(data)) == plain_crc32c(data), length

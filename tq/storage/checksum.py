"""CRC-32C (Castagnoli), masked as RocksDB's log stores it; the standard library has another polynomial only.

A message is a polynomial over GF(2) and its checksum the remainder by another. Instead of a table lookup for each byte,
the upper part of the message is folded onto the lower, again and again, with the shifts and xors of Python's long
integers: about 90 MB/s where a loop over bytes does 8. After "Fast CRC Computation for Generic Polynomials Using
PCLMULQDQ Instruction", Gopal et al., Intel, 2009, without the instruction.
"""

from functools import cache

_POLYNOMIAL = 0x11EDC6F41
_MASK_DELTA = 0xA282EAD8  # rocksdb: util/crc32c.h
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # the CRC takes the lowest bit of a byte first


def masked_crc32c(data: bytes) -> int:
    """The checksum of `data` as it stands in the header of a log record."""
    crc = _crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _crc32c(data: bytes) -> int:
    bits = 8 * len(data) + 32
    message = int.from_bytes(data.translate(_REVERSED), "big") << 32
    message ^= 0xFFFFFFFF << (bits - 32)  # the register starts with ones
    for exponent in range(bits.bit_length() - 1, 5, -1):
        size = 1 << exponent
        upper = message >> size
        if upper:
            message &= (1 << size) - 1
            for shift in _fold(exponent):
                message ^= upper << shift
    return int(f"{_remainder(message):032b}"[::-1], 2) ^ 0xFFFFFFFF


def _remainder(value: int) -> int:
    """`value` modulo the polynomial, bit by bit."""
    while (excess := value.bit_length() - 33) >= 0:
        value ^= _POLYNOMIAL << excess
    return value


@cache
def _fold(exponent: int) -> tuple[int, ...]:
    """The powers of x in x**(2**exponent) modulo the polynomial: by these shifts the upper part moves down."""
    power = _remainder(1 << 32)
    for _ in range(5, exponent):
        square = 0
        for bit in range(32):
            if power >> bit & 1:
                square ^= 1 << 2 * bit
        power = _remainder(square)
    return tuple(bit for bit in range(32) if power >> bit & 1)

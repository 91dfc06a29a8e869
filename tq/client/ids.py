"""Ids for the tasks of one client: made here, so that a submit can be repeated."""

import os
import time

from tq.model.errors import InvalidArgument
from tq.model.ids import ID_BYTES, make_id, parse_id

_RANDOM_BYTES = 10
_BUFFER_BYTES = _RANDOM_BYTES * 1_024
_COUNTER_MAX = 0xFFF
_COUNTER_START_MAX = 0x7FF
_TAIL_BITS = 0x3FFF_FFFF_FFFF_FFFF
_VERSION_7, _VARIANT_2 = 0x7 << 76, 0x2 << 62


class IdMaker:
    """Makes ids from the clock, a counter and the system's randomness, which it fetches for a thousand ids at a time.

    Each id is above the one before: RFC 9562, section 6.2, method 1, with the 12 bits of rand_a as the counter and its
    highest bit kept free at first. A broker can tell by that alone that an id is new.

    Not to be used in two processes: a copy made by fork would make the same ids.
    """

    def __init__(self) -> None:
        self._random = b""
        self._used = 0
        self._last_ms = 0
        self._counter = 0

    def __call__(self) -> bytes:
        """A new id."""
        start = self._used
        if start == len(self._random):
            self._random = os.urandom(_BUFFER_BYTES)
            start = 0
        self._used = start + _RANDOM_BYTES
        random = int.from_bytes(self._random[start : self._used], "big")
        now_ms = time.time_ns() // 1_000_000
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            self._counter = (random >> 64) & _COUNTER_START_MAX
        elif self._counter < _COUNTER_MAX:
            self._counter += 1
        else:  # more than the counter holds in one ms, or a clock set back: time is made to go on
            self._last_ms += 1
            self._counter = 0
        number = self._last_ms << 80 | _VERSION_7 | self._counter << 64 | _VARIANT_2 | random & _TAIL_BITS
        return number.to_bytes(ID_BYTES, "big")


def new_id() -> bytes:
    """One id, from any thread or process."""
    return make_id(time.time_ns() // 1_000_000, os.urandom(_RANDOM_BYTES))


def raw_id(task_id: str | bytes) -> bytes:
    """The 16 bytes of an id, whichever of its two forms it has.

    Raises:
        InvalidArgument: neither.
    """
    if isinstance(task_id, str):
        return parse_id(task_id)
    if not isinstance(task_id, bytes) or len(task_id) != ID_BYTES:
        raise InvalidArgument(f"{str(task_id)[:60]} is not a task id", hint="an id is a str, or its 16 bytes")
    return task_id

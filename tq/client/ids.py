"""Ids for the tasks of one client: made here, so that a submit can be repeated."""

import os
import time

from tq.model.errors import InvalidArgument
from tq.model.ids import ID_BYTES, make_id, parse_id

_RANDOM_BYTES = 10
_BUFFER_BYTES = _RANDOM_BYTES * 1_024


class IdMaker:
    """Makes ids from the clock and the system's randomness, which it fetches for a thousand ids at a time.

    Not to be used in two processes: a copy made by fork would make the same ids.
    """

    def __init__(self) -> None:
        self._random = b""
        self._used = 0

    def __call__(self) -> bytes:
        """A new id."""
        start = self._used
        if start == len(self._random):
            self._random = os.urandom(_BUFFER_BYTES)
            start = 0
        self._used = start + _RANDOM_BYTES
        return make_id(time.time_ns() // 1_000_000, self._random[start : self._used])


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

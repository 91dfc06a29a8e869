"""Bytes to frames: u32 big-endian length, then that many bytes. No I/O, no messages."""

import struct

from tq.model.errors import PayloadTooLarge

HEADER = struct.Struct(">I")
HEADER_BYTES = HEADER.size


class FrameReader:
    """Cuts a stream of bytes into frames, however the bytes arrive.

    Holds at most one unfinished frame: `bytes_max` is the bound of its memory, checked on the header alone.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._rest = bytearray()
        self._rest_wanted = 0  # bytes of `_rest` that complete its header or, once that is known, its frame

    @property
    def is_midway(self) -> bool:
        """Whether the last frame has begun and not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, in order, without their headers.

        Raises:
            PayloadTooLarge: a header announces more than `bytes_max`; the stream cannot be read on.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._rest_wanted:  # not looked at again for every byte of a slow sender
                return []
            data = bytes(self._rest)
            self._rest.clear()
        frames: list[bytes] = []
        start, body, end, bytes_max = 0, HEADER_BYTES, len(data), self.bytes_max
        unpack_from, add = HEADER.unpack_from, frames.append
        wanted = HEADER_BYTES
        while body <= end:
            (length,) = unpack_from(data, start)
            stop = body + length
            if stop > end or length > bytes_max:
                if length > bytes_max:
                    raise PayloadTooLarge(f"a frame of {length} bytes is above the limit of {bytes_max}")
                wanted += length
                break
            add(data[body:stop])
            start = stop
            body = stop + HEADER_BYTES
        if start < end:
            self._rest += data[start:]
            self._rest_wanted = wanted
        return frames

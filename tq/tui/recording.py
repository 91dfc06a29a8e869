"""The file of `tq top --record`: what the stream told, and when. Written as it happens, read by `tq top --replay`.

    tq top recording 1\\n        the first line: what it is, and the version of the format
    HEAD body, HEAD body, ...   one entry after the other, each with its checksum

The file only grows. What was written last may be torn when the power goes or the disk is full: a reader takes all that
is whole, and says that something is missing. Each minute, and whenever other scopes are watched, an entry holds all
rows, so that a reader can begin there.
"""

import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from tq.client.watching import Change
from tq.model.errors import InvalidArgument
from tq.model.identity import Role
from tq.model.watching import ScopePart
from tq.tui.feed import Connected, Disconnected, Frame, Greeting, Told
from tq.tui.mirror import Mirror
from tq.tui.new_file import open_new

VERSION = 1
BYTES_MAX = 256 << 20
"""Of one recording: hours of a thousand busy queues. Then it ends, and the dashboard goes on."""
ENTRY_BYTES_MAX = 64 << 20
KEY_MS = 60_000
"""At least so often an entry has all rows."""

_FIRST_LINE = b"tq top recording "
_LINE_BYTES_MAX = 64
_HEAD = struct.Struct(">IIIB")  # bytes of the body, checksum, ms since the beginning, kind
_CHECKED = struct.Struct(">IB")
_MS_MAX = (1 << 32) - 1
_CONNECTED, _DISCONNECTED, _FRAME, _KEY = 1, 2, 3, 4


class _Greeted(msgspec.Struct, array_like=True, frozen=True):
    address: str
    version: str
    boot_id: str
    role: Role
    actor: str
    badge: str


class _Shown(msgspec.Struct, array_like=True, frozen=True):
    now_ms: int
    parts: list[ScopePart]


_encode = msgspec.msgpack.Encoder().encode
_greeted = msgspec.msgpack.Decoder(_Greeted).decode
_shown = msgspec.msgpack.Decoder(_Shown).decode
_reason = msgspec.msgpack.Decoder(str).decode


class Recorder:
    """Writes a recording.

    Args:
        path: of a file that does not exist yet; only its owner can read it, for it has names and errors in it.
        clock: seconds; for the moments of the entries.

    Raises:
        InvalidArgument: the file exists, or cannot be made.
    """

    def __init__(self, path: Path, clock: Callable[[], float], *, bytes_max: int = BYTES_MAX) -> None:
        self.path = path
        self.size = 0
        self.stopped = ""
        """Why nothing is written any more; empty while it is."""
        self._clock = clock
        self._bytes_max = bytes_max
        self._began = clock()
        self._image = Mirror()
        self._scopes: tuple[str, ...] = ()
        self._key_at_ms: int | None = None
        self._fd: int | None = open_new(path, hint="a recording is a file of its own: name another")
        self._append(b"%s%d\n" % (_FIRST_LINE, VERSION))

    @property
    def image(self) -> Mirror:
        """All that was told so far."""
        return self._image

    def turn_to(self, scopes: Iterable[str]) -> None:
        """Other scopes are watched from now on: the next entry with rows has all of them."""
        if tuple(scopes) != self._scopes:
            self._scopes = tuple(scopes)
            self._key_at_ms = None

    def write(self, told: Told) -> None:
        """Add an entry. Errors of the disk end the recording, and are said in `stopped`."""
        at_ms = min(_MS_MAX, round((self._clock() - self._began) * 1_000))
        match told:
            case Connected(greeting):
                body = _Greeted(
                    greeting.address, greeting.version, greeting.boot_id, greeting.role, greeting.actor, greeting.badge
                )
                self._write(at_ms, _CONNECTED, _encode(body))
            case Disconnected(reason):
                self._write(at_ms, _DISCONNECTED, _encode(reason))
            case Frame(changes, now_ms):
                self._image.apply(changes, now_ms, 0.0)
                if self._key_at_ms is None or at_ms - self._key_at_ms >= KEY_MS:
                    self._image.forget(self._scopes)
                    self._key_at_ms = at_ms
                    changes = [self._image.whole(scope) for scope in self._image.scopes]
                    self._write(at_ms, _KEY, _packed(changes, now_ms))
                else:
                    self._write(at_ms, _FRAME, _packed(changes, now_ms))

    def close(self) -> None:
        """No more is written."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, at_ms: int, kind: int, body: bytes) -> None:
        checksum = zlib.crc32(body, zlib.crc32(_CHECKED.pack(at_ms, kind)))
        entry = _HEAD.pack(len(body), checksum, at_ms, kind) + body
        if self.size + len(entry) > self._bytes_max:
            self._stop(f"it has {self._bytes_max >> 20} MiB, which is the most")
        elif len(body) > ENTRY_BYTES_MAX:
            self._stop(f"one frame has {len(body) >> 20} MiB")
        else:
            self._append(entry)

    def _append(self, data: bytes) -> None:
        if self._fd is None:
            return
        try:
            written = os.write(self._fd, data)
        except OSError as cause:
            self._stop(str(cause.strerror))
            return
        self.size += written
        if written < len(data):
            self._stop("the disk is full")

    def _stop(self, why: str) -> None:
        self.stopped = self.stopped or why
        self.close()


def _packed(changes: Iterable[Change], now_ms: int) -> bytes:
    parts = [
        ScopePart(
            change.scope,
            change.is_whole,
            [msgspec.Raw(_encode(row)) for row in change.rows],
            change.gone,
            change.left_out,
        )
        for change in changes
    ]
    return _encode(_Shown(now_ms, parts))


class Entry(NamedTuple):
    """Where an entry of a recording is, and its moment in ms since the beginning."""

    at_ms: int
    kind: int
    offset: int
    size: int

    @property
    def is_frame(self) -> bool:
        """Whether it has rows."""
        return self.kind in (_FRAME, _KEY)

    @property
    def is_key(self) -> bool:
        """Whether it has all rows."""
        return self.kind == _KEY


class Recording:
    """A recording, opened to be read. Entries are read when they are asked for.

    Raises:
        InvalidArgument: it cannot be read, is no recording, has nothing in it, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as cause:
            raise InvalidArgument(f"{path} cannot be read: {cause.strerror}") from None
        try:
            self._check_version()
            self.entries = list(self._whole_entries())
        except BaseException:
            self._file.close()
            raise
        self._moments = [entry.at_ms for entry in self.entries]
        end = self.entries[-1].offset + self.entries[-1].size if self.entries else 0
        self.torn_bytes = path.stat().st_size - end
        """Bytes at the end that are no whole entry."""
        if not any(entry.is_key for entry in self.entries):
            self._file.close()
            raise InvalidArgument(f"{path} has no frame in it", hint="it ended before the first came")

    @property
    def length_ms(self) -> int:
        """From the beginning to the last entry."""
        return self._moments[-1]

    def place(self, at_ms: int) -> int:
        """How many entries there are up to a moment, itself included."""
        return bisect_right(self._moments, at_ms)

    def told(self, index: int) -> Told:
        """What an entry says.

        Raises:
            InvalidArgument: it is not what this tq can read.
        """
        entry = self.entries[index]
        self._file.seek(entry.offset)
        body = self._file.read(entry.size)
        try:
            return _told(entry.kind, body)
        except (msgspec.MsgspecError, InvalidArgument) as cause:
            raise InvalidArgument(
                f"{self.path} is damaged at byte {entry.offset:,}: {cause}", hint="was it made by another tq?"
            ) from None

    def close(self) -> None:
        """It is not read any more."""
        self._file.close()

    def _check_version(self) -> None:
        line = self._file.readline(_LINE_BYTES_MAX)
        version = line.removeprefix(_FIRST_LINE).strip()
        if not line.startswith(_FIRST_LINE):
            raise InvalidArgument(f"{self.path} is not a recording", hint="make one: tq top --record FILE")
        if version != b"%d" % VERSION:
            said = version.decode(errors="replace")
            raise InvalidArgument(
                f"{self.path} is a recording of version {said!r}, and this tq reads version {VERSION}",
                hint="replay it with the tq that made it",
            )

    def _whole_entries(self) -> Iterator[Entry]:
        """Up to the end, or to the first that is torn."""
        last_ms = 0
        while (found := _read_entry(self._file)) is not None:
            if found.kind not in (_CONNECTED, _DISCONNECTED, _FRAME, _KEY) or found.at_ms < last_ms:
                return
            last_ms = found.at_ms
            yield found


def _read_entry(file: IO[bytes]) -> Entry | None:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size, checksum, at_ms, kind = _HEAD.unpack(head)
    if size > ENTRY_BYTES_MAX:
        return None
    offset = file.tell()
    body = file.read(size)
    if len(body) < size or zlib.crc32(body, zlib.crc32(_CHECKED.pack(at_ms, kind))) != checksum:
        return None
    return Entry(at_ms, kind, offset, size)


def _told(kind: int, body: bytes) -> Told:
    if kind == _CONNECTED:
        said = _greeted(body)
        return Connected(Greeting(said.address, said.version, said.boot_id, said.role, said.actor, said.badge))
    if kind == _DISCONNECTED:
        return Disconnected(_reason(body))
    shown = _shown(body)
    changes = [Change(part.scope, part.is_whole, part.decoded(), part.gone, part.left_out) for part in shown.parts]
    return Frame(changes, shown.now_ms)

"""What a worker and the process that runs one handler for it say to each other, as frames of MessagePack."""

import socket
import struct
from collections.abc import Callable

import msgspec

from tq.model.commands import Failure, LogEntry, Success
from tq.model.settings import LogSettings
from tq.model.task import StoredTask
from tq.worker.outbox import HandedBack, Outcome, Stopped

_HEADER = struct.Struct(">I")


class Load(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=1):
    """The first frame: which application to load, and how to log."""

    app_path: str
    log: LogSettings


class Execute(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=2):
    """Run this task."""

    token: int
    attempt: int
    stored: StoredTask


class Interrupt(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=3):
    """Stop the handler of this lease, for the reason `why`, the value of a Why."""

    token: int
    why: str


class WantStack(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=4):
    """Say where the handler of this lease is."""

    token: int


class Loaded(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=10):
    """The application is loaded."""


class Report(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=11):
    """The handler says how far it is."""

    fraction: float
    note: str


class Logged(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=14):
    """Handlers have logged these lines."""

    lines: list[LogEntry]


class IsAt(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=13):
    """Where the handler of a lease is."""

    token: int
    place: str
    text: str


class Ended(msgspec.Struct, array_like=True, frozen=True, tag_field="tag", tag=12):
    """The handler ended: one of these."""

    success: Success | None = None
    failure: Failure | None = None
    back: tuple[bytes, int, int] | None = None
    stopped: tuple[bytes, int] | None = None

    @classmethod
    def of(cls, outcome: Outcome) -> "Ended":
        """The frame of an outcome."""
        if isinstance(outcome, Success):
            return cls(success=outcome)
        if isinstance(outcome, Failure):
            return cls(failure=outcome)
        if isinstance(outcome, HandedBack):
            return cls(back=(outcome.task_id, outcome.token, outcome.delay_ms))
        return cls(stopped=(outcome.task_id, outcome.token))

    @property
    def outcome(self) -> Outcome:
        """The outcome of a frame."""
        if self.success is not None:
            return self.success
        if self.failure is not None:
            return self.failure
        if self.back is not None:
            return HandedBack(*self.back)
        assert self.stopped is not None
        return Stopped(*self.stopped)


ToProcess = Load | Execute | Interrupt | WantStack
FromProcess = Loaded | Report | Logged | IsAt | Ended
_encode = msgspec.msgpack.Encoder().encode
decode_to_process: Callable[[bytes], ToProcess] = msgspec.msgpack.Decoder(ToProcess).decode
decode_from_process: Callable[[bytes], FromProcess] = msgspec.msgpack.Decoder(FromProcess).decode


def send_frame(connection: socket.socket, message: ToProcess | FromProcess) -> None:
    """Write one frame.

    Raises:
        OSError: the other side is gone.
    """
    body = _encode(message)
    connection.sendall(_HEADER.pack(len(body)) + body)


def receive_frame(connection: socket.socket) -> bytes:
    """Read one frame.

    Raises:
        EOFError, OSError: the other side is gone.
    """
    (length,) = _HEADER.unpack(_receive_exactly(connection, _HEADER.size))
    return _receive_exactly(connection, length)


def _receive_exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(count - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)

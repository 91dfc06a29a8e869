"""What the parent and a worker process say to each other, over a socket pair: one JSON object a line.

The parent's first line is Options. After Ready it may say Drain and Stop. The end of the stream is a message too: the
other one is dead. In JSON, not MessagePack, because a person can read it in strace.
"""

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from tq.model.settings import LogSettings, WorkerSettings
from tq.worker.counts import Counted


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker process is told. `incarnation` is in hex; `running_fd` is an inherited RunningTable."""

    app_path: str
    addresses: list[str]
    token: str
    name: str
    host: str
    incarnation: str
    worker: WorkerSettings
    log: LogSettings
    running_fd: int
    running_places: int
    is_counting: bool = False  # say Counted


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Take nothing more, finish what runs within the time allowed, hand back the rest, exit with 0."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Hand back what runs, and exit, at once."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The application is loaded."""


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """The broker has let this process in, for the first time."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """This process cannot work, and a second one could not either. `code` is that of a TqError."""

    code: str
    message: str
    hint: str


class Replace(msgspec.Struct, frozen=True, tag="replace"):
    """Start my successor, then tell me to drain."""

    reason: Annotated[str, Meta(max_length=2_000)]


class Leaving(msgspec.Struct, frozen=True, tag="leaving"):
    """The broker told me to drain; start no successor."""


ToChild = Drain | Stop
ToParent = Ready | Connected | Refused | Replace | Leaving | Counted
EXIT_REFUSED = 3
"""Exit code of a process that said Refused."""
EXIT_UNSETTLED = 4
"""Exit code of a process that left with outcomes that the broker has not confirmed, or with handlers that hang."""

_encode = msgspec.json.Encoder().encode
_decode_options = msgspec.json.Decoder(Options).decode
_decode_for_child: Callable[[bytes], ToChild] = msgspec.json.Decoder(ToChild).decode
_decode_for_parent: Callable[[bytes], ToParent] = msgspec.json.Decoder(ToParent).decode


def encode_line(message: Options | ToChild | ToParent) -> bytes:
    """A message as a line."""
    return _encode(message) + b"\n"


def decode_options(line: bytes) -> Options:
    """The parent's first line."""
    return _decode_options(line)


def decode_for_child(line: bytes) -> ToChild:
    """What the parent says after its first line."""
    return _decode_for_child(line)


def decode_for_parent(line: bytes) -> ToParent:
    """What a worker process says."""
    return _decode_for_parent(line)

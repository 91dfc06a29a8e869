"""What the broker tells a process that is an edge of it, on the first line of its standard input."""

from typing import Literal

import msgspec

from tq.model.settings import Settings

EdgeName = Literal["rest", "grpc"]

READY = b"ready\n"
"""What an edge writes to its standard output when it serves."""


class EdgeStart(msgspec.Struct, frozen=True, kw_only=True):
    """All that an edge knows. The end of its standard input means that the broker has died.

    `key` is what it shows to the broker, 32 bytes; `broker` the address at which it reaches it; `sockets` are the
    numbers of the sockets that it inherits: of REST they listen, of gRPC they hold the port (tq/server/listen.py).
    """

    edge: EdgeName
    key: bytes
    broker: str
    sockets: tuple[int, ...]
    settings: Settings

    def __repr__(self) -> str:
        return f"EdgeStart({self.edge})"  # never the key

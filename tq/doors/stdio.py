"""`tq stdio`: the socket of a broker on stdin and stdout, so that whatever carries those reaches it; ssh above all.

The two directions run in threads of their own: a broker that waits to be read reads nothing, so one thread that did
both would wait for it as it waits for that thread.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tq.model.commands import Hello
from tq.model.errors import ConnectFailed, ConnectionLost, ProtocolViolation, TqError
from tq.model.identity import Role
from tq.protocol.codec import decode_request, encode_frame
from tq.protocol.frames import HEADER, HEADER_BYTES

CHUNK_BYTES: Final = 1 << 16
HELLO_BYTES_MAX: Final = 256 << 10
"""The largest greeting that a broker reads."""


def lowered(role: Role, name: str) -> Callable[[Hello], Hello]:
    """Of a client that may be no more than `role`, and acts for `name`, whatever it says of itself."""
    return lambda hello: msgspec.structs.replace(hello, role_max=hello.role_max.within(role), acts_for=name)


def connect(path: Path) -> socket.socket:
    """The socket of the broker that listens at `path`.

    Raises:
        ConnectFailed: nobody does.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(str(path))
    except OSError as cause:
        sock.close()
        raise ConnectFailed(
            f"no broker answers at unix://{path}: {cause.strerror or cause}",
            hint="start one with `tq up`, or name its socket: --socket PATH, or broker.socket in /etc/tq/tq.yaml",
        ) from None
    return sock


class Relay:
    """Carries bytes between two file descriptors and a broker, until one of the three ends.

    Args:
        broker: the socket; closed at the end.
        change: what becomes of the greeting, the first message from `source`; None: it passes unread, as the rest does.
        source: where the client's bytes come from.
        sink: where the broker's go to.
    """

    def __init__(
        self, broker: socket.socket, change: Callable[[Hello], Hello] | None, *, source: int, sink: int
    ) -> None:
        self._broker = broker
        self._change = change
        self._source = source
        self._sink = sink
        self._has_client_ended = False
        self._failure: TqError | None = None

    def run(self) -> None:
        """Until the client has ended.

        Raises:
            ConnectionLost: the broker has ended first.
            ProtocolViolation: the first message is no greeting.
        """
        # A daemon: nothing wakes it from reading its source once the broker has gone.
        threading.Thread(target=self._carry_in, name="tq stdio", daemon=True).start()
        with self._broker:
            self._carry_out()
        if self._failure is not None:
            raise self._failure
        if not self._has_client_ended:
            raise ConnectionLost("the broker ended the connection")

    def _carry_out(self) -> None:
        try:
            while data := self._broker.recv(CHUNK_BYTES):
                _write(self._sink, data)
        except ConnectionResetError:
            return
        except BrokenPipeError:
            self._has_client_ended = True

    def _carry_in(self) -> None:
        try:
            if self._change is not None:
                self._broker.sendall(_changed(self._read_greeting(), self._change))
            while data := os.read(self._source, CHUNK_BYTES):
                self._broker.sendall(data)
            self._has_client_ended = True
        except TqError as error:
            self._failure = error
        except OSError:
            pass  # the broker has gone: the other thread sees it too
        finally:
            with contextlib.suppress(OSError):
                self._broker.shutdown(socket.SHUT_RDWR)  # also a hung broker ends the wait of the other thread

    def _read_greeting(self) -> bytes:
        """The first frame, without its header; empty if the client ended instead."""
        header = self._read_exactly(HEADER_BYTES)
        if not header:
            return b""
        (length,) = HEADER.unpack(header)
        if length > HELLO_BYTES_MAX:
            raise ProtocolViolation(
                f"the first frame on stdin announces {length} bytes, above the limit of {HELLO_BYTES_MAX}",
                hint="what speaks here must be a client of tq, such as `tq top ssh://HOST`",
            )
        return self._read_exactly(length)

    def _read_exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = os.read(self._source, length - len(data))
            if not part:
                return b""
            data += part
        return data


def _changed(frame: bytes, change: Callable[[Hello], Hello]) -> bytes:
    if not frame:
        return b""
    hello = decode_request(frame)
    if not isinstance(hello, Hello):
        raise ProtocolViolation(f"the first message is {type(hello).__name__}", hint="say Hello first")
    return encode_frame(change(hello))


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]

"""Bytes that no client of HTTP or of gRPC sends: what a scanner or an attacker does to the ports of the edges."""

import socket
import struct
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import TypeVar

SECONDS = 5.0
"""How long an answer is waited for; the edges answer nonsense at once."""
T = TypeVar("T")

_METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "CONNECT", "TRACE", "PRI", "get", "\x00", "G" * 5_000)
_PATHS = (
    *(
        "/",
        "/api/v1/tasks",
        "/api/v1/health",
        "/metrics",
        "/schema",
        "/api/v1/tasks/x/result?timeout=0s",
        "/api/v1/stats",
    ),
    *("/api/v1/queues/%2f", "*", "//", "/%", "/%zz", "/%00", "/..%2f..%2f", "a b", "http://evil.example/"),
    *("/api/v1/tasks?" + "x" * 9_000, "/\x80\xff", "/api/v1/tasks/" + "é" * 100, "/api/v1/watch"),
)
_HEADERS = (
    *(
        "Host: localhost",
        "Host: evil.example",
        "Host:",
        "Host: a\r\nHost: b",
        "Content-Length: 5",
        "Content-Length: -1",
    ),
    *("Content-Length: 99999999999999999999", "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: chunked"),
    *("Transfer-Encoding: chunked\r\nContent-Length: 3", "Transfer-Encoding: gzip, chunked", "Expect: 100-continue"),
    *("Upgrade: h2c\r\nConnection: Upgrade", "Upgrade: websocket\r\nConnection: Upgrade", "Connection: close"),
    *("Authorization: Bearer " + "x" * 300, "Authorization: Basic eA==", "Authorization: \x00", "Origin: null"),
    *(
        "Content-Type: application/json",
        "X: " + "y" * 40_000,
        "Idempotency-Key: \x7f",
        "Cookie: a=b",
        " folded",
        "no colon",
    ),
    *(
        "Last-Event-ID: \xff",
        "If-None-Match: *",
        "traceparent: 00-" + "0" * 32 + "-" + "0" * 16 + "-00",
        "Range: bytes=0-",
    ),
)
_BODIES = (
    *(
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"task_type": "a"}',
        b'{"task_type": "a"',
        b"\xff" * 100,
        b"[" * 20_000,
        b"5\r\nhello\r\n",
    ),
    *(
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"-1\r\n",
        b"5;x=" + b"y" * 9_000 + b"\r\nhello\r\n0\r\nX: y\r\n\r\n",
        b"1e9",
        b"{" * 9,
    ),
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def http_noise(random: Random) -> tuple[str, bytes]:
    """What it is, and the bytes of something like a request, or of several."""
    match random.randrange(6):
        case 0:
            return "noise", random.randbytes(random.randrange(1, 2_000))
        case 1:
            return "pipelined", b"".join(_request(random) for _ in range(random.randrange(2, 12)))
        case 2:
            data = bytearray(_request(random))
            for _ in range(random.randrange(1, 8)):
                data[random.randrange(len(data))] = random.randrange(256)
            return "mutated", bytes(data)
        case 3:
            data = bytearray(_request(random))
            return "truncated", bytes(data[: random.randrange(1, len(data))])
        case 4:
            return "TLS", b"\x16\x03\x01" + random.randbytes(200)
        case _:
            return "request", _request(random)


def _request(random: Random) -> bytes:
    """Each part is good most of the time: what is wrong everywhere is refused at once, and goes no deeper."""

    def part(good: Sequence[T], any_: Sequence[T]) -> T:
        return random.choice(good if random.random() < 0.8 else any_)

    version = part(("HTTP/1.1",), ("HTTP/1.0", "HTTP/2.0", "HTTP/9", "", "http/1.1"))
    lines = [f"{part(('GET', 'POST'), _METHODS)} {part(_PATHS[:8], _PATHS)} {version}", part(_HEADERS[:1], _HEADERS)]
    body = random.choice(_BODIES)
    if random.random() < 0.5:
        lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines += random.sample(_HEADERS, random.choice((0, 0, 1, 2, 5)))
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body


def grpc_noise(random: Random) -> tuple[str, bytes]:
    """What it is, and the bytes of something like HTTP/2."""
    frames = b"".join(_frame(random) for _ in range(random.randrange(1, 30)))
    match random.randrange(4):
        case 0:
            return "noise", random.randbytes(random.randrange(1, 2_000))
        case 1:
            return "frames without a preface", frames
        case 2:
            return "HTTP/1.1", _request(random)
        case _:
            return "frames", PREFACE + _frame(random, kind=4, flags=0, stream=0, size=0) + frames


def _frame(
    random: Random,
    *,
    kind: int | None = None,
    flags: int | None = None,
    stream: int | None = None,
    size: int | None = None,
) -> bytes:
    """One frame of HTTP/2 (RFC 9113, 4.1), of any type, mostly with lengths and streams that make sense."""
    kind = random.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255)) if kind is None else kind
    flags = random.choice((0, 1, 4, 5, 8, 0x20, 0xFF)) if flags is None else flags
    stream = random.choice((0, 1, 1, 3, 5, 2, 0x7FFFFFFF)) if stream is None else stream
    size = random.choice((0, 4, 5, 8, 16, 100, 4_000)) if size is None else size
    payload = random.randbytes(size)
    told = size if random.random() < 0.9 else random.choice((0, size + 100, 0xFFFFFF))
    return struct.pack(">I", told)[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def throw(address: tuple[str, int], data: bytes) -> bytes:
    """Send bytes, say that no more will come, and read all that is answered, up to a mebibyte; empty if it was cut off.

    Raises:
        TimeoutError: neither an answer nor an end.
    """
    answer = b""
    with socket.create_connection(address, timeout=SECONDS) as connection:
        with suppress(ConnectionError):
            connection.sendall(data)
        with suppress(OSError):  # not connected any more
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while len(answer) < 1 << 20 and (more := connection.recv(65_536)):
                answer += more
    return answer


def statuses(answer: bytes) -> list[int]:
    """The statuses of the answers of HTTP/1.1 in some bytes."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


def tally(kind: str, answer: bytes, tried: Counter[str]) -> None:
    """Count what was tried, and how it was answered."""
    tried[kind] += 1
    for status in statuses(answer):
        tried[f"answered {status}"] += 1

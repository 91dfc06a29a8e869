"""What a stranger can do to the HTTP port before anybody has asked who they are: bounded in bytes, time and number."""

import asyncio
import contextlib
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Certificates, broker_certificates
from tests.server.fakes import recording_logger
from tq.edges.rest.protocol import HEAD_BYTES_MAX, HttpLimits
from tq.edges.rest.server import HttpServer

LIMITS = HttpLimits(connections_max=4, body_bytes_max=10_000, request_seconds=0.3, head_seconds=0.2)
PATIENT = HttpLimits(connections_max=4, body_bytes_max=10_000, request_seconds=60, head_seconds=60)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body; /big with as much as does not fit into the buffers of a socket."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message["more_body"]
    if scope["path"] == "/big":
        body = bytes(32 << 20)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Client:
    """A connection of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, data: bytes) -> int:
        """The status of the next answer; 0: the connection has ended."""
        self.writer.write(data)
        return await self.status()

    async def status(self) -> int:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        length = re.search(rb"content-length: (\d+)", head)
        assert length
        body = await self.reader.readexactly(int(length[1]))
        status = int(head.split(b" ", 2)[1])
        if status >= 400:
            assert b"application/problem+json" in head
            assert json.loads(body)["status"] == status
        return status

    async def is_ended(self) -> bool:
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


class Connect:
    """Connects to a server, without TLS if it is told nothing else."""

    def __init__(self, server: HttpServer, port: int) -> None:
        self.server = server
        self.clients: list[Client] = []
        self._port = port

    async def __call__(self, trusting: ssl.SSLContext | None = None) -> Client:
        name = "localhost" if trusting is not None else None
        streams = await asyncio.open_connection("127.0.0.1", self._port, ssl=trusting, server_hostname=name)
        self.clients.append(Client(*streams))
        return self.clients[-1]


def speaking_tls(files: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.path("server.pem"), files.path("server.key"))
    return context


@asynccontextmanager
async def served(limits: HttpLimits, context: ssl.SSLContext | None = None) -> AsyncIterator[Connect]:
    """A server with these limits."""
    server = HttpServer(echo, limits, recording_logger()[0], context)
    sock = socket.create_server(("127.0.0.1", 0))
    connect = Connect(server, sock.getsockname()[1])
    serving = asyncio.create_task(server.serve([sock]))
    await server.is_up.wait()
    try:
        async with asyncio.timeout(30):
            yield connect
    finally:
        for client in connect.clients:
            client.writer.close()
        server.end(1)
        await serving


def post(body: bytes, length: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (length, body)


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: 1\r\n"])
async def test_a_head_that_does_not_come_ends_the_connection(data: bytes) -> None:
    async with served(LIMITS) as connect:
        client = await connect()

        assert await client.ask(data) == 408
        assert await client.is_ended()


async def test_a_head_that_comes_byte_by_byte_does_not_get_more_time_by_that() -> None:
    async with served(LIMITS) as connect:
        client = await connect()
        answering = asyncio.ensure_future(client.status())
        for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 500:
            if answering.done():
                break
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0.01)

        assert await answering == 408


async def test_a_body_that_does_not_come_ends_the_connection() -> None:
    async with served(LIMITS) as connect:
        client = await connect()

        assert await client.ask(post(b"abc", 1_000)) == 408
        assert await client.is_ended()


async def test_a_connection_that_has_asked_something_may_be_idle_for_longer() -> None:
    async with served(LIMITS) as connect:
        client = await connect()
        assert await client.ask(GET) == 200
        await asyncio.sleep(2 * LIMITS.head_seconds)

        assert await client.ask(GET) == 200


async def test_an_answer_that_nobody_reads_ends_the_connection() -> None:
    async with served(LIMITS) as connect:
        client = await connect()
        transport: Any = client.writer.transport
        transport.pause_reading()
        client.writer.write(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(3 * LIMITS.request_seconds)
        transport.resume_reading()

        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.reader.readexactly(32 << 20)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * (HEAD_BYTES_MAX + 1) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (HEAD_BYTES_MAX + 1) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * (HEAD_BYTES_MAX // 2) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (HEAD_BYTES_MAX + 1),
    ],
)
async def test_a_head_that_is_too_large_is_refused_whether_it_ends_or_not(head: bytes) -> None:
    async with served(PATIENT) as connect:
        client = await connect()

        assert await client.ask(head) in (431, 0)  # 0: reset, for what was not read
        assert await (await connect()).ask(GET) == 200


async def test_chunks_without_end_are_refused() -> None:
    async with served(PATIENT) as connect:
        client = await connect()
        client.writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):
            client.writer.write(b"400\r\n" + b"x" * 1_024 + b"\r\n")

        assert await client.status() in (413, 0)
        assert await client.is_ended()


async def test_connections_above_the_limit_are_told_so_and_the_others_go_on() -> None:
    async with served(PATIENT) as connect:
        held = [await connect() for _ in range(LIMITS.connections_max)]
        assert [await client.ask(GET) for client in held] == [200] * LIMITS.connections_max
        above = await connect()

        assert await above.status() == 503
        assert await above.is_ended()
        assert await held[0].ask(GET) == 200
        held[1].writer.close()
        await held[1].writer.wait_closed()
        again = 0
        while again != 200:  # once the server has seen the end
            again = await (await connect()).ask(GET)


async def test_handshakes_above_the_limit_are_cut_off_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.protocol.handshake.HANDSHAKE_SECONDS", 60)
    files = broker_certificates(tmp_path)
    trusting = ssl.create_default_context(cafile=files.path("ca.pem"))
    async with served(PATIENT, speaking_tls(files)) as connect:
        there = await connect(trusting)
        assert await there.ask(GET) == 200
        silent = [await connect() for _ in range(LIMITS.connections_max)]

        assert await (await connect()).is_ended()

        assert await there.ask(GET) == 200
        silent[0].writer.close()
        again = 0
        while again != 200:  # once the server has seen the end
            with contextlib.suppress(OSError):
                again = await (await connect(trusting)).ask(GET)


async def test_a_server_that_stops_does_not_wait_for_a_handshake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.protocol.handshake.HANDSHAKE_SECONDS", 60)
    async with served(PATIENT, speaking_tls(broker_certificates(tmp_path))) as connect:
        silent = [await connect() for _ in range(LIMITS.connections_max)]
        assert await (await connect()).is_ended()  # so all of these are in the middle of theirs
        connect.server.end(60)

        assert [await client.is_ended() for client in silent] == [True] * LIMITS.connections_max


async def test_what_is_not_http_is_refused_with_a_problem_document() -> None:
    async with served(PATIENT) as connect:
        for data in (b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"GET  / HTTP/9.9\r\n\r\n", b"\x00" * 100):
            assert await (await connect()).ask(data) == 400


async def test_requests_that_were_sent_at_once_are_answered_in_order() -> None:
    async with served(PATIENT) as connect:
        client = await connect()
        client.writer.write(post(b"one", 3) + post(b"three", 5) + GET)

        assert [await client.status() for _ in range(3)] == [200, 200, 200]

"""The smallest HTTP server that Prometheus can read: one page, one request a connection, every wait and size bounded.

Not the one of prometheus-client, which starts a thread for every connection and waits for ever for its request.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from tq.model.errors import ConfigInvalid

HEAD_BYTES_MAX = 16 << 10
REQUEST_SECONDS = 5.0
"""For the request to arrive, and again for the answer to leave."""
CONNECTIONS_MAX = 16
"""At once; more are closed unanswered."""

PATH = "/metrics"
_TEXT = "text/plain; charset=utf-8"


class MetricsServer:
    """Serves PATH.

    Args:
        sock: bound; `start` listens on it.
        read: gives the page.
        content_type: of the page.
    """

    def __init__(self, sock: socket.socket, read: Callable[[], bytes], content_type: str) -> None:
        self._sock = sock
        self._read = read
        self._content_type = content_type
        self._server: asyncio.Server | None = None
        self._connections = 0

    @property
    def address(self) -> str:
        """Where it is found."""
        host, port = self._sock.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"

    async def start(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._serve, sock=self._sock, limit=HEAD_BYTES_MAX)

    def close(self) -> None:
        """Take no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= CONNECTIONS_MAX:
                writer.write(await self._answer(reader))
                async with asyncio.timeout(REQUEST_SECONDS):
                    await writer.drain()
                    writer.write_eof()
                    # Closed with unread bytes, the connection would be reset, and the answer lost on its way.
                    while await reader.read(HEAD_BYTES_MAX):
                        pass
        except (OSError, TimeoutError):  # it left, or does not read
            pass
        except asyncio.CancelledError:  # the worker ends; in Python 3.11 the caller makes an error of it
            pass
        finally:
            self._connections -= 1
            with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
                writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return _response("408 Request Timeout", "the request did not arrive\n")
        except asyncio.LimitOverrunError:
            return _response("431 Request Header Fields Too Large", "the head of the request is too large\n")
        except asyncio.IncompleteReadError:
            return b""
        words = head.partition(b"\r\n")[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _response("400 Bad Request", "this is not HTTP\n")
        if words[0] not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", "metrics can be read, and that is all\n", "Allow: GET, HEAD\r\n")
        if words[1].partition(b"?")[0] != PATH.encode():
            return _response("404 Not Found", f"there is only {PATH} here\n")
        return _response("200 OK", self._read(), content_type=self._content_type, is_head=words[0] == b"HEAD")


def _response(
    status: str, body: bytes | str, headers: str = "", *, content_type: str = _TEXT, is_head: bool = False
) -> bytes:
    content = body.encode() if isinstance(body, str) else body
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(content)}\r\n{headers}"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if is_head else content)


def bind(host: str, port: int) -> socket.socket:
    """A socket for a MetricsServer.

    Raises:
        ConfigInvalid: it cannot be had there.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as cause:
        raise ConfigInvalid(
            f"cannot listen on {host}:{port} for metrics: {cause.strerror or cause}",
            hint="choose another with --metrics-port; each worker on a machine needs its own",
        ) from None

"""Errors arrive with their code, however much there is to say of them."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import grpc
import pytest

from tests.edges.grpc.test_tasks import shown
from tq.edges.grpc.errors import fail
from tq.model.errors import SelectorInvalid, TqError

Ask = Callable[[], Awaitable[bytes]]
TRAILERS_BYTES_MAX = 2_048
OVERHEAD_BYTES = 32
"""Of each field, as HTTP/2 counts (RFC 9113, section 6.5.2)."""


@asynccontextmanager
async def refusing(error: TqError) -> AsyncIterator[Ask]:
    """A call that a real server fails with this error."""

    async def handle(_: bytes, context: Any) -> None:
        await fail(context, error)

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"Call": grpc.unary_unary_rpc_method_handler(handle)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary("/a.B/Call")
        yield lambda: call(b"", timeout=30)
    await server.stop(0)


def sent_bytes(error: grpc.aio.AioRpcError) -> int:
    """Of the trailing metadata, at most: a client that knows how gets the details as they are, others in base64."""
    fields = [("grpc-status", b"16"), ("grpc-message", quote(str(error.details()), safe=" ").encode())]
    for key, value in error.trailing_metadata() or ():
        fields.append((key, base64.b64encode(value) if isinstance(value, bytes) else value.encode()))
    return sum(len(key) + len(value) + OVERHEAD_BYTES for key, value in fields)


@pytest.mark.parametrize("char", ["x", "é", "字", "💥", "%", "\x01"])
async def test_an_error_with_a_long_message_arrives_with_its_code(char: str) -> None:
    error = SelectorInvalid(char * 5_000, hint=char * 5_000, position=1_999)
    async with refusing(error) as ask:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask()

    status, code, info = shown(caught.value)
    message = str(caught.value.details())
    assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "SELECTOR_INVALID")
    assert info.metadata["position"] == "1999"
    for text, whole in ((message, error.message), (info.metadata["hint"], error.hint)):
        assert text.endswith("…")
        assert whole.startswith(text[:-1])
        assert len(text) > 20
    assert sent_bytes(caught.value) <= TRAILERS_BYTES_MAX


async def test_an_error_of_usual_length_arrives_whole() -> None:
    error = SelectorInvalid("m" * 500, hint="h" * 250, position=3)
    async with refusing(error) as ask:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask()

    assert caught.value.details() == error.message
    assert shown(caught.value)[2].metadata["hint"] == error.hint

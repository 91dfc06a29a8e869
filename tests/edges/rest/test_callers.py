"""Who asks, and what becomes of a question when they go."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from litestar import Request

from tq.edges.gateway import Caller
from tq.edges.rest.callers import caller_of, while_connected
from tq.edges.rest.problems import Unauthenticated
from tq.edges.rest.streams import Streams
from tq.model.errors import ConnectionLost, ShuttingDown


def request(
    authorization: str | None = None,
    *,
    messages: "asyncio.Queue[Any] | None" = None,
    streams: Streams | None = None,
) -> "Request[Any, Any, Any]":
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    app = SimpleNamespace(state=SimpleNamespace(streams=streams or Streams()))
    scope = {
        "type": "http",
        "headers": headers,
        "client": ("10.0.0.7", 1234),
        "path": "/",
        "method": "GET",
        "app": app,
        "litestar_app": app,
    }

    async def receive() -> Any:
        assert messages is not None
        return await messages.get()

    return Request(scope, receive=receive)  # type: ignore[arg-type]


def test_a_bearer_token_and_an_address_make_a_caller() -> None:
    assert caller_of(request()) == Caller("", "10.0.0.7", False)
    assert caller_of(request("bearer tq_1")) == Caller("tq_1", "10.0.0.7", False)


@pytest.mark.parametrize("header", ["Basic dTpw", "Bearer", "Bearer  ", "tq_1"])
def test_credentials_of_another_kind_are_refused_and_not_passed_over(header: str) -> None:
    with pytest.raises(Unauthenticated):
        caller_of(request(header))


async def test_a_question_is_given_up_when_its_caller_goes() -> None:
    messages: asyncio.Queue[Any] = asyncio.Queue()
    ended = asyncio.Event()

    async def question() -> None:
        try:
            messages.put_nowait({"type": "http.request"})
            messages.put_nowait({"type": "http.disconnect"})
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ConnectionLost):
        await while_connected(request(messages=messages), question())
    await ended.wait()


async def test_a_question_is_answered_while_its_caller_waits() -> None:
    async def question() -> int:
        return 7

    assert await while_connected(request(messages=asyncio.Queue()), question()) == 7


async def test_a_question_is_given_up_when_the_edge_is_to_end() -> None:
    streams = Streams()

    async def question() -> None:
        streams.ending.set()
        await asyncio.Event().wait()

    with pytest.raises(ShuttingDown):
        await while_connected(request(messages=asyncio.Queue(), streams=streams), question())

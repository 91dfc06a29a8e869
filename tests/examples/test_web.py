"""The web application, driven as an ASGI server drives it, against a real broker and worker."""

import json
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from tests.examples.conftest import EXAMPLES, Up

TEXT = "It was the best of times. It was the worst of times!\nTruly, of times."
Application = Callable[..., Awaitable[None]]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


async def ask(
    web: Application, method: str, path: str, *parts: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Answer:
    """One request, its body in parts, and the whole answer."""
    left = list(parts) or [b""]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await web({"type": "http", "method": method, "path": path, "headers": list(headers)}, receive, send)
    start, body = sent
    fields = {name.decode(): value.decode() for name, value in start["headers"]}
    assert int(fields["content-length"]) == len(body["body"])
    return Answer(start["status"], fields, json.loads(body["body"]))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the example, imported as a server in its directory would."""
    monkeypatch.syspath_prepend(EXAMPLES / "web")
    yield import_module("service")
    for name in ("service", "tasks"):
        sys.modules.pop(name, None)


@pytest.fixture
async def web(service: Any, up: Up, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application, with its broker and worker running, and stopped as a server stops it."""
    with up("tasks:app", EXAMPLES / "web") as address:
        monkeypatch.setenv("TQ_URL", address)
        yield service.web
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
        said: list[str] = []

        async def receive() -> MutableMapping[str, Any]:
            return dict(next(messages))

        async def send(message: MutableMapping[str, Any]) -> None:
            said.append(message["type"])

        await service.web({"type": "lifespan"}, receive, send)
        assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_text_is_taken_at_once_and_its_statistics_are_there_when_the_worker_is_done(web: Any) -> None:
    taken = await ask(web, "POST", "/texts", TEXT[:20].encode(), TEXT[20:].encode())
    where = taken.headers["location"]
    answer = await ask(web, "GET", where)
    while answer.body["state"] not in ("completed", "dead_letter"):
        answer = await ask(web, "GET", where)

    assert taken.status == 202
    assert where == f"/texts/{taken.body['id']}"
    assert answer.status == 200
    assert answer.body["result"]["words"] == 15
    assert answer.body["result"]["sentences"] == 3
    assert answer.body["result"]["most_frequent"][0] == ["times", 3]


async def test_a_request_that_is_repeated_with_its_key_is_the_same_task(web: Any) -> None:
    headers = ((b"idempotency-key", b"order-7"),)

    first = await ask(web, "POST", "/texts", b"once", headers=headers)
    second = await ask(web, "POST", "/texts", b"once", headers=headers)
    other = await ask(web, "POST", "/texts", b"once")

    assert first.body["id"] == second.body["id"] != other.body["id"]


async def test_what_cannot_be_answered_says_why(web: Any) -> None:
    unknown = await ask(web, "GET", "/texts/0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b")
    wrong = await ask(web, "GET", "/texts/not-an-id")
    nowhere = await ask(web, "DELETE", "/texts")
    large = await ask(web, "POST", "/texts", b"x" * 400_000, b"x" * 400_000)

    assert [answer.status for answer in (unknown, wrong, nowhere, large)] == [404, 400, 404, 413]
    assert "not-an-id" in wrong.body["error"]


async def test_without_a_broker_the_service_says_try_again(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQ_URL", "127.0.0.1:1")

    answer = await ask(service.web, "POST", "/texts", b"text")
    await service.app.close()

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")

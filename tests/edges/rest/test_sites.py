"""Pages of other sites cannot use the browser of somebody who works on the broker's machine."""

import json
from typing import Any

import pytest

from tq.edges.rest.sites import SameSiteOnly, names_in


async def asked(headers: dict[str, str], *, client: str = "127.0.0.1", allowed: str = "", version: str = "1.1") -> int:
    """The status of a request with these headers."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/api/v1/tasks",
        "http_version": version,
        "client": (client, 1),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    await SameSiteOnly(app, names_in(allowed))(scope, None, send)  # type: ignore[arg-type]
    if sent[0]["status"] != 200:
        assert not [name for name, _ in sent[0]["headers"] if name.startswith(b"access-control")]
        assert json.loads(sent[1]["body"])["code"] in ("ACCESS_DENIED", "PROTOCOL_VIOLATION")
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "LOCALHOST."]
)
async def test_a_caller_on_this_machine_may_call_it_by_its_names(host: str) -> None:
    assert await asked({"Host": host}) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "10.0.0.7:8080", "[", "", "a b"]
)
async def test_a_name_that_was_made_to_point_to_this_machine_is_refused(host: str) -> None:
    assert await asked({"Host": host}) == 403
    assert await asked({"Host": host}, client="::ffff:127.0.0.1") == 403


async def test_callers_on_other_machines_may_know_this_one_by_any_name_for_they_have_to_show_who_they_are() -> None:
    assert await asked({"Host": "tq.example.org"}, client="10.0.0.7") == 200


@pytest.mark.parametrize("client", ["127.0.0.1", "10.0.0.7"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost", "http://localhost:8081", "file://", "http://[", ""]
)
async def test_a_page_of_another_site_is_refused_wherever_the_browser_is(client: str, origin: str) -> None:
    assert await asked({"Host": "localhost:8080", "Origin": origin}, client=client) == 403


@pytest.mark.parametrize("origin", ["http://localhost:8080", "https://LOCALHOST:8080"])
async def test_a_page_of_this_very_address_may_ask(origin: str) -> None:
    assert await asked({"Host": "localhost:8080", "Origin": origin}) == 200


async def test_a_proxy_on_this_machine_may_bring_the_names_that_it_is_known_by() -> None:
    allowed = "tq.example.org, other.example.org"
    assert await asked({"Host": "tq.example.org", "Origin": "https://tq.example.org"}, allowed=allowed) == 200
    assert await asked({"Host": "127.0.0.1:8080", "Origin": "https://other.example.org"}, allowed=allowed) == 200
    assert await asked({"Host": "evil.example"}, allowed=allowed) == 403


async def test_a_request_says_where_it_goes_once() -> None:
    assert await asked({}) == 400
    assert await asked({}, version="1.0") == 200
    assert await asked({"Host": "localhost", "host": "localhost"}) == 400

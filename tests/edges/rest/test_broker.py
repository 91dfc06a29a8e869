"""The broker as a whole, over REST; and what is true of every route."""

import json
from pathlib import Path

import httpx
import pytest

from tests.cli.processes import run_tq
from tests.edges.rest.serving import code_of, serving
from tq.client.blocking import Client
from tq.edges.rest.app import ROUTES


def test_the_broker_in_numbers_is_what_the_cli_shows(rest: httpx.Client, address: str) -> None:
    shown = rest.get("/stats").json()
    printed = json.loads(run_tq("stats", "-o", "json", "--url", address).stdout)

    assert {name: list(fields) for name, fields in shown.items()} == {
        name: list(fields) for name, fields in printed.items()
    }
    assert shown["broker"]["boot_id"] == printed["broker"]["boot_id"]


def test_a_broker_that_takes_tasks_is_well(rest: httpx.Client) -> None:
    for path in ("/health", "/health/ready"):
        assert rest.get(path).json() == {"status": "ok", "is_live": True, "is_ready": True, "reason": ""}
    assert rest.get("/health/live").json() == {"status": "ok", "is_live": True}


def test_an_edge_without_its_broker_is_live_and_not_ready(tmp_path: Path) -> None:
    with serving(f"unix://{tmp_path}/none.sock") as url:
        health, live = httpx.get(f"{url}/api/v1/health"), httpx.get(f"{url}/api/v1/health/live")

    assert (health.status_code, health.json()["status"], health.json()["is_ready"]) == (503, "unavailable", False)
    assert live.status_code == 200


def test_what_queues_did_is_told(rest: httpx.Client, native: Client, queue: str) -> None:
    native.submit_tasks([])

    history = rest.get("/history", params={"queue": [queue, "other"]}).json()

    assert (history["step_ms"], history["queues"]) == (1_000, {queue: [], "other": []})
    assert code_of(rest.get("/history")) == (400, "INVALID_ARGUMENT")


def test_what_needs_attention_is_a_list(rest: httpx.Client) -> None:
    assert isinstance(rest.get("/attention").json()["findings"], list)


@pytest.mark.parametrize("path", ["/nothing", "/tasks/x/y/z", "/../etc/passwd", "/%00"])
def test_an_address_where_nothing_is_says_so(rest: httpx.Client, path: str) -> None:
    assert code_of(rest.get(path)) == (404, "ROUTE_NOT_FOUND")


def test_a_method_that_an_address_does_not_take_is_refused_with_those_that_it_does(rest: httpx.Client) -> None:
    for response in (rest.delete("/tasks"), rest.options("/tasks")):
        assert code_of(response) == (405, "METHOD_NOT_ALLOWED")
        assert response.headers["allow"] == "GET, POST"


def test_credentials_that_are_none_are_refused_with_how_to_show_them(rest: httpx.Client) -> None:
    basic = rest.get("/stats", headers={"Authorization": "Basic dTpw"})
    unknown = rest.get("/stats", headers={"Authorization": f"Bearer tq_{'0' * 12}_{'a' * 43}"})

    assert code_of(basic) == code_of(unknown) == (401, "ACCESS_DENIED")
    assert basic.headers["www-authenticate"] == 'Bearer realm="tq"'
    for refused in (basic, unknown):
        assert "Authorization: Bearer tq_" in refused.json()["hint"]
        assert "TQ_TOKEN" not in refused.text
    assert "a" * 43 not in unknown.text


def test_every_answer_is_taken_for_what_it_is_and_kept_by_nobody(rest: httpx.Client) -> None:
    for response in (rest.get("/stats"), rest.get("/nothing"), rest.get("/tasks"), rest.get("/health")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] in ("no-store", "private, no-cache")


def test_the_document_has_every_route_and_every_reference_in_it_leads_somewhere(rest: httpx.Client) -> None:
    text = httpx.get(f"{str(rest.base_url).removesuffix('/api/v1/')}/schema/openapi.json").text
    document = json.loads(text)

    operations = {
        operation["operationId"]: operation for methods in document["paths"].values() for operation in methods.values()
    }
    heads = {f"{handler.operation_id}_head" for handler in ROUTES if "GET" in handler.http_methods}
    referred = {part.split('"')[0] for part in text.split('"$ref":"#/components/schemas/')[1:]}
    assert document["openapi"] == "3.1.0"
    assert set(operations) == {handler.operation_id for handler in ROUTES} | heads
    assert all({"408", "431"} <= set(operation["responses"]) for operation in operations.values())
    assert not [name for name in heads if any("content" in each for each in operations[name]["responses"].values())]
    assert referred <= set(document["components"]["schemas"])


def test_head_of_a_stream_is_answered_and_the_connection_goes_on(rest: httpx.Client) -> None:
    head = rest.head("/watch", params={"scope": "totals"}, timeout=10)

    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert rest.get("/health", timeout=10).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/stats", "/nothing"])
def test_head_gets_what_get_gets_but_for_the_body(rest: httpx.Client, path: str) -> None:
    head, got = rest.head(path), rest.get(path)

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert set(head.headers) == set(got.headers)


@pytest.mark.parametrize(
    "path",
    [
        "/tasks?limit=99999999999999999999",
        "/tasks?as_of=1e400",
        "/tasks?as_of=-1",
        "/tasks?cursor=%ff",
        "/tasks?selector=%00",
        "/tasks?selector=%ed%a0%80",
        "/tasks?state=pending&state=failed",
        "/tasks/%ff%fe",
        "/tasks/%00",
        "/queues/%ff",
        "/queues/%00",
        "/queues/" + "x" * 3_000,
        "/workers/%e2%80%ae",
        "/operations/%ff?wait=1s",
        "/operations/zz?wait=99999d",
        "/history?queue=x&since_ms=9999999999999999",
        "/history?queue=" + "x" * 300,
        "/audit?who=%00",
        "/task-types/%ff/signature",
        "/watch?scope=task:x",
        "/watch?scope=queue:",
        "/watch?scope=totals&hz=nan",
        "/dead/groups?sort=x",
    ],
)
def test_nonsense_in_an_address_is_answered_as_what_it_is(rest: httpx.Client, path: str) -> None:
    response = rest.get(path)

    assert response.status_code in (200, 400, 404), response.text


def test_a_backup_is_made_beside_the_running_broker(rest: httpx.Client, tmp_path: Path) -> None:
    directory = tmp_path / "copy"

    made = rest.post("/backups", json={"directory": str(directory)})
    again = rest.post("/backups", json={"directory": str(directory)})

    assert (made.status_code, made.json()) == (201, {"directory": str(directory)})
    assert list(directory.iterdir())
    assert again.status_code in (400, 409)
    assert code_of(rest.post("/backups", json={"directory": "copy"})) == (400, "INVALID_ARGUMENT")

"""Tasks over REST: what is submitted is on disk, and what is refused is refused for a reason that is said."""

import base64
import json
import socket
import time
import uuid
from typing import Any

import httpx
import pytest

from tests.edges.rest.serving import code_of
from tq.client.blocking import Client
from tq.model.settings import ApiSettings
from tq.model.task import State

BRIEF = {
    "task_type": "send_email",
    "payload": base64.b64encode(b'{"to": "a@example.org"}').decode(),
    "priority": 150,
    "timeout_seconds": 300,
    "max_retries": 3,
}


def submitted(rest: httpx.Client, queue: str, **fields: object) -> str:
    response = rest.post("/tasks", json={"task_type": "noop", "queue": queue, **fields})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def test_a_task_as_the_readme_submits_it_is_there_for_every_client(rest: httpx.Client, native: Client) -> None:
    response = rest.post("/tasks", json=BRIEF)

    task = native.get_task(response.json()["id"])
    assert (response.status_code, response.headers["location"]) == (201, f"/api/v1/tasks/{response.json()['id']}")
    assert (task.task_type, task.priority, task.timeout_ms, task.max_retries) == ("send_email", 150, 300_000, 3)
    assert (task.payload, task.content_type) == (b'{"to": "a@example.org"}', "application/json")


def test_a_task_is_shown_with_its_payload_decoded(rest: httpx.Client, queue: str) -> None:
    task_id = submitted(rest, queue, payload={"to": "a"}, payload_encoding="json", tags=["x"])

    shown = rest.get(f"/tasks/{task_id}").json()

    assert (shown["id"], shown["state"], shown["queue"]) == (task_id, "pending", queue)
    assert (shown["payload"], shown["payload_encoding"], shown["tags"]) == ({"to": "a"}, "json", ["x"])
    assert shown["started_at_ms"] is None


@pytest.mark.parametrize(
    ("fields", "payload", "content_type"),
    [
        ({"payload": "aGk="}, b"hi", ""),
        ({"payload": "aGk=", "content_type": "image/x"}, b"hi", "image/x"),
        ({"payload": "W10=", "content_type": ""}, b"[]", ""),
        ({"payload": "hé", "payload_encoding": "text"}, "hé".encode(), ""),
        ({"payload": '{"a": 1}', "payload_encoding": "text"}, b'{"a": 1}', "application/json"),
        ({"payload": [1, 2.50], "payload_encoding": "json"}, b"[1, 2.5]", "application/json"),
        ({}, b"", ""),
    ],
)
def test_a_payload_may_be_written_as_base64_as_a_text_or_as_json(
    rest: httpx.Client, native: Client, queue: str, fields: dict[str, object], payload: bytes, content_type: str
) -> None:
    body = json.dumps({"task_type": "noop", "queue": queue, **fields})
    answer = rest.post("/tasks", content=body, headers={"Content-Type": "application/json"}).json()

    task = native.get_task(answer["id"])

    assert (task.payload, task.content_type) == (payload, content_type)


def test_all_that_a_task_can_have_can_be_said(rest: httpx.Client, native: Client, queue: str) -> None:
    task_id = submitted(
        rest,
        queue,
        priority="high",
        delay="10m",
        expires="1h",
        result_ttl="2h",
        max_crashes=1,
        key="k",
        retry={"backoff_ms_base": 5, "jitter": False},
        eta="2020-01-01T00:00:00+01:00",
    )

    task = native.get_task(task_id)

    assert (task.priority, task.max_crashes, task.key) == (212, 1, "k")
    assert task.scheduled_at_ms - task.submitted_at_ms == 600_000
    assert task.expires_at_ms - task.submitted_at_ms == 3_600_000


def test_a_repeated_submit_gives_the_same_task_and_says_so(rest: httpx.Client, queue: str) -> None:
    body = {"task_type": "noop", "queue": queue}
    own_id = str(uuid.uuid4())

    first, again = (rest.post("/tasks", json=body, headers={"Idempotency-Key": key}) for key in ('"k-1"', "k-1"))
    with_key = rest.post("/tasks", json={**body, "key": "k-1"})
    made, repeated = (rest.post("/tasks", json={**body, "id": own_id}) for _ in range(2))

    assert [each.status_code for each in (first, again, with_key, made, repeated)] == [201, 200, 200, 201, 200]
    assert first.json()["id"] == again.json()["id"] == with_key.json()["id"]
    assert (first.json()["is_new"], again.json()["is_new"]) == (True, False)
    assert made.json()["id"] == repeated.json()["id"] == own_id


def test_the_trace_of_a_request_goes_with_its_tasks_and_one_that_is_none_does_not(
    rest: httpx.Client, native: Client, queue: str
) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    body = {"task_type": "noop", "queue": queue}

    one = rest.post("/tasks", json=body, headers={"traceparent": trace}).json()
    many = rest.post("/tasks/bulk", json={"tasks": [body]}, headers={"traceparent": trace}).json()["tasks"][0]
    own = rest.post("/tasks", json={**body, "trace": trace}, headers={"traceparent": "nonsense"}).json()
    none = rest.post("/tasks", json=body, headers={"traceparent": "nonsense"}).json()

    assert [native.get_task(task["id"]).trace for task in (one, many, own, none)] == [trace, trace, trace, ""]
    assert code_of(rest.post("/tasks", json={**body, "trace": "nonsense"})) == (400, "INVALID_ARGUMENT")


def test_two_different_keys_are_refused(rest: httpx.Client, queue: str) -> None:
    body = {"task_type": "noop", "queue": queue, "key": "a"}

    assert code_of(rest.post("/tasks", json=body, headers={"Idempotency-Key": "b"})) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"task_typ": "x"}, "task_typ"),
        ({"priority": 256}, "priority 256"),
        ({"priority": "128"}, "$.priority"),
        ({"timeout_seconds": 0}, "$.timeout_seconds"),
        ({"payload": "not base64!"}, "base64"),
        ({"payload": {"a": 1}}, "payload_encoding"),
        ({"delay": "10"}, "delay '10'"),
        ({"eta": "2020-01-01T00:00:00"}, "$.eta"),
        ({"queue": " x"}, "begins or ends with a space"),
        ({"tags": ["a\n"]}, "control"),
        ({"id": "x"}, "not a task id"),
    ],
)
def test_what_is_wrong_with_a_task_is_said_and_nothing_is_submitted(
    rest: httpx.Client, queue: str, fields: dict[str, object], said: str
) -> None:
    response = rest.post("/tasks", json={"task_type": "noop", "queue": queue, **fields})

    assert code_of(response) == (400, "INVALID_ARGUMENT")
    assert said in response.json()["detail"] + response.json()["hint"]
    assert code_of(rest.get("/tasks", params={"queue": queue})) == (404, "QUEUE_NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"x"',
        '{"task_type": 1}',
        "\x00",
        pytest.param("[" * 100_000, id="deep"),
        '{"task_type":"\\ud800"}',
    ],
)
def test_a_body_that_is_no_task_is_refused(rest: httpx.Client, body: str) -> None:
    response = rest.post("/tasks", content=body.encode(), headers={"Content-Type": "application/json"})

    assert code_of(response) == (400, "INVALID_ARGUMENT")


def test_a_body_that_does_not_say_that_it_is_json_is_refused(rest: httpx.Client) -> None:
    plain = rest.post("/tasks", content=json.dumps(BRIEF), headers={"Content-Type": "text/plain"})
    form = rest.post("/tasks", data={"task_type": "x"})

    assert code_of(plain) == code_of(form) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_body_above_the_limit_is_refused(rest: httpx.Client) -> None:
    response = rest.post("/tasks", json={"task_type": "x", "payload": "A" * ApiSettings().max_body_bytes})

    assert code_of(response) == (413, "PAYLOAD_TOO_LARGE")


def test_a_payload_above_the_brokers_limit_is_refused(rest: httpx.Client, queue: str) -> None:
    response = rest.post("/tasks", json={"task_type": "x", "queue": queue, "payload": "A" * (3 << 19)})

    assert code_of(response) == (413, "PAYLOAD_TOO_LARGE")


def test_many_tasks_are_submitted_together(rest: httpx.Client, native: Client, queue: str) -> None:
    tasks = [{"task_type": "noop", "queue": queue, "key": str(number % 999)} for number in range(1_000)]

    response = rest.post("/tasks/bulk", json={"tasks": tasks})

    taken = response.json()["tasks"]
    assert (response.status_code, len(taken)) == (201, 1_000)
    assert [each["is_new"] for each in taken].count(False) == 1
    assert taken[0]["id"] == taken[999]["id"]
    assert len(list(native.iter_tasks(f"queue:{queue}"))) == 999


def test_of_many_tasks_all_are_taken_or_none(rest: httpx.Client, queue: str) -> None:
    good: dict[str, Any] = {"task_type": "noop", "queue": queue}

    wrong = rest.post("/tasks/bulk", json={"tasks": [good, {**good, "priority": 900}]})
    too_many = rest.post("/tasks/bulk", json={"tasks": [good] * 1_001})
    none = rest.post("/tasks/bulk", json={"tasks": []})

    assert {code_of(each) for each in (wrong, too_many, none)} == {(400, "INVALID_ARGUMENT")}
    assert "task 1: priority 900" in wrong.json()["detail"]
    assert code_of(rest.get("/tasks", params={"queue": queue})) == (404, "QUEUE_NOT_FOUND")


def test_a_task_that_never_was_is_not_found(rest: httpx.Client) -> None:
    assert code_of(rest.get(f"/tasks/{uuid.uuid4()}")) == (404, "TASK_NOT_FOUND")
    assert code_of(rest.get("/tasks/xyz")) == (400, "INVALID_ARGUMENT")


def test_what_has_not_changed_is_not_sent_again(rest: httpx.Client, queue: str) -> None:
    task_id = submitted(rest, queue)
    first = rest.get(f"/tasks/{task_id}")

    again = rest.get(f"/tasks/{task_id}", headers={"If-None-Match": f'W/"x", {first.headers["etag"]}'})
    rest.post(f"/tasks/{task_id}/cancel")
    changed = rest.get(f"/tasks/{task_id}", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert (changed.status_code, changed.json()["state"]) == (200, "cancelled")


def test_a_listing_is_followed_from_page_to_page_as_of_its_first(rest: httpx.Client, queue: str) -> None:
    ids = [submitted(rest, queue) for _ in range(5)]
    page = rest.get("/tasks", params={"queue": queue, "limit": 2, "sort": "id"})
    submitted(rest, queue)  # came later: no page shows it
    seen = [task["id"] for task in page.json()["tasks"]]

    while page.json()["next"]:
        assert page.links["next"]["url"] == page.json()["next"]
        page = rest.get(str(page.url.join(page.json()["next"])))
        seen += [task["id"] for task in page.json()["tasks"]]

    assert seen == sorted(ids)


def test_a_listing_takes_a_selector_and_words_that_are_short_for_its_terms(rest: httpx.Client, queue: str) -> None:
    wanted = submitted(rest, queue, tags=["x"])
    submitted(rest, queue)

    found = rest.get("/tasks", params={"selector": "tag:x", "queue": queue, "state": "pending", "type": "noop"})

    assert [task["id"] for task in found.json()["tasks"]] == [wanted]
    assert found.json()["total"] == 1


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"selector": "state:nonsense"}, "SELECTOR_INVALID"),
        ({"selector": "x" * 2_001}, "INVALID_ARGUMENT"),
        ({"limit": "0"}, "INVALID_ARGUMENT"),
        ({"limit": "1001"}, "INVALID_ARGUMENT"),
        ({"limit": "x"}, "INVALID_ARGUMENT"),
        ({"sort": "x"}, "INVALID_ARGUMENT"),
        ({"cursor": "!"}, "INVALID_ARGUMENT"),
        ({"state": "x"}, "INVALID_ARGUMENT"),
        ({"state": "null"}, "INVALID_ARGUMENT"),
        ({"limitt": "1"}, "INVALID_ARGUMENT"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(rest: httpx.Client, parameters: dict[str, str], code: str) -> None:
    assert code_of(rest.get("/tasks", params=parameters)) == (400, code)


def test_a_name_that_looks_like_nothing_is_a_name(rest: httpx.Client, native: Client) -> None:
    task_id = submitted(rest, "null")
    key = rest.post("/tasks", json={"task_type": "noop", "queue": "null"}, headers={"Idempotency-Key": "null"}).json()

    found = rest.get("/tasks", params={"queue": "null", "type": "noop"}).json()["tasks"]

    assert task_id in [task["id"] for task in found]
    assert {task["queue"] for task in found} == {"null"}
    assert native.get_task(key["id"]).key == "null"


@pytest.mark.parametrize("name", ["queue", "state", "limit", "selector"])
def test_a_parameter_that_is_there_twice_is_refused(rest: httpx.Client, name: str) -> None:
    value = {"state": "pending", "limit": "1"}.get(name, "x")

    response = rest.get("/tasks", params=[(name, value), (name, value)])

    assert code_of(response) == (400, "INVALID_ARGUMENT")
    assert "2 times" in response.json()["detail"]


def test_a_result_is_waited_for_and_decoded(rest: httpx.Client, worker: str) -> None:
    task_id = submitted(rest, worker, task_type="add", payload={"a": 1, "b": 2}, payload_encoding="json")

    outcome = rest.get(f"/tasks/{task_id}/result", params={"timeout": "30s"})
    raw = rest.get(f"/tasks/{task_id}/result/raw", params={"timeout": "0s"})

    assert raw.headers["content-security-policy"].startswith("sandbox")
    assert (outcome.status_code, outcome.json()["state"], outcome.json()["result"]) == (200, "completed", 3)
    assert raw.headers["content-disposition"] == "attachment"
    assert raw.headers["content-type"] == outcome.json()["content_type"]


def test_the_result_of_a_task_that_failed_is_how_it_failed(rest: httpx.Client, worker: str) -> None:
    task_id = submitted(
        rest, worker, task_type="fail", payload={"message": "no"}, payload_encoding="json", max_retries=0
    )

    outcome = rest.get(f"/tasks/{task_id}/result", params={"timeout": "30s"}).json()
    raw = rest.get(f"/tasks/{task_id}/result/raw", params={"timeout": "30s"})

    assert (outcome["state"], outcome["error"]["error_type"]) == ("dead_letter", "ValueError")
    assert code_of(raw) == (424, "TASK_FAILED")


def test_a_wait_ends_at_its_timeout(rest: httpx.Client, queue: str) -> None:
    task_id = submitted(rest, queue)

    response = rest.get(f"/tasks/{task_id}/result", params={"timeout": "50ms"})

    assert code_of(response) == (504, "TIMED_OUT")


def test_a_wait_whose_caller_goes_away_is_not_kept_by_the_broker(
    rest: httpx.Client, native: Client, queue: str
) -> None:
    before, end_at = native.stats().engine.waiters, time.monotonic() + 20
    path = f"{rest.base_url.path}tasks/{submitted(rest, queue)}/result?timeout=10m"

    with socket.create_connection((rest.base_url.host, rest.base_url.port or 0), timeout=20) as caller:
        caller.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        while native.stats().engine.waiters == before:
            assert time.monotonic() < end_at
    while native.stats().engine.waiters != before:
        assert time.monotonic() < end_at


@pytest.mark.parametrize("timeout", [None, "30", "11m", "x", ""])
def test_a_wait_needs_a_timeout_that_one_request_can_wait(rest: httpx.Client, queue: str, timeout: str | None) -> None:
    task_id = submitted(rest, queue)

    response = rest.get(f"/tasks/{task_id}/result", params={} if timeout is None else {"timeout": timeout})

    assert code_of(response) == (400, "INVALID_ARGUMENT")


def test_a_task_is_cancelled_and_the_operation_can_be_undone(rest: httpx.Client, native: Client, queue: str) -> None:
    task_id = submitted(rest, queue)

    operation = rest.post(f"/tasks/{task_id}/cancel", json={"reason": "sent twice"}).json()

    assert (operation["action"], operation["done"], operation["reason"]) == ("cancel", 1, "sent twice")
    assert native.get_task(task_id).state is State.CANCELLED
    assert code_of(rest.post(f"/tasks/{task_id}/cancel")) == (409, "WRONG_STATE")
    assert code_of(rest.post(f"/tasks/{uuid.uuid4()}/cancel")) == (404, "TASK_NOT_FOUND")


def test_a_dead_letter_is_run_again(rest: httpx.Client, worker: str) -> None:
    task_id = submitted(
        rest, worker, task_type="fail", payload={"message": "no"}, payload_encoding="json", max_retries=0
    )
    rest.get(f"/tasks/{task_id}/result", params={"timeout": "30s"})

    operation = rest.post(f"/tasks/{task_id}/retry")

    assert (operation.status_code, operation.json()["done"]) == (200, 1)
    assert rest.get(f"/tasks/{task_id}/result", params={"timeout": "30s"}).json()["state"] == "dead_letter"


def test_a_corrected_task_is_submitted_again_if_its_handler_takes_it(rest: httpx.Client, worker: str) -> None:
    task_id = submitted(
        rest, worker, task_type="add", payload={"a": 1, "b": "x"}, payload_encoding="json", max_retries=0
    )
    rest.get(f"/tasks/{task_id}/result", params={"timeout": "30s"})

    refused = rest.post(f"/tasks/{task_id}/resubmit", json={"payload": {"a": 1, "b": "y"}})
    made = rest.post(f"/tasks/{task_id}/resubmit", json={"payload": {"a": 1, "b": 4}, "reason": "b was text"})

    outcome = rest.get(f"/tasks/{made.json()['id']}/result", params={"timeout": "30s"}).json()
    assert code_of(refused) == (400, "INVALID_ARGUMENT")
    assert "'b'" in refused.json()["detail"]
    assert (made.status_code, outcome["result"]) == (201, 5)
    assert rest.get(f"/tasks/{task_id}").json()["resubmitted_as"] == made.json()["id"]


def test_a_task_that_has_not_ended_is_not_submitted_again(rest: httpx.Client, queue: str) -> None:
    assert code_of(rest.post(f"/tasks/{submitted(rest, queue)}/resubmit")) == (409, "WRONG_STATE")


def test_what_a_task_waits_for_is_said(rest: httpx.Client, queue: str) -> None:
    why = rest.get(f"/tasks/{submitted(rest, queue)}/why").json()

    assert (why["reasons"][0]["code"], why["queue"]) == ("NO_HANDLER", queue)


def test_what_a_handler_logged_is_shown(rest: httpx.Client, worker: str) -> None:
    task_id = submitted(rest, worker, task_type="logs", payload={"count": 2}, payload_encoding="json", max_retries=0)
    rest.get(f"/tasks/{task_id}/result", params={"timeout": "30s"})

    log = rest.get(f"/tasks/{task_id}/log")

    assert [line["text"] for line in log.json()["lines"]][:2] == ["line 0", "line 1"]
    assert "\u202e" not in log.text  # a terminal that shows the answer is not turned round
    assert "\u202e" in log.json()["lines"][2]["text"]


def test_the_signature_of_a_handler_is_shown(rest: httpx.Client, worker: str) -> None:
    signature = rest.get("/task-types/add/signature").json()["signature"]

    assert [parameter["name"] for parameter in signature["parameters"]] == ["a", "b"]
    assert rest.get("/task-types/nothing/signature").json() == {"signature": None}


def test_where_a_task_that_does_not_run_is_cannot_be_said(rest: httpx.Client, queue: str) -> None:
    assert code_of(rest.get(f"/tasks/{submitted(rest, queue)}/stack")) == (409, "WRONG_STATE")

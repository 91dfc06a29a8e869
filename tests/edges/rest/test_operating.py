"""Queues, dead letters, operations, workers, tokens and the audit over REST."""

import uuid
from urllib.parse import quote

import httpx
import msgspec
import pytest

from tests.edges.rest.serving import code_of
from tests.edges.rest.test_tasks import submitted
from tq.client.blocking import Client
from tq.edges.rest import documents
from tq.model.task import State


def test_a_queue_is_looked_at_paused_and_resumed(rest: httpx.Client, queue: str) -> None:
    submitted(rest, queue)

    paused = rest.post(f"/queues/{queue}/pause", json={"reason": "provider is down"})
    again = rest.post(f"/queues/{queue}/pause")
    shown = rest.get(f"/queues/{queue}").json()
    resumed = rest.post(f"/queues/{queue}/resume")

    assert (paused.json(), again.json()["count"], resumed.json()["count"]) == ({"count": 1, "skipped": 0}, 0, 1)
    assert (shown["is_paused"], shown["pause_reason"], shown["ready"]) == (True, "provider is down", 1)
    assert queue in [each["name"] for each in rest.get("/queues").json()["queues"]]


@pytest.mark.parametrize("path", ["/queues/{}", "/queues/{}/pause", "/queues/{}/resume", "/queues/{}/purge"])
def test_a_queue_that_never_was_is_not_found(rest: httpx.Client, queue: str, path: str) -> None:
    method = "GET" if path.endswith("}") else "POST"

    assert code_of(rest.request(method, path.format(queue))) == (404, "QUEUE_NOT_FOUND")


@pytest.mark.parametrize("name", ["a/b", "a%2Fb", "über 100%", "a?b#c", "..", "a/pause"])
def test_a_queue_is_reached_whatever_its_name(rest: httpx.Client, queue: str, name: str) -> None:
    named = f"{name} {queue}"
    submitted(rest, named)

    paused = rest.post(f"/queues/{quote(named, safe='')}/pause")

    assert paused.json()["count"] == 1
    assert rest.get(f"/queues/{quote(named, safe='')}").json()["name"] == named


def test_the_waiting_tasks_of_a_queue_are_purged_and_put_back(rest: httpx.Client, native: Client, queue: str) -> None:
    task_id = submitted(rest, queue)

    purged = rest.post(f"/queues/{queue}/purge", json={"reason": "wrong ones"}).json()
    ended = rest.get(f"/operations/{purged['id']}", params={"wait": "30s"}).json()
    state = native.get_task(task_id).state
    undone = rest.post(f"/operations/{purged['id'][:12]}/undo", json={"reason": "right ones"})
    rest.get(f"/operations/{undone.json()['id']}", params={"wait": "30s"})

    assert (ended["state"], ended["done"], state) == ("done", 1, State.CANCELLED)
    assert (undone.status_code, undone.json()["undo_of"]) == (202, purged["id"])
    assert native.get_task(task_id).state is State.PENDING


def test_an_operation_is_previewed_before_it_is_started(rest: httpx.Client, native: Client, queue: str) -> None:
    ids = [submitted(rest, queue) for _ in range(3)]

    preview = rest.post("/operations", json={"action": "cancel", "selector": f"queue:{queue}"})
    untouched = native.get_task(ids[0]).state
    submitted(rest, queue)  # came later: is left alone
    started = rest.post(preview.headers["location"].removeprefix("/api/v1"), json={"rate": 1000, "reason": "x"})
    ended = rest.get(started.headers["location"].removeprefix("/api/v1"), params={"wait": "30s"}).json()

    assert (preview.status_code, preview.json()["count"], preview.json()["queues"]) == (201, 3, {queue: 3})
    assert untouched is State.PENDING
    assert (started.status_code, started.json()["id"]) == (202, preview.json()["token"])
    assert (ended["state"], ended["done"], ended["reason"]) == ("done", 3, "x")
    assert ended["id"] in [operation["id"] for operation in rest.get("/operations").json()["operations"]]


def test_tasks_are_named_by_ids_too(rest: httpx.Client, queue: str) -> None:
    ids = [submitted(rest, queue), str(uuid.uuid4())]

    preview = rest.post("/operations", json={"action": "cancel", "task_ids": ids})

    assert (preview.status_code, preview.json()["count"]) == (201, 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "cancel"}, "INVALID_ARGUMENT"),
        ({"action": "cancel", "selector": " "}, "INVALID_ARGUMENT"),
        ({"action": "cancel", "selector": "type:x", "is_all": True}, "INVALID_ARGUMENT"),
        ({"action": "undo", "is_all": True}, "INVALID_ARGUMENT"),
        ({"action": "cancel", "is_all": True, "overrides": {"queue": "x"}}, "INVALID_ARGUMENT"),
        ({"action": "resubmit", "is_all": True, "overrides": {"priority": 300}}, "INVALID_ARGUMENT"),
        ({"action": "cancel", "selector": "state:x"}, "SELECTOR_INVALID"),
        ({"action": "cancel", "task_ids": ["x"]}, "INVALID_ARGUMENT"),
    ],
)
def test_an_operation_on_nothing_that_is_named_is_refused(
    rest: httpx.Client, body: dict[str, object], code: str
) -> None:
    assert code_of(rest.post("/operations", json=body)) == (400, code)


def test_a_preview_that_never_was_is_not_started(rest: httpx.Client) -> None:
    assert code_of(rest.post(f"/operations/{'0' * 16}/commit")) == (409, "PREVIEW_EXPIRED")
    assert code_of(rest.post("/operations/xyz/commit")) == (400, "INVALID_ARGUMENT")


def test_an_operation_that_never_was_is_not_found(rest: httpx.Client) -> None:
    path = f"/operations/{'0' * 16}"

    assert code_of(rest.get(path)) == (404, "OPERATION_NOT_FOUND")
    assert code_of(rest.post(f"{path}/undo")) == (404, "OPERATION_NOT_FOUND")
    assert code_of(rest.post(f"{path}/cancel")) == (404, "OPERATION_NOT_FOUND")


def test_an_operation_is_stopped_half_way(rest: httpx.Client, queue: str) -> None:
    tasks = [{"task_type": "noop", "queue": queue}] * 1_000
    rest.post("/tasks/bulk", json={"tasks": tasks})
    purged = rest.post(f"/queues/{queue}/purge", json={"rate": 1}).json()

    stopped = rest.post(f"/operations/{purged['id']}/cancel").json()

    assert stopped["state"] == "cancelled"
    assert stopped["done"] < 1_000
    assert code_of(rest.post(f"/operations/{purged['id']}/cancel")) == (409, "WRONG_STATE")


def test_dead_letters_are_listed_one_by_one_and_by_what_killed_them(rest: httpx.Client, worker: str) -> None:
    payload = {"payload": {"message": "no such thing"}, "payload_encoding": "json", "max_retries": 0}
    task_id = submitted(rest, worker, task_type="fail", **payload)
    rest.get(f"/tasks/{task_id}/result", params={"timeout": "30s"})

    dead = rest.get("/dead", params={"queue": worker, "selector": '"no such thing"'}).json()
    groups = rest.get("/dead/groups", params={"selector": f"queue:{worker} err:ValueError"}).json()

    assert [task["id"] for task in dead["tasks"]] == [task_id]
    assert dead["tasks"][0]["group"] in [group["fingerprint"] for group in groups["groups"]]
    assert code_of(rest.get("/dead/groups", params={"selector": "tag:x"})) == (400, "SELECTOR_INVALID")


def test_workers_are_looked_at(rest: httpx.Client, worker: str) -> None:
    (listed,) = [each for each in rest.get("/workers").json()["workers"] if worker in each["queues"]]

    (shown,) = rest.get(f"/workers/{listed['incarnation']}").json()["workers"]

    assert (shown["name"], shown["tasks"], shown["status"]) == (listed["name"], [], "connected")


def test_a_worker_that_never_was_is_not_found(rest: httpx.Client) -> None:
    assert code_of(rest.get("/workers/nobody")) == (404, "WORKER_NOT_FOUND")
    assert code_of(rest.post("/workers/nobody/drain")) == (404, "WORKER_NOT_FOUND")


def test_who_did_what_is_told(rest: httpx.Client, queue: str) -> None:
    submitted(rest, queue)
    rest.post(f"/queues/{queue}/pause", json={"reason": "for the audit"})

    entries = rest.get("/audit", params={"action": "pause", "limit": 1}).json()["entries"]

    assert [(entry["target"], entry["reason"]) for entry in entries] == [(queue, "for the audit")]


def test_a_record_has_the_fields_that_the_document_names(rest: httpx.Client, queue: str, worker: str) -> None:
    """Answers are held to /schema: each record of one kind, with its own fields and no others."""
    schemas = httpx.get(f"{str(rest.base_url).removesuffix('/api/v1/')}/schema").json()["components"]["schemas"]
    task_id = submitted(rest, queue)
    operation = rest.post(f"/tasks/{task_id}/cancel").json()

    answers = {
        "Task": rest.get(f"/tasks/{task_id}").json(),
        "TaskPage": rest.get("/tasks").json(),
        "TaskLine": rest.get("/tasks").json()["tasks"][0],
        "Outcome": rest.get(f"/tasks/{task_id}/result", params={"timeout": "1s"}).json(),
        "Explanation": rest.get(f"/tasks/{task_id}/why").json(),
        "Reason": rest.get(f"/tasks/{task_id}/why").json()["reasons"][0],
        "LogPage": rest.get(f"/tasks/{task_id}/log").json(),
        "Queue": rest.get(f"/queues/{queue}").json(),
        "Operation": operation,
        "Worker": rest.get("/workers").json()["workers"][0],
        "WorkerView": rest.get(f"/workers/{rest.get('/workers').json()['workers'][0]['name']}").json()["workers"][0],
        "Stats": rest.get("/stats").json(),
        "TaskCounts": rest.get("/stats").json()["tasks"],
        "BrokerProcess": rest.get("/stats").json()["broker"],
        "Preview": rest.post("/operations", json={"action": "cancel", "is_all": True}).json(),
        "AuditEntry": rest.get("/audit").json()["entries"][0],
        "Health": rest.get("/health").json(),
        "Problem": rest.get("/nothing").json(),
    }

    assert {name: sorted(answer) for name, answer in answers.items()} == {
        name: sorted(schemas[name]["properties"]) for name in answers
    }
    types = {kind.__name__: kind for kind in vars(documents).values() if isinstance(kind, type)}
    for name in answers.keys() & types.keys():
        msgspec.convert(answers[name], types[name])  # raises if a field is of another type
    assert {"Task", "TaskPage", "Operation", "Preview", "Stats"} <= types.keys()

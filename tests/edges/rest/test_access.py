"""Tokens over REST, on a broker of their own: with the first of them, nobody comes in without."""

from pathlib import Path

from tests.edges.real import edge_broker, http
from tests.edges.rest.serving import code_of


def test_a_token_opens_what_its_role_may_until_it_is_revoked(tmp_path: Path) -> None:
    with edge_broker(tmp_path) as broker, http(broker) as rest:
        made = rest.post("/tokens", json={"name": "ci", "role": "producer", "queues": ["mail*"], "expires": "1h"})
        boss = {"Authorization": f"Bearer {broker.token('boss', 'admin')}"}
        as_ci = {"Authorization": f"Bearer {made.json()['token']}"}

        taken = rest.post("/tasks", json={"task_type": "x", "queue": "mail"}, headers=as_ci)
        elsewhere = rest.post("/tasks", json={"task_type": "x", "queue": "other"}, headers=as_ci)
        above = rest.get("/audit", headers=as_ci)
        without = rest.get("/stats")
        well = rest.get("/health")
        listed = rest.get("/tokens", headers=boss)
        twice = rest.post("/tokens", json={"name": "ci", "role": "viewer"}, headers=boss)
        audited = rest.get("/audit", params={"action": "token-*"}, headers=boss).json()["entries"]
        revoked = rest.delete("/tokens/ci", headers=boss)
        unknown = rest.delete("/tokens/ci", headers=boss)
        ended = rest.get("/stats", headers=as_ci)
        assert broker.process.end() == 0

    assert (made.status_code, taken.status_code, revoked.json()["count"]) == (201, 201, 1)
    assert code_of(elsewhere) == code_of(above) == (403, "ACCESS_DENIED")
    assert [token["name"] for token in listed.json()["tokens"]] == ["boss", "ci"]
    assert made.json()["token"].split("_", 2)[2] not in listed.text
    assert (code_of(twice), code_of(unknown)) == ((409, "WRONG_STATE"), (404, "TOKEN_NOT_FOUND"))
    assert (code_of(without), code_of(ended), well.status_code) == ((401, "ACCESS_DENIED"), (401, "ACCESS_DENIED"), 200)
    assert [entry["target"].split()[0] for entry in audited] == ["boss", "ci"]
    assert audited[1]["origin"] == "rest 127.0.0.1"

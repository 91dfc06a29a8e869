"""Tokens over REST, on a broker of their own: with the first of them, nobody comes in without."""

from pathlib import Path

import httpx

from tests.cli.processes import daemon
from tests.edges.rest.serving import code_of, serving


def test_a_token_opens_what_its_role_may_until_it_is_revoked(tmp_path: Path) -> None:
    with (
        daemon("broker", "--port", "0", "--data-dir", str(tmp_path), "--log-format", "json") as process,
    ):
        process.wait_for("broker_started")
        with serving(f"unix://{tmp_path}/tq.sock") as url, httpx.Client(base_url=f"{url}/api/v1") as rest:
            made = rest.post("/tokens", json={"name": "ci", "role": "producer", "queues": ["mail*"], "expires": "1h"})
            as_ci = {"Authorization": f"Bearer {made.json()['token']}"}

            taken = rest.post("/tasks", json={"task_type": "x", "queue": "mail"}, headers=as_ci)
            elsewhere = rest.post("/tasks", json={"task_type": "x", "queue": "other"}, headers=as_ci)
            above = rest.get("/audit", headers=as_ci)
            listed = rest.get("/tokens")
            twice = rest.post("/tokens", json={"name": "ci", "role": "viewer"})
            revoked = rest.delete("/tokens/ci")
            unknown = rest.delete("/tokens/ci")
        assert process.end() == 0

    assert (made.status_code, taken.status_code, revoked.json()["count"]) == (201, 201, 1)
    assert code_of(elsewhere) == code_of(above) == (403, "ACCESS_DENIED")
    assert [token["name"] for token in listed.json()["tokens"]] == ["ci"]
    assert made.json()["token"].rpartition("_")[2] not in listed.text
    assert (code_of(twice), code_of(unknown)) == ((409, "WRONG_STATE"), (404, "TOKEN_NOT_FOUND"))

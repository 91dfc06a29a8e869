"""Who may do what through REST is what it is on the native port; and a browser is not a way around it."""

import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.certificates import broker_certificates
from tests.cli.processes import environment, run_tq
from tests.edges.real import EDGES_ON, EdgeBroker, edge_broker, http, secret_of
from tq.client.blocking import Client
from tq.client.task import Task


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeBroker]:
    """One with tokens."""
    with edge_broker(tmp_path_factory.mktemp("security"), "--log-level", "debug") as running:
        running.token("first", "admin")
        yield running


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_a_token_may_do_over_rest_what_its_role_may_and_the_audit_says_from_where(broker: EdgeBroker) -> None:
    viewer, operator = broker.token("looker", "viewer"), broker.token("anna", "operator")
    with http(broker, viewer) as rest:
        assert rest.get("/stats").status_code == 200
        assert code(rest.post("/tasks", json={"task_type": "mail"})) == (403, "ACCESS_DENIED")
    with http(broker, operator) as rest:
        assert rest.post("/tasks", json={"task_type": "a", "queue": "mail"}).status_code == 201
        assert rest.post("/queues/mail/pause", json={"reason": "disk full"}).status_code == 200
    with Client(broker.address) as native:
        (entry,) = [entry for entry in native.audit() if entry.action == "pause"]

    assert (entry.actor, entry.origin) == ("token:anna", "rest 127.0.0.1")


@pytest.mark.parametrize("token", ["", "nonsense", f"tq_0123456789ab_{'x' * 43}"])
def test_without_a_good_token_there_is_nothing_to_see(broker: EdgeBroker, token: str) -> None:
    with http(broker, token) as rest:
        for path in ("/stats", "/tasks", "/watch?scope=totals", "/audit"):
            refused = rest.get(path)
            assert code(refused) == (401, "ACCESS_DENIED")
            assert refused.headers["www-authenticate"].startswith("Bearer")
            assert "Authorization: Bearer tq_" in refused.json()["hint"]
        assert rest.get("/health/live").status_code == 200


def test_a_confined_token_stays_confined(broker: EdgeBroker) -> None:
    with http(broker, broker.token("mailer", "producer", "--queue", "mail*")) as rest:
        assert rest.post("/tasks", json={"task_type": "a", "queue": "mail-1"}).status_code == 201
        assert code(rest.post("/tasks", json={"task_type": "a", "queue": "other"})) == (403, "ACCESS_DENIED")
        assert code(rest.get("/stats")) == (403, "ACCESS_DENIED")


def test_a_token_that_is_revoked_ends_what_its_bearer_waits_for_and_watches(broker: EdgeBroker) -> None:
    guest = broker.token("guest", "producer")
    with Client(broker.address) as native, http(broker, guest) as rest:
        task_id = native.submit_task(Task("never"))
        waited: list[tuple[int, str]] = []
        path = f"/tasks/{task_id}/result"
        waiting = threading.Thread(target=lambda: waited.append(code(rest.get(path, params={"timeout": "60s"}))))
        waiting.start()
        while not native.stats().engine.waiters:
            pass
        with rest.stream("GET", "/watch", params={"scope": "totals"}) as stream:
            lines = stream.iter_lines()
            while not next(lines).startswith("data"):
                pass
            broker.revoke("guest")
            problem = next(line for line in lines if line.startswith("data") and '"code"' in line)
        waiting.join(30)

        told = json.loads(problem.partition(":")[2])
        assert (told["status"], told["code"]) == (401, "ACCESS_DENIED")
        assert "Authorization: Bearer tq_" in told["hint"]
        assert waited[0] == (401, "ACCESS_DENIED")
        assert code(rest.get("/tasks"))[0] == 401


def test_a_page_of_another_site_gets_nothing_and_no_answer_has_a_header_of_cors(broker: EdgeBroker) -> None:
    evil = {"Origin": "https://evil.example"}
    with http(broker) as rest:
        answers = [
            rest.get("/health", headers=evil),
            rest.post("/tasks", headers=evil, json={"task_type": "mail"}),
            rest.options("/tasks", headers={**evil, "Access-Control-Request-Method": "POST"}),
            rest.get("/health", headers={"Host": "evil.example"}),
            httpx.get(f"{broker.rest}/metrics", headers={"Host": "evil.example"}),
            httpx.get(f"{broker.rest}/schema", headers={"Host": "evil.example"}),
        ]

    for answer in answers:
        assert code(answer) == (403, "ACCESS_DENIED")
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_form_cannot_submit(broker: EdgeBroker) -> None:
    with http(broker, broker.token("form", "producer")) as rest:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            refused = rest.post("/tasks", content=b'{"task_type": "mail"}', headers={"Content-Type": kind})
            assert code(refused) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_no_token_and_no_payload_is_in_a_log_even_at_its_most_talkative(broker: EdgeBroker) -> None:
    token = broker.token("quiet", "producer")
    with http(broker, token) as rest:
        assert rest.post("/tasks", json={"task_type": "mail", "payload": "c2VjcmV0LXBheWxvYWQ="}).status_code == 201
        rest.get(f"/tasks/{token}")

    for hidden in (secret_of(token), "c2VjcmV0LXBheWxvYWQ", "secret-payload"):
        assert hidden not in broker.process.log


def test_rest_speaks_the_tls_of_the_broker_and_a_clients_certificate_has_its_role(tmp_path: Path) -> None:
    made = broker_certificates(tmp_path / "certificates")
    settings = {
        "TQ_BROKER_TLS_CERT": made.path("server.pem"),
        "TQ_BROKER_TLS_KEY": made.path("server.key"),
        "TQ_BROKER_TLS_CLIENT_CA": made.path("ca.pem"),
        "TQ_SECURITY_CERTIFICATE_ROLES": "ops.example.org=viewer",
    }
    with edge_broker(tmp_path, **settings) as broker:
        url = broker.rest.replace("127.0.0.1", "localhost")
        context = ssl.create_default_context(cafile=made.path("ca.pem"))
        nobody = httpx.get(f"{url}/api/v1/stats", verify=context, timeout=30)
        context.load_cert_chain(made.path("ops.pem"), made.path("ops.key"))
        looking = httpx.get(f"{url}/api/v1/stats", verify=context, timeout=30)
        changing = httpx.post(f"{url}/api/v1/tasks", verify=context, json={"task_type": "mail"}, timeout=30)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(url.replace("https", "http"), timeout=30)

    assert url.startswith("https://")
    assert nobody.status_code == 401
    assert looking.status_code == 200
    assert code(changing)[1] == "ACCESS_DENIED"
    assert "cert:ops.example.org" in changing.json()["detail"]


def test_a_renewed_certificate_is_shown_to_new_callers_of_rest(tmp_path: Path) -> None:
    first, second = broker_certificates(tmp_path / "first"), broker_certificates(tmp_path / "second")
    settings = {"TQ_BROKER_TLS_CERT": first.path("server.pem"), "TQ_BROKER_TLS_KEY": first.path("server.key")}
    trusting = [ssl.create_default_context(cafile=files.path("ca.pem")) for files in (first, second)]
    with edge_broker(tmp_path, **settings) as broker:
        health = f"{broker.rest.replace('127.0.0.1', 'localhost')}/api/v1/health/live"
        with httpx.Client(verify=trusting[0], timeout=30) as there:
            assert there.get(health).status_code == 200
            for name in ("server.key", "server.pem"):
                Path(second.path(name)).replace(first.path(name))
            broker.event("certificate_renewed", 2)  # the broker, and its edge

            assert httpx.get(health, verify=trusting[1], timeout=30).status_code == 200
            with pytest.raises(httpx.ConnectError, match="certificate"):
                httpx.get(health, verify=trusting[0], timeout=30)
            assert there.get(health).status_code == 200


def test_an_address_of_the_edges_that_others_reach_needs_tls_and_credentials(tmp_path: Path) -> None:
    flags = ("broker", "--port", "0", "--rest-port", "0", "--data-dir", str(tmp_path / "data"))
    done = run_tq(*flags, env=environment(**EDGES_ON, TQ_API_HOST="0.0.0.0"))

    assert done.returncode == 2
    assert "api.host 0.0.0.0 is not loopback, and there is no TLS" in done.stderr
    assert not (tmp_path / "data").exists()

"""One behaviour, whichever way one comes in: the same scenarios at every edge, with the same outcomes and codes."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import grpc
import httpx
import pytest

from tests.edges.behaviour import Cli, Edge, Native, Refused, Rest, is_refusal
from tests.edges.grpc.behaving import Grpc, channel_to
from tests.edges.real import EdgeBroker, edge_broker, http
from tq.client.blocking import Client

ADD = b'{"a": 1, "b": 2}'
FAIL = b'{"message": "no"}'


@pytest.fixture(params=["native", "cli", "rest", "grpc"])
def edge(request: pytest.FixtureRequest, native: Client, address: str, rest: httpx.Client, rpc: grpc.Channel) -> Edge:
    match request.param:
        case "native":
            return Native(native)
        case "cli":
            return Cli(address)
        case "rest":
            return Rest(rest)
        case _:
            return Grpc(rpc)


def assert_refused(call: Callable[[], object], code: str) -> None:
    with pytest.raises(Refused) as refused:
        call()
    assert is_refusal(refused.value, code), f"{refused.value.said!r} instead of {code}"


def test_a_task_is_shown_as_it_was_submitted(edge: Edge, native: Client, queue: str) -> None:
    task_id = edge.submit(
        "resize", ADD, queue, priority=200, max_retries=7, key="k-1", tags=["a", "b"], content_type="application/json"
    )

    record = edge.get(task_id)

    seen_by_all = Native(native).get(task_id)
    assert record == seen_by_all
    assert (record["task_type"], record["queue"], record["priority"], record["tier"]) == ("resize", queue, 200, "high")
    assert (record["max_retries"], record["key"], list(record["tags"])) == (7, "k-1", ["a", "b"])
    assert (record["payload"], record["payload_encoding"], record["state"]) == ({"a": 1, "b": 2}, "json", "pending")


def test_a_key_gives_the_same_task_again(edge: Edge, queue: str) -> None:
    first = edge.submit("t", b"1", queue, key="same")

    assert edge.submit("t", b"2", queue, key="same") == first
    assert edge.submit("t", b"2", queue, key="other") != first


def test_a_delayed_task_is_not_due(edge: Edge, queue: str) -> None:
    task_id = edge.submit("t", b"", queue, delay="10m")

    assert edge.why(task_id)["reasons"][0]["code"] == "NOT_DUE"
    assert edge.queue(queue)["scheduled"] == 1


def test_a_task_that_runs_well_is_completed_with_its_result(edge: Edge, worker: str) -> None:
    task_id = edge.submit("add", ADD, worker, content_type="application/json")

    outcome = edge.wait(task_id, "30s")

    assert (outcome["state"], outcome["result"], outcome["error"]) == ("completed", 3, None)


def test_a_task_that_fails_for_good_is_a_dead_letter_and_can_be_run_again(edge: Edge, worker: str) -> None:
    task_id = edge.submit("fail", FAIL, worker, content_type="application/json", max_retries=0)

    outcome = edge.wait(task_id, "30s")
    edge.retry(task_id)
    again = edge.wait(task_id, "30s")

    assert (outcome["state"], outcome["error"]["error_type"]) == ("dead_letter", "ValueError")
    assert again["state"] == "dead_letter"
    assert len(edge.get(task_id)["history"]) == 2


def test_a_waiting_task_is_cancelled_once(edge: Edge, queue: str) -> None:
    task_id = edge.submit("t", b"", queue)

    edge.cancel(task_id)

    assert edge.get(task_id)["state"] == "cancelled"
    assert_refused(lambda: edge.cancel(task_id), "WRONG_STATE")
    assert_refused(lambda: edge.retry(task_id), "WRONG_STATE")


def test_a_wait_that_is_too_short_is_timed_out(edge: Edge, queue: str) -> None:
    task_id = edge.submit("t", b"", queue)

    assert_refused(lambda: edge.wait(task_id, "0.05s"), "TIMED_OUT")


def test_tasks_are_found_by_the_same_selectors(edge: Edge, queue: str) -> None:
    ids = [edge.submit("t", b"", queue, tags=["x"] if number % 2 else []) for number in range(4)]

    assert edge.select(f"queue:{queue}") == sorted(ids)
    assert edge.select(f"queue:{queue} tag:x") == sorted([ids[1], ids[3]])
    assert edge.select(f"queue:{queue} -tag:x state:pending") == sorted([ids[0], ids[2]])


def test_a_queue_is_paused_and_resumed(edge: Edge, queue: str) -> None:
    edge.submit("t", b"", queue)

    edge.pause(queue, "provider is down")
    paused = edge.queue(queue)
    edge.resume(queue)

    assert (paused["is_paused"], paused["pause_reason"], paused["ready"]) == (True, "provider is down", 1)
    assert not edge.queue(queue)["is_paused"]


def test_a_queue_is_purged_and_the_purge_taken_back(edge: Edge, queue: str) -> None:
    task_id = edge.submit("t", b"", queue)

    operation = edge.purge_queue(queue)
    purged = edge.get(task_id)["state"]
    edge.undo(operation)

    record = edge.operation(operation)
    assert (record["action"], record["done"], record["queues"], purged) == ("purge", 1, {queue: 1}, "cancelled")
    assert edge.get(task_id)["state"] == "pending"
    assert record["undone_by"] is not None


NOBODY = str(uuid.UUID(int=7))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda edge, _: edge.get(NOBODY), "TASK_NOT_FOUND"),
        (lambda edge, _: edge.get("xyz"), "INVALID_ARGUMENT"),
        (lambda edge, _: edge.wait(NOBODY, "1s"), "TASK_NOT_FOUND"),
        (lambda edge, _: edge.why(NOBODY), "TASK_NOT_FOUND"),
        (lambda edge, _: edge.cancel(NOBODY), "TASK_NOT_FOUND"),
        (lambda edge, _: edge.select("state:nonsense"), "SELECTOR_INVALID"),
        (lambda edge, queue: edge.select(f"queue:{queue}"), "QUEUE_NOT_FOUND"),
        (lambda edge, queue: edge.pause(queue, ""), "QUEUE_NOT_FOUND"),
        (lambda edge, queue: edge.resume(queue), "QUEUE_NOT_FOUND"),
        (lambda edge, queue: edge.purge_queue(queue), "QUEUE_NOT_FOUND"),
        (lambda edge, _: edge.operation("00" * 8), "OPERATION_NOT_FOUND"),
        (lambda edge, _: edge.undo("00" * 8), "OPERATION_NOT_FOUND"),
        (lambda edge, _: edge.submit("t", b"", " space"), "INVALID_ARGUMENT"),
        (lambda edge, queue: edge.submit("t", b"", queue, priority=256), "INVALID_ARGUMENT"),
        (lambda edge, queue: edge.submit("t", b"", queue, max_retries=1_001), "INVALID_ARGUMENT"),
        (lambda edge, queue: edge.submit("t", b"", queue, delay="10"), "INVALID_ARGUMENT"),
        (lambda edge, queue: edge.submit("t", b"x" * (3 << 19), queue), "PAYLOAD_TOO_LARGE"),
    ],
)
def test_what_cannot_be_is_refused_with_the_same_code(
    edge: Edge, queue: str, call: Callable[[Edge, str], object], code: str
) -> None:
    assert_refused(lambda: call(edge, queue), code)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EdgeBroker, dict[str, str]]]:
    """A broker that asks for credentials, and a token for each of a few roles."""
    with edge_broker(tmp_path_factory.mktemp("guarded"), TQ_API_GRPC_ENABLED="true") as broker:
        tokens = {
            "viewer": broker.token("viewer", "viewer"),
            "producer": broker.token("producer", "producer", "--queue", "mail*"),
            "operator": broker.token("operator", "operator"),
        }
        yield broker, {**tokens, "unknown": f"tq_{'0' * 12}_{'A' * 43}"}
        assert broker.process.end() == 0


@pytest.fixture(params=["native", "cli", "rest", "grpc"])
def as_role(
    request: pytest.FixtureRequest, guarded: tuple[EdgeBroker, dict[str, str]]
) -> Iterator[Callable[[str], Edge]]:
    """An edge as one with a token of some role comes to it."""
    broker, tokens = guarded
    with ExitStack() as stack:

        def edge_of(role: str) -> Edge:
            match request.param:
                case "native":
                    client = Client(broker.native, token=tokens[role], reconnect_timeout=1)
                    stack.callback(client.close)
                    return Native(client)
                case "cli":
                    return Cli(broker.native, tokens[role])
                case "rest":
                    return Rest(stack.enter_context(http(broker, tokens[role])))
                case _:
                    return Grpc(stack.enter_context(channel_to(broker)), tokens[role])

        yield edge_of


def test_a_role_may_the_same_at_every_edge(as_role: Callable[[str], Edge]) -> None:
    viewer, producer, operator = (as_role(role) for role in ("viewer", "producer", "operator"))
    task_id = producer.submit("t", b"", "mail")

    assert viewer.get(task_id)["queue"] == "mail"
    assert_refused(lambda: viewer.submit("t", b"", "mail"), "ACCESS_DENIED")
    assert_refused(lambda: viewer.cancel(task_id), "ACCESS_DENIED")
    assert_refused(lambda: producer.submit("t", b"", "other"), "ACCESS_DENIED")
    assert_refused(lambda: producer.pause("mail", ""), "ACCESS_DENIED")
    operator.pause("mail", "by an operator")
    assert viewer.queue("mail")["paused_by"].startswith("token:operator")
    operator.resume("mail")
    operator.cancel(task_id)


def test_who_shows_a_token_that_is_none_is_let_in_nowhere(as_role: Callable[[str], Edge]) -> None:
    assert_refused(lambda: as_role("unknown").get(NOBODY), "ACCESS_DENIED")

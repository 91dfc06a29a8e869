"""Nonsense at the ports of the edges gets documented answers, and neither edge nor broker is the worse for it."""

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import grpc
import httpx
import psutil
import pytest

from tests.edges.noise import grpc_noise, http_noise, tally, throw
from tests.edges.real import EDGES_ON, GRPC_ON, EdgeBroker, edge_broker
from tq.client.blocking import Client
from tq.client.task import Task
from tq.edges.grpc import tq_pb2 as pb

SEED = int(os.environ.get("SEED", "0")) or SystemRandom().randrange(1, 1 << 31)
SECONDS = float(os.environ.get("FUZZ_SECONDS", "2"))
RSS_BYTES_MAX = 400 << 20
DOCUMENTED = {100, 200, 201, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 429, 431, 503, 504}
"""What REST answers; 500 is a defect."""
GRPC_DEFECTS = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeBroker]:
    """One that nobody has to show anything to, so that nonsense gets as far as it can."""
    both = {**EDGES_ON, "TQ_API_GRPC_ENABLED": GRPC_ON["TQ_API_GRPC_ENABLED"]}
    with edge_broker(tmp_path_factory.mktemp("fuzz"), **both) as running:
        running.event("edge_started", 2)
        yield running
        assert running.process.end() == 0


@pytest.fixture(autouse=True)
def unharmed(broker: EdgeBroker) -> Iterator[None]:
    """Afterwards both edges are who they were, and as large; the log says nothing of defects, and all of it is log."""
    edges = [process for process in psutil.Process(broker.pid).children() if process.is_running()]
    yield
    assert [edge.is_running() for edge in edges] == [True] * len(edges), SEED
    for edge in edges:
        assert edge.memory_info().rss < RSS_BYTES_MAX, SEED
    bad = [line for line in broker.process.log.splitlines() if not line.startswith("{") or '"level": "ERROR"' in line]
    assert bad == [], SEED
    with Client(broker.address) as native:
        assert native.submit_task(Task("after"))
    assert httpx.get(f"{broker.rest}/api/v1/health", timeout=10).json()["status"] == "ok"


def throw_at(address: str, make: Callable[[Random], tuple[str, bytes]]) -> Counter[str]:
    """Throw at an address for as long as it takes; what was tried, and how it was answered."""
    host, _, port = address.partition("://")[2].rpartition(":")
    random, tried, end_at = Random(SEED), Counter[str](), time.monotonic() + SECONDS
    while time.monotonic() < end_at:
        kind, data = make(random)
        try:
            tally(kind, throw((host, int(port)), data), tried)
        except TimeoutError:
            raise AssertionError(f"seed {SEED}: no answer and no end for {kind}: {data[:500]!r}") from None
    print(f"seed {SEED}: {dict(tried)}")
    return tried


def test_bytes_that_are_not_quite_http_get_documented_answers(broker: EdgeBroker) -> None:
    tried = throw_at(broker.rest, http_noise)

    answered = {int(kind.removeprefix("answered ")) for kind in tried if kind.startswith("answered ")}
    assert {200, 400, 404, 405} <= answered <= DOCUMENTED, SEED


def test_bytes_that_are_not_quite_http_2_do_no_harm(broker: EdgeBroker) -> None:
    assert throw_at(broker.grpc, grpc_noise)


def test_messages_that_are_not_quite_protobuf_get_documented_answers(broker: EdgeBroker) -> None:
    random, tried, end_at = Random(SEED), Counter[str](), time.monotonic() + SECONDS
    methods = [
        f"/{service.full_name}/{method.name}"
        for service in pb.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if not method.server_streaming
    ]
    good = pb.SubmitRequest(task=pb.Task(task_type="mail", queue="default", payload=b"x" * 100)).SerializeToString()
    with grpc.insecure_channel(broker.grpc.partition("://")[2]) as channel:
        while time.monotonic() < end_at:
            data = bytearray(random.choice((good, random.randbytes(random.randrange(60)))))
            for _ in range(random.randrange(6) if data else 0):
                data[random.randrange(len(data))] = random.randrange(256)
            method = random.choice(methods)
            status = status_of(channel, method, bytes(data))
            tried[status.name] += 1
            assert status not in GRPC_DEFECTS, f"seed {SEED}: {status} for {method} {bytes(data)!r}"
    print(f"seed {SEED}: {dict(tried)}")


def status_of(channel: grpc.Channel, method: str, data: bytes) -> grpc.StatusCode:
    """How a call with these bytes as its message ends."""
    call: Any = channel.unary_unary(method)
    try:
        call(data, timeout=5)
    except grpc.RpcError as error:
        status: grpc.StatusCode = error.code()
        return status
    return grpc.StatusCode.OK


@pytest.mark.campaign
def test_every_request_that_schemathesis_can_think_of_is_answered_as_the_openapi_document_says(
    broker: EdgeBroker, tmp_path: Path
) -> None:
    program = shutil.which(os.environ.get("SCHEMATHESIS", "schemathesis"))
    if program is None:
        pytest.skip("no program schemathesis: pip install schemathesis, in a place of its own")
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    done = subprocess.run(
        [
            *(program, "run", f"{broker.rest}/schema", "--url", broker.rest, "--seed", str(SEED)),
            *("--checks", f"{checks},response_headers_conformance,unsupported_method,allow_header_conformance"),
            *("--phases", "coverage,fuzzing,stateful", "--max-time", str(max(30, int(SECONDS))), "--warnings", "off"),
            *("--exclude-path", "/api/v1/watch", "--request-timeout", "30", "--continue-on-failure", "--no-shrink"),
            *("--header", f"Authorization: Bearer {broker.token('schemathesis', 'admin')}"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    print(done.stdout[-3_000:])
    assert done.returncode == 0, done.stdout

"""Whatever is sent to any method is answered with a status and a code that are documented, and never as a defect.

The number of inputs is bounded here; FUZZ_INPUTS asks for more.
"""

import os
from random import Random
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from tests.edges.grpc.conftest import Edge
from tests.edges.grpc.stubs import Stubs
from tests.edges.grpc.test_tasks import UNKNOWN
from tq.client.task import Task
from tq.edges.grpc import tq_pb2 as pb
from tq.model.error_statuses import UNAUTHENTICATED, of_error
from tq.model.errors import ERRORS

INPUTS = int(os.environ.get("FUZZ_INPUTS", "40"))
"""To each method."""
SECONDS = 1.0
WROTE_TOO_LATE = "Internal error from Core"
"""What the client's own library says when it writes to a stream that has just ended, instead of why it has."""
UNARY = [
    method
    for service in pb.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if not method.client_streaming and not method.server_streaming and method.name != "Backup"
]
TEXTS = (
    *(
        "",
        "a",
        "q",
        "default",
        UNKNOWN,
        "no-id",
        "0" * 32,
        "00" * 8,
        "x" * 201,
        "x" * 70_000,
        "*",
        " ",
        "\x00",
        "\x1b[2J",
    ),
    *("retry", "purge", "cancel", "resubmit", "undo", "viewer", "admin", "count", "id", "age", "ops", "totals"),
    *("queue:*", "state:dead_letter", "-tag:x err:*", "(((", "queue:", "age:>2h", "é" * 99, "💥", "../../etc/passwd"),
)
NUMBERS = (0, 1, -1, 2, 100, 255, 256, 1_000, 1_001, 2**31 - 1, -(2**31), 2**53, 2**63 - 1, -(2**63), 1 << 40)
NUMBERS_SMALL = tuple(number for number in NUMBERS if -(2**31) <= number < 2**31)
DOUBLES = (0.0, 0.5, -1.0, 1e308, float("inf"), float("nan"))
BYTES = (b"", b"\x00", b"\xff" * 16, b"x" * 513, bytes(1 << 16))


def fill(message: Any, random: Random, depth: int = 0) -> Any:
    """Some fields, with values at the edges of what their types can say."""
    for field in message.DESCRIPTOR.fields:
        if random.random() < 0.4:
            continue
        if field.message_type is not None:
            if depth < 3:
                parts = [getattr(message, field.name)]
                if field.is_repeated:
                    parts = [parts[0].add() for _ in range(random.choice((0, 1, 3)))]
                for part in parts:
                    fill(part, random, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(value(field, random) for _ in range(random.choice((0, 1, 2, 20))))
        else:
            setattr(message, field.name, value(field, random))
    return message


def value(field: FieldDescriptor, random: Random) -> Any:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return random.choice(TEXTS)
        case FieldDescriptor.TYPE_BYTES:
            return random.choice(BYTES)
        case FieldDescriptor.TYPE_BOOL:
            return random.random() < 0.5
        case FieldDescriptor.TYPE_DOUBLE:
            return random.choice(DOUBLES)
        case FieldDescriptor.TYPE_INT32:
            return random.choice(NUMBERS_SMALL)
        case _:
            return random.choice(NUMBERS)


def assert_documented(error: grpc.aio.AioRpcError, sent: object) -> None:
    code = dict(error.trailing_metadata() or ()).get("tq-code")
    if code is None:  # by gRPC itself, here or there
        assert error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED), (error, sent)
        return
    assert code not in ("INTERNAL", "STORAGE_FAILED", "STORAGE_CORRUPT"), (error, sent)
    wanted = {of_error(ERRORS[str(code)]).grpc.value}
    if code == "ACCESS_DENIED":
        wanted.add(UNAUTHENTICATED.grpc.value)
    assert error.code().value[0] in wanted, (error, sent)


@pytest.mark.parametrize("method", UNARY, ids=lambda method: method.full_name)
async def test_a_request_at_the_edges_of_its_types_has_a_documented_answer(
    edge: Edge, method: MethodDescriptor
) -> None:
    random = Random(f"{method.full_name} {INPUTS}")
    await edge.native.submit_task(Task("job", queue="q"))
    # Made first: a token that one of the requests makes would end what callers without one may do.
    token = (await edge.native.create_token("hostile", "admin")).text
    call = getattr(getattr(Stubs(edge.stubs.channel, token), method.containing_service.name), method.name)

    for _ in range(INPUTS):
        request = fill(GetMessageClass(method.input_type)(), random)
        try:
            await call(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            assert_documented(error, request)
    assert (await edge.native.stats()).engine.queues >= 1


@pytest.mark.parametrize("method", UNARY, ids=lambda method: method.full_name)
async def test_bytes_that_are_no_message_have_a_documented_answer(edge: Edge, method: MethodDescriptor) -> None:
    random = Random(f"bytes {method.full_name} {INPUTS}")
    call: Any = edge.stubs.channel.unary_unary(f"/{method.containing_service.full_name}/{method.name}")

    for _ in range(INPUTS):
        data = random.randbytes(random.choice((0, 1, 2, 5, 50, 5_000)))
        try:
            await call(data, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            assert_documented(error, data)


async def test_messages_of_a_worker_at_the_edges_of_their_types_end_its_stream_at_worst(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    """And never the edge, nor another stream."""
    random = Random(f"work {INPUTS}")
    watching = edge.stubs.Broker.Watch(pb.WatchRequest(scopes=["totals"], hz=10))
    await watching.read()

    for number in range(INPUTS):
        hello = pb.WorkerHello(name="w", incarnation=f"{number:032x}", task_types=["a"])
        sent = [pb.WorkRequest(hello=hello)] if number % 4 else []
        sent += [fill(pb.WorkRequest(), random) for _ in range(3)]
        if number % 4:
            for message in sent[1:]:
                message.ClearField("hello")
        try:
            async for _ in edge.stubs.Workers.Work(iter(sent), timeout=2 * SECONDS):
                pass
        except grpc.aio.AioRpcError as error:
            if error.details() != WROTE_TOO_LATE:
                assert_documented(error, sent)

    assert [record for record in caplog.records if record.message == "edge_defect"] == []
    await edge.native.submit_task(Task("job", queue="q"))
    assert (await watching.read()).seq > 1
    watching.cancel()

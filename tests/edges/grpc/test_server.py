"""The port itself: health, reflection, limits, and what is no gRPC at all."""

import asyncio
import socket
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.edges.grpc.conftest import Edge, serving
from tests.edges.grpc.stubs import Stubs
from tests.edges.grpc.test_tasks import failing, shown
from tests.edges.grpc.workers import StreamWorker
from tests.server.edges import Edges
from tq.edges.gateway import Gateway
from tq.edges.grpc import tq_pb2 as pb
from tq.edges.grpc.server import SERVICES, GrpcServer, Limits
from tq.model.errors import ConfigInvalid
from tq.model.task import State

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def nobody() -> Gateway:
    """To a broker that is not there."""
    return Gateway("tcp://127.0.0.1:1", bytes(32), "grpc")


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_health_says_that_the_broker_takes_tasks(edge: Edge, service: str) -> None:
    stub = health_pb2_grpc.HealthStub(edge.stubs.channel)

    reply = await stub.Check(health_pb2.HealthCheckRequest(service=service))

    assert reply.status == SERVING


async def test_health_says_when_the_broker_is_gone() -> None:
    gateway = nobody()
    server = GrpcServer(gateway)
    port = await server.start([("127.0.0.1", 0)])
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        reply = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    await server.stop(0)
    await gateway.close()

    assert reply.status == NOT_SERVING


async def test_reflection_names_the_services_and_has_their_file(edge: Edge) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(edge.stubs.channel)
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="tq.v1.Tasks"),
    ]

    names, file = [reply async for reply in stub.ServerReflectionInfo(iter(asked))]

    listed = {service.name for service in names.list_services_response.service}
    assert {*SERVICES, "grpc.health.v1.Health"} <= listed
    assert pb.DESCRIPTOR.serialized_pb in list(file.file_descriptor_response.file_descriptor_proto)


async def test_a_port_that_is_taken_is_an_error_that_says_what_to_do(edge: Edge) -> None:
    gateway = nobody()

    with pytest.raises(ConfigInvalid, match=str(edge.port)) as caught:
        await GrpcServer(gateway).start([("127.0.0.1", edge.port)])

    assert "--grpc-port" in caught.value.hint
    await gateway.close()


async def test_a_message_above_the_limit_is_refused(edge: Edge) -> None:
    request = pb.SubmitRequest(task=pb.Task(task_type="a", payload=bytes(9 << 20)))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await edge.stubs.Tasks.Submit(request)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_calls_above_the_limit_are_refused_and_the_others_go_on(broker: Edges) -> None:
    async with serving(broker, Limits(calls_max=2)) as edge:
        streams = [edge.stubs.Broker.Watch(pb.WatchRequest(scopes=["totals"])) for _ in range(2)]
        for stream in streams:
            await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await edge.stubs.Broker.GetStats(pb.Empty())
        for stream in streams:
            stream.cancel()
        async with asyncio.timeout(20):
            while True:
                try:
                    await edge.stubs.Broker.GetStats(pb.Empty())
                    break
                except grpc.aio.AioRpcError:  # the streams are not over yet
                    await asyncio.sleep(0.01)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_connections_above_the_limit_are_refused_and_the_first_goes_on(broker: Edges) -> None:
    async with serving(broker, Limits(connections_max=1)) as edge:
        await edge.stubs.Broker.GetStats(pb.Empty())
        options = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
        async with grpc.aio.insecure_channel(f"127.0.0.1:{edge.port}", options=options) as second:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await Stubs(second).Broker.GetStats(pb.Empty(), timeout=5)
        await edge.stubs.Broker.GetStats(pb.Empty())

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_streams_are_told_when_the_server_stops(edge: Edge) -> None:
    """They would go on for as long as their callers like: they are told, at once."""
    task_id = (await edge.stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="job")))).id
    watching = edge.stubs.Broker.Watch(pb.WatchRequest(scopes=["totals"]))
    await watching.read()
    node = StreamWorker(edge.stubs)
    await node.start()
    (delivery,) = await node.take()

    await node.send(number=1, successes=[pb.Success(task_id=task_id, token=delivery.token)])
    await node.settled(1)
    async with asyncio.timeout(20):
        await edge.server.stop(60)

    told = (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert await failing(watching.read()) == told
    assert await failing(node.until(lambda _: False)) == told
    assert (await edge.native.get_task(task_id)).state is State.COMPLETED


async def test_waits_are_told_when_the_server_stops(edge: Edge) -> None:
    task_id = (await edge.stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="job")))).id
    request = pb.WaitRequest(id=task_id, timeout_ms=60_000)
    waits = [asyncio.ensure_future(failing(edge.stubs.Tasks.Wait(request))) for _ in range(64)]
    async with asyncio.timeout(20):
        while (await edge.native.stats()).engine.waiters < 64:
            await asyncio.sleep(0.01)
        await edge.server.stop(60)
        answers = await asyncio.gather(*waits)

    assert set(answers) == {(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")}


async def test_the_audit_knows_whom_the_edge_spoke_for(edge: Edge) -> None:
    await edge.stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="a")))
    await edge.stubs.Broker.PauseQueue(pb.PauseQueueRequest(queue="default"))

    (entry,) = (await edge.stubs.Broker.ListAudit(pb.ListAuditRequest(action="pause"))).entries

    assert (entry.actor, entry.origin) == ("anonymous", "grpc 127.0.0.1")


async def test_bytes_that_are_no_http2_do_not_disturb_others(edge: Edge) -> None:
    for junk in (
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 4_096,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 999,
    ):
        with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as plain:
            plain.sendall(junk)
            assert (await edge.stubs.Broker.GetStats(pb.Empty())).engine.queues >= 0


async def test_bytes_that_are_no_message_are_refused(edge: Edge) -> None:
    call: Any = edge.stubs.channel.unary_unary("/tq.v1.Tasks/Submit")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\xff\xff\xff\xff")

    assert shown(caught.value)[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "PROTOCOL_VIOLATION")


async def test_bytes_that_are_no_message_end_a_stream(edge: Edge) -> None:
    call: Any = edge.stubs.channel.stream_stream("/tq.v1.Workers/Work")()
    await call.write(b"\xff\xff\xff\xff")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()

    assert shown(caught.value)[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "PROTOCOL_VIOLATION")

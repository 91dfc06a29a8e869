"""The gRPC edge as a process of its broker."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from tests.certificates import broker_certificates
from tests.cli.processes import environment, run_tq
from tests.edges.grpc.stubs import Stubs
from tests.edges.grpc.test_tasks import failing
from tests.edges.grpc.workers import SECONDS_MAX, StreamWorker
from tests.edges.real import GRPC_ON, EdgeBroker, edge_broker, wait_until_gone
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.edges.grpc import tq_pb2 as pb
from tq.model.task import State


@asynccontextmanager
async def stubs_of(broker: EdgeBroker, credentials: grpc.ChannelCredentials | None = None) -> AsyncIterator[Stubs]:
    target = broker.grpc.partition("://")[2]
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.ssl_target_name_override", "localhost")]
    if credentials is None:
        channel = grpc.aio.insecure_channel(target, options=options[:1])
    else:
        channel = grpc.aio.secure_channel(target, credentials, options=options)
    async with channel:
        yield Stubs(channel)


async def asked_again(stubs: Stubs, *, seconds: float = SECONDS_MAX) -> pb.Stats:
    """What a client of gRPC does by itself when it is told to wait: connect until somebody is there."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                stats: pb.Stats = await stubs.Broker.GetStats(pb.Empty(), wait_for_ready=True)
            except grpc.aio.AioRpcError:  # over a connection that is just ending
                continue
            return stats


async def test_a_broker_serves_grpc_and_names_its_address(tmp_path: Path) -> None:
    with edge_broker(tmp_path, **GRPC_ON) as broker:
        async with stubs_of(broker) as stubs:
            stats = await asked_again(stubs)
            task_id = (await stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="mail")))).id
        async with AsyncClient(broker.address) as native:
            assert (await native.get_task(task_id)).task_type == "mail"
        assert broker.grpc.startswith("grpc://127.0.0.1:")
        assert broker.grpc in stats.process.addresses
        assert broker.process.end() == 0


async def test_an_edge_that_is_killed_is_started_again_on_the_same_port_and_its_worker_goes_on(tmp_path: Path) -> None:
    with edge_broker(tmp_path, **GRPC_ON) as broker:
        async with stubs_of(broker) as stubs, AsyncClient(broker.address) as native:
            await asked_again(stubs)
            task_id = await native.submit_task(Task("job"))
            node = StreamWorker(stubs)
            await node.start()
            (delivery,) = await node.take()

            broker.kill(broker.edge_pid())
            lease = pb.Lease(task_id=task_id, token=delivery.token)
            with pytest.raises(grpc.aio.AioRpcError):
                await node.until(lambda _: False)
            await asked_again(stubs)
            again = StreamWorker(stubs, incarnation=node.incarnation, held=[lease])
            welcome = await again.start()
            await again.send(number=1, successes=[pb.Success(task_id=task_id, token=delivery.token)])
            settled = await again.settled(1)
            await again.leave()
            view = await native.get_task(task_id)

        assert (list(welcome.lost), list(settled.lost)) == ([], [])
        assert (view.state, view.attempt, view.crashes) == (State.COMPLETED, 1, 0)
        died = broker.event("edge_died")
        assert (died["exit_code"], died["edge"]) == (-signal.SIGKILL, "grpc")
        assert broker.process.end() == 0


async def test_an_edge_ends_when_its_broker_is_killed(tmp_path: Path) -> None:
    with edge_broker(tmp_path, **GRPC_ON) as broker:
        edge = broker.edge_pid()
        broker.kill(broker.pid)
        await asyncio.to_thread(wait_until_gone, edge)


def test_a_busy_port_is_an_error_before_there_is_a_data_directory(tmp_path: Path) -> None:
    """Also where it is only held for an edge that is just being started."""
    data = str(tmp_path / "data")
    with edge_broker(tmp_path / "first", **GRPC_ON) as broker:
        port = broker.grpc.rpartition(":")[2]
        flags = ("broker", "--port", "0", "--grpc-port", port, "--data-dir", data)
        done = run_tq(*flags, env=environment(**GRPC_ON))

    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "--grpc-port" in done.stderr
    assert not Path(data).exists()


async def test_a_broker_that_stops_tells_who_waits_and_ends_in_order(tmp_path: Path) -> None:
    with edge_broker(tmp_path, **GRPC_ON) as broker:
        async with stubs_of(broker) as stubs:
            await asked_again(stubs)
            task_id = (await stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="never")))).id
            request = pb.WaitRequest(id=task_id, timeout_ms=60_000)
            waits = [asyncio.ensure_future(failing(stubs.Tasks.Wait(request))) for _ in range(64)]
            async with asyncio.timeout(SECONDS_MAX):
                while (await stubs.Broker.GetStats(pb.Empty())).engine.waiters < 64:
                    pass
            broker.process.process.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*waits)
        assert await asyncio.to_thread(broker.process.process.wait, 30) == 0
        log = broker.process.log

    assert set(answers) == {(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")}
    assert log.index('"edge_stopped"') < log.index('"broker_stopping"')


async def test_a_revoked_token_ends_the_stream_of_its_worker(tmp_path: Path) -> None:
    with edge_broker(tmp_path, **GRPC_ON) as broker:
        metadata = (("authorization", f"Bearer {broker.token('w', 'worker')}"),)
        async with stubs_of(broker) as stubs:
            await stubs.Broker.GetStats(pb.Empty(), wait_for_ready=True, timeout=SECONDS_MAX, metadata=metadata)
            node = StreamWorker(stubs)
            node.call = stubs.Workers.Work(metadata=metadata)
            welcome = await node.start()
            async with AsyncClient(broker.address) as native:
                await native.revoke_token("w")
            ended = await failing(node.until(lambda _: False))

        assert welcome.actor == "token:w"
        assert ended == (grpc.StatusCode.UNAUTHENTICATED, "ACCESS_DENIED")
        assert broker.process.end() == 0


async def test_grpc_speaks_tls_where_the_broker_does_and_knows_a_client_by_its_certificate(tmp_path: Path) -> None:
    files = broker_certificates(tmp_path / "tls")
    settings = {
        "TQ_BROKER_TLS_CERT": files.path("server.pem"),
        "TQ_BROKER_TLS_KEY": files.path("server.key"),
        "TQ_BROKER_TLS_CLIENT_CA": files.path("ca.pem"),
        "TQ_API_GRPC_CLIENT_CERTIFICATES": "true",
        "TQ_SECURITY_CERTIFICATE_ROLES": "not-a-name*=admin, ops.example.org=operator",  # the former is its common name
    }
    root, certificate, key = (Path(files.path(name)).read_bytes() for name in ("ca.pem", "ops.pem", "ops.key"))
    with edge_broker(tmp_path, **GRPC_ON, **settings) as broker:
        with_certificate = grpc.ssl_channel_credentials(root, key, certificate)
        async with stubs_of(broker, with_certificate) as stubs:
            await asked_again(stubs)
            await stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="mail")))
            await stubs.Broker.PauseQueue(pb.PauseQueueRequest(queue="default"))
            (entry,) = (await stubs.Broker.ListAudit(pb.ListAuditRequest(action="pause"))).entries
        async with stubs_of(broker, grpc.ssl_channel_credentials(root)) as stubs:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stubs.Broker.GetStats(pb.Empty(), timeout=10)
        assert broker.grpc.startswith("grpcs://")
        assert broker.process.end() == 0

    assert (entry.actor, entry.origin) == ("cert:ops.example.org", "grpc 127.0.0.1")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_renewed_certificate_is_shown_to_new_connections_and_those_there_are_go_on(tmp_path: Path) -> None:
    first, second = broker_certificates(tmp_path / "first"), broker_certificates(tmp_path / "second")
    settings = {"TQ_BROKER_TLS_CERT": first.path("server.pem"), "TQ_BROKER_TLS_KEY": first.path("server.key")}
    trusting = [
        grpc.ssl_channel_credentials(Path(files.path("ca.pem")).read_bytes(), None, None) for files in (first, second)
    ]
    with edge_broker(tmp_path, **GRPC_ON, **settings) as broker:
        async with stubs_of(broker, trusting[0]) as stubs:
            await asked_again(stubs)
            for name in ("server.key", "server.pem"):
                Path(second.path(name)).replace(first.path(name))
            async with stubs_of(broker, trusting[1]) as later:
                await asked_again(later)
            async with stubs_of(broker, trusting[0]) as late:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await late.Broker.GetStats(pb.Empty(), timeout=10)
            await stubs.Broker.GetStats(pb.Empty(), timeout=10)
        assert broker.process.end() == 0

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "certificate" in str(caught.value.details()).lower()


def test_an_idle_edge_of_grpc_is_what_a_health_check_sees(tmp_path: Path) -> None:
    """As a container's health check would: a process of its own, without tq."""
    script = (
        "import grpc, sys; from grpc_health.v1 import health_pb2 as pb, health_pb2_grpc as stubs\n"
        "channel = grpc.insecure_channel(sys.argv[1])\n"
        "stub = stubs.HealthStub(channel)\n"
        "print(stub.Check(pb.HealthCheckRequest(), wait_for_ready=True, timeout=30).status)"
    )
    with edge_broker(tmp_path, **GRPC_ON) as broker:
        target = broker.grpc.partition("://")[2]
        done = subprocess.run([sys.executable, "-c", script, target], capture_output=True, text=True, timeout=60)

    assert done.stdout.strip() == "1"


def test_a_held_port_is_free_again_when_its_broker_has_ended(tmp_path: Path) -> None:
    with edge_broker(tmp_path, **GRPC_ON) as broker:
        port = int(broker.grpc.rpartition(":")[2])
        broker.event("edge_started")
        assert broker.process.end() == 0
    with socket.create_server(("127.0.0.1", port)):
        pass

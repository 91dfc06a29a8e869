"""The gRPC port: the three services of tq.proto, health and reflection, and the limits for whoever connects."""

import asyncio
import contextlib
from typing import NamedTuple

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from tq.edges.gateway import Gateway
from tq.edges.grpc import broker, tasks, workers
from tq.edges.grpc import tq_pb2 as pb
from tq.edges.grpc.calls import Calls
from tq.model.errors import ConnectFailed, TqError

SERVICES = tuple(service.full_name for service in pb.DESCRIPTOR.services_by_name.values())
HEALTH_SECONDS = 1.0
"""Between two looks at whether the broker takes tasks, and as long as it may take to say so."""
CLEAN_UP_SECONDS = 5.0
METADATA_BYTES_MAX = 16 << 10


class Tls(NamedTuple):
    """PEM texts. With `client_ca`, certificates that clients show are verified, and their names count."""

    certificate: bytes
    key: bytes
    client_ca: bytes = b""


class Limits(NamedTuple):
    """For all callers together, and before anybody has said who they are."""

    message_bytes_max: int = 8 << 20
    calls_max: int = 2_000  # at once; those above are answered RESOURCE_EXHAUSTED
    connections_max: int = 1_000
    streams_per_connection_max: int = 1_000
    ping_after_secs: int = 30  # of silence; a connection that does not answer is ended after 10 s more


class GrpcServer:
    """Serves until it is stopped."""

    def __init__(self, gateway: Gateway, limits: Limits | None = None) -> None:
        self._gateway = gateway
        limits = limits or Limits()
        self._server = grpc.aio.server(options=_options(limits), maximum_concurrent_rpcs=limits.calls_max)
        self._calls = Calls(gateway)
        self._server.add_generic_rpc_handlers(
            (
                self._calls.handlers("Tasks", tasks.UNARY),
                self._calls.handlers("Workers", workers.UNARY, duplexes=workers.DUPLEXES),
                self._calls.handlers("Broker", broker.UNARY, broker.STREAMS),
            )
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*SERVICES, HEALTH, reflection.SERVICE_NAME), self._server)
        self._looking: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, tls: Tls | None = None) -> int:
        """Listen.

        Args:
            port: 0: a free one.

        Returns:
            The port.

        Raises:
            ConnectFailed: the port cannot be had.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if tls is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, _credentials(tls))
        except RuntimeError:
            bound = 0
        if not bound:
            raise ConnectFailed(
                f"the gRPC port {address} cannot be had", hint="is another program on it? choose one with --grpc-port"
            )
        await self._server.start()
        await self._look()
        self._looking = asyncio.create_task(self._keep_looking(), name="grpc health")
        return int(bound)

    async def stop(self, seconds: float) -> None:
        """Take no more calls, and end when those there are have been answered, or after so many seconds. Streams do
        not end by themselves: they are cut off then."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await self._health.enter_graceful_shutdown()
        await self._server.stop(seconds)
        await self._calls.ended(CLEAN_UP_SECONDS)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_SECONDS)
            await self._look()

    async def _look(self) -> None:
        is_serving = False
        with contextlib.suppress(TqError, TimeoutError):
            async with asyncio.timeout(HEALTH_SECONDS):
                process = (await self._gateway.own.stats()).process
                is_serving = process is None or process.is_accepting
        status = health_pb2.HealthCheckResponse.SERVING if is_serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", *SERVICES):
            await self._health.set(service, status)


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.message_bytes_max),
        ("grpc.max_send_message_length", -1),  # what the broker answered is sent; the client has its own limit
        ("grpc.max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.max_concurrent_streams", limits.streams_per_connection_max),
        ("grpc.max_allowed_incoming_connections", limits.connections_max),
        ("grpc.server_handshake_timeout_ms", 5_000),
        ("grpc.keepalive_time_ms", limits.ping_after_secs * 1_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # Clients may ping as often as every 5 s, also while no call is open; more often ends their connection.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.so_reuseport", 0),  # a port that somebody else has is an error, not shared
    ]


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    """With a client CA, a certificate may be shown and need not be, as on the native port."""
    return grpc.ssl_server_credentials(
        [(tls.key, tls.certificate)], root_certificates=tls.client_ca or None, require_client_auth=False
    )

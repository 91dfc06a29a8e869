"""The gRPC port: the three services of tq.proto, health and reflection, and the limits for whoever connects."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
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
from tq.model.errors import ConfigInvalid, TqError

SERVICES = tuple(service.full_name for service in pb.DESCRIPTOR.services_by_name.values())
HEALTH_SECONDS = 1.0
"""Between two looks at whether the broker takes tasks, and as long as it may take to say so."""
CLEAN_UP_SECONDS = 5.0
METADATA_BYTES_MAX = 16 << 10


class Pem(NamedTuple):
    """Texts of the form PEM: a certificate with its chain, and its private key.

    With `client_ca`, clients must show a certificate of one of these CAs. `renewed` is called before each handshake, in
    a thread of gRPC, and gives a new pair if there is one.
    """

    pair: tuple[bytes, bytes]
    client_ca: bytes
    renewed: Callable[[], tuple[bytes, bytes] | None]


class Limits(NamedTuple):
    """For all callers together, and before anybody has said who they are."""

    message_bytes_max: int = 8 << 20
    calls_max: int = 2_000  # at once; those above are answered RESOURCE_EXHAUSTED
    connections_max: int = 1_000
    streams_per_connection_max: int = 1_000
    ping_after_secs: int = 30  # of silence; a connection that does not answer is ended after 10 s more


class GrpcServer:
    """Serves until it is stopped.

    Args:
        shares_port: the port is held by another socket of this user, which does not listen; see tq/server/listen.py.
    """

    def __init__(self, gateway: Gateway, limits: Limits | None = None, *, shares_port: bool = False) -> None:
        self._gateway = gateway
        limits = limits or Limits()
        self._server = grpc.aio.server(options=_options(limits, shares_port), maximum_concurrent_rpcs=limits.calls_max)
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

    async def start(self, addresses: Sequence[tuple[str, int]], pem: Pem | None = None) -> int:
        """Listen.

        Args:
            addresses: IP addresses with their ports; 0: a free one.

        Returns:
            The port of the first.

        Raises:
            ConfigInvalid: one of them cannot be had.
        """
        credentials = None if pem is None else _credentials(pem)
        ports = [self._listen(host, port, credentials) for host, port in addresses]
        await self._server.start()
        await self._look()
        self._looking = asyncio.create_task(self._keep_looking(), name="grpc health")
        return ports[0]

    async def stop(self, seconds: float) -> None:
        """Take no more calls, and return when those there are have been answered, or given up after so many seconds.

        Waits and streams do not end by themselves: they are told SHUTTING_DOWN, what their callers have sent before is
        still carried out.
        """
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await self._health.enter_graceful_shutdown()
        self._calls.ending.set()
        await self._server.stop(seconds)
        await self._calls.ended(CLEAN_UP_SECONDS)

    def _listen(self, host: str, port: int, credentials: grpc.ServerCredentials | None) -> int:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if credentials is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, credentials)
        except RuntimeError:  # gRPC has written why to stderr
            bound = 0
        if not bound:
            raise ConfigInvalid(
                f"gRPC cannot listen on {address}", hint="is another program there? choose another with --grpc-port"
            )
        return int(bound)

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


def _options(limits: Limits, shares_port: bool) -> list[tuple[str, int]]:
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
        ("grpc.so_reuseport", int(shares_port)),
    ]


def _credentials(pem: Pem) -> grpc.ServerCredentials:
    def configuration(pair: tuple[bytes, bytes]) -> grpc.ServerCertificateConfiguration:
        certificate, key = pair
        return grpc.ssl_server_certificate_configuration([(key, certificate)], pem.client_ca or None)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        pair = pem.renewed()
        return None if pair is None else configuration(pair)

    # gRPC's Python can require a client's certificate or not ask for one; "optional", as on the native port, it cannot.
    return grpc.dynamic_ssl_server_credentials(
        configuration(pem.pair),
        renewed,  # type: ignore[arg-type]  # None is no news, by its documentation
        require_client_authentication=bool(pem.client_ca),
    )

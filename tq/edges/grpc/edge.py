"""gRPC as an edge of the broker: on the port that is held for it, with the broker's certificate."""

import socket
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from tq.config.tls import Tls
from tq.edges.gateway import Gateway
from tq.edges.grpc.server import GrpcServer, Limits, Pem
from tq.model.edges import EdgeStart
from tq.model.settings import Settings


class GrpcEdge:
    """The gRPC edge. gRPC makes its own listening sockets, beside those that the broker holds the port with."""

    def __init__(self, start: EdgeStart, gateway: Gateway, log: FilteringBoundLogger) -> None:
        """
        Raises:
            ConfigInvalid: the files of the certificate cannot be used any more.
        """
        api = start.settings.api
        limits = Limits(message_bytes_max=api.max_body_bytes, connections_max=api.max_connections)
        self._sockets = [socket.socket(fileno=number) for number in start.sockets]
        self._pem = _read_pem(start.settings, log) if start.settings.broker.tls_cert else None
        self._server = GrpcServer(gateway, limits, shares_port=True)

    async def start(self) -> None:
        """Serve from now on."""
        names = [sock.getsockname() for sock in self._sockets]
        await self._server.start([(name[0], name[1]) for name in names], self._pem)

    async def stop(self, seconds: float) -> None:
        """Take nothing more; return when what was taken has been answered, or given up after so many seconds."""
        await self._server.stop(seconds)
        for sock in self._sockets:
            sock.close()


def _read_pem(settings: Settings, log: FilteringBoundLogger) -> Pem:
    """The files of the certificate; again whenever they have changed, if they still belong together."""
    broker = settings.broker
    tls = Tls(broker)  # which finds what is wrong with them, and tells

    def read() -> tuple[bytes, bytes]:
        return Path(broker.tls_cert).read_bytes(), Path(broker.tls_key or broker.tls_cert).read_bytes()

    def renewed() -> tuple[bytes, bytes] | None:
        return read() if tls.renew(log) else None

    client_ca = Path(broker.tls_client_ca).read_bytes() if settings.api.grpc_client_certificates else b""
    return Pem(read(), client_ca, renewed)

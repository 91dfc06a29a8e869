"""REST on uvicorn: listening, and an orderly end."""

import asyncio
import logging
import socket
import ssl
from typing import Any

import uvicorn
from structlog.typing import FilteringBoundLogger

from tq.config.tls import Tls
from tq.edges.gateway import Gateway
from tq.edges.rest.app import make_app
from tq.edges.rest.counted import counted
from tq.edges.rest.protocol import BoundedHttp, HttpLimits
from tq.edges.rest.sites import SameSiteOnly, names_in
from tq.edges.rest.streams import Streams
from tq.model.edges import EdgeStart
from tq.protocol.handshake import Handshakes, TlsServer

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle between two requests."""

_RENEW_SECONDS = 1.0  # between two looks at the files of the certificate


class RestServer:
    """The REST edge, on the sockets that the broker has bound for it."""

    def __init__(self, start: EdgeStart, gateway: Gateway, log: FilteringBoundLogger) -> None:
        """
        Raises:
            ConfigInvalid: the files of the certificate cannot be used any more.
        """
        api = start.settings.api
        self._log = log
        self._sockets = [socket.socket(fileno=number) for number in start.sockets]
        self._tls = Tls(start.settings.broker) if start.settings.broker.tls_cert else None
        self._streams = Streams()
        app = make_app(
            gateway,
            log,
            self._streams,
            max_body_bytes=api.max_body_bytes,
            metrics_queues_max=api.metrics_queues_max,
        )
        app = SameSiteOnly(app, names_in(api.allowed_hosts))
        limits = HttpLimits(
            connections_max=api.max_connections,
            body_bytes_max=api.max_body_bytes,
            request_seconds=api.request_timeout_secs,
        )
        context = None if self._tls is None else self._tls.context
        self._server = HttpServer(counted(app, gateway.counting), limits, log, context)
        self._serving: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of every stranger's nonsense

    async def start(self) -> None:
        """Serve from now on."""
        self._serving = asyncio.create_task(self._server.serve(self._sockets), name="rest")
        waiting = asyncio.ensure_future(self._server.is_up.wait())
        await asyncio.wait({waiting, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await self._serving  # it has failed: says why
        if self._tls is not None:
            self._renewing = asyncio.create_task(self._renew(self._tls), name="rest certificate")

    async def stop(self, seconds: float) -> None:
        """Take nothing more; return when what was taken has been answered, or given up after so many seconds."""
        if self._renewing is not None:
            self._renewing.cancel()
        assert self._serving is not None
        self._streams.ending.set()
        self._server.end(seconds)
        await self._serving

    async def _renew(self, tls: Tls) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            tls.renew(self._log)


class HttpServer(uvicorn.Server):
    """uvicorn's, without its own handling of signals, and with bounds for connections and for TLS.

    Args:
        app: what is served.
        context: of TLS; None: without.
    """

    def __init__(
        self, app: Any, limits: HttpLimits, log: FilteringBoundLogger, context: ssl.SSLContext | None = None
    ) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # whoever is the peer is the caller; a header is no proof of anything
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        super().__init__(config)
        self.is_up = asyncio.Event()
        self._limits = limits
        self._log = log
        self._context = context
        self._handshakes = Handshakes(limits.connections_max, log)
        self._tls_servers: list[TlsServer] = []

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but signals are the process's."""
        await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept on these sockets."""
        loop = asyncio.get_running_loop()
        self.servers = []
        for sock in sockets or ():
            if self._context is None:
                self.servers.append(await loop.create_server(self._make, sock=sock, backlog=self.config.backlog))
            else:
                sock.setblocking(False)
                self._tls_servers.append(TlsServer(sock, self._make, self._context, self._handshakes))
        self.started = True
        self.is_up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and wait for those there are as uvicorn does. Who has asked nothing yet is let go."""
        for server in self._tls_servers:
            server.close()
        self._handshakes.cancel()
        await super().shutdown(sockets)

    def end(self, seconds: float) -> None:
        """Take nothing more; `serve` returns when what was taken has been answered, or after so many seconds."""
        self.config.timeout_graceful_shutdown = int(seconds)
        self.should_exit = True

    def _make(self) -> asyncio.Protocol:
        return BoundedHttp(self.config, self.server_state, self._limits, self._log)

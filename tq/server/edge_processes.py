"""The edges of a broker: processes of their own, whose sockets are bound here, and which are started again if they die.

Apart, because what they do (HTTP, JSON, TLS of strangers) would hold Python's one interpreter while native clients
wait, and because a defect or a flood there ends with the edge and not with the broker.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

import msgspec
from structlog.typing import FilteringBoundLogger

from tq.model.edges import READY, EdgeName, EdgeStart
from tq.model.errors import ConfigInvalid
from tq.model.settings import Settings
from tq.server.listen import hold_tcp, listen_tcp

COMMAND = (sys.executable, "-m", "tq.cli.main", "edge")
READY_SECONDS = 60.0
"""How long an edge may take to serve after its start."""

STOP_SECONDS = 5.0
"""How long it may take to end after `broker.graceful_shutdown_timeout_secs`."""

PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.1, 10.0
"""Before it is started again: the first time, and the longest, after doubling each time."""

SETTLED_SECONDS = 60.0
"""An edge that lived so long is started again as if it had never died."""


class EdgeProcesses:
    """`bind`, then `start`, then `stop`.

    The sockets stay open here: a busy port is known before anything else is done, and callers of REST who come while it
    is started again wait, and are not refused. Those of gRPC, which makes its own socket, connect again by themselves.

    Args:
        takes_next_free_port: if a port is busy, take the next one that is not.
        stream: where the edges write their logs; None: stderr.
        command: what starts an edge; its name follows.

    Attributes:
        addresses: where callers reach them, once bound.
    """

    def __init__(
        self,
        settings: Settings,
        log: FilteringBoundLogger,
        *,
        takes_next_free_port: bool = False,
        stream: TextIO | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._settings = settings
        self._log = log
        self._takes_next_free_port = takes_next_free_port
        self._stream = stream
        self._command = command
        self._sockets: dict[EdgeName, list[socket.socket]] = {}
        self._processes: dict[EdgeName, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._is_stopping = asyncio.Event()
        self.addresses: tuple[str, ...] = ()

    def bind(self) -> None:
        """Take the ports.

        Raises:
            ConfigInvalid: one is in use, or not to be had; none is held then.
        """
        api, has_tls = self._settings.api, bool(self._settings.broker.tls_cert)
        try:
            if api.rest_enabled:
                self._bind("rest", api.rest_port, listen_tcp, "https" if has_tls else "http")
            if api.grpc_enabled:
                self._bind("grpc", api.grpc_port, hold_tcp, "grpcs" if has_tls else "grpc")
        except ConfigInvalid:
            self._close()
            raise

    def _bind(self, edge: EdgeName, wanted: int, bind: Callable[..., list[socket.socket]], scheme: str) -> None:
        host = self._settings.api.host or self._settings.broker.host
        sockets = bind(host, wanted, next_free=self._takes_next_free_port, flag=f"--{edge}-port")
        self._sockets[edge] = sockets
        port = sockets[0].getsockname()[1]
        if wanted not in (0, port):
            self._log.warning("port_taken", wanted=wanted, port=port)
        self.addresses += tuple(f"{scheme}://{_host_and_port(sock)}" for sock in sockets)

    def start(self, broker: str, key: bytes) -> None:
        """Start them, and again when they die. Returns at once: callers wait in the sockets until an edge is ready.

        Args:
            broker: the address at which they reach it.
            key: which they show there.
        """
        for edge in self._sockets:
            self._keepers.append(asyncio.create_task(self._keep(edge, broker, key), name=f"edge {edge}"))

    async def stop(self) -> None:
        """Let them answer what they have taken, up to `broker.graceful_shutdown_timeout_secs`, and end them."""
        self._is_stopping.set()
        for process in self._processes.values():
            _signal(process, signal.SIGTERM)
        self._close()
        if not self._keepers:
            return
        seconds = self._settings.broker.graceful_shutdown_timeout_secs + STOP_SECONDS
        _, late = await asyncio.wait(self._keepers, timeout=seconds)
        if late:
            for edge, process in self._processes.items():
                self._log.warning("edge_killed", edge=edge, seconds=seconds)
                _signal(process, signal.SIGKILL)
        await asyncio.gather(*self._keepers)

    def _close(self) -> None:
        for sockets in self._sockets.values():
            for sock in sockets:
                sock.close()
        self._sockets.clear()

    async def _keep(self, edge: EdgeName, broker: str, key: bytes) -> None:
        loop, pause = asyncio.get_running_loop(), PAUSE_SECONDS_MIN
        while not self._is_stopping.is_set():
            began_at = loop.time()
            code = await self._run(edge, broker, key)
            if self._is_stopping.is_set():
                return
            if loop.time() - began_at > SETTLED_SECONDS:
                pause = PAUSE_SECONDS_MIN
            self._log.error("edge_died", edge=edge, exit_code=code, starts_again_in_s=pause)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._is_stopping.wait()
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    async def _run(self, edge: EdgeName, broker: str, key: bytes) -> int:
        """One life of an edge; its exit code, negative for a signal."""
        sockets = tuple(sock.fileno() for sock in self._sockets[edge])
        start = EdgeStart(edge=edge, key=key, broker=broker, sockets=sockets, settings=self._settings)
        process = await asyncio.create_subprocess_exec(
            *(*self._command, edge),
            stdin=asyncio.subprocess.PIPE,  # closed by the kernel if this process is killed
            stdout=asyncio.subprocess.PIPE,
            stderr=self._stream,
            pass_fds=sockets,
            env=_environment(),
            # Ctrl-C goes to the whole group of the terminal; an edge must hear of it from here, and in its turn.
            start_new_session=True,
        )
        self._processes[edge] = process
        try:
            if self._is_stopping.is_set():  # while it was started
                _signal(process, signal.SIGTERM)
            await self._introduce(edge, process, start)
            return await process.wait()
        finally:
            del self._processes[edge]
            _signal(process, signal.SIGKILL)

    async def _introduce(self, edge: EdgeName, process: asyncio.subprocess.Process, start: EdgeStart) -> None:
        """Tell it what it needs, and wait until it serves, or ends, or has taken too long."""
        assert process.stdin is not None
        assert process.stdout is not None
        began_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(READY_SECONDS):
                process.stdin.write(msgspec.json.encode(start) + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
        except (TimeoutError, ConnectionError):
            _signal(process, signal.SIGKILL)
            return
        if line == READY:
            ms = round((asyncio.get_running_loop().time() - began_at) * 1_000)
            self._log.info("edge_started", edge=edge, edge_pid=process.pid, start_ms=ms)


def _environment() -> dict[str, str]:
    """Without tq's own variables: an edge is told its settings, and shows the tokens of its callers alone.

    Of its own accord, gRPC's library writes a line, and not in the form of the log, for each stranger's nonsense.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TQ_")}
    return {"GRPC_VERBOSITY": "NONE", **kept}


def _host_and_port(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)

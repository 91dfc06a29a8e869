"""The broker: store, engine, loop and sockets put together, and the life of the process around them."""

import asyncio
import contextlib
import gc
import os
import resource
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

import tq
from tq.config.tls import Tls
from tq.engine.engine import Engine
from tq.model.commands import BATCH_MAX
from tq.model.errors import ConfigInvalid
from tq.model.identity import Role
from tq.model.replies import Cluster, Limits, Welcome
from tq.model.settings import BrokerSettings, Settings
from tq.protocol.codec import PROTOCOL_VERSION
from tq.protocol.handshake import TlsServer
from tq.server.clock import Clock
from tq.server.connection import ConnectionLimits, Connections
from tq.server.edge_processes import EdgeProcesses
from tq.server.gate import Gate
from tq.server.listen import check_credentials, check_exposure, listen_tcp, listen_unix, shown
from tq.server.logging import make_logger
from tq.server.loop import BrokerLoop, SyncPolicy
from tq.server.vitals import Vitals
from tq.storage.memory import MemoryStore
from tq.storage.rocks import RocksStore
from tq.storage.store import Store

HEARTBEATS_MISSED_MAX = 3
CHECK_SECONDS = 1.0
"""Between two looks at the disk, the clock and the connections."""

CLOCK_STEP_MS_MIN = 1_000
"""A wall clock set back by more than this is reported."""

SWITCH_SECONDS = 0.0005
"""How long the loop may keep the commit thread from the interpreter. Python's 5 ms would be ten fsyncs."""

NO_SOCKET = "none"


class Broker:
    """A broker in this process: `start`, then `stop`. Owns the store from `start` on.

    Attributes:
        addresses: where clients reach it, once started; those of its edges are the last.
        local_address: where a process of the same user on this machine reaches it, once started.
        edge_key: by which it knows its edges; for them alone.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        log: FilteringBoundLogger,
        *,
        is_ephemeral: bool = False,
        takes_next_free_port: bool = False,
        edge_addresses: tuple[str, ...] = (),
        clock: Clock | None = None,
    ) -> None:
        """
        Args:
            store: open; `stop` closes it.
            is_ephemeral: nothing outlives the process, so nothing is waited for; no socket but one that was asked for.
            takes_next_free_port: if the port is busy, listen on the next one that is not.
            edge_addresses: where its edges listen, which are the caller's to start; they reach it at `local_address`.
            clock: of the machine if None.
        """
        self._settings = settings
        self._store = store
        self._log = log
        self._is_ephemeral = is_ephemeral
        self._takes_next_free_port = takes_next_free_port
        self._edge_addresses = edge_addresses
        self._data_dir = "" if is_ephemeral else str(Path(settings.persistence.data_dir).absolute())
        self._clock = Clock() if clock is None else clock
        self._tls: Tls | None = None
        self._servers: list[asyncio.Server | TlsServer] = []
        self._socket_path: Path | None = None
        self._private_directory: tempfile.TemporaryDirectory[str] | None = None
        self._check_timer: asyncio.TimerHandle | None = None
        self._is_clock_behind = False
        self._loop: BrokerLoop
        self._connections: Connections
        self.addresses: tuple[str, ...] = ()
        self.local_address = ""
        self.edge_key = secrets.token_bytes(32)

    async def start(self) -> None:
        """Load the engine and listen.

        Raises:
            ConfigInvalid: it cannot listen where it should; the store is closed.
            TqError: the store cannot be read.
        """
        started_at = time.monotonic()
        settings, broker = self._settings, self._settings.broker
        try:
            check_exposure(settings)
            self._tls = Tls(broker) if broker.tls_cert else None
        except BaseException:
            self._store.close()
            raise
        boot_id = secrets.token_hex(8)
        sync: SyncPolicy = "never" if self._is_ephemeral else settings.persistence.sync
        self._vitals = Vitals(
            version=tq.__version__,
            boot_id=boot_id,
            started_at_ms=self._clock.now_ms(),
            data_dir=self._data_dir,
            sync=sync,
        )
        try:
            self._loop = BrokerLoop(
                store=self._store,
                open_core=lambda store: Engine(store, settings, secrets.randbits(64)),
                welcome=_welcome(settings, boot_id),
                gate=Gate(settings, self.edge_key),
                sync=sync,
                sync_interval_ms=settings.persistence.wal_sync_interval_ms,
                clock=self._clock,
                vitals=self._vitals,
                log=self._log,
            )
        except BaseException:
            self._store.close()
            raise
        self._connections = Connections(self._loop, _connection_limits(settings), self._log)
        try:
            check_credentials(settings, has_token=self._loop.has_token())
            await self._listen()
        except BaseException:
            self._stop_listening()
            self._loop.close()
            raise
        self._vitals.addresses = self.addresses
        self._vitals.connections_max = broker.max_connections
        self.check()
        if broker.insecure:
            self._log.warning("broker_insecure", host=broker.host, meaning=_insecurity(broker, self._loop.has_token()))
        self._log.info(
            "broker_started",
            version=tq.__version__,
            broker_pid=os.getpid(),
            addresses=list(self.addresses),
            data_dir=self._data_dir or None,
            sync=sync,
            load_ms=round((time.monotonic() - started_at) * 1000),
        )

    @property
    def died(self) -> asyncio.Future[None]:
        """Fails with the reason when this broker must not go on; `stop` is still to be called."""
        return self._loop.died

    async def stop(self) -> None:
        """Accept nothing more, answer what was taken, tell everybody, close.

        Raises:
            TqError: the last sync failed.
        """
        self._log.info("broker_stopping", connections=len(self._connections.admitted))
        self._stop_listening()
        try:
            async with asyncio.timeout(self._settings.broker.graceful_shutdown_timeout_secs):
                await self._loop.stop()
                await self._connections.wait_until_gone()
        except TimeoutError:
            self._log.warning("stop_timed_out", connections=len(self._connections.admitted))
        self._connections.abort()
        await self._connections.wait_until_gone()
        if self._check_timer is not None:
            self._check_timer.cancel()
        self._loop.close()
        self._log.info("broker_stopped")

    async def _listen(self) -> None:
        broker = self._settings.broker
        sockets = listen_tcp(broker.host, broker.port, next_free=self._takes_next_free_port)
        port = sockets[0].getsockname()[1]
        if broker.port not in (0, port):
            self._log.warning("port_taken", wanted=broker.port, port=port)
        loop = asyncio.get_running_loop()
        tls = self._tls
        for sock in sockets:
            if tls is None:
                self._servers.append(await loop.create_server(self._connections.make, sock=sock))
            else:
                self._servers.append(TlsServer(sock, self._connections.make, tls.context, self._connections.handshakes))
        addresses = [shown(sock, is_tls=tls is not None) for sock in sockets]
        local = self._listen_locally()
        if local is not None:
            addresses.append(shown(local))
        elif self._edge_addresses:
            # For the edges alone: the TCP port may speak TLS with a certificate for another name than this machine's.
            self._private_directory = tempfile.TemporaryDirectory(prefix="tq-")
            local = listen_unix(Path(self._private_directory.name) / "s")
        if local is not None:
            self._servers.append(await loop.create_unix_server(self._connections.make, sock=local))
        self.local_address = addresses[0] if local is None else shown(local)
        self.addresses = (*addresses, *self._edge_addresses)

    def _listen_locally(self) -> socket.socket | None:
        wanted = self._settings.broker.socket
        if wanted == NO_SOCKET or (self._is_ephemeral and not wanted):
            return None
        path = (Path(wanted) if wanted else Path(self._data_dir) / "tq.sock").absolute()
        try:
            sock = listen_unix(path)
        except ConfigInvalid as error:
            if wanted:
                raise
            # Nobody asked for this one: a data directory may be too deep for a socket, or on a disk without them.
            self._log.warning("socket_unavailable", path=str(path), error=error.message)
            return None
        self._socket_path = path
        return sock

    def _stop_listening(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._socket_path is not None:
            self._socket_path.unlink(missing_ok=True)
            self._socket_path = None
        if self._private_directory is not None:
            self._private_directory.cleanup()
            self._private_directory = None

    def check(self) -> None:
        """Look at the disk, the connections and the clock; calls itself again after CHECK_SECONDS."""
        loop = asyncio.get_running_loop()
        if self._check_timer is not None:
            self._check_timer.cancel()
        self._check_timer = loop.call_later(CHECK_SECONDS, self.check)
        free_bytes = self._store.disk_free_bytes()
        if free_bytes is not None:
            self._loop.note_disk(free_bytes, self._settings.persistence.min_free_bytes)
        self._connections.check(loop.time())
        self._loop.check_access()
        if self._tls is not None:
            self._tls.renew(self._log)
        ahead_ms = self._clock.ahead_ms()
        if (ahead_ms > CLOCK_STEP_MS_MIN) is not self._is_clock_behind:
            self._is_clock_behind = not self._is_clock_behind
            self._log.warning("clock_set_back" if self._is_clock_behind else "clock_caught_up", ahead_ms=ahead_ms)


def open_store(settings: Settings, log: FilteringBoundLogger, *, is_ephemeral: bool = False) -> Store:
    """The store that the settings name, its data directory made if missing; in memory if `is_ephemeral`.

    Raises:
        ConfigInvalid: a broker with these settings could not listen, or should not.
        StorageInUse: another process has the data directory.
        StorageCorrupt, FormatTooNew, StorageFailed, DiskFull: it cannot be opened; the message says why.
    """
    check_exposure(settings)  # before there is a directory that nobody wanted
    if settings.broker.tls_cert:
        Tls(settings.broker)
    if is_ephemeral:
        return MemoryStore()
    began_at = time.monotonic()
    store = RocksStore.open(Path(settings.persistence.data_dir))
    report = store.report
    if report.cut is not None:
        log.warning(
            "storage_tail_cut",
            file=str(report.cut.path),
            offset=report.cut.offset,
            bytes_cut=report.cut.bytes_behind,
            reason=report.cut.reason,
        )
    log.info(
        "storage_opened",
        data_dir=str(report.directory),
        is_new=report.is_new,
        applied=report.applied,
        format_before=report.format_before,
        open_ms=round((time.monotonic() - began_at) * 1000),
    )
    return store


async def run_broker(
    settings: Settings,
    *,
    is_ephemeral: bool = False,
    takes_next_free_port: bool = False,
    log: FilteringBoundLogger | None = None,
    on_started: Callable[[Broker], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; the second of them ends the process at once, which loses nothing acknowledged.

    For a process that is a broker and nothing else: it sets the process's own limits. To be run on uvloop.

    Args:
        log: made from `settings.log` if None.
        on_started: called once clients can connect.

    Raises:
        ConfigInvalid: it cannot listen where it should.
        TqError: the data cannot be opened; or the disk failed, and the process must end.
    """
    log = make_logger(settings.log) if log is None else log
    check_exposure(settings)
    edges = EdgeProcesses(settings, log, takes_next_free_port=takes_next_free_port)
    edges.bind()  # before there is a directory that nobody wanted
    try:
        store = open_store(settings, log, is_ephemeral=is_ephemeral)
    except BaseException:
        await edges.stop()
        raise
    prepare_process()
    broker = Broker(
        settings,
        store,
        log,
        is_ephemeral=is_ephemeral,
        takes_next_free_port=takes_next_free_port,
        edge_addresses=edges.addresses,
    )
    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[None] = loop.create_future()

    def on_signal(number: signal.Signals) -> None:
        log.info("signal_received", signal=number.name)
        if signalled.done():
            os._exit(128 + number)
        signalled.set_result(None)

    def on_defect(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        log.error("callback_failed", what=str(context.get("message")), exc_info=context.get("exception"))

    loop.set_exception_handler(on_defect)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    try:
        await broker.start()
        edges.start(broker.local_address, broker.edge_key)
        gc.freeze()  # what was loaded stays: no collection need look at it again
        if on_started is not None:
            on_started(broker)
        try:
            await asyncio.wait({signalled, broker.died}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await edges.stop()  # first: what they have taken, the broker is to answer
            await broker.stop()
        if broker.died.done():
            broker.died.result()
    finally:
        await edges.stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _welcome(settings: Settings, boot_id: str) -> Welcome:
    """What everybody is told; the greeting adds what concerns the one who is greeted."""
    cluster = settings.cluster
    return Welcome(
        0,
        PROTOCOL_VERSION,
        tq.__version__,
        boot_id,
        Role.NONE.value,
        _limits(settings),
        cluster=Cluster(cluster.name, cluster.badge, cluster.confirm_always),
    )


def _limits(settings: Settings) -> Limits:
    broker = settings.broker
    return Limits(
        frame_bytes_max=broker.max_frame_bytes,
        payload_bytes_max=broker.max_payload_bytes,
        batch_max=BATCH_MAX,
        outstanding_requests_max=broker.max_outstanding_requests,
        heartbeat_interval_ms=broker.worker_heartbeat_interval_secs * 1_000,
    )


def _connection_limits(settings: Settings) -> ConnectionLimits:
    broker = settings.broker
    return ConnectionLimits(
        connections_max=broker.max_connections,
        frame_bytes_max=broker.max_frame_bytes,
        outstanding_max=broker.max_outstanding_requests,
        write_buffer_bytes_max=broker.max_write_buffer_bytes,
        worker_silence=broker.worker_heartbeat_interval_secs * HEARTBEATS_MISSED_MAX,
    )


def _insecurity(broker: BrokerSettings, has_token: bool) -> str:
    """What --insecure gives up here."""
    if has_token or broker.tls_client_ca:
        return "credentials travel where others may read them" if not broker.tls_cert else "nothing is given up"
    return "anybody who reaches it may do anything"


def prepare_process() -> None:
    """Set the limits of a process that serves a broker.

    Room for every connection and every file of RocksDB, where the usual soft limit is about the former alone; and an
    interpreter that the commit thread gets when it needs it.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # not every system allows its own hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

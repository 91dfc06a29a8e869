"""`tq worker module:app`: the parent of worker processes. It starts them, replaces those that die or want to be
replaced, tells the broker how one died, and passes signals on. It runs none of the application's code.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Any, BinaryIO

import msgspec

from tq import __version__
from tq.client.connection import Connection
from tq.config.address import default_addresses, destination
from tq.model.commands import Hello, WorkerDied
from tq.model.errors import ERRORS, InternalError, InvalidArgument, TqError
from tq.model.identity import Role
from tq.model.replies import Push
from tq.model.settings import LogSettings, Settings
from tq.protocol.codec import PROTOCOL_VERSION
from tq.worker.backoff import Backoff
from tq.worker.desk import STOP_SECONDS
from tq.worker.lifeline import Leaving, Options, Refused
from tq.worker.logs import configure_logging, form_of
from tq.worker.metrics_server import MetricsServer, bind
from tq.worker.queues import parse_queues
from tq.worker.supervisor import SAME_SIGNAL_SECONDS, SETTLE_SECONDS
from tq.worker.tally import Tally
from tq.worker.worker_process import WorkerProcess

RESTART_SECONDS_FIRST, RESTART_SECONDS_MAX = 0.2, 30.0
HEALTHY_SECONDS = 60.0
"""A process that lived for so long was no failed start: its successor starts with the shortest wait."""
REPORT_SECONDS = 10.0
"""How long a death is reported for; after that the broker has found out by itself."""
CONNECT_SECONDS = 3.0
EXIT_MARGIN_SECONDS = 10.0
"""What a process may need to end, beyond all waits of its own, before it is killed."""

log = logging.getLogger("tq.worker.parent")


def run_worker(
    settings: Settings, app_path: str, address: str | Sequence[str] | None = None, *, token: str = ""
) -> int:
    """Run worker processes until a signal ends them; to be called in the main thread.

    Args:
        app_path: "module:app".
        address: of the broker, or several to be tried in turn; None is the default of `tq.config.address`.
        token: proves who the worker is, where the broker asks for it.

    Returns:
        the exit code: 0 if every process finished or handed back all that it held, 1 if one did not.

    Raises:
        InvalidArgument: `settings.worker.queues` is wrong, or the application cannot be loaded.
        ConfigInvalid: `settings.worker.metrics_port` cannot be listened on.
        TqError: the broker refuses this worker.
    """
    parse_queues(settings.worker.queues)
    address, token, role = destination(address, token)
    if not role.may(Role.WORKER):
        raise InvalidArgument(
            f"the profile wants no more than the role {role}: a worker needs worker", hint="name the address instead"
        )
    addresses = default_addresses() if address is None else [address] if isinstance(address, str) else list(address)
    configure_logging(settings.log, sys.stderr)
    options = Options(
        app_path=app_path,
        addresses=list(addresses),
        token=token,
        name=settings.worker.name or f"{socket.gethostname()}-{os.getpid()}",
        host=socket.gethostname(),
        incarnation="",
        worker=settings.worker,
        log=LogSettings(level=settings.log.level, format=form_of(settings.log, sys.stderr)),
        running_fd=-1,
        running_places=0,
        is_counting=bool(settings.worker.metrics_port),
    )
    if not settings.worker.metrics_port:
        return asyncio.run(Parent(options, sys.stderr.buffer).run())
    with bind(settings.worker.metrics_host, settings.worker.metrics_port) as sock:
        return asyncio.run(_run_with_metrics(options, sock))


async def _run_with_metrics(options: Options, sock: socket.socket) -> int:
    """Run, and show what the processes did to who asks for it."""
    from tq.worker import metrics  # Prometheus, for who wants it

    tally = Tally(options.worker.concurrency)
    server = MetricsServer(sock, lambda: metrics.render(options.name, tally.totals()), metrics.CONTENT_TYPE)
    await server.start()
    log.info("metrics_served", extra={"address": server.address})
    try:
        return await Parent(options, sys.stderr.buffer, tally).run()
    finally:
        server.close()


class Parent:
    """Keeps `options.worker.processes` worker processes running.

    Args:
        options: of each, apart from what WorkerProcess fills in.
        stderr: where what they write to theirs goes.
        tally: where what they did is added up, if that is to be shown.
    """

    def __init__(self, options: Options, stderr: BinaryIO, tally: Tally | None = None) -> None:
        self._options = options
        self._tally = tally
        self._stderr = stderr
        self._processes: set[WorkerProcess] = set()
        self._stopping = asyncio.Event()
        self._stopping_at = 0.0
        self._was_ready = self._was_connected = False
        self._exit_code = 0
        self._reports: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Until all processes have ended for good; see `run_worker`."""
        loop = asyncio.get_running_loop()
        for which in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(which) is not signal.SIG_IGN:  # as nohup has it
                loop.add_signal_handler(which, self.stop)
        loop.add_signal_handler(signal.SIGQUIT, self.stop_now)
        log.info(
            "worker_starting",
            extra={
                "app": self._options.app_path,
                "processes": self._options.worker.processes,
                "addresses": self._options.addresses,
            },
        )
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._options.worker.processes):
                    group.create_task(self._keep_one(), name=f"process-{number}")
        except* TqError as errors:
            raise errors.exceptions[0] from None  # the others say the same
        finally:
            for process in self._processes:
                process.kill()
            if self._processes:
                await asyncio.wait([process.ended for process in self._processes])
            if self._reports:
                await asyncio.wait(self._reports, timeout=REPORT_SECONDS)
        log.info("worker_ended", extra={"exit_code": self._exit_code})
        return self._exit_code

    def stop(self) -> None:
        """The first time: let all finish. The second time: let them hand back what they run, and end."""
        if not self._stopping.is_set():
            log.info("stopping", extra={"hint": "once more to stop now"})
            self._stopping_at = time.monotonic()
            self._stopping.set()
            for process in self._processes:
                process.drain()
        elif time.monotonic() - self._stopping_at > SAME_SIGNAL_SECONDS:
            self.stop_now()

    def stop_now(self) -> None:
        """Let all hand back what they run, and end: a second signal, or SIGQUIT, which needs no first."""
        log.info("stopping_now")
        self._stopping.set()
        for process in self._processes:
            process.stop()

    async def _keep_one(self) -> None:
        """One process after the other, until the worker stops or the broker sends this one away."""
        backoff = Backoff(RESTART_SECONDS_FIRST, RESTART_SECONDS_MAX, Random())  # noqa: S311 - jitter, not a secret
        process = await self._start(backoff)
        while process is not None:
            started_at = time.monotonic()
            stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
            events: list[asyncio.Future[Any]] = [process.ended, process.wish, stopping]
            await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if self._stopping.is_set():
                await self._retire(process)
                return
            if process.ended.done():
                if process.refused is not None and not self._was_ever_connected(process):
                    raise _cannot_start(self._options.app_path, process)
                if time.monotonic() - started_at > HEALTHY_SECONDS:
                    backoff.succeeded()
                await self._pause(process, backoff)
                process = await self._start(backoff)
            elif isinstance(process.wish.result(), Leaving):
                await self._retire(process)
                return
            else:
                # The successor first, so that there is no gap: for a moment there are two.
                successor = await self._start(backoff)
                process.drain()
                retiring = asyncio.create_task(self._retire(process), name=f"retiring-{process.pid}")
                if successor is None:
                    await retiring
                self._reports.add(retiring)
                retiring.add_done_callback(self._reports.discard)
                process = successor

    def _was_ever_connected(self, process: WorkerProcess) -> bool:
        return self._was_connected or any(one.was_connected for one in (process, *self._processes))

    async def _start(self, backoff: Backoff) -> WorkerProcess | None:
        """A process that has loaded the application; None if the worker stops before there is one.

        Raises:
            TqError: the very first ones could not start, so that no other could.
        """
        while not self._stopping.is_set():
            process = await WorkerProcess.start(self._options, self._stderr)
            self._processes.add(process)
            if self._tally is not None:
                process.on_counted = self._tally.counted
            watching = asyncio.create_task(self._watch(process), name=f"watch-{process.pid}")
            self._reports.add(watching)
            watching.add_done_callback(self._reports.discard)
            if await process.ready:
                self._was_ready = True
                if self._tally is not None:
                    self._tally.began(process.pid)
                return process
            if not self._was_ready and not self._stopping.is_set():
                raise _cannot_start(self._options.app_path, process)
            await self._pause(process, backoff)
        return None

    async def _pause(self, process: WorkerProcess, backoff: Backoff) -> None:
        """Wait before the successor of a process that ended starts."""
        seconds = backoff.next_seconds()
        if not self._stopping.is_set():
            if process.refused is not None:
                log.error("process_refused", extra={"pid": process.pid, "reason": process.refused.message})
            log.info("process_restarting", extra={"in_ms": round(seconds * 1000)})
            stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
            await asyncio.wait([stopping], timeout=seconds)
            stopping.cancel()

    async def _retire(self, process: WorkerProcess) -> None:
        """Wait for the end of a process that was told to end; kill it if it does not come."""
        grace = self._options.worker.graceful_shutdown_timeout_secs
        seconds = grace + STOP_SECONDS + SETTLE_SECONDS + EXIT_MARGIN_SECONDS
        await asyncio.wait([process.ended], timeout=seconds)
        if not process.ended.done():
            log.error("process_hangs", extra={"pid": process.pid, "after_seconds": seconds})
            process.kill()
            await asyncio.wait([process.ended])

    async def _watch(self, process: WorkerProcess) -> None:
        """See a process end, and report an end that was not in order."""
        ending = await asyncio.shield(process.ended)
        self._processes.discard(process)
        self._was_connected = self._was_connected or process.was_connected
        if self._tally is not None:
            self._tally.ended(process.pid, is_death=ending.exit_code != 0)
        if ending.exit_code == 0:
            log.info("process_ended", extra={"pid": process.pid})
            return
        self._exit_code = 1 if self._stopping.is_set() else self._exit_code
        if process.refused is not None:
            return  # said where it is decided what follows from it
        running = process.death().running
        log.error(
            "process_died",
            extra={
                "pid": process.pid,
                "exit_code": ending.exit_code,
                "signal": ending.signal,
                "rss_max_bytes": ending.rss_max_bytes,
                "running": len(running) if running is not None else None,
            },
        )
        if process.ready.result():
            await self._report(process.death())

    async def _report(self, death: WorkerDied) -> None:
        """Tell the broker how a process died, so that it need not wait for it to come back."""
        backoff = Backoff(0.05, 1.0, Random())  # noqa: S311 - jitter, not a secret
        hello = Hello(0, PROTOCOL_VERSION, f"tq worker {__version__}", self._options.token)
        died_at = time.monotonic()
        while time.monotonic() < died_at + (CONNECT_SECONDS if self._stopping.is_set() else REPORT_SECONDS):
            for address in self._options.addresses:
                try:
                    connection = await Connection.open(address, hello, on_push=_ignore, timeout=CONNECT_SECONDS)
                    try:
                        async with asyncio.timeout(CONNECT_SECONDS):
                            await connection.request(msgspec.structs.replace(death, request_id=connection.next_id()))
                    finally:
                        await connection.close()
                except (TqError, TimeoutError) as error:
                    log.debug("death_not_reported", extra={"address": address, "reason": str(error)})
                else:
                    return
            await asyncio.sleep(backoff.next_seconds())


def _cannot_start(app_path: str, process: WorkerProcess) -> TqError:
    refused: Refused | None = process.refused
    if refused is not None:
        return ERRORS.get(refused.code, InternalError)(refused.message, hint=refused.hint)
    return InternalError(f"the worker process of {app_path} {process.ended.result()} before it was ready")


def _ignore(push: Push) -> None:
    """A connection that is no worker's gets no pushes."""

"""A broker and its workers as processes of their own, in a directory that is thrown away."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tq.bench.handlers import LEDGER_VARIABLE
from tq.client.async_client import AsyncClient
from tq.model.errors import ConnectFailed, TimedOut

TQ = (sys.executable, "-m", "tq.cli.main")
START_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.01
"""Between two looks at whether something has happened."""


class Rig:
    """One broker over an empty data directory; workers on demand. A context manager that leaves nothing behind.

    Args:
        parent: where the data directory is made; None: where temporary files go.
        url: measure this broker instead; it is neither started nor stopped, and its process is not looked at.
        settings: of the broker, as environment variables.
    """

    def __init__(self, parent: Path | None, url: str | None, settings: Mapping[str, str] | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="tq-bench-", dir=parent)
        self.directory = Path(self._temporary.name)
        self.ledger = self.directory / "ledger"
        self.ledger.mkdir()
        self._settings = {
            "TQ_BROKER_QUEUE_DEPTH_THRESHOLD": "0",
            "TQ_API_REST_ENABLED": "false",
            "TQ_API_GRPC_ENABLED": "false",
            **(settings or {}),
        }
        self.is_own = url is None
        self.address = url or f"127.0.0.1:{_free_port()}"
        self._broker: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []

    async def __aenter__(self) -> Self:
        if self.is_own:
            await self.start_broker()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_workers()
        if self._broker is not None:
            _stop(self._broker)
        self._temporary.cleanup()

    async def start_broker(self) -> float:
        """Start the broker; seconds until it answered its first request.

        Raises:
            TqError: it ended, or did not answer in time; its log is part of the message.
        """
        started = time.perf_counter()
        port = self.address.rpartition(":")[2]
        command = (*TQ, "broker", "--port", port, "--data-dir", str(self.directory / "data"))
        self._broker = self._spawn(command, "broker.log", self._settings)
        async with self.client() as client:
            await client.stats()
        return time.perf_counter() - started

    def kill_broker(self) -> None:
        """End the broker as a power cut would: kill -9."""
        assert self._broker is not None
        self._broker.kill()
        self._broker.wait()

    def broker_process(self) -> psutil.Process:
        """The broker, to look at."""
        assert self._broker is not None
        return psutil.Process(self._broker.pid)

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncClient]:
        """A connected client; waits for a broker that is still starting."""
        give_up_at = time.monotonic() + START_SECONDS_MAX
        client = AsyncClient(self.address, name="tq bench")
        while True:
            try:
                await client.connect()
                break
            except ConnectFailed:
                is_over = self._broker is not None and self._broker.poll() is not None
                if is_over or time.monotonic() > give_up_at:
                    await client.close()
                    raise ConnectFailed(f"the broker does not answer: {self._tail('broker.log')}") from None
                await asyncio.sleep(LOOK_SECONDS)
        try:
            yield client
        finally:
            await client.close()

    async def start_workers(self, *, parents: int = 1, processes: int = 2, concurrency: int = 100) -> None:
        """Start workers and wait until all their processes are connected.

        Raises:
            TqError: they did not connect in time; their log is part of the message.
        """
        for number in range(parents):
            command = (*TQ, "worker", "tq.bench.handlers:app", "--processes", str(processes))
            options = ("--concurrency", str(concurrency), "--queues", "bench", "--url", self.address)
            variables = {LEDGER_VARIABLE: str(self.ledger), "TQ_WORKER_NAME": f"bench-{number}"}
            self._workers.append(self._spawn((*command, *options), "worker.log", variables))
        async with self.client() as client:

            async def are_connected() -> bool:
                workers = [worker for worker in await client.workers() if worker.name.startswith("bench-")]
                return sum(worker.status == "connected" for worker in workers) >= parents * processes

            await self.until(are_connected, "the workers to connect", log="worker.log")

    def kill_worker(self, pid: int) -> None:
        """End one worker process: kill -9."""
        os.kill(pid, signal.SIGKILL)

    def kill_worker_group_of(self, pid: int) -> None:
        """End a worker process and its parent at once, as the loss of their machine would."""
        parent = psutil.Process(pid).parent()
        assert parent is not None
        os.kill(parent.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def stop_workers(self) -> None:
        """Drain the workers and wait for their end."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.terminate()
        for worker in workers:
            _stop(worker)

    async def until(
        self,
        is_reached: Callable[[], object],
        what: str,
        *,
        seconds: float = START_SECONDS_MAX,
        log: str = "broker.log",
    ) -> float:
        """Wait for something that no reply announces; the moment it was seen, of `time.perf_counter`.

        Args:
            is_reached: a function, or a coroutine function, that tells.

        Raises:
            TimedOut: it did not happen.
        """
        give_up_at = time.monotonic() + seconds
        while True:
            reached = is_reached()
            if asyncio.iscoroutine(reached):
                reached = await reached
            if reached:
                return time.perf_counter()
            if time.monotonic() > give_up_at:
                raise TimedOut(f"waited {seconds:.0f} s for {what}: {self._tail(log)}")
            await asyncio.sleep(LOOK_SECONDS)

    def _spawn(self, command: tuple[str, ...], log: str, variables: dict[str, str]) -> subprocess.Popen[bytes]:
        # What the caller's environment says of tq is for the caller's broker, not for this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TQ_")}
        with (self.directory / log).open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own executable
                command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=self.directory,
                env=environment | variables,
                start_new_session=True,
            )

    def _tail(self, log: str) -> str:
        path = self.directory / log
        return path.read_text(errors="replace")[-1_500:].strip() if path.exists() else "no log"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""A real broker, `tq broker`, as a process that is killed and started again on the same data."""

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
START_SECONDS_MAX = 60.0
TROUBLE = frozenset({"request_failed", "engine_reloaded", "broker_failed"})
"""Events that no client may be able to cause."""


class Broker:
    """One data directory, and one broker process after the other on it.

    Attributes:
        address: of its unix socket, the same for all of them.
        boots: how many have started.
        events: what they logged, by name; the facts of the latest.
        counts: how often each event came.
    """

    def __init__(self, directory: Path, settings: dict[str, str], program: Sequence[str]) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.address = f"unix://{directory}/s"
        self.port = 0
        self.boots = 0
        self.events: dict[str, dict[str, Any]] = {}
        self.counts: dict[str, int] = {}
        self.last_events: deque[dict[str, Any]] = deque(maxlen=5)
        self.rest: list[str] = []
        self._program = program
        self._settings = {
            "TQ_API_REST_ENABLED": "false",
            "TQ_API_GRPC_ENABLED": "false",
            "TQ_PERSISTENCE_MIN_FREE_BYTES": "0",
            "TQ_BROKER_QUEUE_DEPTH_THRESHOLD": "0",
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._came = asyncio.Event()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def spawn(self) -> None:
        """Start one, and do not wait until it serves."""
        assert not self.is_running
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TQ_")}
        self._started = asyncio.Event()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *self._program, "broker", "--port", "0", "--log-format", "json"),
            *("--data-dir", str(self.data_dir), "--socket", self.address.removeprefix("unix://")),
            cwd=ROOT,
            env={**environment, **self._settings},
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        self._reader = asyncio.create_task(self._read(self._process), name="broker-log")

    async def start(self) -> None:
        """Start one and wait until it serves."""
        await self.spawn()
        await self.serving()

    async def serving(self) -> None:
        """Until the one that was started serves.

        Raises:
            AssertionError: it ended instead; with what it said.
        """
        assert self._reader is not None
        waiting = asyncio.create_task(self._started.wait())
        await asyncio.wait({waiting, self._reader}, timeout=START_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        last = [*self.last_events, *self.rest[-20:]]
        how = "hangs" if self.is_running else "ended"
        assert self._started.is_set(), f"the broker did not start, it {how}:\n" + "\n".join(map(str, last))

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Signal it and wait for its end; the exit code."""
        assert self._process is not None
        assert self._reader is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        async with asyncio.timeout(START_SECONDS_MAX):
            code = await self._process.wait()
            await self._reader
        return code

    def rss_bytes(self) -> int:
        rss: int = psutil.Process(self.pid).memory_info().rss
        return rss

    async def logged(self, name: str, count: int) -> dict[str, Any]:
        """The latest event of this name, once there were so many."""
        async with asyncio.timeout(START_SECONDS_MAX):
            while self.counts.get(name, 0) < count:
                self._came.clear()
                await self._came.wait()
        return self.events[name]

    def trouble(self, allowed: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
        """Events that no client may be able to cause, and whatever was written that is no event."""
        events = [self.events[name] for name in (TROUBLE - allowed) & self.events.keys()]
        return events + [{"text": line} for line in self.rest]

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            try:
                event: dict[str, Any] = json.loads(line)
            except ValueError:
                if process.returncode is None:  # a line that a kill cut off says nothing
                    self.rest.append(line.decode(errors="replace"))
                continue
            name = event["message"]
            self.events[name] = event
            self.last_events.append(event)
            self.counts[name] = self.counts.get(name, 0) + 1
            self._came.set()
            if name == "broker_started":
                self.boots += 1
                self.port = int(event["addresses"][0].rpartition(":")[2])
                self._started.set()


@asynccontextmanager
async def a_broker(
    directory: Path | None = None, *, program: Sequence[str] = ("tq.cli.main",), **settings: str
) -> AsyncIterator[Broker]:
    """A broker, not started yet, over a new directory; it does not outlive the block.

    Args:
        program: the module that is run, and what comes before `broker` on its command line.
        settings: environment variables.
    """
    with TemporaryDirectory(prefix="tq-crash-") as made:  # a short name: a socket's address has 107 bytes
        broker = Broker(Path(made) if directory is None else directory, settings, program)
        try:
            yield broker
        finally:
            if broker.is_running:
                await broker.kill()

"""A real worker, `tq worker`: a parent and its processes, to be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.crash.broker import ROOT

PATIENCE_SECONDS = 60.0


class RealWorker:
    """`tq worker tests.crash.handlers:app`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._reader = asyncio.create_task(self._read())
        self.log = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._reader
            return await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stderr is not None
        while part := await self._process.stderr.read(1 << 16):  # also ends when no child holds it any more
            self.log += part


@asynccontextmanager
async def a_worker(address: str, *arguments: str) -> AsyncIterator[RealWorker]:
    """One that does not outlive the block, nor do its processes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tq.cli.main", "worker", "tests.crash.handlers:app", "--url", address),
        *("--log-format", "json", *arguments),
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("TQ_")},
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    worker = RealWorker(process)
    try:
        yield worker
    finally:
        worker.kill()
        await worker.ended()


def kill_process(pid: int) -> None:
    """Kill a process that this one did not start: a child of a worker that it did."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Notes:
    """What the handlers wrote: who started and ended what, when."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[tuple[str, str, int, float]]:
        """(start or end, task id, pid, moment), in order."""
        if not self.path.exists():
            return []
        split = [line.split() for line in self.path.read_text().splitlines()]
        return [(what, task_id, int(pid), float(at)) for what, task_id, pid, at in split]

    def tasks(self, what: str, pid: int | None = None) -> list[str]:
        """Those started, or ended, by a process or by any."""
        return [task_id for one, task_id, by, _ in self.lines() if one == what and pid in (None, by)]

    async def until(self, what: str, count: int, pid: int | None = None) -> None:
        """Until so many started, or ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.tasks(what, pid)) < count:
                await asyncio.sleep(0.01)  # other processes write it

"""The tasks of the benchmark: they do nothing but say that, and when, they ran."""

import asyncio
import os
import struct
import time
from pathlib import Path

from tq.app.app import App
from tq.app.context import Context

LEDGER_VARIABLE = "TQ_BENCH_LEDGER"
"""Names the directory in which each worker process keeps a file of what it ran."""
RECORD = struct.Struct("<Qq")
"""Number of the task; when its handler started, on the machine's monotonic clock, ns."""

app = App("bench")


class _Ledger:
    """The file of this process, opened by its first task."""

    def __init__(self) -> None:
        self._file: int | None = None

    def note(self, number: int) -> None:
        """Write down that this task started now."""
        if self._file is None:
            path = Path(os.environ[LEDGER_VARIABLE]) / str(os.getpid())
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(self._file, RECORD.pack(number, time.monotonic_ns()))

    def is_only(self) -> bool:
        """Whether no other process has run anything yet."""
        return len(list(Path(os.environ[LEDGER_VARIABLE]).iterdir())) == 1


_ledger = _Ledger()


@app.task(name="bench.noop", queue="bench", max_retries=0)
async def noop(number: int, padding: bytes) -> None:  # noqa: ARG001 - the padding is what is carried
    """Do nothing."""
    _ledger.note(number)


@app.task(name="bench.hold", queue="bench", max_retries=0)
async def hold(number: int, *, ctx: Context) -> None:
    """The first time, run until the worker dies; after that, return."""
    _ledger.note(number)
    if _ledger.is_only():
        ctx.progress(0.5, "waiting to be killed")
        await asyncio.sleep(300)

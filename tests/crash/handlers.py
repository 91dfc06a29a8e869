"""The application of the real workers: `tq worker tests.crash.handlers:app`."""

import asyncio
import os
import signal
import sys
import time

import tq

app = tq.App("crash")


def note(path: str, what: str, task_id: str) -> None:
    """One line, whole whatever happens next."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, f"{what} {task_id} {os.getpid()} {time.time()}\n".encode())
    os.close(file)


@app.task
async def quick(path: str, *, ctx: tq.Context) -> str:
    note(path, "start", ctx.task_id)
    return ctx.task_id


@app.task
async def lasting(path: str, seconds: float, *, ctx: tq.Context) -> int:
    note(path, "start", ctx.task_id)
    await asyncio.sleep(seconds)
    note(path, "end", ctx.task_id)
    return os.getpid()


@app.task
async def poison(path: str, *, ctx: tq.Context) -> None:
    note(path, "start", ctx.task_id)
    print("the poison of", ctx.task_id, file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

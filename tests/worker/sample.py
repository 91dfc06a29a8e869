"""The application that the tests of the worker run. Handlers say "started" by their progress."""

import asyncio
import contextvars
import os
import signal
import sys
import threading
import time

import tq

app = tq.App("sample")
seen: contextvars.ContextVar[int] = contextvars.ContextVar("seen", default=0)


@app.task
async def echo(value: str) -> str:
    return value


@app.task
async def none() -> None:
    """As short as can be."""


@app.task
async def who(ctx: tq.Context) -> dict[str, object]:
    return {"id": ctx.task_id, "attempt": ctx.attempt, "pid": os.getpid(), "thread": threading.get_ident()}


@app.task
async def waits(ctx: tq.Context) -> None:
    """Until it is stopped."""
    ctx.progress(0.5, "started")
    try:
        await asyncio.Event().wait()
    finally:
        ctx.log.warning("told", extra={"cancelled": ctx.cancelled})


@app.task
async def notes_what_cannot_be_sent(ctx: tq.Context) -> str:
    """A file name of undecodable bytes, say."""
    ctx.progress(0.5, "half \udcff")
    await asyncio.sleep(0.5)
    return "noted"


@app.task
async def waits_a_little(seconds: float, ctx: tq.Context) -> str:
    ctx.progress(0, "started")
    await asyncio.sleep(seconds)
    return "waited"


@app.task
async def cleans_up(ctx: tq.Context) -> str:
    """Stopped, it returns all the same."""
    ctx.progress(0, "started")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "cleaned up"
    return "not reached"


@app.task
async def converts(ctx: tq.Context) -> None:
    """Stopped, it raises something else."""
    ctx.progress(0, "started")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("converted") from None


@app.task
async def stubborn(ctx: tq.Context) -> None:
    """Never stops."""
    ctx.progress(0, "started")
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


@app.task
async def blocks(seconds: float, ctx: tq.Context) -> str:
    """Holds the event loop."""
    ctx.progress(0, "started")
    time.sleep(seconds)
    return "blocked"


@app.task
async def counts_in_its_context() -> int:
    seen.set(seen.get() + 1)
    await asyncio.sleep(0)
    return seen.get()


@app.task
async def cancels_its_slot() -> bool:
    """Leaves a cancel behind for whatever runs in its slot next."""
    slot = asyncio.current_task()
    assert slot is not None
    asyncio.get_running_loop().call_soon(slot.cancel)
    return True


@app.task
async def has_timeout() -> str:
    """asyncio.timeout looks at how often its task is being cancelled."""
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
    except TimeoutError:
        return "timed out inside"
    return "not reached"


@app.task(retry=tq.retry(never=(KeyError,), rules={ConnectionError: tq.fixed("7s")}))
async def raises(kind: str) -> None:
    raise {"value": ValueError, "key": KeyError, "connection": ConnectionError, "exit": SystemExit}[kind](f"as {kind}")


@app.task
async def raises_value() -> None:
    raise ValueError("in the loop")


@app.task
async def raises_from_afar() -> None:
    """What it waits for raises, in another task."""

    async def other() -> None:
        await asyncio.sleep(0)
        raise ValueError("from afar")

    await asyncio.create_task(other())


@app.task
async def fails() -> None:
    raise tq.Fail("bad data")


@app.task
async def snoozes() -> None:
    raise tq.Snooze("5m")


@app.task
async def returns_a_file() -> object:
    return sys.stderr


@app.task
async def returns_bytes(count: int) -> bytes:
    return bytes(count)


@app.task
async def kills_its_process() -> None:
    print("about to die", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
async def exits_hard() -> None:
    os._exit(7)


@app.task
def thread_echo(value: str) -> str:
    return value


@app.task
def thread_who(ctx: tq.Context) -> dict[str, object]:
    return {"id": ctx.task_id, "attempt": ctx.attempt, "pid": os.getpid(), "thread": threading.get_ident()}


@app.task
def thread_raises() -> None:
    raise ValueError("in a thread")


@app.task
def thread_spins(ctx: tq.Context) -> None:
    """Runs Python until it is interrupted."""
    ctx.progress(0, "started")
    while True:
        pass


@app.task
def thread_looks(ctx: tq.Context) -> str:
    """Stops by itself when it sees that it should, whatever is raised in it."""
    ctx.progress(0, "started")
    while not ctx.cancelled:
        try:
            time.sleep(0.001)
        except BaseException:
            continue
    return "saw it"


@app.task
def thread_hangs(ctx: tq.Context) -> None:
    """Sits in C, where nothing reaches it."""
    ctx.progress(0, "started")
    time.sleep(3600)


@app.task(run_in="process")
def process_who(ctx: tq.Context) -> dict[str, object]:
    ctx.progress(0.25, "in a process")
    return {"id": ctx.task_id, "attempt": ctx.attempt, "pid": os.getpid()}


@app.task(run_in="process")
def process_raises() -> None:
    raise ValueError("in a process")


@app.task(run_in="process")
def process_snoozes() -> None:
    raise tq.Snooze("5m")


@app.task(run_in="process")
def process_sleeps(ctx: tq.Context) -> None:
    """Sits in a system call, where a signal reaches it."""
    ctx.progress(0, str(os.getpid()))
    time.sleep(3600)


@app.task(run_in="process")
def process_ignores(ctx: tq.Context) -> None:
    """Never stops."""
    ctx.progress(0, str(os.getpid()))
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            continue


@app.task(run_in="process")
def process_crashes() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@app.task(run_in="process")
def process_exits() -> None:
    os._exit(9)


@app.task
async def writes(path: str, seconds: float, ctx: tq.Context) -> int:
    """Leaves a line in a ledger when it starts, and one when it ends."""
    with open(path, "a") as ledger:  # noqa: PTH123
        ledger.write(f"start {ctx.task_id} {os.getpid()} {ctx.attempt}\n")
    await asyncio.sleep(seconds)
    with open(path, "a") as ledger:  # noqa: PTH123
        ledger.write(f"end {ctx.task_id} {os.getpid()} {ctx.attempt}\n")
    return os.getpid()


def _log(ctx: tq.Context, count: int) -> None:
    for number in range(count):
        ctx.log.info("line %d of %d", number, count)
    ctx.log.error("it broke", exc_info=KeyError("the reason"))


@app.task
async def logs(count: int, ctx: tq.Context) -> None:
    _log(ctx, count)


@app.task
def thread_logs(count: int, ctx: tq.Context) -> None:
    _log(ctx, count)


@app.task(run_in="process")
def process_logs(count: int, ctx: tq.Context) -> None:
    _log(ctx, count)


@app.task
async def logs_and_waits(ctx: tq.Context) -> None:
    ctx.log.info("waiting")
    await asyncio.Event().wait()


@app.task
def logs_and_fails(ctx: tq.Context) -> None:
    ctx.log.warning("about to fail")
    raise ValueError("failed")

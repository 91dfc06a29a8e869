"""An application for the tests of the CLI: one task for each way that a task can end."""

import time
from pathlib import Path

import tq

app = tq.App("cli-tests")


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task
def echo(data: bytes) -> bytes:
    return data


@app.task(max_retries=0)
def fail(message: str) -> None:
    raise ValueError(message)


@app.task(max_retries=0)
def fail_unless(path: Path) -> str:
    """Fails until the file is there."""
    return path.read_text()


@app.task
def hold(started: Path, released: Path) -> str:
    """Says that it runs, and goes on running until it may end."""
    started.touch()
    while not released.exists():
        time.sleep(0.01)
    return "held"


@app.task(max_retries=0)
def logs(count: int, ctx: tq.Context) -> None:
    """Logs some lines, the last of them hostile."""
    for number in range(count):
        ctx.log.info("line %d", number)
    ctx.log.error("\x1b[31mred\x07 \u202eevil\nTraceback: a second line")

"""A small application, and what its handlers did."""

import asyncio
import threading
from typing import Any

import tq

app = tq.App("shop")
other = tq.App("other")


class Bounced(Exception):
    """The mail came back."""


class Journal:
    """What the handlers did in one test."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.hooks: dict[str, Any] = {}


journal = Journal()


@app.task(queue="mail", retry=tq.retry(2, rules={Bounced: tq.fixed("10s")}), aliases=["mail_v1"])
async def mail(to: str, copies: tuple[int, ...] = (1,), *, ctx: tq.Context = tq.INJECTED) -> str:
    """Fails as its address says."""
    journal.lines.append((to, ctx.attempt))
    ctx.progress(0.5, "half")
    match to:
        case "bounce":
            raise Bounced(to)
        case "never":
            raise tq.Fail(to)
        case "later" if len(journal.lines) == 1:
            raise tq.Snooze("5m")
    return f"sent to {to}"


@app.task
def count(number: int) -> int:
    """One more; tells in which thread, and whether an event loop runs there."""
    try:
        asyncio.get_running_loop()
        has_loop = True
    except RuntimeError:
        has_loop = False
    journal.lines.append((number, threading.current_thread(), has_loop))
    return number + 1


@app.task
async def chain(left: int) -> None:
    """Enqueues itself."""
    journal.lines.append(left)
    if left:
        await chain.enqueue(left - 1)


@app.task
def call_hook(name: str) -> Any:
    """Whatever the test wants."""
    return journal.hooks[name]()


@app.task
async def await_hook(name: str, *, ctx: tq.Context = tq.INJECTED) -> Any:
    """Whatever the test wants, in the loop."""
    return await journal.hooks[name](ctx)

"""What a type checker says of applications: the same parameters as the function, the result of its annotation."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

APPLICATION = """
from collections.abc import Coroutine
from typing import Any, assert_type
import tq

app = tq.App("shop")

@app.task(queue="mail", retry=tq.retry(3, backoff=tq.expo("2s"), never=(ValueError,)))
async def welcome(user_id: int, tenant: str = "acme", *, ctx: tq.Context = tq.INJECTED) -> str:
    return tenant

@app.task
def resize(path: str, *, width: int) -> list[int]:
    return [width]

@app.task(run_in="process")
def render(ctx: tq.Context, page: int) -> bytes:
    return b""

@app.task
async def first(ctx: tq.Context, page: int) -> float:
    return 1.5

@app.task
async def keep(event: object, *, at: int) -> int:
    return at

@app.task(queue="events")
def count(*numbers: int) -> int:
    return len(numbers)

@app.task
async def merge(left: int, right: dict[str, Any], *, ctx: tq.Context = tq.INJECTED) -> dict[str, Any]:
    return right

async def right() -> None:
    handle = await welcome.enqueue(7, "acme")
    assert_type(handle, tq.TaskHandle[str])
    assert_type(await handle.result(timeout="1m"), str)
    assert_type(await welcome(7), str)
    assert_type(welcome.enqueue_sync(7, tenant="a").result_sync(), str)
    assert_type(await welcome.options(delay="10m", key="k").enqueue(7), tq.TaskHandle[str])
    assert_type(await welcome.enqueue_many([(7, "acme"), {"user_id": 8}]), list[tq.TaskHandle[str]])
    assert_type(welcome.handle("id"), tq.TaskHandle[str])

    assert_type(resize("a", width=5), list[int])
    assert_type(await resize.enqueue("a", width=5), tq.TaskHandle[list[int]])

    assert_type(render(5), bytes)
    assert_type(render.enqueue_sync(5).result_sync(), bytes)
    assert_type(await first(5), float)
    assert_type(await (await first.enqueue(page=5)).result(), float)

    assert_type(await keep.enqueue(event={}, at=5), tq.TaskHandle[int])
    assert_type(count.enqueue_sync(1, 2, 3), tq.TaskHandle[int])
    assert_type(await merge.enqueue(1, {"a": 1}), tq.TaskHandle[dict[str, Any]])
"""

WRONG = """
async def wrong() -> None:
    await welcome.enqueue("seven")
    await welcome.enqueue(7, "acme", 3)
    welcome.enqueue_sync()
    await resize.enqueue("a", 5)
    await resize.enqueue("a", width="5")
    await render.enqueue()
    await merge.enqueue("a", {})
    count.enqueue_sync("a")
    await welcome.options(delay=5).enqueue(7)
    await welcome.options(deley="5m").enqueue(7)
    number: int = await (await welcome.enqueue(7)).result()
    resize("a", width="5")
    first("a")
    app.task(quue="mail")
    app.task(run_in="loop")
"""


def check(path: Path, text: str) -> list[str]:
    path.write_text(text)
    process = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file=", "--cache-dir",
         str(path.parent / "cache"), str(path)],
        capture_output=True,
        text=True,
        timeout=110,
    )  # fmt: skip
    assert not process.stderr, process.stderr
    return [line for line in process.stdout.splitlines() if ": error: " in line]


def test_the_types_of_an_application_are_those_of_its_functions(tmp_path: Path) -> None:
    text = APPLICATION + WRONG
    first_wrong = APPLICATION.count("\n") + 3

    errors = check(tmp_path / "shop.py", text)

    lines = text.splitlines()
    found = {lines[int(error.split(":")[1]) - 1].strip() for error in errors}
    expected = {line.strip() for line in lines[first_wrong - 1 :]}
    assert found == expected, "\n".join(errors)

"""Where a thread or a coroutine is, in the application's own words."""

import asyncio
import json
import threading

from tq.worker.watchdog import place_of_coroutine, place_of_thread, stack_of


def _line_of(text: str) -> int:
    with open(__file__) as file:  # noqa: PTH123
        return next(number for number, line in enumerate(file, 1) if line.strip() == text)


def test_a_thread_is_at_the_innermost_line_of_the_application() -> None:
    """It sits in the standard library; people look for their own line."""
    go, started = threading.Event(), threading.Event()

    def handler() -> None:
        started.set()
        go.wait(10)

    thread = threading.Thread(target=handler)
    thread.start()
    started.wait(10)
    assert thread.ident is not None
    place, stack = place_of_thread(thread.ident), stack_of(thread.ident)
    go.set()
    thread.join()

    assert place in (f"test_watchdog.py:{_line_of('go.wait(10)')}", f"test_watchdog.py:{_line_of('started.set()')}")
    assert "handler" in stack


def test_a_thread_that_runs_libraries_alone_is_where_they_are() -> None:
    timer = threading.Timer(10, json.dumps)
    timer.start()
    assert timer.ident is not None
    place = place_of_thread(timer.ident)
    timer.cancel()
    timer.join()

    assert place.startswith("threading.py:")


def test_nobody_is_nowhere() -> None:
    assert place_of_thread(1) == ""
    assert stack_of(1) == ""


async def test_a_coroutine_is_where_it_waits() -> None:
    async def outer() -> None:
        await inner()

    async def inner() -> None:
        await asyncio.sleep(60)

    coroutine = outer()
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)

    place = place_of_coroutine(coroutine)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert place == f"test_watchdog.py:{_line_of('await asyncio.sleep(60)')}"
    assert place_of_coroutine(coroutine) == ""

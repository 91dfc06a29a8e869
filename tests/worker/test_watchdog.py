"""Where a thread or a coroutine is, in the application's own words."""

import asyncio
import json
import threading

from tq.worker.watchdog import (
    HANDLER_FRAMES_MAX,
    place_of_coroutine,
    place_of_thread,
    stack_of,
    stack_of_coroutine,
    stack_of_handler,
)


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


async def test_the_stack_of_a_coroutine_shows_what_it_waits_for_even_in_another_task() -> None:
    async def inner() -> None:
        await asyncio.Event().wait()

    async def outer() -> None:
        await asyncio.create_task(inner(), name="the inner one")

    coroutine = outer()
    task = asyncio.create_task(coroutine)
    for _ in range(3):
        await asyncio.sleep(0)
    place, text = stack_of_coroutine(coroutine, task)
    task.cancel()

    line = _line_of('await asyncio.create_task(inner(), name="the inner one")')
    assert place == f"test_watchdog.py:{line}"
    shown = [line for line in text.splitlines() if "await" in line or "waits" in line]
    assert [line.strip() for line in shown] == [
        'await asyncio.create_task(inner(), name="the inner one")',
        "waits for the task 'the inner one':",
        "await asyncio.Event().wait()",
        "await fut",
        "waits for _asyncio.Future",
    ]


def test_the_stack_of_a_handler_begins_with_its_own_frame_and_keeps_the_innermost_of_very_many() -> None:
    stacks: list[tuple[str, str]] = []

    def handler(depth: int) -> None:
        if depth:
            handler(depth - 1)
        else:
            stacks.append(stack_of_handler(threading.get_ident(), handler.__code__))

    handler(2)
    handler(300)
    (_, short), (_, long) = stacks
    assert short.count("in handler") == 3
    assert "test_the_stack_of_a_handler" not in short
    assert long.count("in handler") + long.count("more times") <= HANDLER_FRAMES_MAX
    assert "more frames" in long


def test_a_thread_that_has_ended_has_no_stack() -> None:
    assert stack_of_handler(1, None) == ("", "")

"""Where a handler is, on request: in the loop, in a thread, in a process, and when there is nothing to see."""

import os

import pytest

from tests.worker.rig import Broker, a_broker, a_worker, task_id_of
from tq.model.commands import STACK_CHARS_MAX, StackTaken
from tq.model.replies import StackWanted
from tq.worker.stacks import Stack, stack_report


async def taken(broker: Broker, token: int, number: int = 1) -> StackTaken:
    broker.send(StackWanted(number, task_id_of(token), token))
    return await broker.next(StackTaken, lambda one: one.number == number)


@pytest.mark.parametrize(
    ("task_type", "kind", "line"),
    [
        ("waits", "coroutine", "await asyncio.Event().wait()"),
        ("thread_hangs", "thread", "time.sleep(3600)"),
        ("process_sleeps", "process", "time.sleep(3600)"),
    ],
)
async def test_a_running_handler_shows_its_own_frames(task_type: str, kind: str, line: str) -> None:
    async with a_broker() as broker, a_worker(broker.address):
        hello = await broker.worker()
        token = broker.deliver(task_type)
        await broker.progress(token)

        stack = await taken(broker, token)

    assert (stack.reason, stack.kind) == ("", kind)
    assert line in stack.text
    assert f"in {task_type}" in stack.text.splitlines()[0], "nothing of tq is above it"
    assert stack.place.startswith("sample.py:")
    assert (stack.pid == hello.pid) is (kind != "process")
    assert stack.pid != os.getpid()


async def test_a_handler_that_blocks_the_loop_is_seen_where_it_does() -> None:
    async with a_broker() as broker, a_worker(broker.address):
        await broker.worker()
        token = broker.deliver("blocks", seconds=3.0)
        await broker.progress(token)

        stack = await taken(broker, token)

    assert "time.sleep(seconds)" in stack.text
    assert stack.kind == "coroutine"


async def test_a_task_that_has_not_started_or_has_ended_says_so() -> None:
    async with a_broker() as broker, a_worker(broker.address, concurrency=1):
        await broker.worker()
        running = broker.deliver("waits_a_little", seconds=2.0)
        await broker.progress(running)
        behind = broker.push("none")

        waiting = await taken(broker, behind, 1)
        gone = await taken(broker, 999, 2)

    assert "waits for a free slot" in waiting.reason
    assert gone.reason == "it has just ended"


def test_a_long_stack_keeps_its_end_and_no_text_is_a_reason() -> None:
    long = stack_report(7, Stack("thread", 1, "a.py:1", "x" * STACK_CHARS_MAX + "\udcff end"), 1.5)
    none = stack_report(7, Stack("thread", 1, "", ""), 0)

    assert long.text.endswith("x? end")
    assert (len(long.text), long.running_ms, long.reason) == (STACK_CHARS_MAX, 1_500, "")
    assert none.reason

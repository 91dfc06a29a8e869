"""The screen of a task over a real broker: it follows what the task does, and leads to where it came from."""

from collections.abc import AsyncIterator

import pytest

from tests.client.real import RealBroker
from tests.tui.dumps import text
from tests.tui.live import ScriptedWorker, Seat, dashboard, dead_letters
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.identity import Role
from tq.tui.commandline import Place


@pytest.fixture
async def worker(broker: RealBroker, queue: str) -> AsyncIterator[ScriptedWorker]:
    running = await ScriptedWorker("w1", queue, ["send"]).connect(broker.address)
    yield running
    await running.close()


async def opened(seat: Seat, task_id: str, state: str) -> None:
    seat.app.open(Place("task", task_id))
    await shows(seat, f"state          {state}")


async def shows(seat: Seat, *parts: str) -> None:
    """Each of these is on the screen, with everything else that is there."""
    await seat.until(lambda: all(part in text(seat.app) for part in parts), f"{parts}")


def has_log(seat: Seat) -> bool:
    """Whether its lines have come, be they seen or not."""
    hints = seat.app.here.hints_now() if seat.app.here is not None else ()
    return any(hint.key == "f" and not hint.why_not for hint in hints)


def crumb(seat: Seat) -> str:
    return seat.app.here.crumb if seat.app.here is not None else ""


async def test_a_running_task_is_followed_from_its_first_line_to_its_result(
    broker: RealBroker, client: AsyncClient, queue: str, worker: ScriptedWorker
) -> None:
    task_id = await client.submit_task(Task("send", b'{"user_id":7}', queue=queue, content_type="application/json"))

    async with dashboard(broker.address) as seat:
        await opened(seat, task_id, "pending")
        await shows(seat, '"user_id": 7')
        running = await worker.take()
        worker.log(running, "line one")
        await shows(seat, "state          in_progress", "running   on w1", "info     line one")
        worker.log(running, "line two", level="warning")
        worker.progress(running, 0.25, "a quarter")
        await shows(seat, "warning  line two", "25%  a quarter", "info     line one", "Log (2 lines)")
        await worker.complete(running, b'"sent"', "application/json")
        await shows(seat, "state          completed", "Result  6 bytes", "completed on w1", "warning  line two")
        assert '"user_id": 7' in text(seat.app)


async def test_every_attempt_has_its_line_and_the_log_goes_on_over_them(
    broker: RealBroker, client: AsyncClient, queue: str, worker: ScriptedWorker
) -> None:
    task_id = await client.submit_task(Task("send", queue=queue, max_retries=1))

    async with dashboard(broker.address, size=(120, 60)) as seat:
        await opened(seat, task_id, "pending")
        first = await worker.take()
        worker.log(first, "trying")
        await worker.fail(first, "KeyError", "'a'", "Traceback A", is_final=False)
        second = await worker.take()
        worker.log(second, "trying harder")
        await shows(seat, "Attempts (2)", "failed    on w1", "KeyError: 'a'", "running   on w1")
        await shows(seat, "info     trying", "--- attempt 2 ---", "info     trying harder")
        await worker.fail(second, "ValueError", "7", "Traceback B")
        await shows(
            seat, "dead_letter", "Traceback of attempt 2", "Traceback B", "Traceback of attempt 1", "Traceback A"
        )


async def test_the_end_of_a_log_is_followed_until_one_scrolls_up(
    broker: RealBroker, client: AsyncClient, queue: str, worker: ScriptedWorker
) -> None:
    task_id = await client.submit_task(Task("send", queue=queue))

    async with dashboard(broker.address, size=(80, 24)) as seat:
        await opened(seat, task_id, "pending")
        await seat.press("f")
        assert "its handlers have not logged" in "".join(seat.said)
        running = await worker.take()
        worker.log(running, *(f"line {number}" for number in range(50)))
        await seat.until(lambda: has_log(seat))
        assert "line 49" not in text(seat.app)
        await seat.press("f")
        await shows(seat, "line 49")
        worker.log(running, "line 50")
        await shows(seat, "line 50")
        await seat.press("g")
        worker.log(running, "line 51")
        worker.progress(running, 0.5, "said after it")
        await shows(seat, "said after it", "state ")
        assert "line 51" not in text(seat.app)


async def test_only_the_latest_lines_of_a_long_log_are_kept_here_too(
    broker: RealBroker, client: AsyncClient, queue: str, worker: ScriptedWorker
) -> None:
    task_id = await client.submit_task(Task("send", queue=queue))
    running = await worker.take()
    worker.log(running, *(f"line {number}" for number in range(1, 400)))

    async with dashboard(broker.address, size=(80, 40)) as seat:
        await opened(seat, task_id, "in_progress")
        await seat.until(lambda: has_log(seat))
        await seat.press("f")
        worker.log(running, *(f"line {number}" for number in range(400, 701)))
        await shows(seat, "line 700")
        await seat.press("g")
        await shows(seat, "(500 lines, 200 earlier ones are gone)")


async def test_lineage_leads_to_the_new_task_and_back(broker: RealBroker, client: AsyncClient, queue: str) -> None:
    old = (await dead_letters(broker.address, queue, [("KeyError", "7")]))[0]
    new = await client.resubmit(old)

    async with dashboard(broker.address) as seat:
        await opened(seat, old, "dead_letter")
        await seat.press("less_than_sign")
        assert "it was made from no other" in "".join(seat.said)
        await seat.press("greater_than_sign")
        await shows(seat, f"resubmit of    {old}", "pending")
        assert crumb(seat) == f"task {new}"
        depth = len(seat.app.screen_stack)
        await seat.press("less_than_sign")
        await seat.until(lambda: crumb(seat) == f"task {old}")
        assert len(seat.app.screen_stack) == depth - 1


async def test_one_who_begins_at_the_new_task_finds_the_old_one(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    old = (await dead_letters(broker.address, queue, [("KeyError", "7")]))[0]
    new = await client.resubmit(old)

    async with dashboard(broker.address) as seat:
        await opened(seat, new, "pending")
        await seat.press("less_than_sign")
        await shows(seat, f"resubmitted as {new}", "KeyError")
        await seat.press("escape")
        await seat.until(lambda: crumb(seat) == f"task {new}")


async def test_the_stack_of_a_running_task_is_shown_and_of_another_refused(
    broker: RealBroker, client: AsyncClient, queue: str, worker: ScriptedWorker
) -> None:
    task_id = await client.submit_task(Task("send", queue=queue))

    async with dashboard(broker.address) as seat:
        await opened(seat, task_id, "pending")
        await seat.press("i")
        await seat.until(lambda: "does not run" in "".join(seat.said))
        await worker.take()
        await shows(seat, "running   on w1")
        await seat.press("i")
        await shows(seat, "thread on w1 pid 7, at app.py:88", "in charge_card")


async def test_a_task_that_was_purged_for_good_is_said_to_be_gone_and_can_still_be_read(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    task_id = (await dead_letters(broker.address, queue, [("KeyError", "seven")]))[0]

    async with dashboard(broker.address) as seat:
        await opened(seat, task_id, "dead_letter")
        prepared = await client.prepare("purge", "", [task_id], hard=True)
        await client.wait_for_operation((await client.commit(prepared.token)).id)
        await shows(seat, "there is no task", "KeyError: seven")


async def test_a_viewer_sees_all_of_it(
    broker: RealBroker, client: AsyncClient, queue: str, worker: ScriptedWorker
) -> None:
    task_id = await client.submit_task(Task("send", b"hello", queue=queue, content_type="text/plain"))
    worker.log(await worker.take(), "a line")

    async with dashboard(broker.address, role=Role.VIEWER) as seat:
        await opened(seat, task_id, "in_progress")
        await shows(seat, "hello", "info     a line", "runs on worker 'w1'")


async def test_arguments_and_result_can_be_seen_byte_by_byte_and_back(
    broker: RealBroker, client: AsyncClient, queue: str, worker: ScriptedWorker
) -> None:
    task_id = await client.submit_task(Task("send", b'{"n":7}', queue=queue, content_type="application/json"))
    await worker.complete(await worker.take(), b"\x00\xff", "application/octet-stream")

    async with dashboard(broker.address) as seat:
        await opened(seat, task_id, "completed")
        await shows(seat, '"n": 7', "Result  2 bytes")
        await seat.press("x")
        await shows(seat, "7b 22 6e 22 3a 37 7d", "00000000  00 ff")
        await seat.press("x")
        await shows(seat, '"n": 7', "AP8=")

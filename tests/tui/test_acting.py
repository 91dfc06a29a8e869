"""From a key to what the broker did, over a real broker: only what was seen and agreed to is hit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual import events

from tests.client.real import RealBroker, real_broker
from tests.tui.dumps import text
from tests.tui.live import ScriptedWorker, Seat, dashboard, dead_letters
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.operations import Operation, OperationState
from tq.tui.acting import STALE, queue_term
from tq.tui.commandline import Place
from tq.tui.screens.confirm import Confirm
from tq.tui.screens.listing import ListScreen


async def states(client: AsyncClient, ids: list[str]) -> list[str]:
    return [(await client.get_task(task_id)).state.value for task_id in ids]


async def last_operation(client: AsyncClient) -> Operation:
    return await client.wait_for_operation((await client.operations(1))[0].id)


def listing(seat: Seat) -> "ListScreen[object]":
    assert isinstance(seat.app.here, ListScreen)
    return seat.app.here


async def asked(seat: Seat) -> Confirm:
    """The dialog, as soon as it is there."""
    await seat.until(lambda: isinstance(seat.app.screen, Confirm), "the dialog")
    await seat.press()
    assert isinstance(seat.app.screen, Confirm)
    return seat.app.screen


def is_open(seat: Seat) -> bool:
    """Whether a question stands."""
    return isinstance(seat.app.screen, Confirm)


@asynccontextmanager
async def found(broker: RealBroker, selector: str, count: int, *, confirms_always: bool = False) -> AsyncIterator[Seat]:
    """A dashboard on the tasks of a selector."""
    async with dashboard(broker.address, confirms_always=confirms_always) as seat:
        seat.app.open(Place("found", selector))
        await seat.until(lambda: seat.app.screen is seat.app.here and len(listing(seat).list) == count, "the tasks")
        yield seat


@asynccontextmanager
async def by_error(broker: RealBroker, queue: str, count: int) -> AsyncIterator[Seat]:
    """A dashboard on the failure groups of a queue."""
    async with dashboard(broker.address) as seat:
        await seat.press("3")
        await seat.until(lambda: seat.app.here is not None and seat.app.here.query("#count"), "the screen")
        listing(seat).apply_filter(f"queue:{queue}")
        await seat.until(lambda: len(listing(seat).list) == count, "the groups")
        yield seat


# -- dead letters --------------------------------------------------------------------------------------------------


async def test_one_dead_letter_is_retried_at_once_and_taken_back(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    ids = await dead_letters(broker.address, queue, [("ValueError", "no")])

    async with found(broker, f"queue:{queue}", 1) as seat:
        await seat.press("R")
        await seat.until(lambda: "retry: 1 task" in "".join(seat.said))
        assert "U takes it back" in seat.said[-1]
        await last_operation(client)
        assert await states(client, ids) == ["pending"]

        await seat.press("U")
        dialog = await asked(seat)
        assert "Undo operation" in dialog._question.title
        await seat.press("y")
        await seat.until(lambda: "taking it back" in "".join(seat.said))

    await last_operation(client)
    assert await states(client, ids) == ["dead_letter"]


async def test_a_group_is_retried_whole_at_the_rate_that_was_typed(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    ids = await dead_letters(broker.address, queue, [("ValueError", "no"), ("ValueError", "no"), ("KeyError", "a")])

    async with by_error(broker, queue, 2) as seat:
        await seat.press("R")
        await asked(seat)
        shown = text(seat.app)
        assert "Retry 2 tasks?" in shown
        assert f"queues   {queue} 2" in shown
        await seat.press("tab", "end", *["backspace"] * 3, *"50", "tab", *"fixed", "tab", "y")
        assert not is_open(seat)

    done = await last_operation(client)
    assert (done.done, done.rate, done.reason) == (2, 50, "fixed")
    assert await states(client, ids) == ["pending", "pending", "dead_letter"]


async def test_marks_over_several_groups_are_one_operation(broker: RealBroker, client: AsyncClient, queue: str) -> None:
    errors = [("A", "x"), ("A", "x"), ("B", "x"), ("C", "x"), ("C", "x"), ("C", "x")]
    ids = await dead_letters(broker.address, queue, errors)

    async with by_error(broker, queue, 3) as seat:
        await seat.press("space", "space", "R")  # by count: C, A
        await asked(seat)
        assert "Retry 5 tasks?" in text(seat.app)
        await seat.press("y")

    await last_operation(client)
    assert await states(client, ids) == ["pending", "pending", "dead_letter", "pending", "pending", "pending"]


async def test_the_number_must_be_typed_before_a_group_is_purged(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    ids = await dead_letters(broker.address, queue, [("ValueError", "no")] * 3)

    async with by_error(broker, queue, 1) as seat:
        await seat.press("P")
        await asked(seat)
        await seat.press("y")
        assert "type 3 into the field" in text(seat.app)
        await seat.press("tab", "4", "tab", "tab", *"old", "tab", "y")
        assert is_open(seat)
        await seat.press("tab", "backspace", "3", "tab", "tab", "tab", "y")
        assert not is_open(seat)
        done = await last_operation(client)
        assert (done.action.value, done.done, done.reason) == ("purge", 3, "old")
        assert await states(client, ids) == ["cancelled"] * 3

        await seat.press("U")
        await asked(seat)
        await seat.press("y")
        await seat.until(lambda: "taking it back" in "".join(seat.said))

    await last_operation(client)
    assert await states(client, ids) == ["dead_letter"] * 3


@pytest.mark.parametrize("keys", [["enter"], ["escape"], ["R", "escape"], ["Y", "escape"], ["tab", "enter", "escape"]])
async def test_nothing_but_y_goes_on(broker: RealBroker, client: AsyncClient, queue: str, keys: list[str]) -> None:
    ids = await dead_letters(broker.address, queue, [("ValueError", "no")] * 2)

    async with by_error(broker, queue, 1) as seat:
        await seat.press("R")
        dialog = await asked(seat)
        dialog.post_message(events.Paste("y\ny\n"))
        await seat.press(*keys)
        await seat.until(lambda: seat.app.screen is seat.app.here, "the end of the dialog")

    assert await states(client, ids) == ["dead_letter"] * 2


async def test_all_that_match_are_more_than_those_that_are_seen(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    ids = await client.submit_tasks([Task("send", queue=queue) for _ in range(230)])

    async with found(broker, f"queue:{queue}", 200) as seat:
        await seat.press("A", "X")
        await asked(seat)
        assert "Cancel 230 tasks?" in text(seat.app)
        await seat.press("y")
        await seat.until(lambda: "cancel: 230" in "".join(seat.said))

    done = await last_operation(client)
    assert done.done == 230
    assert set(await states(client, ids[:3] + ids[-3:])) == {"cancelled"}


# -- races of the selection ----------------------------------------------------------------------------------------


async def test_what_dies_while_the_question_stands_is_not_touched(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    before = await dead_letters(broker.address, queue, [("ValueError", "no")] * 2)

    async with by_error(broker, queue, 1) as seat:
        await seat.press("R")
        await asked(seat)
        after = await dead_letters(broker.address, queue, [("ValueError", "no"), *[("KeyError", "k")] * 5])
        await seat.until(lambda: len(listing(seat).list) == 2, "the other group")  # it sorts above
        await seat.press("y")

    done = await last_operation(client)
    assert (done.total, done.done) == (2, 2)
    assert await states(client, before) == ["pending"] * 2
    assert await states(client, after) == ["dead_letter"] * 6


async def test_what_was_retried_elsewhere_is_skipped_also_if_it_died_again(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    first, second, third = await dead_letters(broker.address, queue, [("ValueError", "no")] * 3)

    async with by_error(broker, queue, 1) as seat:
        await seat.press("R")
        await asked(seat)
        elsewhere = await client.prepare("retry", task_ids=[first, second])
        await client.wait_for_operation((await client.commit(elsewhere.token)).id)
        worker = await ScriptedWorker("w", queue, ["send"]).connect(broker.address)
        await worker.fail(await worker.take(), "ValueError", "no")
        await worker.close()
        await seat.press("y")
        await seat.until(lambda: "retry: 3 tasks" in "".join(seat.said))

    done = await last_operation(client)
    assert (done.done, done.skipped) == (1, 2)
    assert await states(client, [first, second, third]) == ["dead_letter", "pending", "pending"]


async def test_a_row_that_goes_leaves_the_marks_on_the_others(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    ids = await dead_letters(
        broker.address, queue, [("A", "x"), ("B", "x"), ("B", "x"), ("C", "x"), ("C", "x"), ("C", "x")]
    )

    async with by_error(broker, queue, 3) as seat:
        await seat.press("space", "space")  # C and B; the cursor is on A
        gone = await client.prepare("retry", task_ids=ids[3:])
        await client.wait_for_operation((await client.commit(gone.token)).id)
        await seat.until(lambda: len(listing(seat).list) == 2, "the group to go")
        await seat.press("R")
        await asked(seat)
        assert "Retry 2 tasks?" in text(seat.app)
        await seat.press("y")

    await last_operation(client)
    assert await states(client, ids[:3]) == ["dead_letter", "pending", "pending"]


async def test_a_preview_of_before_a_restart_says_so_and_does_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with real_broker(tmp_path_factory.mktemp("own")) as own:
        ids = await dead_letters(own.address, "mail", [("ValueError", "no")] * 2)
        async with by_error(own, "mail", 1) as seat:
            await seat.press("R")
            await asked(seat)
            await asyncio.to_thread(own.kill)
            await seat.until(lambda: seat.app.is_locked, "the loss of the broker")
            await seat.press("y")
            assert STALE in text(seat.app)
            await asyncio.to_thread(own.start)
            await seat.until(lambda: not seat.app.is_locked, "the broker")
            await seat.press("y")
            await seat.until(lambda: "of before a restart: nothing was done" in "".join(seat.said))

        async with AsyncClient(own.address) as client:
            assert await states(client, ids) == ["dead_letter"] * 2


async def test_what_asks_first_is_locked_while_the_broker_is_lost(tmp_path_factory: pytest.TempPathFactory) -> None:
    with real_broker(tmp_path_factory.mktemp("own")) as own:
        ids = await dead_letters(own.address, "mail", [("ValueError", "no")] * 2)
        async with by_error(own, "mail", 1) as seat:
            await asyncio.to_thread(own.kill)
            await seat.until(lambda: seat.app.is_locked, "the loss of the broker")
            await seat.press("R", "P")
            await seat.until(lambda: len(seat.said) == 2)
            assert all(STALE in said for said in seat.said)
            assert not is_open(seat)
            await seat.until(lambda: "too old to act on" in text(seat.app).splitlines()[-1], "the reason in the footer")
        await asyncio.to_thread(own.start)
        async with AsyncClient(own.address) as client:
            assert await states(client, ids) == ["dead_letter"] * 2


# -- queues, workers, operations -------------------------------------------------------------------------------------


async def on_queue(seat: Seat, queue: str) -> None:
    """The list of queues, filtered to names that begin so."""
    listing(seat).apply_filter(f"{queue}*")
    await seat.until(lambda: (listing(seat).list.cursor or "").startswith(queue), "the queue")


async def is_paused(client: AsyncClient, queue: str) -> bool:
    return next(stats.is_paused for stats in await client.queues() if stats.name == queue)


async def test_one_queue_is_held_at_once_and_resumed_by_the_same_key(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    await client.submit_task(Task("send", queue=queue))

    async with dashboard(broker.address) as seat:
        await on_queue(seat, queue)
        await seat.press("H")
        await seat.until(lambda: "held: 1" in "".join(seat.said))
        assert await is_paused(client, queue)
        await seat.until(lambda: "paused" in text(seat.app), "the state")
        await seat.press("H")
        await seat.until(lambda: "resumed: 1" in "".join(seat.said))
        assert not await is_paused(client, queue)


async def test_several_queues_are_held_after_a_question_with_its_reason(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    names = [f"{queue}-{number}" for number in range(3)]
    for name in names:
        await client.submit_task(Task("send", queue=name))

    async with dashboard(broker.address) as seat:
        await on_queue(seat, queue)
        await seat.until(lambda: len(listing(seat).list) == 3)
        await seat.press("space", "space", "H")
        await asked(seat)
        assert "Hold 2 queues?" in text(seat.app)
        await seat.press("tab", *"migration", "tab", "y")
        await seat.until(lambda: "held: 2" in "".join(seat.said))

    paused = {stats.name: stats.pause_reason for stats in await client.queues() if stats.is_paused}
    assert [paused.get(name) for name in names] == ["migration", "migration", None]


async def test_a_queue_is_purged_of_what_waits_after_its_name_was_typed(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    dead = await dead_letters(broker.address, queue, [("ValueError", "no")])
    waiting = [await client.submit_task(Task("send", queue=queue)) for _ in range(2)]

    async with dashboard(broker.address) as seat:
        await on_queue(seat, queue)
        await seat.press("P")
        await asked(seat)
        assert f"type {queue}" in text(seat.app)
        await seat.press("tab", *queue, "tab", "tab", *"test", "tab", "y")
        await seat.until(lambda: "purge: 2 tasks" in "".join(seat.said))

    await last_operation(client)
    assert await states(client, waiting + dead) == ["cancelled", "cancelled", "dead_letter"]


async def test_a_queue_is_held_while_its_tasks_are_looked_at(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    await client.submit_task(Task("send", queue=queue))

    async with dashboard(broker.address) as seat:
        seat.app.open(Place("queue", queue))
        await seat.until(lambda: seat.app.here is not None and "hold" in text(seat.app), "the screen of the queue")
        await seat.press("H")
        await seat.until(lambda: "held: 1" in "".join(seat.said))
        assert await is_paused(client, queue)


@pytest.mark.parametrize("screen", ["workers", "worker"])
async def test_a_worker_is_drained_from_the_list_and_from_its_own_screen(
    broker: RealBroker, client: AsyncClient, queue: str, screen: str
) -> None:
    worker = await ScriptedWorker(f"w-{queue}", queue, ["send"]).connect(broker.address)

    async with dashboard(broker.address) as seat:
        if screen == "workers":
            await seat.press("2")
            await seat.until(lambda: seat.app.here is not None and seat.app.here.query("#count"), "the screen")
            listing(seat).apply_filter(f"w-{queue}")
            await seat.until(lambda: len(listing(seat).list) == 1, "the worker")
        else:
            seat.app.open(Place("worker", worker.incarnation.hex()))
            await seat.until(lambda: f"worker w-{queue}" in text(seat.app), "the screen of the worker")
        await seat.press("D")
        await asked(seat)
        assert "Drain 1 worker process?" in text(seat.app)
        await seat.press("y")
        await seat.until(lambda: "draining: 1" in "".join(seat.said))

    assert [one.status for one in await client.workers() if one.name == f"w-{queue}"] == ["draining"]
    await worker.close()


async def test_an_operation_is_stopped_half_way_and_what_it_did_is_undone(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    ids = await client.submit_tasks([Task("send", queue=queue) for _ in range(50)])
    prepared = await client.prepare("cancel", f"queue:{queue}")
    operation = await client.commit(prepared.token, rate=1)

    async with dashboard(broker.address) as seat:
        await seat.press("5")
        await seat.until(lambda: listing(seat).list.place(operation.id.hex()) == 0, "the operation")
        await seat.press("g")  # the cursor stays where it was when a later row comes above it
        await seat.press("X")
        await asked(seat)
        assert f"cancel queue:{queue} state:" in text(seat.app)
        assert " of 50 done" in text(seat.app)
        await seat.press("y")
        await seat.until(lambda: "stopped" in "".join(seat.said))
        stopped = await client.wait_for_operation(operation.id)
        assert stopped.state is OperationState.CANCELLED
        await seat.press("X")
        await seat.until(lambda: "nothing runs there any more" in "".join(seat.said))
        await seat.press("U")
        await asked(seat)
        await seat.press("y")
        await seat.until(lambda: "taking it back" in "".join(seat.said))

    undone = await last_operation(client)
    assert (undone.undo_of, undone.done) == (operation.id, stopped.done)
    assert set(await states(client, ids)) == {"pending"}


async def test_a_profile_that_asks_always_asks_before_one_too(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    ids = await dead_letters(broker.address, queue, [("ValueError", "no")])

    async with found(broker, f"queue:{queue}", 1, confirms_always=True) as seat:
        await seat.press("R")
        await asked(seat)
        assert "Retry 1 task?" in text(seat.app)
        assert await states(client, ids) == ["dead_letter"]
        await seat.press("escape", "escape")
        await on_queue(seat, queue)
        await seat.press("H")
        await asked(seat)
        assert "Hold this queue?" in text(seat.app)
        await seat.press("y")
        await seat.until(lambda: "held: 1" in "".join(seat.said))


def test_a_term_for_queues_means_these_names_and_no_patterns() -> None:
    assert queue_term(["mail", "a b", 'c*"d']) == 'queue:mail,"a b","c*\\"d"'


async def test_a_dead_letter_cannot_be_cancelled_and_the_key_says_so(broker: RealBroker, queue: str) -> None:
    await dead_letters(broker.address, queue, [("ValueError", "no")])

    async with found(broker, f"queue:{queue}", 1) as seat:
        await seat.press("X")
        await seat.until(lambda: "not for a dead letter" in "".join(seat.said))

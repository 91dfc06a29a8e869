"""Applications against a real broker: connections are made when they are needed, where they are needed."""

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import tq
from tests.app.serving import served
from tq.model.commands import BATCH_MAX


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture
def app(address: str) -> Iterator[tq.App]:
    app = tq.App("shop", address)
    yield app
    app.close_sync()


def declare(app: tq.App) -> "tq.TaskType[[int, str], str, str]":
    @app.task(queue="mail")
    def welcome(user_id: int, tenant: str) -> str:
        return f"{user_id} {tenant}"

    return welcome


async def test_a_task_goes_to_the_broker_and_is_found_there(app: tq.App) -> None:
    welcome = declare(app)
    async with app:
        handle = await welcome.options(delay="1h").enqueue(7, "acme")
        task = await handle.status()

        assert (task.task_type, task.queue, task.state) == ("welcome", "mail", tq.State.PENDING)
        assert welcome.signature.decode(task.payload, task.content_type) == (7, "acme")
        assert await handle.cancel("enough") is True
        with pytest.raises(tq.TaskCancelled, match="enough"):
            await handle.result()
        with pytest.raises(tq.TaskNotFound):
            await welcome.handle("00000000-0000-0000-0000-000000000001").status()


def test_plain_code_needs_no_event_loop(app: tq.App) -> None:
    welcome = declare(app)

    handle = welcome.options(delay="1h").enqueue_sync(7, "acme")

    assert handle.status_sync().attempt == 0
    with pytest.raises(tq.TimedOut):
        handle.wait_sync("10ms")
    assert handle.cancel_sync() is True
    assert handle.wait_sync().state is tq.State.CANCELLED


def test_plain_code_may_use_any_thread(app: tq.App) -> None:
    welcome = declare(app)
    before = set(threading.enumerate())  # other tests may not have let go of theirs yet

    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda number: welcome.enqueue_sync(number, "acme").id, range(40)))

    assert len(set(ids)) == 40
    assert sum(thread.name == "tq client" for thread in set(threading.enumerate()) - before) == 1


async def test_many_tasks_are_more_than_one_request(app: tq.App) -> None:
    welcome = declare(app)
    async with app:
        handles = await welcome.enqueue_many([(number, "acme") for number in range(BATCH_MAX + 5)])

        assert len({handle.id for handle in handles}) == BATCH_MAX + 5
        last = await handles[-1].status()
        assert welcome.signature.decode(last.payload, last.content_type) == (BATCH_MAX + 4, "acme")
        assert await welcome.enqueue_many([]) == []


def test_many_tasks_of_plain_code_are_more_than_one_request(app: tq.App) -> None:
    welcome = declare(app)

    handles = welcome.enqueue_many_sync([(number, "acme") for number in range(BATCH_MAX + 5)])

    assert len({handle.id for handle in handles}) == BATCH_MAX + 5
    assert welcome.enqueue_many_sync([]) == []


async def test_a_key_that_is_there_gives_the_task_that_is_there(app: tq.App) -> None:
    keyed = declare(app).options(key=f"key-{os.urandom(8).hex()}")
    async with app:
        first, second = await asyncio.gather(keyed.enqueue(1, "a"), keyed.enqueue(2, "b"))

    assert first.id == second.id


def test_every_event_loop_has_a_connection_of_its_own(app: tq.App) -> None:
    welcome = declare(app)

    async def enqueue() -> str:
        async with app:
            return (await welcome.enqueue(1, "a")).id

    assert asyncio.run(enqueue()) != asyncio.run(enqueue())


def test_loops_that_ended_without_closing_are_not_kept() -> None:
    welcome = declare(tq.App("shop", "127.0.0.1:1"))

    def enqueue_in_a_new_loop() -> "weakref.ref[asyncio.AbstractEventLoop]":
        with asyncio.Runner() as runner:
            with pytest.raises(tq.ConnectFailed):
                runner.run(welcome.enqueue(1, "a"))
            return weakref.ref(runner.get_loop())

    first = enqueue_in_a_new_loop()
    enqueue_in_a_new_loop()
    gc.collect()

    assert first() is None


async def test_a_closed_application_opens_again(app: tq.App) -> None:
    welcome = declare(app)
    await welcome.enqueue(1, "a")
    await app.close()
    await app.close()

    assert (await welcome.enqueue(2, "b")).id
    await app.close()

    await asyncio.to_thread(welcome.enqueue_sync, 3, "c")
    await asyncio.to_thread(app.close_sync)
    assert (await asyncio.to_thread(welcome.enqueue_sync, 4, "d")).id


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_gets_a_connection_of_its_own(app: tq.App) -> None:
    welcome = declare(app)
    welcome.enqueue_sync(1, "parent")
    reader, writer = os.pipe()

    child = os.fork()
    if child == 0:
        try:
            os.write(writer, welcome.enqueue_sync(2, "child").id.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        task_id = pipe.read()
    os.waitpid(child, 0)

    assert welcome.handle(task_id).status_sync().state is tq.State.PENDING


async def test_nobody_at_the_address_is_said_at_once() -> None:
    welcome = declare(tq.App("shop", "127.0.0.1:1"))

    with pytest.raises(tq.ConnectFailed, match=r"127\.0\.0\.1:1"):
        await welcome.enqueue(1, "a")


async def test_the_address_comes_from_the_environment(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = tq.App("shop")
    welcome = declare(app)
    monkeypatch.setenv("TQ_URL", address)

    async with app:
        assert (await welcome.enqueue(1, "a")).id

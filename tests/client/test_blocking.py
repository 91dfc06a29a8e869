"""The blocking client: the same methods, from any thread, leaving nothing behind."""

import asyncio
import gc
import inspect
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.client.scripted import Peer, ScriptedBroker, scripted_broker
from tq.client.async_client import AsyncClient
from tq.client.blocking import Client
from tq.client.loop_thread import LoopThread
from tq.client.task import Task
from tq.model.commands import Request, Submit
from tq.model.errors import ConnectFailed, ConnectionLost, InvalidArgument, QueueFull
from tq.model.ids import format_id
from tq.model.replies import ErrorReply, QueuePage, Submitted, TaskPage


@contextmanager
def broker_in_a_thread(answer: Callable[[Peer, Request], None]) -> Iterator[ScriptedBroker]:
    thread = LoopThread("scripted broker")
    opened = scripted_broker()

    async def start() -> ScriptedBroker:
        broker = await opened.__aenter__()
        broker.answer = answer
        return broker

    async def end() -> None:
        await opened.__aexit__(None, None, None)

    try:
        yield thread.run(start)
    finally:
        thread.stop(end)


def accept(peer: Peer, request: Request) -> None:
    peer.send(Submitted(request.request_id) if isinstance(request, Submit) else QueuePage(request.request_id, []))


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def names(running: set[threading.Thread]) -> set[str]:
    return {thread.name for thread in running}


def public(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") or name == "__init__"
    }


def test_the_twins_have_the_same_methods_with_the_same_arguments() -> None:
    blocking, asynchronous = public(Client), public(AsyncClient)

    assert blocking.keys() == asynchronous.keys()
    for name, signature in blocking.items():
        assert signature.parameters == asynchronous[name].parameters, name
        if name not in ("iter_tasks", "watch"):  # iterators here, asynchronous ones there
            assert signature.return_annotation == asynchronous[name].return_annotation, name


def test_calls_come_from_any_number_of_threads_over_one_connection() -> None:
    with broker_in_a_thread(accept) as broker, Client(broker.address) as client:
        with ThreadPoolExecutor(8) as pool:
            ids = list(pool.map(lambda _: client.submit_task(Task("send_email")), range(200)))

        assert len(set(ids)) == 200
        assert len(broker.peers) == 1


def test_every_method_reaches_the_asynchronous_one_with_its_arguments() -> None:
    calls: list[tuple[str, tuple[object, ...], dict[str, object]]] = []

    class Recording:
        def __getattr__(self, name: str) -> Callable[..., object]:
            async def record(*args: object, **kwargs: object) -> object:
                calls.append((name, args, kwargs))
                return TaskPage(0, [], b"") if name == "list_tasks" else name

            return record

    client = Client("127.0.0.1:1")
    client._client = Recording()  # type: ignore[assignment]
    skipped = {"__init__", "close", "iter_tasks", "watch"}
    for name, signature in public(Client).items():
        if name in skipped:
            continue
        given = {
            parameter.name: f"<{parameter.name}>"
            for parameter in list(signature.parameters.values())[1:]
            if parameter.kind is not parameter.VAR_POSITIONAL
        }
        variable = [p.name for p in signature.parameters.values() if p.kind is p.VAR_POSITIONAL]
        positional = ["<id>"] if variable else []

        getattr(client, name)(*positional, **given)

        called, args, kwargs = calls.pop()
        bound = inspect.signature(getattr(AsyncClient, name)).bind(None, *args, **kwargs)
        expected = {**given, **dict.fromkeys(variable, ("<id>",))}
        if name == "submit_tasks":
            expected = {"tasks": list("<tasks>")}
        assert (called, {k: v for k, v in bound.arguments.items() if k != "self"}) == (name, expected)
    assert list(client.iter_tasks()) == []
    client.close()


def test_an_error_of_the_broker_is_raised_in_the_calling_thread() -> None:
    def refuse(peer: Peer, request: Request) -> None:
        peer.send(ErrorReply(request.request_id, "QUEUE_FULL", "default is full", "later"))

    with broker_in_a_thread(refuse) as broker, Client(broker.address) as client, pytest.raises(QueueFull):
        client.submit_task(Task("send_email"))


def test_nobody_there_is_told_with_the_next_command() -> None:
    with pytest.raises(ConnectFailed, match="tq up"), Client("127.0.0.1:1") as client:
        client.queues()
    gc.collect()


def test_iterating_goes_page_by_page() -> None:
    pages = iter([b"next", b""])

    def answer(peer: Peer, request: Request) -> None:
        peer.send(TaskPage(request.request_id, [], next(pages)))

    with broker_in_a_thread(answer) as broker, Client(broker.address) as client:
        assert list(client.iter_tasks("queue:mail")) == []
    assert next(pages, None) is None


def test_tasks_that_are_made_on_the_way_are_made_in_the_callers_thread() -> None:
    made_in: set[str] = set()

    def tasks() -> Iterator[Task]:
        for _ in range(3):
            made_in.add(threading.current_thread().name)
            yield Task("send_email")

    with broker_in_a_thread(accept) as broker, Client(broker.address) as client:
        assert len(client.submit_tasks(tasks())) == 3
    assert made_in == {threading.current_thread().name}


class TestClosing:
    def test_nothing_is_left_after_close(self) -> None:
        before = threads()
        with broker_in_a_thread(accept) as broker:
            client = Client(broker.address)
            client.queues()
            assert "tq client" in names(threads() - before)  # other tests may still hold theirs
            client.close()
            client.close()
            assert "tq client" not in names(threads() - before)
        gc.collect()  # an open loop or socket would warn here, and warnings are errors
        assert threads() <= before

    def test_a_closed_client_refuses(self) -> None:
        client = Client("127.0.0.1:1")
        client.close()

        with pytest.raises(ConnectionLost, match="this client is closed"):
            client.queues()

    def test_a_forgotten_client_ends_its_thread(self) -> None:
        before = threads()
        with broker_in_a_thread(accept) as broker:
            client = Client(broker.address)
            client.queues()
            del client
            gc.collect()

            assert "tq client" not in names(threads() - before)

    def test_a_call_in_another_thread_ends_with_the_reason(self) -> None:
        asked = threading.Event()
        with broker_in_a_thread(lambda peer, request: asked.set()) as broker, ThreadPoolExecutor(1) as pool:
            client = Client(broker.address)
            calling = pool.submit(client.queues)
            assert asked.wait(10)
            client.close()

            with pytest.raises(ConnectionLost, match="closed"):
                calling.result(10)

    def test_what_the_loop_still_runs_when_it_stops_is_told_so(self) -> None:
        thread = LoopThread("test")
        started = threading.Event()

        async def for_ever() -> None:
            started.set()
            await asyncio.Event().wait()

        async def nothing() -> None:
            pass

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(thread.run, for_ever)
            assert started.wait(10)
            thread.stop(nothing)
            with pytest.raises(ConnectionLost, match="this client is closed"):
                running.result(10)

    def test_stopping_on_the_loop_itself_does_not_wait_for_itself(self) -> None:
        """A garbage collection may run the finalizer anywhere, on the loop too."""
        thread = LoopThread("test")

        async def nothing() -> None:
            pass

        async def stop() -> threading.Thread:
            thread.stop(nothing)
            return threading.current_thread()

        ended = thread.run(stop)
        ended.join(10)
        assert not ended.is_alive()

    def test_a_program_that_forgets_to_close_ends_without_a_word(self) -> None:
        program = (
            "import sys, tq.client.blocking as b, tq.client.task as t\n"
            "client = b.Client(sys.argv[1])\n"
            "print(client.submit_task(t.Task('send_email')))\n"
        )
        with broker_in_a_thread(accept) as broker:
            ended = subprocess.run(
                [sys.executable, "-X", "dev", "-W", "error", "-c", program, broker.address],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )

        assert (ended.returncode, ended.stderr) == (0, "")
        assert len(ended.stdout.strip()) == 36


def test_a_call_on_the_clients_own_loop_would_wait_for_itself_and_is_refused() -> None:
    thread = LoopThread("test")

    async def nothing() -> None:
        pass

    async def call_back() -> None:
        with pytest.raises(InvalidArgument, match="on its own loop"):
            thread.run(nothing)

    thread.run(call_back)
    thread.stop(nothing)


def test_an_interrupted_call_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    with broker_in_a_thread(lambda peer, request: asked.set()) as broker, Client(broker.address) as client:

        def interrupt() -> None:
            asked.wait(10)
            os.kill(os.getpid(), signal.SIGINT)

        helper = threading.Thread(target=interrupt)
        helper.start()
        with pytest.raises(KeyboardInterrupt):
            client.queues()
        helper.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork_the_client_says_what_to_do_and_the_parents_goes_on() -> None:
    program = """
import os, sys
from tq.client.blocking import Client
from tq.client.task import Task
from tq.model.errors import InvalidArgument
client = Client(sys.argv[1])
first = client.submit_task(Task("send_email"))
pid = os.fork()
if pid == 0:
    try:
        client.submit_task(Task("send_email"))
    except InvalidArgument as error:
        print(error.hint, flush=True)
    client.close()
    with Client(sys.argv[1]) as fresh:
        fresh.submit_task(Task("send_email"))
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert client.submit_task(Task("send_email")) != first
print("the parent goes on")
"""
    with broker_in_a_thread(accept) as broker:
        ended = subprocess.run(
            [sys.executable, "-X", "dev", "-c", program, broker.address],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == ["make a new tq.Client after the fork", "the parent goes on"]


def test_ids_are_text() -> None:
    with broker_in_a_thread(accept) as broker, Client(broker.address) as client:
        task_id = client.submit_task(Task("send_email", id=format_id(b"\x01" * 16)))

    assert task_id == "01010101-0101-0101-0101-010101010101"

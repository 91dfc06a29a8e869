"""Declaring tasks: what is wrong is refused at import, and nothing is connected."""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import tq
from tests.app.fakes import RecordingBackend
from tq.app.app import App
from tq.app.broker import BrokerBackend
from tq.model.errors import InvalidArgument


def plain(number: int) -> int:
    """Add one."""
    return number + 1


async def asynchronous(number: int) -> int:
    return number + 1


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


def test_a_task_is_called_as_its_function_and_keeps_its_documentation() -> None:
    app = App("shop")
    task = app.task(plain)

    assert task(1) == 2
    assert (task.name, task.__doc__, inspect.unwrap(task)) == ("plain", "Add one.", plain)
    assert app.tasks == {"plain": task}
    assert repr(task) == "<TaskType plain>"
    assert repr(app) == "<App shop: 1 tasks>"


async def test_an_async_task_is_awaited_as_its_function() -> None:
    assert await App("shop").task(asynchronous)(1) == 2


def test_where_a_task_runs_is_seen_from_its_function() -> None:
    app = App("shop")

    assert app.task(asynchronous).run_in == "loop"
    assert app.task(plain).run_in == "thread"
    assert app.task(name="second", run_in="thread")(plain).run_in == "thread"
    assert app.task(name="third", run_in="process")(plain).run_in == "process"


def test_aliases_find_the_handler_but_are_no_tasks() -> None:
    app = App("shop")
    task = app.task(name="new", aliases=["old", "older"])(plain)

    assert dict(app.handlers) == {"new": task, "old": task, "older": task}
    assert dict(app.tasks) == {"new": task}


def test_the_options_of_the_declaration_are_those_of_its_tasks() -> None:
    app = App("shop")
    backend = RecordingBackend()
    app.use_backend(backend)
    task = app.task(
        queue="mail",
        priority=tq.HIGH,
        timeout="30s",
        retry=tq.retry(7, backoff=tq.fixed("5s")),
        result_ttl="1d",
        expires="2h",
        max_crashes=1,
    )(plain)

    task.enqueue_sync(1)

    spec = backend.specs[0]
    assert (spec.task_type, spec.queue, spec.priority, spec.timeout_ms) == ("plain", "mail", tq.HIGH, 30_000)
    assert spec.max_retries == 7
    assert spec.options is not None
    assert spec.options.retry == tq.fixed("5s")
    assert (spec.options.result_ttl_ms, spec.options.expires_ms, spec.options.max_crashes) == (86_400_000, 7_200_000, 1)


def nested() -> Callable[[], None]:
    def inner() -> None: ...

    return inner


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (asynchronous, {"run_in": "process"}, "run_in='process' on an async def"),
        (asynchronous, {"run_in": "thread"}, "run_in='thread' on an async def"),
        (plain, {"run_in": "fiber"}, "run_in 'fiber' is not"),
        (nested(), {"run_in": "process"}, "on a function inside another"),
        (generator, {}, "a generator cannot be a task"),
        (async_generator, {}, "a generator cannot be a task"),
        (functools.partial(plain, 1), {}, "is not a function with a name"),
        (functools.partial(plain, 1), {"name": "partial"}, "is not a function with a name"),
        ("mail", {}, "is not a function with a name"),
        (lambda: None, {}, "is not a function with a name"),
        (plain, {"timeout": 30}, "timeout 30 is a bare int"),
        (plain, {"retry": 3}, "retry 3 is no retry"),
        (plain, {"max_retries": 2, "retry": tq.retry(3)}, "max_retries=2 and retry(max=3) differ"),
        (plain, {"max_retries": 1.5}, "max_retries 1.5"),
        (plain, {"aliases": "old"}, "aliases 'old' is not a list of names"),
        (plain, {"aliases": ["old", "old"]}, "has a task 'old' already"),
        (plain, {"aliases": ["plain"]}, "has a task 'plain' already"),
        (plain, {"name": ""}, "task name is empty"),
        (plain, {"queue": " mail"}, "begins or ends with a space"),
    ],
)
def test_what_is_wrong_is_refused_at_import(function: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        App("shop").task(**options)(function)

    assert message in refusal.value.message


def test_two_tasks_of_one_name_are_refused_and_both_are_named() -> None:
    app = App("shop")
    app.task(name="send")(plain)

    with pytest.raises(InvalidArgument) as refusal:
        app.task(aliases=["send"])(asynchronous)

    assert "tests.app.test_app.plain; a second one is tests.app.test_app.asynchronous" in refusal.value.message
    assert dict(app.tasks).keys() == {"send"}


def test_a_name_makes_even_a_lambda_a_task() -> None:
    assert App("shop").task(name="noop")(lambda: None).name == "noop"


def test_annotations_that_cannot_work_are_found_by_check() -> None:
    def handler(value: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    app = App("shop")
    app.task(handler)

    with pytest.raises(InvalidArgument, match="task 'handler': an annotation cannot be resolved"):
        app.check()


def test_an_application_needs_a_name() -> None:
    with pytest.raises(InvalidArgument, match="application is empty"):
        App("")


async def test_what_was_never_used_closes_without_being_opened() -> None:
    async with App("shop", "127.0.0.1:1"):
        pass
    with App("shop", "127.0.0.1:1"):
        pass


async def test_leaving_the_block_closes_the_backend() -> None:
    app, backend = App("shop"), RecordingBackend()
    app.use_backend(backend)

    async with app:
        pass
    with app:
        pass

    assert backend.calls == [("close",), ("close_sync",)]


def test_another_backend_can_take_the_place_of_the_broker_and_give_it_back() -> None:
    app, backend = App("shop", "127.0.0.1:1"), RecordingBackend()

    assert app.use_backend(backend) is None
    assert app.use_backend(None) is backend
    assert isinstance(app.backend(), BrokerBackend)

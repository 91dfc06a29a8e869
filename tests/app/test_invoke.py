"""From a stored task to the call of its handler, and from what the handler did to the report."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.app.fakes import RecordingBackend
from tq.app.app import App
from tq.app.codec import VALUE, decode, encode
from tq.app.context import Context, Fail, Snooze
from tq.app.invoke import Invocation, Snoozed, describe_traceback, describe_type, prepare, refuse
from tq.app.retries import fixed, retry
from tq.model.commands import Failure, LeaseRef, Success
from tq.model.errors import InvalidArgument, QueueFull
from tq.model.task import MESSAGE_CHARS_MAX, TRACEBACK_CHARS_MAX, StoredTask, TaskSpec

LEASE = LeaseRef(bytes(16), 7)


class Bounced(Exception):
    """Mail came back."""


class Mute(Exception):
    """An exception as broken as its handler."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


app = App("shop")
backend = RecordingBackend()
app.use_backend(backend)


@app.task(aliases=["add_v1"], retry=retry(never=(ValueError,), rules={Bounced: fixed("5s")}))
def add(first: int, second: int = 1) -> int:
    return first + second


@app.task
async def greet(name: str, *, ctx: Context) -> str:
    return f"{name} {ctx.attempt}"


def invocation(task_type: str = "add", **arguments: Any) -> Invocation:
    spec = TaskSpec(bytes(16), task_type, encode(arguments), content_type=VALUE)
    return prepare(app.handlers, StoredTask(0, 1, 0, 0, spec))


def failure(error: BaseException, **details: Any) -> Failure:
    report = invocation(first=1).raised(LEASE, error, **{"attempt": 1, "chance": 0.0, **details})
    assert isinstance(report, Failure)
    return report


def caught(function: Callable[[], Any]) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_stored_task_becomes_a_call() -> None:
    add.enqueue_sync(2, second=3)

    prepared = prepare(app.handlers, backend.last())

    assert prepared.task is add
    assert not prepared.needs_context
    assert prepared.call(None) == 5


async def test_an_async_handler_gives_its_coroutine_with_the_context() -> None:
    prepared = invocation("greet", name="Ada")

    assert prepared.needs_context
    assert await prepared.call(Context.detached()) == "Ada 1"


def test_an_alias_finds_its_handler() -> None:
    assert invocation("add_v1", first=1).call(None) == 2


def test_without_a_handler_or_with_other_arguments_there_is_no_call() -> None:
    with pytest.raises(InvalidArgument, match="no handler is called 'gone'"):
        invocation("gone")
    with pytest.raises(InvalidArgument, match="task 'add': argument 'first': Expected `int`, got `str`") as refusal:
        invocation(first="x")

    report = refuse(LEASE, refusal.value)

    assert report.is_final
    assert report.error_type == "tq.InvalidArgument"
    assert report.message == "task 'add': argument 'first': Expected `int`, got `str`"


def test_a_returned_value_is_a_success() -> None:
    report = invocation(first=1).succeeded(LEASE, (1, {"a"}))

    assert isinstance(report, Success)
    assert (report.task_id, report.token, report.content_type) == (bytes(16), 7, VALUE)
    assert decode(report.result) == [1, {"a"}]


def test_nothing_returned_is_no_bytes() -> None:
    assert invocation(first=1).succeeded(LEASE, None) == Success(bytes(16), 7, b"", "")


def test_a_value_without_a_form_fails_for_good() -> None:
    """Running the handler again would do its work twice and end no better."""
    report = invocation(first=1).succeeded(LEASE, object())

    assert isinstance(report, Failure)
    assert report.is_final
    assert report.message.startswith("the result of task 'add' cannot be encoded: builtins.object has no plain form")


def test_a_snooze_is_no_failure() -> None:
    assert invocation(first=1).raised(LEASE, Snooze("5m"), attempt=1, chance=0.0) == Snoozed(LEASE, 300_000)


@pytest.mark.parametrize(
    ("error", "retry_in_ms", "is_final"),
    [
        (RuntimeError("x"), None, False),
        (Bounced("x"), 5_000, False),
        (ValueError("x"), None, True),
        (Fail("x"), None, True),
        (KeyboardInterrupt(), None, False),
    ],
)
def test_exceptions_follow_the_rules_of_the_task(error: BaseException, retry_in_ms: int, is_final: bool) -> None:
    report = failure(error)

    assert (report.retry_in_ms, report.is_final, report.is_timeout) == (retry_in_ms, is_final, False)


def test_a_timeout_is_marked() -> None:
    assert failure(TimeoutError("30s"), is_timeout=True).is_timeout


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError(), "ValueError"),
        (Bounced(), "tests.app.test_invoke.Bounced"),
        (Fail(), "tq.Fail"),
        (QueueFull("x"), "tq.QueueFull"),
        (type("W" * 500, (Exception,), {"__module__": "m"})(), ("m." + "W" * 500)[:200]),
    ],
)
def test_errors_are_called_as_people_know_them(error: BaseException, name: str) -> None:
    assert describe_type(error) == name


def test_what_an_exception_says_is_cut_and_made_printable() -> None:
    assert failure(ValueError("x" * 10_000)).message == "x" * MESSAGE_CHARS_MAX
    assert failure(ValueError("a\ud800b")).message == "a?b"
    assert failure(Mute()).message == "[its text cannot be had: RuntimeError]"
    assert "Mute" in failure(Mute()).traceback


def test_a_traceback_begins_with_the_handler() -> None:
    text = describe_traceback(caught(lambda: divide_by_zero(1)), divide_by_zero.function)

    assert text.startswith("Traceback (most recent call last):\n  File ")
    assert text.count("File ") == 2
    assert "/tq/app/" not in text
    assert "in inner" in text
    assert text.endswith("ZeroDivisionError: division by zero\n")


@app.task
def divide_by_zero(number: int) -> float:
    def inner() -> float:
        return number / 0

    return inner()


def test_causes_are_told() -> None:
    def handler() -> None:
        try:
            int("inner")
        except ValueError as cause:
            raise Bounced("outer") from cause

    text = describe_traceback(caught(handler), handler)

    assert text.index("ValueError: invalid literal") < text.index("direct cause") < text.index("Bounced: outer")


def test_frames_of_tq_are_left_out_where_the_handler_was_never_reached() -> None:
    error = caught(lambda: prepare(app.handlers, StoredTask(0, 1, 0, 0, TaskSpec(b"", "gone", b""))))
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    assert trace is not None, "the rest is tq's own"

    text = describe_traceback(error.with_traceback(trace), add.function)

    assert text.startswith("tq.model.errors.InvalidArgument: no handler is called 'gone'")


def test_an_exception_that_cannot_be_shown_still_shows_where_it_was_raised() -> None:
    def handler() -> None:
        error = SyntaxError("broken")
        error.filename, error.lineno, error.text = "f", 1, 5  # type: ignore[assignment]
        raise error

    text = describe_traceback(caught(handler), handler)

    assert "in handler" in text
    assert text.endswith("[the rest cannot be had: AttributeError]\n")


def test_of_a_long_traceback_the_middle_is_left_out() -> None:
    def handler() -> None:
        raise Bounced("x" * 100_000 + "the end")

    text = describe_traceback(caught(handler), handler)

    assert len(text) <= TRACEBACK_CHARS_MAX
    assert text.startswith("Traceback (most recent call last)")
    assert "characters left out" in text
    assert text.endswith("the end\n")


def test_a_bottomless_recursion_is_told_in_few_words() -> None:
    def handler() -> None:
        handler()

    text = describe_traceback(caught(handler), handler)

    assert "RecursionError" in text
    assert len(text) < 4_000


def test_the_log_of_a_context_needs_no_set_up(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Context.detached("add").log.info("here")

    assert caplog.records[0].name == "tq.task.add"

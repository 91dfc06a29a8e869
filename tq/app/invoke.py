"""The one place where a stored task becomes the call of a handler, and what the handler did becomes a report.

A worker and the test broker both go through here:

    invocation = prepare(app.handlers, stored)      # InvalidArgument: refuse(lease, error)
    value = invocation.call(context)                # a coroutine where invocation.task.run_in == "loop"
    report = invocation.succeeded(lease, value)     # or invocation.raised(lease, error, attempt, chance)

Nothing here does I/O, waits, or catches what the handler raises.
"""

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

import msgspec

from tq.app.app import AnyTask
from tq.app.codec import VALUE, encode
from tq.app.context import Context, Fail, Snooze
from tq.app.tracing import Tracing
from tq.model.commands import Failure, LeaseRef, Success
from tq.model.errors import InvalidArgument, TqError
from tq.model.task import MESSAGE_CHARS_MAX, TRACEBACK_CHARS_MAX, StoredTask

ERROR_TYPE_CHARS_MAX = 200
_OWN_CODE = str(Path(__file__).resolve().parent.parent)
_LEFT_OUT = "\n[... {count} characters left out ...]\n"


class Snoozed(msgspec.Struct, frozen=True):
    """A handler asked to be run again later; the lease is released with this delay."""

    lease: LeaseRef
    delay_ms: int


class Invocation:
    """A handler with the arguments of one task."""

    __slots__ = ("_attempt", "_stored", "_values", "task")

    def __init__(self, task: AnyTask, values: tuple[Any, ...], stored: StoredTask, attempt: int) -> None:
        self.task = task
        self._values = values
        self._stored = stored
        self._attempt = attempt

    @property
    def needs_context(self) -> bool:
        """Whether `call` needs a Context; without, it may be given None."""
        return self.task.signature.has_context

    def call(self, context: Context | None) -> Any:
        """Call the handler. Of an `async def` this gives the coroutine; else it runs here, and may raise anything."""
        task = self.task
        if task.tracing is None:
            return task.signature.call(task.function, self._values, context)
        if task.run_in == "loop":
            return self._await_traced(task.tracing, context)
        with task.tracing.running(self._stored, self._attempt):
            return task.signature.call(task.function, self._values, context)

    async def _await_traced(self, tracing: Tracing, context: Context | None) -> Any:
        with tracing.running(self._stored, self._attempt):
            return await self.task.signature.call(self.task.function, self._values, context)

    def succeeded(self, lease: LeaseRef, value: Any) -> Success | Failure:
        """The report of a handler that returned `value`.

        A value without a form as bytes fails the task for good: running it again would only do its work twice.
        """
        try:
            result, content_type = encode_result(value)
        except InvalidArgument as cause:
            return refuse(
                lease,
                InvalidArgument(f"the result of task {self.task.name!r} {cause.message}", hint="return plain data"),
            )
        return Success(lease.task_id, lease.token, result, content_type)

    def raised(
        self, lease: LeaseRef, error: BaseException, *, attempt: int, chance: float, is_timeout: bool = False
    ) -> Failure | Snoozed:
        """The report of a handler that raised `error`.

        Args:
            attempt: from 1.
            chance: uniform in [0, 1), for the jitter of a backoff.
            is_timeout: the error is the worker's doing, because the timeout struck.
        """
        if isinstance(error, Snooze):
            return Snoozed(lease, error.delay_ms)
        retry_in_ms, is_final = self.task.retry.decide(error, attempt, chance)
        return Failure(
            lease.task_id,
            lease.token,
            error_type=describe_type(error),
            message=describe_message(error),
            traceback=describe_traceback(error, self.task.function),
            retry_in_ms=retry_in_ms,
            is_final=is_final or isinstance(error, Fail),
            is_timeout=is_timeout,
        )


def prepare(handlers: Mapping[str, AnyTask], stored: StoredTask, attempt: int = 1) -> Invocation:
    """The handler of a task, and its arguments.

    Args:
        handlers: of the application, aliases included.
        attempt: from 1.

    Raises:
        InvalidArgument: no such handler, or the payload does not fit its parameters. A retry would not help.
    """
    spec = stored.spec
    task = handlers.get(spec.task_type)
    if task is None:
        raise InvalidArgument(
            f"no handler is called {spec.task_type!r}", hint="deploy it, or give its successor aliases=[...]"
        )
    return Invocation(task, task.signature.decode(spec.payload, spec.content_type), stored, attempt)


def encode_result(value: Any) -> tuple[bytes, str]:
    """What a handler returned, and its content type. None, the common one, is no bytes at all.

    Raises:
        InvalidArgument: it has no form as bytes.
    """
    return (b"", "") if value is None else (encode(value), VALUE)


def refuse(lease: LeaseRef, error: TqError) -> Failure:
    """The report of a task that cannot run, or whose result cannot be kept: it fails for good."""
    return Failure(
        lease.task_id,
        lease.token,
        error_type=describe_type(error),
        message=describe_message(error),
        is_final=True,
    )


def describe_type(error: BaseException) -> str:
    """The name of an exception's class, with its module where that says something: "ValueError", "shop.mail.Gone"."""
    kind = type(error)
    module = kind.__module__
    if module in ("builtins", "__main__"):
        name = kind.__qualname__
    elif module.startswith("tq."):
        name = f"tq.{kind.__qualname__}"
    else:
        name = f"{module}.{kind.__qualname__}"
    return _printable(name)[:ERROR_TYPE_CHARS_MAX]


def describe_message(error: BaseException) -> str:
    """The text of an exception, cut to MESSAGE_CHARS_MAX."""
    try:
        message = str(error)
    except Exception as cause:  # a handler's exception may be as broken as the handler
        message = f"[its text cannot be had: {type(cause).__name__}]"
    return _printable(message)[:MESSAGE_CHARS_MAX]


def describe_traceback(error: BaseException, function: Callable[..., Any]) -> str:
    """The traceback of an exception from the handler's own frame on, its causes included.

    Above TRACEBACK_CHARS_MAX the middle is left out: where it began and what was raised last are worth more.
    """
    trace = _from_handler(error.__traceback__, function.__code__)
    try:
        text = "".join(traceback.TracebackException(type(error), error, trace, compact=True).format())
    except Exception as cause:  # formatting calls __str__ and __repr__ of the handler's objects
        text = "".join(traceback.format_tb(trace)) + f"[the rest cannot be had: {type(cause).__name__}]\n"
    return _shortened(_printable(text))


def _from_handler(trace: TracebackType | None, code: CodeType) -> TracebackType | None:
    """The traceback without the frames of tq that led to the handler, and of the threads and loops in between."""
    start = trace
    while start is not None and start.tb_frame.f_code is not code:
        start = start.tb_next
    if start is not None:
        return start
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN_CODE):
        trace = trace.tb_next
    return trace


def _shortened(text: str) -> str:
    if len(text) <= TRACEBACK_CHARS_MAX:
        return text
    left_out = _LEFT_OUT.format(count=len(text))
    head = TRACEBACK_CHARS_MAX // 4
    tail = TRACEBACK_CHARS_MAX - head - len(left_out)
    return text[:head] + _LEFT_OUT.format(count=len(text) - head - tail) + text[-tail:]


def _printable(text: str) -> str:
    """Text that can be encoded: lone surrogates, as in undecodable file names, become question marks."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text

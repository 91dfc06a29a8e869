"""Between the Structs of the model and the messages of tq.proto, whose fields have the same names."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from tq.client.task import Task
from tq.edges.grpc import tq_pb2 as pb
from tq.model.errors import InvalidArgument
from tq.model.ids import ID_BYTES, format_id
from tq.model.task import NORMAL, RetryPolicy, TaskOptions

M = TypeVar("M", bound=Message)
_HEX = frozenset({"incarnation"})
"""Fields of 16 bytes that are no id of a task."""
_RETRY = RetryPolicy()
_OPTIONS = TaskOptions()
_TIMEOUT_MS, _RETRIES = 300_000, 3


class _Field(NamedTuple):
    name: str
    is_many: bool
    is_message: bool
    is_text: bool


def message_of(kind: type[M], value: object) -> M:
    """The message of a Struct: every field of the message from the attribute of its name; None is left unset.

    Bytes in a field of text are an id: of a task as a UUID, of anything else in hex.
    """
    message = kind()
    fill(message, value)
    return message


def fill(message: Message, value: object) -> None:
    """The same, into a message that is there."""
    for name, is_many, is_message, is_text in _fields(message.DESCRIPTOR):
        given = getattr(value, name)
        if given is None:
            continue
        if is_many and is_message:
            items = getattr(message, name)
            for one in given:
                fill(items.add(), one)
        elif is_many:
            getattr(message, name).extend(given)
        elif is_message:
            part = getattr(message, name)
            part.SetInParent()
            fill(part, given)
        elif is_text and type(given) is bytes:
            setattr(message, name, _id_text(name, given))
        else:
            setattr(message, name, given)


@cache
def _fields(descriptor: Descriptor) -> tuple[_Field, ...]:
    return tuple(
        _Field(
            field.name,
            field.is_repeated,
            field.type == FieldDescriptor.TYPE_MESSAGE,
            field.type == FieldDescriptor.TYPE_STRING,
        )
        for field in descriptor.fields
    )


def _id_text(name: str, value: bytes) -> str:
    return format_id(value) if len(value) == ID_BYTES and name not in _HEX else value.hex()


def task_of(message: pb.Task) -> Task:
    """A task to be submitted; its fields are checked by whoever submits it.

    Raises:
        InvalidArgument: a moment or a length that no calendar holds.
    """
    has = message.HasField
    return Task(
        message.task_type,
        message.payload,
        queue=message.queue or "default",
        priority=message.priority if has("priority") else NORMAL,
        timeout_seconds=(message.timeout_ms if has("timeout_ms") else _TIMEOUT_MS) / 1_000,
        max_retries=message.max_retries if has("max_retries") else _RETRIES,
        content_type=message.content_type,
        delay=length_of("delay_ms", message.delay_ms) if message.delay_ms else None,
        eta=_moment_of(message.eta_ms) if has("eta_ms") else None,
        expires=length_of("expires_ms", message.expires_ms) if has("expires_ms") else None,
        key=message.key if has("key") else None,
        result_ttl=length_of("result_ttl_ms", message.result_ttl_ms) if has("result_ttl_ms") else None,
        max_crashes=message.max_crashes if has("max_crashes") else _OPTIONS.max_crashes,
        retry=_retry_of(message.retry) if has("retry") else _RETRY,
        id=message.id or None,
        tags=tuple(message.tags),
        trace=message.trace,
    )


def tasks_of(messages: Sequence[pb.Task]) -> list[Task]:
    """As `task_of`, of each; an error names the task by its place, from 0."""
    tasks = []
    for index, message in enumerate(messages):
        try:
            tasks.append(task_of(message))
        except InvalidArgument as error:
            raise InvalidArgument(f"tasks[{index}]: {error.message}", hint=error.hint) from None
    return tasks


def length_of(what: str, length_ms: int) -> timedelta:
    """A length of time.

    Raises:
        InvalidArgument: negative, or above what can be counted.
    """
    try:
        length = timedelta(milliseconds=length_ms)
    except OverflowError:
        raise InvalidArgument(f"{what} {length_ms} is more than ten years") from None
    if length_ms < 0:
        raise InvalidArgument(f"{what} {length_ms} is below 0")
    return length


def _moment_of(moment_ms: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment_ms)
    except OverflowError:
        raise InvalidArgument(f"eta_ms {moment_ms} is not a moment, in ms since 1970") from None


def _retry_of(message: pb.Retry) -> RetryPolicy:
    def given(name: str, default: Any) -> Any:
        return getattr(message, name) if message.HasField(name) else default

    return RetryPolicy(
        backoff_ms_base=given("backoff_ms_base", _RETRY.backoff_ms_base),
        backoff_ms_max=given("backoff_ms_max", _RETRY.backoff_ms_max),
        factor=given("factor", _RETRY.factor),
        jitter=given("jitter", _RETRY.jitter),
    )

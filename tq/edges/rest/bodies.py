"""What requests bring, as JSON. Unknown fields are refused: a slip in a name is not the same as leaving it out."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tq.client.task import Task
from tq.model.commands import BATCH_MAX
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument
from tq.model.names import KEY_BYTES_MAX, NAME_BYTES_MAX, TAGS_MAX, TRACE_CHARS_MAX, check_trace
from tq.model.operations import RATE, RATE_MAX, UNDO_RATE, Overrides
from tq.model.priorities import NAMED
from tq.model.selector import SELECTOR_CHARS_MAX
from tq.model.signatures import TaskSignature
from tq.model.task import MAX_CRASHES_MAX, MAX_RETRIES_MAX, NORMAL, PRIORITY_MAX, RetryPolicy, TaskView
from tq.views.corrections import Payload, check, given_as
from tq.views.payloads import JSON, guess_content_type

REASON_CHARS_MAX = 2_000

Duration = Annotated[str, Meta(max_length=40, description='a length of time, such as "250ms", "30s", "1h30m"')]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_BYTES_MAX)]
Encoding = Annotated[
    Literal["base64", "text", "json"],
    Meta(description="how `payload` is written: base64 bytes, a text, or any JSON value; as answers have it"),
]
Priority = Annotated[
    int | Literal["high", "normal", "low"],
    Meta(description=f"0 to {PRIORITY_MAX}, or the name of a tier; above 169 goes first, below 85 last"),
]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all bodies have in common: no field that is not named here."""


class Retry(Body, frozen=True):
    """The waits between attempts: before attempt n+1 up to base * factor**(n-1) ms, at most the maximum."""

    backoff_ms_base: Annotated[int, Meta(ge=0)] = RetryPolicy().backoff_ms_base
    backoff_ms_max: Annotated[int, Meta(ge=0)] = RetryPolicy().backoff_ms_max
    factor: Annotated[float, Meta(ge=1, le=1_000)] = RetryPolicy().factor
    jitter: Annotated[bool, Meta(description="uniform between 0 and that bound")] = True


class NewTask(Body, frozen=True):
    """A task to be submitted."""

    task_type: Annotated[Name, Meta(description="the name under which a worker has the handler")]
    payload: Annotated[msgspec.Raw | msgspec.UnsetType, Meta(description="what the handler gets; none: no bytes")] = (
        msgspec.UNSET
    )
    payload_encoding: Encoding = "base64"
    content_type: Annotated[
        Annotated[str, Meta(max_length=NAME_BYTES_MAX)] | None,
        Meta(description="what the payload is; null: JSON if it is a JSON object, else bare bytes"),
    ] = None
    queue: Annotated[Name, Meta(description="where it waits")] = "default"
    priority: Priority = NORMAL
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=315_360_000, description="how long the handler may run: at most ten years")
    ] = 300
    max_retries: Annotated[int, Meta(ge=0, le=MAX_RETRIES_MAX, description="attempts after the first")] = 3
    max_crashes: Annotated[
        int, Meta(ge=1, le=MAX_CRASHES_MAX, description="worker processes that it may take down")
    ] = 3
    delay: Annotated[Duration | None, Meta(description="not before that long from now")] = None
    eta: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="not before this moment, RFC 3339 with an offset")
    ] = None
    expires: Annotated[Duration | None, Meta(description="cancelled if it still waits after that long")] = None
    result_ttl: Annotated[Duration | None, Meta(description="how long the result is kept; null: 1h")] = None
    key: Annotated[
        Annotated[str, Meta(min_length=1, max_length=KEY_BYTES_MAX)] | None,
        Meta(description="the same key in the same queue again gives the same task; as the header Idempotency-Key"),
    ] = None
    tags: Annotated[list[str], Meta(max_length=TAGS_MAX, description="words to find it by")] = []
    retry: Retry | None = None
    trace: Annotated[
        str, Meta(max_length=TRACE_CHARS_MAX, description="a W3C traceparent; also as the header traceparent")
    ] = ""
    id: Annotated[
        Annotated[str, Meta(max_length=36)] | None, Meta(description="a UUID of the caller's own; null: made here")
    ] = None

    def to_task(self, key: str | None = None, trace: str = "") -> Task:
        """The task as the client takes it.

        Args:
            key: from the header Idempotency-Key.
            trace: from the header traceparent, for a task that names none.

        Raises:
            InvalidArgument: the payload is not what its encoding says, or the header and the body name different keys.
        """
        if key is not None and self.key is not None and key != self.key:
            raise InvalidArgument("Idempotency-Key and key are not the same", hint="give one of them")
        payload, content_type = encoded_payload(self.payload, self.payload_encoding, self.content_type)
        fields: dict[str, Any] = {} if self.retry is None else {"retry": retry_policy(self.retry)}
        return Task(
            self.task_type,
            payload,
            queue=self.queue,
            priority=priority_of(self.priority),
            timeout_seconds=self.timeout_seconds,
            max_retries=self.max_retries,
            max_crashes=self.max_crashes,
            content_type=content_type,
            delay=self.delay,
            eta=self.eta,
            expires=self.expires,
            result_ttl=self.result_ttl,
            key=self.key if key is None else key,
            tags=self.tags,
            id=self.id,
            trace=self.trace or trace,
            **fields,
        )


class NewTasks(Body, frozen=True):
    """Tasks to be submitted together: all of them are taken, or none."""

    tasks: Annotated[list[NewTask], Meta(min_length=1, max_length=BATCH_MAX)]


def trace_of_header(traceparent: str) -> str:
    """The trace of a request; one that is none is left out, as its specification wants (W3C Trace Context, 3.2.2.5)."""
    try:
        check_trace("traceparent", traceparent)
    except InvalidArgument:
        return ""
    return traceparent


def priority_of(priority: int | str) -> int:
    """A priority by number or by the name of its tier; whether the number is one, the client says."""
    return NAMED[priority] if isinstance(priority, str) else priority


def retry_policy(retry: Retry) -> RetryPolicy:
    """The same for the wire, where it is an array."""
    return RetryPolicy(**msgspec.structs.asdict(retry))


def encoded_payload(raw: msgspec.Raw | msgspec.UnsetType, encoding: str, content_type: str | None) -> tuple[bytes, str]:
    """The bytes of a payload and its content type. A JSON value keeps the form in which it was written.

    Raises:
        InvalidArgument: it is not what its encoding says.
    """
    if isinstance(raw, msgspec.UnsetType):
        return b"", content_type or ""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise InvalidArgument(f"payload is not JSON: {cause}") from None
    if encoding == "json":
        return bytes(raw), JSON if content_type is None else content_type
    if not isinstance(value, str):
        raise InvalidArgument(
            f"payload is not a text, as {encoding} has to be", hint='for a JSON value say "payload_encoding": "json"'
        )
    if encoding == "text":
        data = value.encode()
    else:
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as cause:
            raise InvalidArgument(
                f"payload is not base64: {cause}", hint='for other texts say "payload_encoding": "text" or "json"'
            ) from None
    return data, guess_content_type(data) if content_type is None else content_type


class Reasoned(Body, frozen=True):
    """Why something is done, for the audit."""

    reason: Annotated[str, Meta(max_length=REASON_CHARS_MAX)] = ""


class Resubmission(Reasoned, frozen=True):
    """What a new task has instead of what the old one had; what is left out stays."""

    payload: Annotated[msgspec.Raw | msgspec.UnsetType, Meta(description="another one; see payload_encoding")] = (
        msgspec.UNSET
    )
    payload_encoding: Encoding = "json"
    content_type: Annotated[
        Annotated[str, Meta(max_length=NAME_BYTES_MAX)] | None,
        Meta(description="of that payload; null: a JSON payload takes the form that the old one had"),
    ] = None
    queue: Name | None = None
    priority: Priority | None = None
    delay: Annotated[Duration, Meta(description="not before that long from now")] = "0"
    is_checked: Annotated[bool, Meta(description="false: do not check it against the handler's signature")] = True

    @property
    def priority_number(self) -> int | None:
        """The priority, if there is another one."""
        return None if self.priority is None else priority_of(self.priority)

    def corrected(self, task: TaskView, signature: TaskSignature | None) -> Payload | None:
        """The new payload; None if it stays as it was.

        Raises:
            InvalidArgument: it is not what its encoding says, or not what the handler takes.
        """
        if isinstance(self.payload, msgspec.UnsetType):
            if self.content_type is not None:
                raise InvalidArgument("content_type describes no payload", hint="give a payload too")
            return None
        data, content_type = encoded_payload(self.payload, self.payload_encoding, self.content_type)
        old = Payload(task.payload, task.content_type)
        new = given_as(old, data, content_type, is_guessed=self.content_type is None)
        if signature is not None:
            check(signature, new)
        return new


class Started(Reasoned, frozen=True):
    """How an operation is started. What it does goes on by itself."""

    rate: Annotated[int, Meta(ge=1, le=RATE_MAX, description="tasks a second")] = RATE


class Undone(Reasoned, frozen=True):
    """How an operation is taken back."""

    rate: Annotated[int, Meta(ge=1, le=RATE_MAX, description="tasks a second")] = UNDO_RATE


class Changes(Body, frozen=True):
    """What a resubmit changes of every task; what is left out stays as it was."""

    queue: Name | None = None
    priority: Priority | None = None
    delay: Duration = "0"


class Preparation(Body, frozen=True):
    """What is to be done, and to which tasks: a selector, or ids, or all."""

    action: Annotated[
        Literal["retry", "purge", "cancel", "resubmit"],
        Meta(description="dead letters; what waits or is dead; what waits or runs; what has ended"),
    ]
    selector: Annotated[str, Meta(max_length=SELECTOR_CHARS_MAX)] = ""
    task_ids: Annotated[list[Annotated[str, Meta(max_length=36)]], Meta(max_length=BATCH_MAX)] = []
    is_all: Annotated[bool, Meta(description="all that there are: what an empty selector would mean")] = False
    is_hard: Annotated[bool, Meta(description="of a purge: remove the records, for good")] = False
    overrides: Changes = Changes()

    def selector_text(self) -> str:
        """The selector, empty for ids or all.

        Raises:
            InvalidArgument: nothing is named, or more than one of the three.
        """
        named = (bool(self.selector.strip()), bool(self.task_ids), self.is_all)
        if sum(named) != 1:
            raise InvalidArgument(
                "name what to do it to, in one way: selector, task_ids or is_all", hint='all of them: {"is_all": true}'
            )
        return self.selector

    def overrides_of_tasks(self) -> Overrides:
        """The changes as they go to the broker.

        Raises:
            InvalidArgument: a priority or a delay that cannot be, or any for another action than resubmit.
        """
        if self.overrides == Changes():
            return Overrides()
        if self.action != "resubmit":
            raise InvalidArgument(f"a {self.action} changes nothing of the tasks: leave overrides out")
        priority = None if self.overrides.priority is None else priority_of(self.overrides.priority)
        if priority is not None and not 0 <= priority <= PRIORITY_MAX:
            raise InvalidArgument(f"priority {priority} is not from 0 to {PRIORITY_MAX}")
        return Overrides(self.overrides.queue, priority, duration_ms(self.overrides.delay, "delay"))


class WantedToken(Body, frozen=True):
    """A token to be made."""

    name: Annotated[Name, Meta(description="how the audit calls whoever shows it")]
    role: Literal["viewer", "producer", "worker", "operator", "admin"]
    queues: Annotated[
        list[Name], Meta(max_length=100, description='good for these queues alone, such as "mail*"; empty: all')
    ] = []
    expires: Annotated[Duration | None, Meta(description="such as 90d; null: good until it is revoked")] = None


class WantedBackup(Body, frozen=True):
    """Where a copy of the data is to go."""

    directory: Annotated[
        str, Meta(min_length=1, max_length=4_000, description="a new one, on the broker's machine; its whole path")
    ]

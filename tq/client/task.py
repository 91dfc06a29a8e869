"""A task as a program writes it, before it is submitted."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from tq.client.ids import new_id, raw_id
from tq.model.durations import DURATION_MS_MAX, duration_ms
from tq.model.errors import InvalidArgument
from tq.model.names import KEY_BYTES_MAX, NAME_BYTES_MAX, check_name, check_text, check_trace, checked_tags
from tq.model.task import (
    MAX_CRASHES_MAX,
    MAX_RETRIES_MAX,
    NORMAL,
    PRIORITY_MAX,
    RetryPolicy,
    TaskOptions,
    TaskSpec,
)

Duration = str | timedelta
_RETRY = RetryPolicy()
_OPTIONS = TaskOptions()


class _Work(msgspec.Struct, frozen=True):
    task_type: str
    payload: bytes = b""


class Task(_Work, frozen=True, kw_only=True):
    """A unit of work: the name of its handler, and bytes that the broker never reads.

    Args:
        task_type: the name under which a worker has the handler.
        queue: where it waits.
        priority: 0 to 255; above 169 goes first, below 85 last, equal ones in the order of their submits.
        timeout_seconds: how long the handler may run; above 0.
        max_retries: attempts after the first, 0 to 1000.
        content_type: what the payload is, for whoever reads it; such as "application/json".
        delay: not before that long from now, such as "10m" or a timedelta.
        eta: not before this moment; has a time zone. With a delay, the later of the two holds.
        expires: cancelled if it still waits after that long.
        key: the producer's own idempotency key: submitting the same key to the same queue again gives the same task.
        tags: words of the producer's own, to find tasks by (`tag:nightly`); at most 16, of 100 characters.
        result_ttl: how long the result is kept, "1h" if not set.
        max_crashes: worker processes that it may take down; the last of them puts it in the dead letters. 1 to 1000.
        retry: the waits between attempts.
        trace: a W3C traceparent, such as `tq.otel.current_trace()` gives: what the handler does belongs to that trace.
        id: of the task, if it must be known before; a UUIDv7 for choice. Submitting it again is harmless.

    The fields are checked by `to_spec`, which every submit calls.
    """

    queue: str = "default"
    priority: int = NORMAL
    timeout_seconds: float = 300
    max_retries: int = 3
    content_type: str = ""
    delay: Duration | None = None
    eta: datetime | None = None
    expires: Duration | None = None
    key: str | None = None
    result_ttl: Duration | None = None
    max_crashes: int = _OPTIONS.max_crashes
    retry: RetryPolicy = _RETRY
    id: str | None = None
    tags: Sequence[str] = ()
    trace: str = ""

    def to_spec(self, id_if_none: bytes | None = None) -> TaskSpec:
        """The task as it goes to the broker.

        Args:
            id_if_none: the id of a task without one of its own; made here if not given.

        Raises:
            InvalidArgument: names the field, its value and what was expected.
        """
        if not isinstance(self.task_type, str) or not isinstance(self.queue, str):
            raise InvalidArgument(f"task type {self.task_type!r} or queue {self.queue!r} is not text")
        check_name("task type", self.task_type)
        check_name("queue", self.queue)
        _check_whole("priority", self.priority, 0, PRIORITY_MAX)
        _check_whole("max_retries", self.max_retries, 0, MAX_RETRIES_MAX)
        own_id = None if self.id is None else raw_id(self.id)
        return TaskSpec(
            own_id or id_if_none or new_id(),
            self.task_type,
            self._payload_bytes(),
            self.queue,
            self.priority,
            self._timeout_ms(),
            self.max_retries,
            self._checked_content_type(),
            self._options(),
        )

    def _payload_bytes(self) -> bytes:
        payload: object = self.payload
        if isinstance(payload, bytes):
            return payload
        if isinstance(payload, bytearray | memoryview):
            return bytes(payload)
        raise InvalidArgument(
            f"the payload of {self.task_type!r} is {type(payload).__name__}, not bytes",
            hint="encode it, such as text.encode() or json.dumps(value).encode()",
        )

    def _timeout_ms(self) -> int:
        seconds = self.timeout_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise InvalidArgument(f"timeout_seconds {seconds!r} is not a number")
        if not 0 < seconds <= DURATION_MS_MAX / 1000:  # NaN is not either
            raise InvalidArgument(f"timeout_seconds {seconds!r} is not above 0 and at most ten years")
        return max(1, round(seconds * 1000))

    def _checked_content_type(self) -> str:
        if self.content_type != "":
            if not isinstance(self.content_type, str):
                raise InvalidArgument(f"content_type {self.content_type!r} is not text")
            check_text("content_type", self.content_type, NAME_BYTES_MAX)
        return self.content_type

    def _options(self) -> TaskOptions | None:
        if (
            self.delay is None
            and self.eta is None
            and self.expires is None
            and self.key is None
            and not self.tags
            and self.trace == ""
            and self.result_ttl is None
            and self.retry is _RETRY
            and self.max_crashes == _OPTIONS.max_crashes
        ):
            return None
        _check_whole("max_crashes", self.max_crashes, 1, MAX_CRASHES_MAX)
        _check_retry(self.retry)
        if self.trace != "":
            if not isinstance(self.trace, str):
                raise InvalidArgument(f"trace {self.trace!r} is not text")
            check_trace("trace", self.trace)
        if self.key is not None:
            if not isinstance(self.key, str):
                raise InvalidArgument(f"key {self.key!r} is not text")
            check_text("key", self.key, KEY_BYTES_MAX)
        return TaskOptions(
            delay_ms=0 if self.delay is None else duration_ms(self.delay, "delay"),
            eta_ms=None if self.eta is None else _moment_ms(self.eta),
            expires_ms=None if self.expires is None else duration_ms(self.expires, "expires"),
            key=self.key,
            result_ttl_ms=(
                _OPTIONS.result_ttl_ms if self.result_ttl is None else duration_ms(self.result_ttl, "result_ttl")
            ),
            max_crashes=self.max_crashes,
            retry=self.retry,
            tags=checked_tags(self.tags),
            trace=self.trace,
        )


def _check_whole(what: str, value: int, smallest: int, largest: int) -> None:
    if type(value) is not int or not smallest <= value <= largest:  # True is an int, and surely a mistake
        raise InvalidArgument(f"{what} {value!r} is not a whole number from {smallest} to {largest}")


def _check_retry(retry: RetryPolicy) -> None:
    try:
        msgspec.convert(msgspec.to_builtins(retry), RetryPolicy)
    except (msgspec.MsgspecError, TypeError):
        raise InvalidArgument(f"retry {retry!r} is not a RetryPolicy with numbers in its fields") from None


def _moment_ms(eta: datetime) -> int:
    if not isinstance(eta, datetime) or eta.tzinfo is None:
        raise InvalidArgument(
            f"eta {eta!r} is not a moment with a time zone", hint="such as datetime.now(UTC) + timedelta(hours=1)"
        )
    moment_ms = round(eta.timestamp() * 1000)
    if moment_ms < 0:
        raise InvalidArgument(f"eta {eta} is before 1970")
    return moment_ms

"""Where, when and how often a task runs: the options of a submit, checked once and kept in ms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tq.app.retries import check_retries_max
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument
from tq.model.names import KEY_BYTES_MAX, check_name, check_text, checked_tags
from tq.model.task import MAX_CRASHES_MAX, NORMAL, PRIORITY_MAX, RetryPolicy, TaskOptions, TaskSpec

Duration = str | timedelta
"""With a unit, such as "30s" or "1h30m", or a timedelta; never a bare number."""


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """Everything of a submit but the arguments."""

    queue: str = "default"
    priority: int = NORMAL
    timeout_ms: int = 300_000
    max_retries: int = 3
    rest: TaskOptions | None = None

    def spec(self, task_id: bytes, task_type: str, payload: bytes, content_type: str) -> TaskSpec:
        """The task that these options submit."""
        return TaskSpec(
            task_id,
            task_type,
            payload,
            self.queue,
            self.priority,
            self.timeout_ms,
            self.max_retries,
            content_type,
            self.rest,
        )

    @property
    def key(self) -> str | None:
        """The producer's own idempotency key."""
        return self.rest.key if self.rest else None

    def changed(
        self,
        *,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
        max_retries: int | None = None,
        delay: Duration | None = None,
        eta: datetime | None = None,
        expires: Duration | None = None,
        key: str | None = None,
        result_ttl: Duration | None = None,
        max_crashes: int | None = None,
        tags: Sequence[str] | None = None,
        backoff: RetryPolicy | None = None,
    ) -> "SubmitOptions":
        """A copy with those changed that are not None.

        Raises:
            InvalidArgument: names the option, its value and what was expected.
        """
        if queue is not None:
            _check_type("queue", queue, str)
            check_name("queue", queue)
        if priority is not None and (type(priority) is not int or not 0 <= priority <= PRIORITY_MAX):
            raise InvalidArgument(
                f"priority {priority!r} is not a whole number from 0 to {PRIORITY_MAX}",
                hint="tq.LOW, tq.NORMAL and tq.HIGH are the middles of the three tiers",
            )
        check_retries_max(max_retries)
        timeout_ms = self.timeout_ms if timeout is None else duration_ms(timeout, "timeout")
        if timeout_ms == 0:
            raise InvalidArgument(f"timeout {timeout!r} leaves no time to run")
        return replace(
            self,
            queue=self.queue if queue is None else queue,
            priority=self.priority if priority is None else priority,
            timeout_ms=timeout_ms,
            max_retries=self.max_retries if max_retries is None else max_retries,
            rest=_changed_rest(
                self.rest or TaskOptions(),
                delay_ms=None if delay is None else duration_ms(delay, "delay"),
                eta_ms=None if eta is None else _moment_ms(eta),
                expires_ms=None if expires is None else duration_ms(expires, "expires"),
                key=_checked_key(key),
                result_ttl_ms=None if result_ttl is None else duration_ms(result_ttl, "result_ttl"),
                max_crashes=_checked_crashes(max_crashes),
                tags=None if tags is None else checked_tags(tags),
                retry=backoff,
            ),
        )


def _changed_rest(
    rest: TaskOptions,
    *,
    delay_ms: int | None,
    eta_ms: int | None,
    expires_ms: int | None,
    key: str | None,
    result_ttl_ms: int | None,
    max_crashes: int | None,
    tags: tuple[str, ...] | None,
    retry: RetryPolicy | None,
) -> TaskOptions | None:
    """With what is not None changed; None, which costs nothing on the wire, where all is as usual."""
    changed = TaskOptions(
        delay_ms=rest.delay_ms if delay_ms is None else delay_ms,
        eta_ms=rest.eta_ms if eta_ms is None else eta_ms,
        expires_ms=rest.expires_ms if expires_ms is None else expires_ms,
        key=rest.key if key is None else key,
        result_ttl_ms=rest.result_ttl_ms if result_ttl_ms is None else result_ttl_ms,
        max_crashes=rest.max_crashes if max_crashes is None else max_crashes,
        retry=rest.retry if retry is None else retry,
        tags=rest.tags if tags is None else tags,
    )
    return None if changed == TaskOptions() else changed


def _moment_ms(moment: datetime) -> int:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InvalidArgument(
            f"eta {moment!r} is not a datetime with a time zone", hint="such as datetime.now(UTC) + timedelta(hours=1)"
        )
    return max(0, round(moment.timestamp() * 1000))


def _checked_key(key: str | None) -> str | None:
    if key is not None:
        _check_type("key", key, str)
        check_text("key", key, KEY_BYTES_MAX)
    return key


def _checked_crashes(value: int | None) -> int | None:
    if value is not None and (type(value) is not int or not 1 <= value <= MAX_CRASHES_MAX):
        raise InvalidArgument(f"max_crashes {value!r} is not a whole number from 1 to {MAX_CRASHES_MAX}")
    return value


def _check_type(what: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise InvalidArgument(f"{what} {value!r} is not a {kind.__name__}")

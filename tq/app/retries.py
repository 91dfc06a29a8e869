"""What a worker does with a handler's exception: retry after which wait, or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tq.model.backoff import backoff_ms
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument
from tq.model.task import MAX_RETRIES_MAX, RetryPolicy


def expo(
    base: str | timedelta, *, cap: str | timedelta = "1h", factor: float = 2.0, jitter: bool = True
) -> RetryPolicy:
    """A wait that grows with each attempt: `base`, then `factor` times as long each time, up to `cap`.

    With jitter the wait is anything from 0 to that, so that tasks that failed together do not come back together.
    """
    base_ms, cap_ms = duration_ms(base, "backoff"), duration_ms(cap, "cap of the backoff")
    if not 1 <= factor <= 10:
        raise InvalidArgument(f"factor {factor!r} of the backoff is not from 1 to 10")
    if cap_ms < base_ms:
        raise InvalidArgument(f"cap {cap!r} of the backoff is shorter than its base {base!r}")
    return RetryPolicy(backoff_ms_base=base_ms, backoff_ms_max=cap_ms, factor=factor, jitter=jitter)


def fixed(wait: str | timedelta) -> RetryPolicy:
    """The same wait before every attempt."""
    wait_ms = duration_ms(wait, "backoff")
    return RetryPolicy(backoff_ms_base=wait_ms, backoff_ms_max=wait_ms, factor=1.0, jitter=False)


@dataclass(frozen=True, slots=True)
class Retry:
    """Made by `retry()`: the task's backoff, which the broker knows, and the rules by exception, which workers know.

    A rule of None is: never again.
    """

    retries_max: int | None
    policy: RetryPolicy
    rules: Mapping[type[BaseException], RetryPolicy | None]

    def decide(self, error: BaseException, attempt: int, chance: float) -> tuple[int | None, bool]:
        """What becomes of a task whose handler raised `error` in attempt `attempt` (from 1).

        Args:
            chance: uniform in [0, 1), for the jitter.

        Returns:
            the wait in ms before the next attempt, None for the broker's own backoff; and whether there is none.
        """
        # The rule of the nearest class holds: never=(ValueError,) spares no UnicodeError that has a rule of its own.
        for kind in type(error).__mro__ if self.rules else ():
            if kind in self.rules:
                policy = self.rules[kind]
                return (None, True) if policy is None else (backoff_ms(attempt, policy, chance), False)
        return None, False


def retry(
    max: int | None = None,  # noqa: A002 - reads best where it is used: tq.retry(max=5)
    *,
    backoff: RetryPolicy | None = None,
    never: Sequence[type[BaseException]] = (),
    rules: Mapping[type[BaseException], RetryPolicy] | None = None,
) -> Retry:
    """How a task is retried.

    Args:
        max: attempts after the first, 0 to 1,000; the same as `max_retries=` of the task.
        backoff: the wait before each; made by `expo` or `fixed`. None is expo("1s", cap="1h").
        never: exceptions, with their subclasses, after which a retry would not help.
        rules: another backoff for some exceptions and their subclasses; the nearest class of all counts.

    Raises:
        InvalidArgument: not exception classes, or one that is in `never` and in `rules`.
    """
    check_retries_max(max)
    found: dict[type[BaseException], RetryPolicy | None] = {}
    for kind in (*never, *(rules or {})):
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise InvalidArgument(f"{kind!r} in the retry rules is not an exception class")
        if kind in found:
            raise InvalidArgument(f"{kind.__name__} is there twice in the retry rules")
        found[kind] = (rules or {}).get(kind)
    for kind, policy in found.items():
        _check_policy(f"the rule for {kind.__name__}", policy)
    _check_policy("backoff", backoff)
    return Retry(max, backoff or RetryPolicy(), found)


def check_retries_max(value: int | None) -> None:
    """Refuse a number of retries that is none.

    Raises:
        InvalidArgument: not a whole number from 0 to 1,000.
    """
    if value is not None and (type(value) is not int or not 0 <= value <= MAX_RETRIES_MAX):
        raise InvalidArgument(f"max_retries {value!r} is not a whole number from 0 to {MAX_RETRIES_MAX}")


def _check_policy(what: str, policy: object) -> None:
    if policy is not None and not isinstance(policy, RetryPolicy):
        raise InvalidArgument(f"{what} {policy!r} is not a backoff", hint='make it by tq.expo("2s") or tq.fixed("5s")')

"""Lengths of time as people write them: "250ms", "30s", "10m", "1h30m", "7d"."""

import re
from datetime import timedelta

from tq.model.errors import InvalidArgument

_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
DURATION_MS_MAX = 10 * 365 * 86_400_000


def duration_ms(value: str | timedelta, what: str = "duration") -> int:
    """Milliseconds of a duration, from 0 to ten years.

    Args:
        value: numbers with units, largest first or not ("1h30m", "0.5s"), or a timedelta; never a bare number,
            whose unit a reader could not see. "0" alone is allowed.
        what: how the error calls it.

    Raises:
        InvalidArgument: not a duration, negative, or above ten years.
    """
    if isinstance(value, timedelta):
        total = round(value.total_seconds() * 1000)
    elif isinstance(value, str):
        text = value.strip().lower().replace(" ", "")
        parts = _PART.findall(text)
        if text == "0":
            total = 0
        elif not parts or "".join(number + unit for number, unit in parts) != text:
            raise InvalidArgument(
                f"{what} {value!r} is not a duration", hint='write it with a unit, such as "250ms", "30s" or "1h30m"'
            )
        else:
            total = round(sum(float(number) * _UNIT_MS[unit] for number, unit in parts))
    else:
        raise InvalidArgument(
            f"{what} {value!r} is a bare {type(value).__name__}", hint='write it with a unit, such as "30s"'
        )
    if not 0 <= total <= DURATION_MS_MAX:
        raise InvalidArgument(f"{what} {value!r} is not between 0 and ten years")
    return total


def format_ms(length_ms: int) -> str:
    """A duration for people, two units at most: 83 -> "83ms", 1_500 -> "1.5s", 5_400_000 -> "1h30m"."""
    if length_ms < 1_000:
        return f"{length_ms}ms"
    if length_ms < 60_000:
        return f"{length_ms / 1000:.1f}".rstrip("0").rstrip(".") + "s"
    for unit, smaller in (("d", "h"), ("h", "m"), ("m", "s")):
        if length_ms >= _UNIT_MS[unit]:
            whole, rest = divmod(length_ms, _UNIT_MS[unit])
            part = rest // _UNIT_MS[smaller]
            return f"{whole}{unit}{part}{smaller}" if part else f"{whole}{unit}"
    raise AssertionError(length_ms)


def exact_ms(length_ms: int) -> str:
    """A duration to the ms, for what is read again: 5_400_000 -> "1h30m", 0 -> "0s"."""
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        whole, length_ms = divmod(length_ms, _UNIT_MS[unit])
        if whole:
            parts.append(f"{whole}{unit}")
    return "".join(parts) or "0s"

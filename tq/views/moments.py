"""Moments and lengths of time as tables show them. Moments are ms since the epoch, 0 for "not yet"."""

import time
from datetime import UTC, datetime

from tq.model.durations import format_ms

NONE = "-"


def now_ms() -> int:
    """The clock of this machine."""
    return time.time_ns() // 1_000_000


def ago(moment_ms: int, now_ms: int) -> str:
    """How far a moment is from now: "5s ago", "in 2m", "-" for none."""
    if not moment_ms:
        return NONE
    if moment_ms > now_ms:
        return f"in {rounded(moment_ms - now_ms)}"
    return f"{rounded(now_ms - moment_ms)} ago"


def rounded(length_ms: int) -> str:
    """A length for a glance: whole seconds from one second on."""
    return format_ms(length_ms if length_ms < 1_000 else length_ms // 1_000 * 1_000)


def clock(moment_ms: int) -> str:
    """A moment in UTC, RFC 3339, to the ms; "-" for none or one that no calendar has."""
    if not moment_ms:
        return NONE
    try:
        moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return NONE
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment_ms % 1000:03d}Z"


def took(started_at_ms: int, ended_at_ms: int) -> str:
    """The length between two moments, "-" where one of them is missing."""
    return format_ms(max(0, ended_at_ms - started_at_ms)) if started_at_ms and ended_at_ms else NONE

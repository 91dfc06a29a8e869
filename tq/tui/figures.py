"""Numbers, lengths of time and moments as they stand in cells: short, and never wider than they say. Pure."""

from datetime import UTC, datetime

NOTHING = "-"


def count(number: int) -> str:
    """A whole number in at most 6 characters: 41,902, 48.2k, 1.19M."""
    if number < 100_000:
        return f"{number:,}"
    for unit, size in (("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)):
        value = number / size
        if value < 999.5:
            return f"{value:.2f}{unit}" if value < 10 else f"{value:.1f}{unit}" if value < 100 else f"{value:.0f}{unit}"
    return f"{number / 1e12:.0f}T"


def rate(per_second: float) -> str:
    """Tasks a second: 0.4, 61.4, 812, 12.3k."""
    if per_second >= 10_000:
        return count(int(per_second))
    return f"{per_second:.0f}" if per_second >= 1_000 else f"{per_second:.1f}"


def length(ms: float) -> str:
    """A length of time in at most 6 characters: 840ms, 2.2s, 41s, 2m11s, 6h02m, 9d04h."""
    if ms < 1_000:
        return f"{ms:.0f}ms"
    if ms < 10_000:
        return f"{ms / 1_000:.1f}s"
    seconds = int(ms // 1_000)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3_600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86_400:
        return f"{seconds // 3_600}h{seconds // 60 % 60:02}m"
    days = seconds // 86_400
    return f"{days}d{seconds // 3_600 % 24:02}h" if days < 100 else f"{count(days)}d" if days < 10_000 else ">27y"


def since(at_ms: int, now_ms: int) -> str:
    """How long ago a moment was; "-" for one that was not yet."""
    return length(max(0, now_ms - at_ms)) if at_ms else NOTHING


def clock(at_ms: int, *, is_utc: bool) -> str:
    """The time of day, with the letter Z where it is UTC."""
    moment = datetime.fromtimestamp(at_ms / 1_000, UTC)
    return f"{moment:%H:%M:%S}Z" if is_utc else f"{moment.astimezone():%H:%M:%S}"


def drain(waiting: int, done_per_second: float, taken_per_second: float) -> str:
    """When a queue will be empty at this rate: "never" if it takes in as much as it gets done."""
    if not waiting:
        return NOTHING
    net = done_per_second - taken_per_second
    return length(waiting / net * 1_000) if net > 0.05 else "never"


def share(part: float, whole: float) -> str:
    """A part in percent."""
    return f"{100 * part / whole:.0f} %" if whole else NOTHING

"""What the workers of a benchmark ran, read from the files that they keep."""

from collections import Counter
from pathlib import Path

from tq.bench.handlers import RECORD
from tq.model.errors import InternalError


def read_starts(directory: Path) -> dict[int, list[int]]:
    """When each task was started, by its number; ns of the monotonic clock, in the order of the files."""
    starts: dict[int, list[int]] = {}
    for path in sorted(directory.iterdir()):
        content = path.read_bytes()
        whole = len(content) - len(content) % RECORD.size
        for number, started_ns in RECORD.iter_unpack(content[:whole]):
            starts.setdefault(number, []).append(started_ns)
    return starts


def check_each_ran_once(directory: Path, count: int) -> dict[int, int]:
    """When each of the tasks 0 to count - 1 started.

    Raises:
        InternalError: one did not run, or ran more than once; a figure for such a run would mean nothing.
    """
    starts = read_starts(directory)
    times = Counter(len(moments) for moments in starts.values())
    missing = count - len(starts)
    if missing or set(times) - {1}:
        repeated = sum(number for runs, number in times.items() if runs > 1)
        raise InternalError(f"of {count} tasks {missing} never ran and {repeated} ran more than once")
    return {number: moments[0] for number, moments in starts.items()}

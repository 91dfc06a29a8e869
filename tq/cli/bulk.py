"""Doing one thing to many tasks: in requests of a bounded size, with progress for whoever watches."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tq.model.commands import BATCH_MAX
from tq.model.errors import TaskNotFound, WrongState
from tq.model.replies import Affected

SAMPLE = 5
"""Tasks that are shown before something is done to many."""

Advance = Callable[[int], None]


class Tally(NamedTuple):
    """To how many it was done, and how many of those named were not there or in another state."""

    done: int
    skipped: int


def by_ids(ids: Sequence[str], step: Callable[[Sequence[str]], Affected], advance: Advance) -> Tally:
    """Call `step` for at most BATCH_MAX ids at a time; `advance` hears how many each took care of."""
    done = skipped = 0
    for start in range(0, len(ids), BATCH_MAX):
        batch = ids[start : start + BATCH_MAX]
        try:
            affected = step(batch)
        except (TaskNotFound, WrongState):
            # A request for a single task says why it was skipped. As the rest of many it is just one more of those.
            if len(ids) == 1:
                raise
            affected = Affected(0, count=0, skipped=1)
        done += affected.count
        skipped += affected.skipped
        advance(len(batch))
    return Tally(done, skipped)


def until_none_left(total: int, step: Callable[[int], Affected], advance: Advance) -> Tally:
    """Call `step` with a limit until nothing is left, or it was done to `total`.

    The bound holds where the action feeds its own supply: a retried task that dies again would be retried for ever.
    """
    done = skipped = 0
    while done < total:
        affected = step(min(BATCH_MAX, total - done))
        done += affected.count
        skipped += affected.skipped
        advance(affected.count)
        if not affected.has_more or not affected.count:
            break
    return Tally(done, skipped)


def unseen(_count: int) -> None:
    """Nobody watches."""


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """A progress bar on stderr if that is a terminal and there is more than one request to make."""
    if total <= BATCH_MAX or not sys.stderr.isatty():
        yield unseen
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from tq.cli.terminal import err_console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err_console(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)

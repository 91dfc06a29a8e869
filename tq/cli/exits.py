"""Exit codes: one for each thing that a script could do next. docs/cli.md lists them for users."""

from enum import IntEnum
from typing import assert_never

from tq.model.errors import Kind
from tq.model.task import State


class Exit(IntEnum):
    """What `tq` ends with. A released code never changes its meaning."""

    OK = 0
    FAILED = 1  # the task, or the command itself, did not succeed
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    CONFLICT = 5
    DENIED = 6
    PARTIAL = 7  # done to some of what was named, and not to the rest
    TIMED_OUT = 8
    INTERRUPTED = 130


def of_kind(kind: Kind) -> Exit:
    """The exit code of an error."""
    match kind:
        case Kind.INVALID:
            return Exit.USAGE
        case Kind.DENIED:
            return Exit.DENIED
        case Kind.NOT_FOUND:
            return Exit.NOT_FOUND
        case Kind.CONFLICT:
            return Exit.CONFLICT
        case Kind.UNAVAILABLE:
            return Exit.UNREACHABLE
        case Kind.TIMED_OUT:
            return Exit.TIMED_OUT
        case Kind.EXHAUSTED | Kind.UNKNOWN | Kind.FAILED | Kind.INTERNAL:
            return Exit.FAILED
        case _:
            assert_never(kind)


def of_outcome(state: State) -> Exit:
    """The exit code of a task that has ended: what `tq task wait` ends with."""
    return Exit.OK if state is State.COMPLETED else Exit.FAILED


def of_bulk(done: int, skipped: int) -> Exit:
    """The exit code after something was done to `done` of `done + skipped` things that were named one by one."""
    if not skipped:
        return Exit.OK
    return Exit.PARTIAL if done else Exit.CONFLICT

"""Exit codes: one for each thing that a script could do next. docs/cli.md lists them for users."""

from tq.model.error_statuses import Exit
from tq.model.error_statuses import of_kind as statuses_of_kind
from tq.model.errors import Kind
from tq.model.task import State

__all__ = ["Exit", "of_bulk", "of_kind", "of_outcome"]


def of_kind(kind: Kind) -> Exit:
    """The exit code of an error."""
    return statuses_of_kind(kind).exit


def of_outcome(state: State) -> Exit:
    """The exit code of a task that has ended: what `tq task wait` ends with."""
    return Exit.OK if state is State.COMPLETED else Exit.FAILED


def of_bulk(done: int, skipped: int) -> Exit:
    """The exit code after something was done to `done` of `done + skipped` things that were named one by one."""
    if not skipped:
        return Exit.OK
    return Exit.PARTIAL if done else Exit.CONFLICT

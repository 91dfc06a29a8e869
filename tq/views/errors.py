"""Errors on one line. Pure; what comes from tasks is made plain where it is drawn."""

from tq.model.task import TaskSummary
from tq.views.moments import NONE

RESUBMITTED = "(resubmitted)"


def error_line(error_type: str, message: str) -> str:
    """An error on one line: its type and the first line of what it says."""
    first = message.strip().partition("\n")[0]
    if error_type and first:
        return f"{error_type}: {first}"
    return error_type or first or NONE


def summary_error(task: TaskSummary) -> str:
    """What a task failed with last, and whether a new task was made from it: to retry it as well would run it twice."""
    error = error_line(task.error_type, task.message)
    return f"{RESUBMITTED} {error}" if task.resubmitted_as else error

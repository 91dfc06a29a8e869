"""A result on its way to stdout, and how its task ended. For `task wait`, `task result`, `submit --wait`."""

import sys

from tq.cli.exits import Exit, of_outcome
from tq.cli.listing import encode_json, write_json
from tq.cli.options import Output
from tq.cli.task_view import outcome_line
from tq.cli.terminal import say
from tq.model.ids import format_id
from tq.model.plain import plain, safe_json
from tq.model.task import Outcome, State
from tq.views.payloads import as_file, as_text
from tq.views.records import outcome_record


def show_outcome(outcome: Outcome, output: Output, *, is_raw: bool = False) -> Exit:
    """Write the result to stdout and, for people, how the task ended to stderr. Returns what to exit with.

    Args:
        is_raw: the bytes of the result as they are, whatever `output` says.
    """
    if is_raw:
        sys.stdout.buffer.write(outcome.result)
    else:
        match output:
            case "table":
                say(outcome_line(outcome))
                if outcome.state is State.COMPLETED:
                    _write_result(outcome)
            case "json":
                write_json(outcome_record(outcome))
            case "jsonl":
                sys.stdout.write(encode_json(outcome_record(outcome)) + "\n")
            case "name":
                sys.stdout.write(format_id(outcome.id) + "\n")
    return of_outcome(outcome.state)


def _write_result(outcome: Outcome) -> None:
    """On a terminal something to read; in a pipe or a file exactly what the handler returned."""
    is_terminal = sys.stdout.isatty()
    content = None if is_terminal else as_file(outcome.result, outcome.content_type)
    if content is not None:
        sys.stdout.buffer.write(content)
        return
    text = as_text(outcome.result, outcome.content_type, indent=True)
    if text:
        # Not on a terminal it is JSON, which means the same with escapes: the pipe may well end on one.
        sys.stdout.write((plain(text, keep_lines=True) if is_terminal else safe_json(text)) + "\n")

"""`tq task log` and `tq task stack`: a look inside a task."""

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tq.cli.listing import emit_one, encode_json, write_json
from tq.cli.options import Color, ColorOption, ConfigFile, Output, OutputOption, Url
from tq.cli.reach import reach
from tq.cli.tasks import TaskId
from tq.cli.terminal import out_console, say
from tq.model.ids import format_id
from tq.model.insight import LogLine
from tq.model.plain import plain

if TYPE_CHECKING:
    from tq.client.blocking import Client

FOLLOW_SECONDS = 0.5
"""How often a log that is followed is read on: workers send lines twice as often."""


def log(
    task_id: TaskId,
    is_following: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with lines as they come, until the task has ended.")
    ] = False,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Print the lines that the handlers of a task have logged with ctx.log: the latest 500, over all its attempts.

    \b
    tq task log ID --follow
    tq task log ID -o jsonl | jq -r 'select(.level == "error") | .text'
    """
    from tq.views.records import line_record

    with reach(url, config) as client:
        lines = _lines(client, task_id, is_following=is_following)
        if output == "json":
            write_json([line_record(line) for line in lines])
            return
        attempt = 0
        for line in lines:
            _print_line(line, output, color, is_new_attempt=attempt not in (0, line.attempt))
            attempt = line.attempt
    if not attempt and output == "table":
        say("No lines: its handlers have not logged with ctx.log.")


def _lines(client: "Client", task_id: str, *, is_following: bool) -> Iterator[LogLine]:
    """All lines that are kept, and then those that come."""
    last, page = 0, client.task_log(task_id)
    if page.lines and page.lines[0].number > 1:
        say(f"{page.lines[0].number - 1:,} earlier lines are gone: the latest {len(page.lines):,} are kept.")
    while True:
        yield from page.lines
        last = page.lines[-1].number if page.lines else last
        if page.is_over or not is_following:
            return
        sys.stdout.flush()
        time.sleep(FOLLOW_SECONDS)
        page = client.task_log(task_id, after=last)


def _print_line(line: LogLine, output: Output, color: Color, *, is_new_attempt: bool) -> None:
    from rich.text import Text

    from tq.cli.insight_view import level_style, line_text
    from tq.views.records import line_record

    if output == "jsonl":
        sys.stdout.write(encode_json(line_record(line)) + "\n")
    elif output == "name":
        sys.stdout.write(plain(line.text) + "\n")
    else:
        console = out_console(color)
        if is_new_attempt:
            console.print(Text(f"--- attempt {line.attempt} ---", "dim"))
        console.print(Text(plain(line_text(line), keep_lines=True), level_style(line.level)), soft_wrap=True)


def stack(
    task_id: TaskId,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Show where the handler of a running task is: its Python stack, taken by its worker.

    \b
    Works for coroutines, threads and process handlers, also when the handler blocks the event loop.
    Exits 5 if the task does not run, 8 if its worker does not answer within 5 s.
    """
    from tq.cli.insight_view import stack_fields
    from tq.views.records import stack_record

    with reach(url, config) as client:
        taken = client.task_stack(task_id)
    emit_one(stack_record(taken), stack_fields(taken), output, format_id(taken.task_id), color)

"""`tq watch`: what goes on, live, as tables that are drawn again or as one JSON a line."""

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tq.cli.listing import encode_json
from tq.cli.options import Color, ColorOption, ConfigFile, Url
from tq.cli.reach import reach
from tq.model.watching import parse_scope
from tq.views.moments import clock

if TYPE_CHECKING:
    from tq.client.watching import BlockingStream, Update

DEFAULT = ("totals", "attention", "queues")
ROWS_MIN = 5
"""Rows of a table that are drawn however low the terminal is."""
_ANEW = "\x1b[H\x1b[J"


def watch(
    scopes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCOPE...]", help=f"What to watch; else: {', '.join(DEFAULT)}.", show_default=False),
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="What is new, one JSON a line, instead of tables.")] = False,
    hz: Annotated[float, typer.Option("--hz", min=0.1, max=10, help="At most so many times a second.")] = 2.0,
    count: Annotated[
        int, typer.Option("--count", "-n", metavar="N", min=0, help="End after so many; 0: go on until Ctrl-C.")
    ] = 0,
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Show live what queues, workers and tasks do, and what needs attention.

    \b
    tq watch
    tq watch queues:mail* workers
    tq watch queue:mail --json | jq -c '.scopes'

    \b
    Scopes: totals  attention  queues[:NAMES]  queue:NAME  workers[:name|busy|memory|silent]
            groups[:SELECTOR]  task:ID  ops  events
    """
    from tq.views.records import update_record

    chosen = list(dict.fromkeys(parse_scope(scope).text for scope in scopes or DEFAULT))
    with reach(url, config) as client, client.watch(*chosen, hz=hz) as stream:
        for number, update in enumerate(stream, start=1):
            if is_json:
                sys.stdout.write(encode_json(update_record(update)) + "\n")
                sys.stdout.flush()
            else:
                _draw(stream, update, chosen, color)
            if number == count:
                return


def _draw(stream: "BlockingStream", update: "Update", scopes: list[str], color: Color) -> None:
    """Everything anew, on a terminal from its top; elsewhere one after the other."""
    from tq.cli.live_view import draw_scope

    is_terminal = sys.stdout.isatty()
    sys.stdout.write(_ANEW if is_terminal else "")
    sys.stdout.write(f"{clock(update.now_ms)}\n")
    height = shutil.get_terminal_size().lines if is_terminal else sys.maxsize
    room = max(ROWS_MIN, (height - 2 - 3 * len(scopes)) // len(scopes))
    for scope in scopes:
        sys.stdout.write("\n")
        draw_scope(scope, stream.rows(scope), update.now_ms, room, color)
    sys.stdout.flush()

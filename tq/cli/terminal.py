"""What is known of the terminal: is there one, may it be coloured, can somebody be asked."""

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TextIO

import typer

from tq.cli.exits import Exit
from tq.cli.options import Color
from tq.model.errors import InvalidArgument, TqError
from tq.model.plain import plain, preview

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 1 << 16
"""Tables that do not go to a terminal are as wide as they need: nothing is cut before grep sees it."""


def is_colored(choice: Color, *, is_terminal: bool, environ: Mapping[str, str]) -> bool:
    """Whether to colour a stream. https://no-color.org: any value of NO_COLOR but the empty one means no."""
    if choice == "auto":
        return is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return choice == "always"


def out_console(color: Color) -> "Console":
    """A console on stdout."""
    return _console(sys.stdout, color)


def err_console(color: Color = "auto") -> "Console":
    """A console on stderr: for messages and progress."""
    return _console(sys.stderr, color)


def _console(stream: TextIO, color: Color) -> "Console":
    from rich.console import Console

    is_terminal = stream.isatty()
    colored = is_colored(color, is_terminal=is_terminal, environ=os.environ)
    # The 16 colours that every terminal has, in the shades that its owner chose.
    return Console(
        file=stream,
        force_terminal=is_terminal or colored,
        color_system="standard" if colored else None,
        no_color=not colored,
        width=None if is_terminal or os.environ.get("COLUMNS", "").isdecimal() else PIPE_WIDTH,
        markup=False,
        highlight=False,
        emoji=False,
    )


def say(message: str) -> None:
    """A message for people, on stderr; made plain."""
    typer.echo(plain(message, keep_lines=True), err=True)


def say_line(message: str) -> None:
    """The same on one line: cut to the width of the terminal, if stderr is one."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else PIPE_WIDTH
    typer.echo(preview(message, width), err=True)


def say_error(error: TqError) -> None:
    """What happened, to what, and what to do next."""
    colored = is_colored("auto", is_terminal=sys.stderr.isatty(), environ=os.environ)
    label = typer.style("Error:", fg="red", bold=True) if colored else "Error:"
    typer.echo(f"{label} {plain(error.message, keep_lines=True)}", err=True, color=colored)
    if error.hint:
        typer.echo(f"  {plain(error.hint, keep_lines=True)}", err=True)


LINE_CHARS_MAX = 1_000
"""Of a line of a diff, what is shown."""


def say_diff(lines: Iterable[str]) -> None:
    """The lines of a diff on stderr, made plain: what goes in red, what comes in green."""
    colored = is_colored("auto", is_terminal=sys.stderr.isatty(), environ=os.environ)
    colors = {"-": "red", "+": "green"} if colored else {}
    for line in lines:
        typer.echo(typer.style(preview(line, LINE_CHARS_MAX), fg=colors.get(line[:1])), err=True, color=colored)


def is_attended() -> bool:
    """Whether a person sits there and sees everything: nothing is piped in or out."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()


def can_ask() -> bool:
    """Whether a person sits at both ends: a question goes to stderr, the answer comes from stdin."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, is_agreed: bool) -> None:
    """Go on if it was agreed to beforehand or the person at the terminal says yes.

    Raises:
        InvalidArgument: not agreed to, and nobody to ask.
        typer.Exit: the answer was no.
    """
    if is_agreed:
        return
    if not can_ask():
        raise InvalidArgument(
            f"{question} There is no terminal to ask on",
            hint="add --yes to do it, or --dry-run to see what it would do",
        )
    if not typer.confirm(plain(question, keep_lines=True), err=True):
        say("Nothing was done.")
        raise typer.Exit(Exit.FAILED)

"""Options that several verbs share, declared once: name, meaning and completion."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Output = Literal["table", "json", "jsonl", "name"]
Color = Literal["auto", "always", "never"]

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        "-u",
        metavar="ADDRESS",
        help="The broker: host:port, tcp://host:port, unix:///path or ssh://host. "
        "Without it: TQ_URL, the local socket, or 127.0.0.1:6379.",
    ),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="YAML file of settings.")]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Shape of what goes to stdout.")]
ColorOption = Annotated[Color, typer.Option("--color", help="When to colour tables; NO_COLOR is respected.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal to ask on.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown with the task or the queue.")]

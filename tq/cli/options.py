"""Options that several verbs share, declared once: name, meaning and completion."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Output = Literal["table", "json", "jsonl", "name"]
Color = Literal["auto", "always", "never"]


def complete_profile(incomplete: str) -> list[str]:
    """The names of the profiles that begin like this."""
    from tq.config.profiles import load_profiles
    from tq.model.errors import TqError

    try:
        return [name for name in load_profiles() if name.startswith(incomplete)]
    except TqError:  # the shell's prompt is no place to say it
        return []


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        "-u",
        metavar="ADDRESS",
        autocompletion=complete_profile,
        help="The broker: host:port, tcp:// or tls://host:port, unix:///path, ssh://host, or a profile. "
        "Without it: TQ_URL, the local socket, or 127.0.0.1:6379.",
    ),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="YAML file of settings.")]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Shape of what goes to stdout.")]
ColorOption = Annotated[Color, typer.Option("--color", help="When to colour tables; NO_COLOR is respected.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal to ask on.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown with the task or the queue.")]

"""How the verbs are laid out: sections in the help, options before a verb, and a noun that is a verb too."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup

OF_VERBS = frozenset({"--url", "-u", "--config", "-c", "--output", "-o", "--color"})
OF_ROOT = frozenset({"--ssh-client", "--token-file"})
COLUMNS_MAX = 100
"""Help is not wider than this, however wide the terminal."""


class NounGroup(TyperGroup):
    """Options that most verbs have may stand before the verb as well: `tq --url db1:6379 queue -o json list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: D102
        return super().parse_args(ctx, verb_first(args))


class SectionGroup(NounGroup):
    """Help lists the verbs under headings, in the order in which they were added; the heading is `rich_help_panel`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: D102
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            heading = getattr(command, "rich_help_panel", None)
            title = heading if isinstance(heading, str) else "Commands"
            sections.setdefault(title, []).append((name, command.get_short_help_str(limit=COLUMNS_MAX)))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


class RunByDefaultGroup(NounGroup):
    """A noun whose first argument is either one of its verbs or what its verb `run` takes.

    So `tq worker shop:app --concurrency 8` runs a worker, and `tq worker list` lists those of the broker. An
    application is written module:name, so that it can never be mistaken for a verb.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: D102
        first = next(iter(verb_first(args)), None)
        is_own = first is None or first in self.commands or first in ctx.help_option_names
        return super().parse_args(ctx, args if is_own else ["run", *args])


def verb_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with the options that stand before the verb moved to the end, where the verb reads them; the end of
    options is at a `--`."""
    kept: list[str] = []
    moved: list[str] = []
    start = 0
    while start < len(arguments) and (name := arguments[start].partition("=")[0]) in OF_VERBS | OF_ROOT:
        stop = start + (1 if "=" in arguments[start] else 2)
        (moved if name in OF_VERBS else kept).extend(arguments[start:stop])
        start = stop
    end = arguments.index("--", start) if "--" in arguments[start:] else len(arguments)
    return [*kept, *arguments[start:end], *moved, *arguments[end:]]

"""`tq token`: who may connect, and what they may do then."""

import sys
from typing import Annotated, Literal

import typer

from tq.cli.groups import NounGroup
from tq.cli.listing import Cell, Column, View, emit, write_json
from tq.cli.options import ColorOption, ConfigFile, OutputOption, Url
from tq.cli.reach import reach
from tq.cli.terminal import say
from tq.model.credentials import TokenInfo
from tq.views.moments import NONE, ago, clock, now_ms
from tq.views.records import token_record

FIRST = """This is the first token. From now on whoever comes over TCP has to show one, and connections without are
ended; the broker's own user needs none on the unix socket."""

app = typer.Typer(cls=NounGroup, no_args_is_help=True)

TokenName = Annotated[str, typer.Argument(metavar="NAME", help="How the audit calls whoever shows it.")]


@app.command("create")
def create(
    name: TokenName,
    role: Annotated[
        Literal["viewer", "producer", "worker", "operator", "admin"],
        typer.Option("--role", help="What it is good for; docs/security.md has the table."),
    ],
    queues: Annotated[
        list[str] | None,
        typer.Option(
            "--queue", metavar="PATTERN", help="Good for these queues alone, such as 'mail*'; may be repeated."
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="DURATION", help="Such as 90d.  [default: until it is revoked]")
    ] = None,
    output: Annotated[
        Literal["table", "json"], typer.Option("--output", "-o", help="The token, or all about it.")
    ] = "table",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Make a token and print it, once: the broker keeps the hash of it alone.

    \b
    tq token create ci --role producer --expires 90d > ci.token && chmod 600 ci.token
    tq token create mail-workers --role worker --queue 'mail*'

    It is shown in TQ_TOKEN, or in a file that TQ_TOKEN_FILE or tq --token-file names.
    """
    with reach(url, config) as client:
        is_first = not client.tokens()
        made = client.create_token(name, role, queues=queues or (), expires=expires)
    if output == "json":
        write_json({**token_record(made.info), "token": made.text})
    else:
        sys.stdout.write(made.text + "\n")
    say(f"Keep it now: it cannot be shown again. {name} is {role}{_limits(made.info)}.")
    if is_first:
        say(FIRST)


@app.command("list")
def list_(
    output: OutputOption = "table", url: Url = None, config: ConfigFile = None, color: ColorOption = "auto"
) -> None:
    """List all tokens: what they are good for and who made them; never the tokens themselves."""
    with reach(url, config) as client:
        tokens = client.tokens()
    emit(tokens, tokens_view(now_ms()), output, color)


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its name, or its id.")],
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Forget a token at once: the connections that came with it are ended."""
    with reach(url, config) as client:
        client.revoke_token(token)
    say(f"Revoked {token}.")


def tokens_view(now_ms: int) -> View[TokenInfo]:
    """How tokens are listed."""

    def cells(token: TokenInfo) -> tuple[Cell, ...]:
        is_expired = 0 < token.expires_at_ms <= now_ms
        expires = ("expired" if is_expired else ago(token.expires_at_ms, now_ms)) if token.expires_at_ms else "never"
        return (
            Cell(token.name),
            Cell(token.role.value),
            Cell(", ".join(token.queues) or "all"),
            Cell(expires, "red" if is_expired else ""),
            Cell(token.id),
            Cell(ago(token.created_at_ms, now_ms)),
            Cell(token.created_by or NONE),
        )

    columns = (
        Column("NAME", is_elastic=True),
        Column("ROLE"),
        Column("QUEUES", is_elastic=True),
        Column("EXPIRES"),
        Column("ID", rank=1),
        Column("MADE", rank=2),
        Column("BY", rank=3, is_elastic=True),
    )
    return View(columns, cells, token_record, lambda token: token.name, "No tokens: see tq token create --help.")


def _limits(token: TokenInfo) -> str:
    queues = f" of {', '.join(token.queues)}" if token.queues else ""
    until = f" until {clock(token.expires_at_ms)}" if token.expires_at_ms else ""
    return queues + until

"""`tq top`: the dashboard."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tq.cli.options import ConfigFile, complete_profile
from tq.cli.reach import named_addresses
from tq.model.errors import InvalidArgument

if TYPE_CHECKING:
    from tq.tui.app import Look

CONNECT_SECONDS = 5.0
LOST_AFTER_SECONDS = 0.5
"""How long a lost connection is tried again before it is shown; it is tried on all the same."""


def top(
    address: Annotated[
        str | None,
        typer.Argument(
            metavar="[ADDRESS]",
            autocompletion=complete_profile,
            help="The broker, as for --url of other verbs; none: TQ_URL, the local socket, or 127.0.0.1:6379.",
        ),
    ] = None,
    hz: Annotated[float, typer.Option("--hz", min=0.5, max=10.0, help="Frames a second; + and - change it.")] = 2.0,
    theme: Annotated[
        str | None,
        typer.Option("--theme", metavar="NAME", help="tq-dark, tq-light, ansi-dark or ansi-light.  [default: by TERM]"),
    ] = None,
    is_local_time: Annotated[bool, typer.Option("--local-time", help="Moments in this machine's time zone.")] = False,
    config: ConfigFile = None,
) -> None:
    """Watch and repair a broker: queues, workers, dead letters, tasks, operations.

    \b
    tq top                     the local broker
    tq top prod                a profile of tq profile list
    tq top ssh://ops@host      through ssh; needs tq on the other side

    Keys: ? shows them. Upper-case keys act, and ask first.
    """
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on stderr
        raise InvalidArgument("the dashboard needs a terminal", hint="for scripts: tq stats, tq queue list -o json")
    from tq.client.async_client import AsyncClient
    from tq.config.profiles import named_profile
    from tq.tui.app import TopApp
    from tq.tui.feed import LiveFeed

    addresses = named_addresses(address, config)
    profile = named_profile(addresses)
    stream = AsyncClient(
        addresses, name="tq top", connect_timeout=CONNECT_SECONDS, reconnect_timeout=LOST_AFTER_SECONDS
    )
    feed = LiveFeed(
        stream,
        badge=profile.badge if profile is not None else "",
        confirms_always=profile.confirm_always if profile is not None else False,
    )
    client = AsyncClient(addresses, name="tq top", connect_timeout=CONNECT_SECONDS)
    app = TopApp(feed, _look(hz, theme, is_utc=not is_local_time), client)
    app.run()
    raise typer.Exit(app.return_code or 0)


def _look(hz: float, theme: str | None, *, is_utc: bool) -> "Look":
    from tq.tui.app import Look
    from tq.tui.glyphs import glyphs_for
    from tq.tui.theme import NAMES, theme_for

    if theme is not None and theme not in NAMES:
        raise InvalidArgument(f"there is no theme {theme!r}", hint=f"one of: {', '.join(NAMES)}")
    return Look(glyphs_for(sys.stdout.encoding or ""), theme or theme_for(os.environ), hz, is_utc)

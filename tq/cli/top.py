"""`tq top`: the dashboard."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tq.cli.options import ConfigFile, complete_profile
from tq.cli.reach import named_addresses
from tq.model.errors import InvalidArgument

if TYPE_CHECKING:
    from tq.tui.app import Look

CONNECT_SECONDS = 5.0
RECONNECT_SECONDS = 30.0
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
    role: Annotated[
        Literal["viewer", "producer", "worker", "operator", "admin"],
        typer.Option("--role", help="Want to be no more than this."),
    ] = "admin",
    acts_for: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Whom this dashboard is for, as the audit shows it.")
    ] = "",
    is_local_time: Annotated[bool, typer.Option("--local-time", help="Moments in this machine's time zone.")] = False,
    config: ConfigFile = None,
) -> None:
    """Watch and repair a broker: queues, workers, dead letters, tasks, operations.

    \b
    tq top                     the local broker
    tq top prod                a profile of tq profile list
    tq top ssh://ops@host      through ssh; needs tq on the other side
    tq top prod --role viewer  nothing can be changed

    Keys: ? shows them. Upper-case keys act, and ask first.
    """
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on stderr
        raise InvalidArgument("the dashboard needs a terminal", hint="for scripts: tq stats, tq queue list -o json")
    from tq.client.async_client import AsyncClient
    from tq.client.ssh_login import logged_in
    from tq.config.address import default_addresses, destination
    from tq.config.profiles import named_profile
    from tq.model.identity import Role
    from tq.tui.app import TopApp
    from tq.tui.feed import LiveFeed

    addresses = named_addresses(address, config)
    profile = named_profile(addresses)

    def client(reconnect_timeout: float) -> AsyncClient:
        return AsyncClient(
            addresses,
            name="tq top",
            role=Role(role),
            acts_for=acts_for,
            connect_timeout=CONNECT_SECONDS,
            reconnect_timeout=reconnect_timeout,
            can_ask=False,  # there is no place for a question on this screen
        )

    feed = LiveFeed(
        client(LOST_AFTER_SECONDS),
        badge=profile.badge if profile is not None else "",
        confirms_always=profile.confirm_always if profile is not None else False,
    )
    given = destination(addresses).address
    hosts = default_addresses() if given is None else [given] if isinstance(given, str) else given
    with logged_in(hosts, seconds=CONNECT_SECONDS):
        app = TopApp(feed, _look(hz, theme, is_utc=not is_local_time), client(RECONNECT_SECONDS))
        app.run()
    raise typer.Exit(app.return_code or 0)


def _look(hz: float, theme: str | None, *, is_utc: bool) -> "Look":
    from tq.tui.app import Look
    from tq.tui.glyphs import glyphs_for
    from tq.tui.theme import NAMES, theme_for

    if theme is not None and theme not in NAMES:
        raise InvalidArgument(f"there is no theme {theme!r}", hint=f"one of: {', '.join(NAMES)}")
    return Look(glyphs_for(sys.stdout.encoding or ""), theme or theme_for(os.environ), hz, is_utc)

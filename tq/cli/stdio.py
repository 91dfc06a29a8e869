"""`tq stdio`: the local broker's socket on stdin and stdout."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from tq.cli.options import ConfigFile
from tq.model.errors import ConfigInvalid, InvalidArgument


def stdio(
    socket: Annotated[
        Path | None,
        typer.Option("--socket", metavar="PATH", help="Of the broker.  [default: as in the settings]"),
    ] = None,
    role: Annotated[
        Literal["viewer", "producer", "worker", "operator", "admin"],
        typer.Option("--role", help="No more than this, whoever it is."),
    ] = "admin",
    name: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Whom the client acts for, as the audit shows it.")
    ] = "",
    config: ConfigFile = None,
) -> None:
    """Connect stdin and stdout to the local broker. What ssh:// addresses run on the other side.

    \b
    ssh broker-1 tq stdio              what `tq stats --url ssh://broker-1` runs
    restrict,command="tq stdio --role viewer --as anna" ssh-ed25519 AAAA...
                                       a line of authorized_keys: this key may look, and nothing else

    Says nothing by itself: what goes through is the protocol of tq. Exits 0 when the client has ended, 3 if there is no
    broker or it ends first.
    """
    from tq.doors.stdio import Relay, connect, lowered
    from tq.model.identity import Role

    if sys.stdin.isatty():
        raise InvalidArgument(
            "tq stdio speaks the protocol of tq, and this is a terminal",
            hint="it is run by ssh for you: tq stats --url ssh://HOST",
        )
    change = lowered(Role(role), name) if name or role != "admin" else None
    broker = connect(socket or _configured(config))
    Relay(broker, change, source=sys.stdin.fileno(), sink=sys.stdout.fileno()).run()


def _configured(config: Path | None) -> Path:
    from tq.config.address import socket_path
    from tq.config.loading import load_settings

    path = socket_path(load_settings(config).settings)
    if path is None:
        raise ConfigInvalid(
            "broker.socket is none: the broker of these settings has no socket",
            hint="set broker.socket to a path, for the broker and for tq stdio",
        )
    return path

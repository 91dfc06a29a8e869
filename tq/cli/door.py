"""`tq door`: the dashboard by SSH, for people who have nothing but an ssh client."""

import os
from pathlib import Path
from typing import Annotated

import typer

from tq.cli.options import ConfigFile, Url
from tq.cli.reach import named_addresses
from tq.cli.serving import LogFormat, LogLevel, run_loop, serve
from tq.model.errors import ConfigInvalid

DIRECTORY = Path("~/.config/tq/door")


def door(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65_535, help="TCP port; 0 takes a free one.")
    ] = 2222,
    keys: Annotated[
        Path, typer.Option("--keys", metavar="FILE", help="Who may come in: authorized_keys, with tq-role.")
    ] = DIRECTORY / "authorized_keys",
    host_key: Annotated[
        Path, typer.Option("--host-key", metavar="FILE", help="By which the door is known; made if missing.")
    ] = DIRECTORY / "host_key",
    sessions: Annotated[
        int, typer.Option("--max-sessions", metavar="N", min=1, max=1_000, help="Dashboards at once; 30 MB each.")
    ] = 8,
    idle_minutes: Annotated[
        int, typer.Option("--idle-timeout", metavar="MINUTES", min=0, help="Without a key pressed; 0: for ever.")
    ] = 30,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Show the dashboard to whoever comes by ssh with a known key, until Ctrl-C or SIGTERM.

    \b
    echo 'tq-role="operator" ssh-ed25519 AAAA... anna@laptop' >> ~/.config/tq/door/authorized_keys
    tq door --host 0.0.0.0
    ssh -p 2222 broker-1               on anna's laptop

    Without tq-role a key is a viewer's. No shell, no commands, no forwarding, no files: docs/remote.md.
    """
    from tq.config.loading import Flag, load_settings

    try:
        from tq.doors.door import Door, DoorOptions
    except ModuleNotFoundError as cause:
        raise ConfigInvalid(f"tq door needs {cause.name}", hint="pip install 'tq[door]'") from None
    from tq.doors.visitor import dashboard
    from tq.server.logging import make_logger

    flags = (Flag("--log-level", "log.level", log_level), Flag("--log-format", "log.format", log_format))
    options = DoorOptions(
        host=host,
        port=port,
        keys=keys.expanduser(),
        host_key=host_key.expanduser(),
        sessions_max=sessions,
        idle_seconds=idle_minutes * 60.0,
    )
    log = make_logger(load_settings(config, flags=flags).settings.log)
    run_loop(serve(Door(options, dashboard(named_addresses(url, config) or ()), os.environ, log)))

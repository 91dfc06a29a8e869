"""`tq web`: the dashboard in a browser, for people who have nothing but that."""

import os
import ssl
from pathlib import Path
from typing import Annotated, Literal

import typer

from tq.cli.options import ConfigFile, Url
from tq.cli.reach import named_addresses
from tq.cli.serving import LogFormat, LogLevel, run_loop, serve
from tq.cli.terminal import say
from tq.model.errors import ConfigInvalid


def web(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65_535, help="TCP port; 0 takes a free one.")
    ] = 8379,
    role: Annotated[
        Literal["viewer", "producer", "worker", "operator", "admin"],
        typer.Option("--role", help="No more than this, for every browser."),
    ] = "admin",
    acts_for: Annotated[
        str, typer.Option("--as", metavar="NAME", help="How the audit calls those who come in, beside their address.")
    ] = "web",
    sessions: Annotated[
        int, typer.Option("--max-sessions", metavar="N", min=1, max=1_000, help="Dashboards at once; 30 MB each.")
    ] = 8,
    idle_minutes: Annotated[
        int, typer.Option("--idle-timeout", metavar="MINUTES", min=0, help="Without a key pressed; 0: for ever.")
    ] = 30,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Speak https: PEM, the certificate and its chain.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key.  [default: in the same file]")
    ] = None,
    is_insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Allow an address that is not loopback without TLS.", show_default=False),
    ] = False,
    public_url: Annotated[
        str, typer.Option("--public-url", metavar="URL", help="Of a proxy in front, as browsers see it.")
    ] = "",
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Show the dashboard in browsers, until Ctrl-C or SIGTERM.

    \b
    tq web                             open the link that it prints; each lets one browser in
    tq web --role viewer               nothing can be changed
    ssh -L 8379:localhost:8379 host    from elsewhere, while tq web runs there

    The links go to stdout, the log to stderr. Nothing is fetched from other sites. docs/remote.md has the rest.
    """
    from tq.config.loading import Flag, load_settings

    try:
        from tq.doors.web import WebDoor, WebOptions
    except ModuleNotFoundError as cause:
        raise ConfigInvalid(f"tq web needs {cause.name}", hint="pip install 'tq[web]'") from None
    from tq.doors.visitor import dashboard
    from tq.model.identity import Role
    from tq.server.listen import is_exposed
    from tq.server.logging import make_logger

    if tls_cert is None and not is_insecure and is_exposed(host):
        raise ConfigInvalid(
            f"--host {host} is not loopback, and there is no TLS: others could read along, and steal the way in",
            hint="give --tls-cert, or use 127.0.0.1 and an SSH tunnel, or say --insecure",
        )
    flags = (Flag("--log-level", "log.level", log_level), Flag("--log-format", "log.format", log_format))
    door = WebDoor(
        WebOptions(
            host=host,
            port=port,
            role=Role(role),
            name=acts_for,
            public_url=public_url,
            sessions_max=sessions,
            idle_seconds=idle_minutes * 60.0,
        ),
        dashboard(named_addresses(url, config) or ()),
        os.environ,
        make_logger(load_settings(config, flags=flags).settings.log),
        on_link=_print_link,
        tls=None if tls_cert is None else _tls(tls_cert, tls_key or tls_cert),
    )
    run_loop(serve(door))


def _print_link(link: str) -> None:
    say("Open this in a browser. It works once; the next one follows then.")
    typer.echo(link)


def _tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password="")
    except OSError as cause:  # an SSLError is one
        raise ConfigInvalid(
            f"--tls-cert {cert} with --tls-key {key}: {cause.strerror or cause}",
            hint="both are PEM files, and the key has no password",
        ) from None
    return context

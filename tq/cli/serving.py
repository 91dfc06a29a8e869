"""What `tq broker`, `tq worker` and `tq up` share: flags that are settings, and the loop that they run on."""

import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import typer

if TYPE_CHECKING:
    from tq.config.loading import Flag

Host = Annotated[
    str | None, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
]
Port = Annotated[
    int | None,
    typer.Option("--port", metavar="N", min=0, max=65_535, help="TCP port; 0 takes a free one.  [default: 6379]"),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIRECTORY", help="Where the data lies.  [default: ./data]")
]
Socket = Annotated[
    str | None,
    typer.Option("--socket", metavar="PATH", help="Unix socket, or none.  [default: tq.sock in the data directory]"),
]
Insecure = Annotated[
    bool | None,
    typer.Option("--insecure", help="Allow an address that is not loopback without credentials.", show_default=False),
]
Ephemeral = Annotated[bool, typer.Option("--ephemeral", help="Keep everything in memory; gone when it stops.")]
Sync = Annotated[
    Literal["always", "interval", "never"] | None,
    typer.Option("--sync", help="When what was acknowledged is on disk.  [default: always]"),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"] | None,
    typer.Option("--log-level", help="The least important events shown.  [default: info]"),
]
LogFormat = Annotated[
    Literal["auto", "json", "console"] | None,
    typer.Option("--log-format", help="auto: console on a terminal, else JSON lines.  [default: auto]"),
]

RestPort = Annotated[
    int | None,
    typer.Option(
        "--rest-port", metavar="N", min=0, max=65_535, help="TCP port of REST; 0 takes a free one.  [default: 8080]"
    ),
]
NoRest = Annotated[bool, typer.Option("--no-rest", help="Serve neither REST nor /metrics.", show_default=False)]


GrpcPort = Annotated[
    int | None,
    typer.Option(
        "--grpc-port", metavar="N", min=0, max=65_535, help="TCP port of gRPC; 0 takes a free one.  [default: 9090]"
    ),
]
NoGrpc = Annotated[bool, typer.Option("--no-grpc", help="Serve no gRPC.", show_default=False)]


def edge_flags(rest_port: int | None, has_no_rest: bool, grpc_port: int | None, has_no_grpc: bool) -> list["Flag"]:
    """The flags of a broker's edges, as the settings that they are; None: not given."""
    from tq.config.loading import Flag

    return [
        Flag("--rest-port", "api.rest_port", rest_port),
        Flag("--no-rest", "api.rest_enabled", False if has_no_rest else None),
        Flag("--grpc-port", "api.grpc_port", grpc_port),
        Flag("--no-grpc", "api.grpc_enabled", False if has_no_grpc else None),
    ]


def broker_flags(
    host: str | None,
    port: int | None,
    data_dir: Path | None,
    socket: str | None,
    insecure: bool | None,
    sync: str | None,
    log_level: str | None,
    log_format: str | None,
) -> list["Flag"]:
    """The flags of a broker, as the settings that they are; None: not given."""
    from tq.config.loading import Flag

    return [
        Flag("--host", "broker.host", host),
        Flag("--port", "broker.port", port),
        Flag("--data-dir", "persistence.data_dir", None if data_dir is None else str(data_dir)),
        Flag("--socket", "broker.socket", socket),
        Flag("--insecure", "broker.insecure", insecure),
        Flag("--sync", "persistence.sync", sync),
        Flag("--log-level", "log.level", log_level),
        Flag("--log-format", "log.format", log_format),
    ]


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run until `main` has ended, on uvloop: half the time of asyncio's own loop for each message."""
    import uvloop

    uvloop.run(main)


class Service(Protocol):
    """What runs until it is told to stop."""

    async def start(self) -> None:
        """Return once it serves."""

    async def close(self) -> None:
        """Serve no more."""


async def serve(service: Service) -> None:
    """Run until SIGTERM or Ctrl-C."""
    import asyncio

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await service.start()
    try:
        await stopping.wait()
    finally:
        await service.close()

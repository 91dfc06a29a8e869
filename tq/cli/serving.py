"""What `tq broker`, `tq worker` and `tq up` share: flags that are settings, and the loop that they run on."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

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


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run until `main` has ended, on uvloop: half the time of asyncio's own loop for each message."""
    import uvloop

    uvloop.run(main)

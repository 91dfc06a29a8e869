"""`tq edge`: a process that serves REST or gRPC for a broker. Started by `tq broker` and `tq up`, not by people."""

import sys
from typing import Annotated, Literal, assert_never

import typer

from tq.cli.serving import run_loop


def edge(name: Annotated[Literal["rest", "grpc"], typer.Argument(help="Which.")]) -> None:
    """Serve an edge of the broker whose process has started this one."""
    from tq.edges.life import read_start, run
    from tq.server.logging import make_logger
    from tq.worker.logs import configure_logging

    start = read_start()
    configure_logging(start.settings.log, sys.stderr)  # what libraries have to say, in the same form
    log = make_logger(start.settings.log)
    match name:
        case "rest":
            from tq.edges.rest.server import RestServer

            run_loop(run(start, log, RestServer))
        case "grpc":
            from tq.edges.grpc.edge import GrpcEdge

            run_loop(run(start, log, GrpcEdge))
        case _:
            assert_never(name)

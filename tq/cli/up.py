"""`tq up`: a broker and its workers in one command, and the demo on top."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from tq.cli.options import ConfigFile
from tq.cli.serving import (
    DataDir,
    Ephemeral,
    GrpcPort,
    Host,
    Insecure,
    LogFormat,
    LogLevel,
    NoGrpc,
    NoRest,
    Port,
    RestPort,
    Socket,
    Sync,
    broker_flags,
    edge_flags,
    run_loop,
)


def up(
    apps: Annotated[
        list[str] | None, typer.Argument(metavar="[APP...]", help="Applications to run, each module:name.")
    ] = None,
    is_demo: Annotated[
        bool, typer.Option("--demo", help="Index this machine's Python standard library, one task a file.")
    ] = False,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", metavar="N", min=1, help="Tasks that one process runs at once.  [default: 4]"),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", metavar="N", min=1, help="Worker processes of each application.  [default: 1]"),
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option("--queues", metavar="QUEUES", help="Queues to serve, such as mail:10,default:1.  [default: all]"),
    ] = None,
    has_no_top: Annotated[
        bool, typer.Option("--no-top", help="No dashboard, and the log on this terminal.", show_default=False)
    ] = False,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    socket: Socket = None,
    rest_port: RestPort = None,
    has_no_rest: NoRest = False,
    grpc_port: GrpcPort = None,
    has_no_grpc: NoGrpc = False,
    insecure: Insecure = None,
    sync: Sync = None,
    is_ephemeral: Ephemeral = False,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    config: ConfigFile = None,
) -> None:
    """Run a broker and the workers of your applications, until Ctrl-C.

    \b
    tq up shop:app
    tq up shop:app reports:app --processes 2
    tq up --demo

    On a terminal this opens the dashboard, as tq top does, and the log goes to up.log in the data directory. Closing it
    asks whether to stop everything.

    A busy port is no error: the next free one is taken, and named. Ctrl-C lets the workers finish what they run, then
    stops the broker; a second one hands back at once what still runs.
    """
    from tq.cli.dashboard import can_show, open_log
    from tq.cli.demo import APP, DEMO_SETTINGS
    from tq.cli.supervise import Plan, Supervisor
    from tq.config.loading import Flag, load_settings
    from tq.server.listen import check_exposure

    with ExitStack() as stack:
        if is_demo and data_dir is None and not is_ephemeral:
            data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tq-demo-")))
        flags = [
            Flag("--concurrency", "worker.concurrency", concurrency),
            Flag("--processes", "worker.processes", processes),
            Flag("--queues", "worker.queues", queues),
            *edge_flags(rest_port, has_no_rest, grpc_port, has_no_grpc),
            *broker_flags(host, port, data_dir, socket, insecure, sync, log_level, log_format),
        ]
        loaded = load_settings(config, flags=[*(DEMO_SETTINGS if is_demo else ()), *flags])
        wanted = dict.fromkeys([*(apps or ()), *((APP,) if is_demo else ())])
        log_file = None
        if can_show(os.environ) and not has_no_top:
            check_exposure(loaded.settings)  # before there is a directory that nobody wanted
            directory = Path(loaded.settings.persistence.data_dir)
            if is_ephemeral:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tq-up-")))
            log_file = stack.enter_context(open_log(directory))
        plan = Plan(list(wanted), is_demo=is_demo, is_ephemeral=is_ephemeral, log_file=log_file)
        supervisor = Supervisor(loaded.settings, plan)
        run_loop(supervisor.run())
    raise typer.Exit(supervisor.exit_code)

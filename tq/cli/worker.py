"""`tq worker APP`: a worker of an application. Its admin verbs are in workers.py."""

import os
import signal
import sys
import threading
from typing import Annotated

import typer

from tq.cli.options import ConfigFile, Url
from tq.cli.reach import named_addresses
from tq.cli.serving import LogFormat, LogLevel

SHORT_HELP = "Run the tasks of an application; also: list, show, drain."
HELP = """Run the tasks of an application: tq worker APP [OPTIONS].

\b
tq worker shop:app
tq worker shop:app --concurrency 16 --queues mail:10,default:1
tq worker run --help      all options
"""


def run(
    app: Annotated[str, typer.Argument(metavar="APP", help="The application, module:name.")],
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", metavar="N", min=1, help="Tasks that one process runs at once.  [default: 4]"),
    ] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", metavar="N", min=1, help="Processes.  [default: 1]")
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option("--queues", metavar="QUEUES", help="Queues to serve, such as mail:10,default:1.  [default: all]"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="How the worker is shown.  [default: host name and pid]"),
    ] = None,
    max_tasks: Annotated[
        int | None,
        typer.Option(
            "--max-tasks", metavar="N", min=0, help="Replace a process after so many tasks.  [default: never]"
        ),
    ] = None,
    max_rss_mb: Annotated[
        int | None,
        typer.Option("--max-rss-mb", metavar="N", min=0, help="Replace a process above this memory.  [default: never]"),
    ] = None,
    prefetch_max: Annotated[
        int | None,
        typer.Option("--prefetch-max", metavar="N", min=0, help="Very short tasks fetched ahead.  [default: 1000]"),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port",
            metavar="N",
            min=0,
            max=65_535,
            help="Port for Prometheus, on loopback unless worker.metrics_host says otherwise.  [default: none]",
        ),
    ] = None,
    shutdown_timeout: Annotated[
        int | None,
        typer.Option(
            "--shutdown-timeout",
            metavar="SECONDS",
            min=0,
            help="Seconds that running tasks get at the end.  [default: 60]",
        ),
    ] = None,
    ends_with_stdin: Annotated[
        bool, typer.Option("--end-with-stdin", hidden=True, help="End when stdin does, as if by SIGTERM.")
    ] = False,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Run the tasks of an application until Ctrl-C or SIGTERM.

    \b
    tq worker shop:app
    tq worker shop:app --concurrency 16 --queues mail:10,default:1

    The first signal lets what runs finish; the second hands it back at once.
    """
    from tq.config.loading import Flag, load_settings
    from tq.worker.parent import run_worker

    flags = (
        Flag("--concurrency", "worker.concurrency", concurrency),
        Flag("--processes", "worker.processes", processes),
        Flag("--queues", "worker.queues", queues),
        Flag("--name", "worker.name", name),
        Flag("--max-tasks", "worker.max_tasks", max_tasks),
        Flag("--max-rss-mb", "worker.max_rss_mb", max_rss_mb),
        Flag("--prefetch-max", "worker.prefetch_max", prefetch_max),
        Flag("--metrics-port", "worker.metrics_port", metrics_port),
        Flag("--shutdown-timeout", "worker.graceful_shutdown_timeout_secs", shutdown_timeout),
        Flag("--log-level", "log.level", log_level),
        Flag("--log-format", "log.format", log_format),
    )
    settings = load_settings(config, flags=flags).settings
    if ends_with_stdin:
        threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    raise typer.Exit(run_worker(settings, app, named_addresses(url, config)))


def _end_with_stdin() -> None:
    """The other end of stdin is the process that started this one: a worker must not outlive it unseen."""
    while os.read(sys.stdin.fileno(), 4_096):  # not sys.stdin.read, whose lock would be held at the interpreter's end
        pass
    os.kill(os.getpid(), signal.SIGTERM)

"""`tq check`: is it well? For monitoring systems, which read the exit code and one of several shapes of output."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tq.cli.exits import Exit, of_kind
from tq.cli.groups import NounGroup
from tq.cli.listing import write_json
from tq.cli.options import ConfigFile, Url
from tq.cli.queues import find_queue
from tq.cli.reach import complete_queue, reach, within
from tq.cli.verdicts import (
    Reading,
    Shape,
    as_nagios,
    as_prometheus,
    as_record,
    as_text,
    broker_readings,
    exit_of,
    queue_readings,
    worker_readings,
)
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument, TimedOut, TqError

if TYPE_CHECKING:
    from tq.client.blocking import Client

app = typer.Typer(cls=NounGroup, no_args_is_help=True)

ShapeOption = Annotated[Shape, typer.Option("--output", "-o", help="Shape of what goes to stdout.")]
Timeout = Annotated[
    str, typer.Option("--timeout", "-t", metavar="DURATION", help="How long the broker may take to answer.")
]


@app.command("queue")
def queue(
    names: Annotated[
        list[str], typer.Argument(metavar="QUEUE...", autocompletion=complete_queue, help="One queue, or several.")
    ],
    latency: Annotated[
        str | None,
        typer.Option("--max-latency", metavar="DURATION", help="The oldest ready task waits at most this long."),
    ] = None,
    dead_max: Annotated[
        int | None, typer.Option("--max-dead", metavar="N", min=0, help="At most that many dead letters.")
    ] = None,
    waiting_max: Annotated[
        int | None, typer.Option("--max-waiting", metavar="N", min=0, help="At most that many tasks wait.")
    ] = None,
    timeout: Timeout = "10s",
    output: ShapeOption = "text",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Check queues against limits.

    \b
    tq check queue mail --max-latency 30s --max-dead 10
    tq check queue mail billing --max-waiting 10000 -o nagios

    \b
    Exits 0 if all is within the limits, 1 if not, 3 if no broker answers, 4 if there is no such queue.
    """
    if latency is None and dead_max is None and waiting_max is None:
        raise InvalidArgument("no limit to check against", hint="give --max-latency, --max-dead or --max-waiting")
    latency_ms_max = None if latency is None else duration_ms(latency, "--max-latency")

    def read(client: "Client") -> list[Reading]:
        return [
            reading
            for name in names
            for reading in queue_readings(
                find_queue(client, name), latency_ms_max=latency_ms_max, dead_max=dead_max, waiting_max=waiting_max
            )
        ]

    _check(read, output, timeout, url, config)


@app.command("broker")
def broker(
    commit: Annotated[
        str | None,
        typer.Option("--max-commit", metavar="DURATION", help="99 of 100 commits take at most this long."),
    ] = None,
    disk_mb_min: Annotated[
        int | None, typer.Option("--min-disk-mb", metavar="MB", min=0, help="At least that much of its disk is free.")
    ] = None,
    timeout: Timeout = "10s",
    output: ShapeOption = "text",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Check that the broker answers and accepts tasks.

    \b
    tq check broker
    tq check broker --max-commit 100ms --min-disk-mb 5000 -o prometheus
    """
    commit_ms_max = None if commit is None else duration_ms(commit, "--max-commit")

    def read(client: "Client") -> list[Reading]:
        process = client.stats().process
        return [] if process is None else broker_readings(process, commit_ms_max=commit_ms_max, disk_mb_min=disk_mb_min)

    _check(read, output, timeout, url, config)


@app.command("workers")
def workers(
    connected_min: Annotated[
        int, typer.Option("--min", metavar="N", min=0, help="At least that many worker processes are connected.")
    ] = 1,
    queue: Annotated[
        str | None,
        typer.Option("--queue", "-q", metavar="QUEUE", autocompletion=complete_queue, help="That serve this queue."),
    ] = None,
    timeout: Timeout = "10s",
    output: ShapeOption = "text",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Check that enough worker processes are connected.

    \b
    tq check workers --min 4 --queue mail

    \b
    Those that drain take no tasks any more, and are not counted.
    """

    def read(client: "Client") -> list[Reading]:
        return worker_readings(client.workers(), connected_min=connected_min, queue=queue)

    _check(read, output, timeout, url, config)


def _check(
    read: Callable[["Client"], list[Reading]], output: Shape, timeout: str, url: str | None, config: Path | None
) -> NoReturn:
    """Read, say what was read, and exit. What prevents reading is told in the shape asked for: a monitoring system
    looks at stdout."""
    seconds = duration_ms(timeout, "--timeout") / 1000
    try:
        # A broker that is there and does not answer is a finding, not a reason to wait.
        hint = "is its machine overloaded? tq stats"
        late = TimedOut(f"the broker did not answer within {timeout}", hint=hint)
        with within(seconds, late), reach(url, config, seconds=seconds) as client:
            readings = read(client)
    except TqError as error:
        if output == "text":
            raise
        code = of_kind(error.kind)
        _write([], output, code, error)
        raise typer.Exit(code) from None
    code = exit_of(readings)
    _write(readings, output, code)
    raise typer.Exit(code)


def _write(readings: Sequence[Reading], output: Shape, code: Exit, error: TqError | None = None) -> None:
    match output:
        case "text":
            sys.stdout.write(as_text(readings) + "\n")
        case "nagios":
            sys.stdout.write(as_nagios(readings, code, error) + "\n")
        case "prometheus":
            sys.stdout.write(as_prometheus(readings, error) + "\n")
        case "json":
            write_json(as_record(readings, error))

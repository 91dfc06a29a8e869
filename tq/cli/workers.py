"""`tq worker list` and `tq worker drain`: the workers of a broker. `tq worker APP`, which is one, is in worker.py."""

from typing import Annotated

import typer

from tq.cli.listing import emit
from tq.cli.moments import now_ms
from tq.cli.options import ColorOption, ConfigFile, OutputOption, Url
from tq.cli.reach import complete_worker, reach
from tq.cli.terminal import say
from tq.cli.words import counted


def list_(
    output: OutputOption = "table", url: Url = None, config: ConfigFile = None, color: ColorOption = "auto"
) -> None:
    """List the worker processes that are connected, and those lost a moment ago."""
    from tq.cli.broker_view import workers_view

    with reach(url, config) as client:
        workers = client.workers()
    emit(workers, workers_view(now_ms()), output, color)


def drain(
    worker: Annotated[
        str,
        typer.Argument(
            metavar="WORKER", autocompletion=complete_worker, help="A name, or the beginning of an incarnation."
        ),
    ],
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Tell a worker to take nothing more, finish what it runs, and end."""
    with reach(url, config) as client:
        affected = client.drain_worker(worker)
    say(f"Draining {counted(affected.count, 'worker process', 'worker processes')}.")

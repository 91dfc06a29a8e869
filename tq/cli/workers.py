"""`tq worker list`, `show` and `drain`: the workers of a broker. `tq worker APP`, which is one, is in worker.py."""

from typing import Annotated

import typer

from tq.cli.listing import emit, emit_fields
from tq.cli.options import ColorOption, ConfigFile, OutputOption, Url
from tq.cli.reach import complete_worker, reach
from tq.cli.terminal import say
from tq.cli.words import counted
from tq.views.moments import now_ms

Worker = Annotated[
    str,
    typer.Argument(
        metavar="WORKER", autocompletion=complete_worker, help="A name, or the beginning of an incarnation."
    ),
]


def list_(
    output: OutputOption = "table", url: Url = None, config: ConfigFile = None, color: ColorOption = "auto"
) -> None:
    """List the worker processes that are connected, and those lost a moment ago."""
    from tq.cli.broker_view import workers_view

    with reach(url, config) as client:
        workers = client.workers()
    emit(workers, workers_view(now_ms()), output, color)


def show(
    worker: Worker,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Show the processes of a worker: slots, memory, CPU, its event loop, and the tasks that it has in hand.

    \b
    tq worker show web-1
    tq worker show web-1 -o json | jq -r '.[].tasks[].id'
    """
    from tq.cli.insight_view import WORKER_VIEWS, held_view, worker_fields

    with reach(url, config) as client:
        views = client.worker(worker)
    if output != "table":
        emit(views, WORKER_VIEWS, output, color)
        return
    now = now_ms()
    for view in views:
        emit_fields(worker_fields(view, now), color)
        if view.tasks:
            emit(view.tasks, held_view(now), output, color)


def drain(
    worker: Worker,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Tell a worker to take nothing more, finish what it runs, and end."""
    with reach(url, config) as client:
        affected = client.drain_worker(worker)
    say(f"Draining {counted(affected.count, 'worker process', 'worker processes')}.")

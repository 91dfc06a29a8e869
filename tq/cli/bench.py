"""`tq bench`: what this machine does with tq, measured on real processes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tq.cli.listing import Cell, Column, View, emit, write_json
from tq.cli.options import ColorOption, OutputOption, Url
from tq.cli.terminal import err_console, say
from tq.model.errors import InvalidArgument

if TYPE_CHECKING:
    from tq.bench.plan import Figure

Measures = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MEASURE]...",
        help="What to measure; all that take no minutes if none is named.",
        show_default=False,
    ),
]


def bench(
    measures: Measures = None,
    url: Url = None,
    scale: Annotated[
        float, typer.Option(min=0.001, max=10, help="Times the documented amount of work; less is quicker and rougher.")
    ] = 1.0,
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the brokers keep their data, such as on the disk to be measured."),
    ] = None,
    output: OutputOption = "table",
    color: ColorOption = "auto",
) -> None:
    """Measure a broker, its clients and its workers, and check that every task ran exactly once.

    \b
    Starts its own broker for each measure, with fsync on; with --url it loads that one, queue "bench".
      submit    one by one and in bulk              drain    a backlog, by 2 worker processes
      run       submitting and running at once      latency  submit to handler, at 100/s
      load      latencies at 10,000/s, broker CPU   memory   of a backlog; restart after kill -9
      failover  worker killed to task elsewhere     watch    what a live stream costs
      rest      submits over HTTP                   grpc     submits and worker streams over gRPC

    \b
    Only if named, for they take minutes:
      operate   listings with 1,000,000 dead letters
      backlog   10,000,000 tasks
    """
    from tq.bench.machine import describe_machine
    from tq.bench.measures import MEASURES, OF_ANY_BROKER, STANDARD, run_measure
    from tq.bench.plan import Plan

    chosen = list(measures or (OF_ANY_BROKER if url else STANDARD))
    for name in chosen:
        if name not in MEASURES:
            raise InvalidArgument(f"there is no measure {name!r}", hint=f"one of: {', '.join(MEASURES)}")
        if url and name not in OF_ANY_BROKER:
            raise InvalidArgument(f"{name} looks at the broker's own process", hint="run it without --url")
    parent = data_dir.absolute() if data_dir is not None else None
    if parent is not None and not parent.is_dir():
        raise InvalidArgument(f"there is no directory {parent}")
    machine = describe_machine(parent or Path.cwd())
    figures: list[Figure] = []
    with err_console(color).status("") as status:
        for name in chosen:

            def show(what: str, done: int, count: int, name: str = name) -> None:
                status.update(f"{name}: {what} {done:,} of {count:,}")

            if sys.stderr.isatty():
                status.update(f"measuring {name} ...")
            else:
                say(f"measuring {name} ...")
            figures += run_measure(name, Plan(scale=scale, url=url, parent=parent, on_progress=show))
    if output == "json":
        write_json({"machine": machine, "scale": scale, "figures": [_record(figure) for figure in figures]})
        return
    if output == "table":
        say(" · ".join(f"{key} {value}" for key, value in machine.items()))
    emit(figures, _VIEW, output, color)


def _record(figure: "Figure") -> dict[str, object]:
    return {
        "name": figure.name.strip(),
        "value": round(figure.value, 3),
        "unit": figure.unit,
        "target": figure.target or None,
        "met": figure.is_met if figure.target else None,
    }


def _cells(figure: "Figure") -> list[Cell]:
    verdict = Cell("") if not figure.target else Cell("yes", "green") if figure.is_met else Cell("no", "red")
    sign = "≥" if figure.more_is_better else "≤"
    target = f"{sign} {_number(figure.target)}" if figure.target else ""
    return [Cell(figure.name), Cell(_number(figure.value), "bold"), Cell(figure.unit), Cell(target), verdict]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


_VIEW: "View[Figure]" = View(
    columns=[
        Column("MEASURE"),
        Column("VALUE", is_number=True),
        Column("UNIT"),
        Column("TARGET", rank=1, is_number=True),
        Column("MET", rank=1),
    ],
    cells=_cells,
    record=_record,
    name=lambda figure: figure.name.strip(),
    nothing="Nothing was measured.",
)

"""`tq doctor`: is the data directory of a broker that does not run as it should be?"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tq.cli.exits import Exit
from tq.cli.listing import Cell, Column, View, emit
from tq.cli.options import ColorOption, ConfigFile, OutputOption
from tq.cli.terminal import say

if TYPE_CHECKING:
    from tq.storage.consistency import Finding


def doctor(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="[DIRECTORY]", help="A data directory.  [default: that of the settings]"),
    ] = None,
    is_repair: Annotated[bool, typer.Option("--repair", help="Put right what can be put right.")] = False,
    output: OutputOption = "table",
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Check a data directory, and repair it.

    Proves that indexes and counters are what the records say, and that the log is whole.

    \b
    tq doctor /var/lib/tq
    tq doctor --repair /var/lib/tq

    \b
    The broker must not run. Nothing is changed without --repair, which loses nothing that can be kept; copy the
    directory first all the same. Exits 1 if something is wrong and was not repaired.
    """
    from tq.config.loading import load_settings
    from tq.storage.doctor import examine_directory

    where = Path(load_settings(config).settings.persistence.data_dir) if directory is None else directory
    still_wrong = 0

    def counted() -> Iterator["Finding"]:
        nonlocal still_wrong
        for finding in examine_directory(where, repair=is_repair):
            still_wrong += not (finding.is_repaired or is_harmless(finding))
            yield finding

    found = emit(counted(), FINDINGS, output, color)
    if still_wrong:
        say(
            f"{still_wrong:,} of {found:,} findings need attention" + ("." if is_repair else "; see tq doctor --repair")
        )
        raise typer.Exit(Exit.FAILED)
    if found:
        say("All is right again." if is_repair else "The broker puts that right itself when it starts.")


def is_harmless(finding: "Finding") -> bool:
    """Whether every start of a broker puts it right: what a power cut may leave, and an older format."""
    return finding.fault.value in ("log_torn", "format_old")


def _cells(finding: "Finding") -> tuple[Cell, ...]:
    if finding.is_repaired:
        remedy = Cell(finding.remedy, "green")
    elif is_harmless(finding):
        remedy = Cell("none needed")
    else:
        remedy = Cell(f"with --repair: {finding.remedy}" if finding.remedy else "none: restore a backup", "yellow")
    return (Cell(finding.fault.value), Cell(finding.what), remedy)


FINDINGS: "View[Finding]" = View(
    columns=(Column("FAULT"), Column("WHAT", is_elastic=True, least=24), Column("REMEDY", is_elastic=True)),
    cells=_cells,
    record=lambda finding: {
        "fault": finding.fault.value,
        "what": finding.what,
        "remedy": finding.remedy,
        "is_repaired": finding.is_repaired,
        "is_harmless": is_harmless(finding),
    },
    name=lambda finding: finding.fault.value,
    nothing="Nothing is wrong.",
)

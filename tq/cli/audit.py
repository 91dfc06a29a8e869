"""`tq audit`: who did what."""

from typing import Annotated

import typer

from tq.cli.listing import Cell, Column, View, emit
from tq.cli.options import ColorOption, ConfigFile, OutputOption, Url
from tq.cli.reach import reach
from tq.model.credentials import AuditEntry
from tq.model.durations import duration_ms
from tq.views.moments import NONE, ago, now_ms
from tq.views.records import audit_record


def audit(
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DURATION", help="No longer ago than this, such as 2h.  [default: all]"),
    ] = None,
    who: Annotated[
        str, typer.Option("--who", metavar="PATTERN", help="By these: a part of the name, or with * and ?.")
    ] = "",
    action: Annotated[str, typer.Option("--action", metavar="PATTERN", help="Such as pause, or 'token-*'.")] = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1_000_000, help="The latest so many.")] = 100,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Show who did what, from where, to what and why; the latest first.

    \b
    tq audit --since 2h
    tq audit --who anna --action 'token-*' -o jsonl

    Kept for persistence.audit_retention_hours, with the data.
    """
    since_ms = 0 if since is None else max(0, now_ms() - duration_ms(since, "since"))
    with reach(url, config) as client:
        entries = client.audit(since_ms=since_ms, who=who, action=action, limit=limit)
    emit(entries, audit_view(now_ms()), output, color)


def audit_view(now_ms: int) -> View[AuditEntry]:
    """How entries are listed."""

    def cells(entry: AuditEntry) -> tuple[Cell, ...]:
        return (
            Cell(ago(entry.at_ms, now_ms)),
            Cell(entry.actor),
            Cell(entry.action),
            Cell(entry.target or NONE),
            Cell(f"{entry.count:,}" if entry.count else NONE),
            Cell(entry.reason or NONE),
            Cell(entry.origin or NONE),
            Cell(entry.operation.hex() or NONE),
        )

    columns = (
        Column("WHEN"),
        Column("WHO", is_elastic=True, least=12),
        Column("ACTION"),
        Column("TARGET", is_elastic=True, least=12),
        Column("TASKS", rank=1, is_number=True),
        Column("REASON", rank=2, is_elastic=True),
        Column("FROM", rank=3),
        Column("OPERATION", rank=4),
    )
    return View(columns, cells, audit_record, lambda entry: entry.actor, "Nothing was done.")

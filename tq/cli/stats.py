"""`tq stats`: the broker in numbers."""

from tq.cli.listing import emit_one
from tq.cli.options import ColorOption, ConfigFile, OutputOption, Url
from tq.cli.reach import reach
from tq.views.moments import now_ms


def stats(
    output: OutputOption = "table", url: Url = None, config: ConfigFile = None, color: ColorOption = "auto"
) -> None:
    """Show the broker in numbers.

    What waits, what runs, what went wrong, and how the process is doing.

    \b
    tq stats -o json | jq .tasks.ready
    """
    from tq.cli.broker_view import stats_fields
    from tq.views.records import stats_record

    with reach(url, config) as client:
        reply = client.stats()
    name = reply.process.boot_id if reply.process else ""
    emit_one(stats_record(reply), stats_fields(reply, now_ms()), output, name, color)

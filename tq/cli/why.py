"""`tq why`: why a task is where it is."""

from tq.cli.listing import emit_one
from tq.cli.options import ColorOption, ConfigFile, OutputOption, Url
from tq.cli.reach import reach
from tq.cli.tasks import TaskId
from tq.model.ids import format_id


def why(
    task_id: TaskId,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Say why a task is where it is: what it waits for, where it runs, or how it ended.

    \b
    tq why 0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b
    tq why ID -o json | jq -r '.reasons[0].code'
    """
    from tq.cli.insight_view import explanation_fields
    from tq.views.records import explanation_record

    with reach(url, config) as client:
        explanation = client.why(task_id)
    emit_one(explanation_record(explanation), explanation_fields(explanation), output, format_id(explanation.id), color)

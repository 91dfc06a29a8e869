"""`tq task stack`: a look inside a running task."""

from tq.cli.listing import emit_one
from tq.cli.options import ColorOption, ConfigFile, OutputOption, Url
from tq.cli.reach import reach
from tq.cli.tasks import TaskId
from tq.model.ids import format_id


def stack(
    task_id: TaskId,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
    color: ColorOption = "auto",
) -> None:
    """Show where the handler of a running task is: its Python stack, taken by its worker.

    \b
    Works for coroutines, threads and process handlers, also when the handler blocks the event loop.
    Exits 5 if the task does not run, 8 if its worker does not answer within 5 s.
    """
    from tq.cli.insight_view import stack_fields, stack_record

    with reach(url, config) as client:
        taken = client.task_stack(task_id)
    emit_one(stack_record(taken), stack_fields(taken), output, format_id(taken.task_id), color)

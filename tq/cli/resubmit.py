"""`tq dead resubmit` and `tq task resubmit`: a new task from one that has ended, corrected."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tq.cli.exits import Exit
from tq.cli.options import ConfigFile, DryRun, Reason, Url, Yes
from tq.cli.reach import complete_queue, reach
from tq.cli.submit import choose_payload
from tq.cli.tasks import TaskId
from tq.cli.terminal import can_ask, confirm, say, say_diff, say_error
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument, WrongState
from tq.model.ids import format_id
from tq.model.priorities import parse_priority
from tq.model.signatures import TaskSignature
from tq.model.task import TaskView

if TYPE_CHECKING:
    from tq.client.blocking import Client
    from tq.views.corrections import Payload


def resubmit(
    task_id: TaskId,
    args: Annotated[
        str | None,
        typer.Option("--args", metavar="JSON", help="The corrected arguments: an object from name to value."),
    ] = None,
    is_edited: Annotated[bool, typer.Option("--edit", "-e", help="Correct the payload in $EDITOR.")] = False,
    payload: Annotated[
        str | None, typer.Option("--payload", metavar="TEXT", help="The corrected payload itself.")
    ] = None,
    payload_file: Annotated[
        Path | None, typer.Option("--payload-file", metavar="FILE", help="The corrected payload; - is stdin.")
    ] = None,
    content_type: Annotated[
        str | None,
        typer.Option(
            "--content-type", metavar="TYPE", help="Of that payload; without it, JSON if it is JSON, else text."
        ),
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option("--queue", "-q", metavar="QUEUE", autocompletion=complete_queue, help="Into another queue."),
    ] = None,
    priority: Annotated[
        str | None, typer.Option("--priority", "-p", metavar="PRIORITY", help="0 to 255, or high, normal, low.")
    ] = None,
    delay: Annotated[
        str, typer.Option("--delay", metavar="DURATION", help='Not before that long from now, such as "10m".')
    ] = "0",
    reason: Reason = "",
    is_unchecked: Annotated[
        bool, typer.Option("--no-check", help="Do not check the arguments against the handler's signature.")
    ] = False,
    is_dry_run: DryRun = False,
    is_agreed: Yes = False,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Submit a new task made from one that has ended, as it was or corrected, and print its id.

    \b
    tq dead resubmit ID --edit
    tq dead resubmit ID --args '{"user_id": 7}' --queue slow --delay 10m
    tq task get ID -o json | jq '.payload | .user_id = 7' | tq dead resubmit ID --payload-file -

    \b
    Arguments are checked against the signature that a connected worker announced, and what changes is shown. The old
    task stays as it is, and each of the two names the other.
    """
    from tq.views.corrections import Payload, arguments_as, given_as, parse_json

    if (args is not None) + is_edited + (payload is not None or payload_file is not None) > 1:
        raise InvalidArgument("more than one correction of the payload", hint="one of --args, --edit, --payload")
    data, media_type = choose_payload(payload, payload_file, content_type)
    value = None if args is None else parse_json(args)
    level = None if priority is None else parse_priority(priority)
    duration_ms(delay, "--delay")
    with reach(url, config) as client:
        task = client.get_task(task_id)
        _check_ended(task)
        old = new = Payload(task.payload, task.content_type)
        is_corrected = is_edited or args is not None or data is not None
        signature = _signature(client, task) if is_corrected and not is_unchecked else None
        if args is not None:
            new = arguments_as(old, value)
        elif data is not None and media_type is not None:
            new = given_as(old, data, media_type, is_guessed=content_type is None)
        elif is_edited:
            new = _edited(old, signature)
        _check(signature, new)
        _show_changes(task, old, new, queue, level, delay)
        if is_dry_run:
            say(f"Would resubmit {task_id}.")
            return
        if is_edited:
            confirm("Submit this?", is_agreed=is_agreed)
        new_id = client.resubmit(
            task_id,
            new.data if new != old else None,
            new.content_type if new != old else None,
            queue=queue,
            priority=level,
            delay=delay,
            reason=reason,
        )
    typer.echo(new_id)


def _check_ended(task: TaskView) -> None:
    """Refuse a task that may still run, before anybody takes the trouble to edit it; tell of an earlier resubmit."""
    shown = format_id(task.id)
    if not task.state.is_final:
        raise WrongState(
            f"task {shown} is {task.state.value}: only ended tasks are resubmitted",
            hint=f"first: tq task cancel {shown}",
        )
    if task.resubmitted_as:
        say(f"It was resubmitted before, as {format_id(task.resubmitted_as)}.")


def _signature(client: "Client", task: TaskView) -> TaskSignature | None:
    signature = client.signature(task.task_type)
    if signature is None:
        say(f"No connected worker says what {task.task_type} takes: the arguments are not checked.")
    return signature


def _check(signature: TaskSignature | None, payload: "Payload") -> None:
    from tq.views.corrections import check

    if signature is not None:
        check(signature, payload)


def _edited(old: "Payload", signature: TaskSignature | None) -> "Payload":
    """What comes out of the editor, which is opened again while that is wrong and somebody is there to correct it.

    Raises:
        InvalidArgument: it is wrong, and nobody there; or there is no editor.
        typer.Exit: nothing was changed, or the person gave up.
    """
    from tq.views.corrections import corrected, editable
    from tq.views.editor import EditedFile

    before = editable(old)
    is_json = old.form != "text"
    body, complaint = before, ""
    file = EditedFile(".json" if is_json else ".txt")
    while True:
        written = file.edit((_heading(signature, complaint) if is_json else "") + body)
        body = _without_heading(written) if is_json else written
        if body.strip() == before.strip():  # editors add a line break at the end
            file.remove()
            say("Nothing was changed: nothing was done.")
            raise typer.Exit(Exit.FAILED)
        try:
            new = corrected(old, body)
            _check(signature, new)
        except InvalidArgument as error:
            if not can_ask():
                file.remove()
                raise
            say_error(error)
            if not typer.confirm("Edit again?", default=True, err=True):
                say(f"Nothing was done. What you wrote is in {file.path}")
                raise typer.Exit(Exit.FAILED) from None
            body, complaint = body.strip() + "\n", error.message
        else:
            file.remove()
            return new


def _heading(signature: TaskSignature | None, complaint: str) -> str:
    """Lines above the JSON: what the handler takes, and what was wrong with it the last time."""
    from tq.model.plain import plain

    lines = [] if signature is None else [f"# {plain(str(signature))}"]
    lines += [f"# wrong: {plain(complaint)}"] if complaint else []
    return "".join(f"{line}\n" for line in lines)


def _without_heading(text: str) -> str:
    """The lines that begin with # made empty, so that errors count lines as the editor does. No line of JSON begins
    so, for no text in it goes over several lines."""
    return "\n".join("" if line.startswith("#") else line for line in text.split("\n"))


def _show_changes(
    task: TaskView, old: "Payload", new: "Payload", queue: str | None, priority: int | None, delay: str
) -> None:
    from tq.views.corrections import diff

    if queue is not None and queue != task.queue:
        say(f"queue: {task.queue} -> {queue}")
    if priority is not None and priority != task.priority:
        say(f"priority: {task.priority} -> {priority}")
    if duration_ms(delay):
        say(f"not before {delay} from now")
    say_diff(diff(old, new))

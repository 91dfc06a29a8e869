"""`tq submit`: hand a task to the broker, and wait for its result if asked to."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from tq.cli.options import ConfigFile, OutputOption, Url
from tq.cli.reach import complete_queue, reach, read_bytes
from tq.cli.terminal import say
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument
from tq.model.priorities import parse_priority


class SubmitCommand(TyperCommand):
    """`--wait` may stand alone: the parser wants a value for each option, so it is given an empty one first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: D102
        return super().parse_args(ctx, with_wait_value(args))


def with_wait_value(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--wait` as `--wait=`, where neither "=" nor a value comes after it."""
    result: list[str] = []
    for index, argument in enumerate(arguments):
        following = arguments[index + 1] if index + 1 < len(arguments) else "-"
        is_bare = argument == "--wait" and following.startswith("-")
        result.append("--wait=" if is_bare else argument)
    return result


def submit(
    task_type: Annotated[str, typer.Option("--type", metavar="TYPE", help="The task type: the name of its handler.")],
    payload: Annotated[str | None, typer.Option("--payload", metavar="TEXT", help="The payload itself.")] = None,
    payload_file: Annotated[
        Path | None, typer.Option("--payload-file", metavar="FILE", help="The payload from a file; - is stdin.")
    ] = None,
    content_type: Annotated[
        str | None,
        typer.Option(
            "--content-type",
            metavar="TYPE",
            help="What the payload is. Without it: application/json if it is a JSON object, else bare bytes.",
        ),
    ] = None,
    queue: Annotated[
        str, typer.Option("--queue", "-q", metavar="QUEUE", autocompletion=complete_queue, help="Where it waits.")
    ] = "default",
    priority: Annotated[
        str, typer.Option("--priority", "-p", metavar="PRIORITY", help="0 to 255, or high, normal, low.")
    ] = "normal",
    delay: Annotated[
        str | None, typer.Option("--delay", metavar="DURATION", help='Not before that long from now, such as "10m".')
    ] = None,
    eta: Annotated[
        str | None,
        typer.Option("--eta", metavar="MOMENT", help='Not before this moment, such as "2026-12-24T18:00+01:00".'),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="DURATION", help="Cancelled if it still waits after that long.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="The same key in the same queue again gives the same task."),
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="A word to find it by (tag:TAG); may be given several times."),
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", metavar="DURATION", help="How long the handler may run.")] = "5m",
    max_retries: Annotated[
        int, typer.Option("--max-retries", metavar="N", min=0, max=1_000, help="Attempts after the first.")
    ] = 3,
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait", metavar="[DURATION]", help="Wait until it has ended, print its result, and exit by its outcome."
        ),
    ] = None,
    output: OutputOption = "table",
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Submit a task and print its id. Once the id is printed, the task is on disk.

    \b
    tq submit --type send_email --payload '{"to": "a@example.org"}'
    tq submit --type send_email --payload-file email.json --priority high --delay 10m
    tq submit --type thumbnail --payload-file - --wait=30s < photo.jpg > thumbnail.jpg
    """
    from tq.cli.listing import encode_json, write_json
    from tq.cli.results import show_outcome
    from tq.client.task import Task

    data, media_type = choose_payload(payload, payload_file, content_type)
    wait_seconds = duration_ms(wait, "--wait") / 1000 if wait else None
    task = Task(
        task_type,
        data or b"",
        queue=queue,
        priority=parse_priority(priority),
        timeout_seconds=duration_ms(timeout, "--timeout") / 1000,
        max_retries=max_retries,
        content_type=media_type or "",
        delay=delay,
        eta=parse_eta(eta) if eta is not None else None,
        expires=expires,
        key=key,
        tags=tags or (),
    )
    task.to_spec()  # what is wrong with it is said before a broker is looked for
    with reach(url, config) as client:
        task_id = client.submit_task(task)
        if wait is not None:
            say(f"Submitted {task_id}")
            raise typer.Exit(show_outcome(client.wait(task_id, wait_seconds), output))
    match output:
        case "json":
            write_json({"id": task_id})
        case "jsonl":
            typer.echo(encode_json({"id": task_id}))
        case "table" | "name":
            typer.echo(task_id)


def choose_payload(
    text: str | None, path: Path | None, content_type: str | None
) -> tuple[bytes, str] | tuple[None, None]:
    """The payload that the options name and its content type; None and None if they name none.

    Raises:
        InvalidArgument: both are given, the file cannot be read, or a content type has nothing to describe.
    """
    if text is not None and path is not None:
        raise InvalidArgument("--payload and --payload-file are both given", hint="give one of them")
    if text is None and path is None:
        if content_type is not None:
            raise InvalidArgument("--content-type describes no payload", hint="give --payload or --payload-file")
        return None, None
    from tq.views.payloads import guess_content_type

    data = text.encode("utf-8", "surrogateescape") if text is not None else read_bytes(path or Path("-"))
    return data, guess_content_type(data) if content_type is None else content_type


def parse_eta(text: str) -> datetime:
    """A moment in ISO 8601; without an offset, in the time zone of this machine.

    Raises:
        InvalidArgument: not one.
    """
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise InvalidArgument(f"--eta {text!r} is not a moment", hint='such as "2026-12-24T18:00+01:00"') from None

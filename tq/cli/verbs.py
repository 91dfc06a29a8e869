"""The tree of verbs. Each imports what is heavy when it runs, so that building the tree stays cheap."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from tq import __version__
from tq.cli import (
    audit,
    backup,
    bench,
    broker,
    check,
    config,
    dead,
    doctor,
    door,
    edge,
    failures,
    inside,
    op,
    profiles,
    purge,
    queues,
    resubmit,
    resubmit_many,
    stats,
    stdio,
    submit,
    tasks,
    tokens,
    top,
    up,
    watch,
    web,
    why,
    worker,
    workers,
)
from tq.cli.groups import COLUMNS_MAX, RunByDefaultGroup, SectionGroup
from tq.cli.selection import SelectorCommand

RUN = "Run"
FOLLOW = "Submit and follow"
OPERATE = "Watch and repair"
REACH = "From elsewhere"
SECURE = "Who may, and who did"
KEEP = "Data and settings"

app = typer.Typer(
    cls=SectionGroup,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: a third of the time, and it fits 60 columns
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": COLUMNS_MAX},
    epilog="Try it: tq up --demo. Each verb has examples: tq submit --help. Exit codes and JSON: docs/cli.md.",
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"tq {__version__}")
        raise typer.Exit


@app.callback()
def tq(
    is_version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    ssh_client: Annotated[
        Literal["openssh", "asyncssh"] | None,
        typer.Option("--ssh-client", help="For ssh:// addresses.  [default: openssh, if it is installed]"),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="The token to show; others must not be able to read it.  [TQ_TOKEN_FILE]",
        ),
    ] = None,
) -> None:
    """A durable distributed task queue that you run, watch and repair from a terminal."""
    if ssh_client is not None:
        os.environ["TQ_SSH_CLIENT"] = ssh_client  # what a verb starts, such as a worker's processes, does the same
    if token_file is not None:
        os.environ["TQ_TOKEN_FILE"] = str(token_file.absolute())
        os.environ.pop("TQ_TOKEN", None)


app.command("up", rich_help_panel=RUN)(up.up)
app.command("broker", rich_help_panel=RUN)(broker.broker)
app.command("edge", hidden=True)(edge.edge)

worker_app = typer.Typer(cls=RunByDefaultGroup, no_args_is_help=True)
worker_app.command("run")(worker.run)
worker_app.command("list")(workers.list_)
worker_app.command("show")(workers.show)
worker_app.command("drain")(workers.drain)
app.add_typer(worker_app, name="worker", rich_help_panel=RUN, help=worker.HELP, short_help=worker.SHORT_HELP)

app.command("submit", cls=submit.SubmitCommand, rich_help_panel=FOLLOW)(submit.submit)
app.add_typer(
    tasks.app, name="task", rich_help_panel=FOLLOW, help="Tasks: get, list, log, stack, wait, result, cancel, resubmit."
)
app.command("status", rich_help_panel=FOLLOW, help="Show a task; short for: tq task get.")(tasks.get)
tasks.app.command("log")(inside.log)
tasks.app.command("stack")(inside.stack)
app.command("why", rich_help_panel=FOLLOW)(why.why)

app.command("top", rich_help_panel=OPERATE)(top.top)
app.command("watch", rich_help_panel=OPERATE)(watch.watch)
app.command("stats", rich_help_panel=OPERATE)(stats.stats)
app.add_typer(check.app, name="check", rich_help_panel=OPERATE, help="For monitoring: check queue, broker, workers.")
app.add_typer(queues.app, name="queue", rich_help_panel=OPERATE, help="Queues: list, pause, resume, purge.")
dead.app.command("groups", cls=SelectorCommand)(failures.groups)
app.add_typer(
    dead.app, name="dead", rich_help_panel=OPERATE, help="Dead letters: groups, list, retry, purge, resubmit."
)

app.command("purge", cls=SelectorCommand, rich_help_panel=OPERATE)(purge.purge)
app.command("resubmit", cls=SelectorCommand, rich_help_panel=OPERATE)(resubmit_many.resubmit_many)
app.command("undo", rich_help_panel=OPERATE)(op.undo)
app.add_typer(op.app, name="op", rich_help_panel=OPERATE, help="Operations on many tasks: list, show, cancel, undo.")

tasks.app.command("resubmit")(resubmit.resubmit)
dead.app.command("resubmit")(resubmit.resubmit)

app.add_typer(profiles.app, name="profile", rich_help_panel=REACH, help="Names for brokers: list.")
app.command("door", rich_help_panel=REACH)(door.door)
app.command("web", rich_help_panel=REACH)(web.web)
app.command("stdio", rich_help_panel=REACH)(stdio.stdio)

app.add_typer(tokens.app, name="token", rich_help_panel=SECURE, help="Tokens: create, list, revoke.")
app.command("audit", rich_help_panel=SECURE)(audit.audit)

app.command("backup", rich_help_panel=KEEP)(backup.backup)
app.command("restore", rich_help_panel=KEEP)(backup.restore)
app.command("doctor", rich_help_panel=KEEP)(doctor.doctor)
app.command("bench", rich_help_panel=KEEP)(bench.bench)
app.add_typer(config.app, name="config", rich_help_panel=KEEP, help="Settings: show, check, example.")

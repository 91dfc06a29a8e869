"""The broker, as the verbs reach it: a blocking client at the address that the options, or the environment, name."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tq.cli.terminal import say
from tq.model.errors import InvalidArgument
from tq.model.ids import parse_id

if TYPE_CHECKING:
    from tq.client.blocking import Client

CONNECT_SECONDS = 5.0
COMPLETE_SECONDS = 0.4
"""A completion that comes later than this has been given up by the person who pressed Tab."""


def reach(url: str | None, config: Path | None, *, seconds: float = CONNECT_SECONDS, can_ask: bool = True) -> "Client":
    """A client of the broker at `url` (several with commas between), or where `config` says, or the environment.

    `can_ask`: ssh may ask for a passphrase.

    Raises:
        InvalidArgument, ConfigInvalid: no address, or no settings.
    """
    from tq.client.blocking import Client

    return Client(named_addresses(url, config), name="tq", connect_timeout=seconds, can_ask=can_ask)


def named_addresses(url: str | None, config: Path | None) -> Sequence[str] | None:
    """The addresses that the options name; None: they name none, and the environment decides."""
    if url is not None:
        return [part.strip() for part in url.split(",")]
    if config is not None:
        from tq.config.address import settings_addresses
        from tq.config.loading import load_settings

        return settings_addresses(load_settings(config))
    return None


def read_ids(arguments: Sequence[str]) -> list[str]:
    """Task ids as they were given, each once; "-" stands for those on stdin, the first word of each line.

    Raises:
        InvalidArgument: one of them is not an id.
        typer.Exit: there was none on stdin.
    """
    ids: dict[str, None] = {}
    for argument in arguments:
        if argument == "-":
            ids.update((words[0], None) for words in map(str.split, sys.stdin) if words)
        else:
            ids[argument] = None
    for text in ids:
        parse_id(text)
    if arguments and not ids:  # of a pipe with nothing in it; to go on would mean something else: "all"
        say("No ids on stdin: nothing to do.")
        raise typer.Exit
    return list(ids)


def complete_queue(incomplete: str) -> list[str]:
    """The names of the queues that begin like this; none where no broker answers in time."""
    return [name for name in _names("queues") if name.startswith(incomplete)]


def complete_worker(incomplete: str) -> list[str]:
    """The names of the workers that begin like this."""
    return [name for name in _names("workers") if name.startswith(incomplete)]


def _names(what: str) -> list[str]:
    try:
        with (
            within(COMPLETE_SECONDS, TimeoutError()),
            reach(None, None, seconds=COMPLETE_SECONDS, can_ask=False) as client,
        ):
            return sorted({thing.name for thing in (client.queues() if what == "queues" else client.workers())})
    except Exception:  # whatever it is, the shell's prompt is no place to say it
        return []


@contextmanager
def within(seconds: float, late: Exception) -> Iterator[None]:
    """Raise `late` if what is in here takes longer, whatever it waits for. For the main thread of a process that does
    nothing else: it takes the process's one alarm."""

    def give_up(_number: int, _frame: object) -> None:
        raise late

    handler = signal.signal(signal.SIGALRM, give_up)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, handler)


def read_bytes(path: Path) -> bytes:
    """The content of a file, or of stdin for "-".

    Raises:
        InvalidArgument: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as cause:
        raise InvalidArgument(f"{path} cannot be read: {cause.strerror}") from None

"""The life of a process that is an edge: told by its broker what to serve, it ends when told to or with it.

It decides nothing, keeps nothing, and may be killed at any time.
"""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Protocol

import msgspec
from structlog.typing import FilteringBoundLogger

from tq.edges.gateway import Gateway
from tq.model.edges import READY, EdgeStart
from tq.model.errors import InvalidArgument


class Server(Protocol):
    """What listens."""

    async def start(self) -> None:
        """Serve from now on."""
        ...

    async def stop(self, seconds: float) -> None:
        """Take nothing more; return when what was taken has been answered, or given up after so many seconds."""
        ...


def read_start() -> EdgeStart:
    """What the broker says on the first line of standard input.

    Raises:
        InvalidArgument: nothing of the kind.
    """
    try:
        return msgspec.json.decode(sys.stdin.buffer.readline(), type=EdgeStart)
    except msgspec.DecodeError:  # its text could show the key
        raise InvalidArgument(
            "standard input does not begin with what a broker says to its edge",
            hint="tq broker and tq up start the edges by themselves",
        ) from None


async def run(
    start: EdgeStart, log: FilteringBoundLogger, make: Callable[[EdgeStart, Gateway, FilteringBoundLogger], Server]
) -> None:
    """Serve until SIGTERM or SIGINT, which lets what was taken be answered, or until the broker has died.

    Raises:
        TqError: the broker does not take this process for an edge of it.
    """
    _make_room_for_connections()
    gateway = Gateway(start.broker, start.key, start.edge)
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_end.set)
    loop.add_reader(sys.stdin.fileno(), _end_with_broker)
    server = make(start, gateway, log)
    telling: asyncio.Task[None] | None = None
    try:
        await gateway.own.connect()
        telling = asyncio.create_task(gateway.counting.tell(gateway.own), name="edge counts")
        await server.start()
        os.write(sys.stdout.fileno(), READY)
        await told_to_end.wait()
        log.info("edge_stopping", edge=start.edge)
        await server.stop(start.settings.broker.graceful_shutdown_timeout_secs)
    finally:
        if telling is not None:
            telling.cancel()
        await gateway.close()
    log.info("edge_stopped", edge=start.edge)


def _make_room_for_connections() -> None:
    """The usual soft limit of open files is about `api.max_connections`, and each caller has a second connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # not every system allows its own hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _end_with_broker() -> None:
    """End at once when the broker has died: there is nothing to be kept, and nobody who could answer."""
    if not os.read(sys.stdin.fileno(), 1):
        os._exit(1)

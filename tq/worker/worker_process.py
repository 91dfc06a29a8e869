"""One worker process, as its parent sees it: started, listened to, told to end, and examined when it is dead."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, Self

import msgspec

from tq.model.commands import BATCH_MAX, WorkerDied
from tq.worker.counts import Counted
from tq.worker.endings import Ending, await_end
from tq.worker.lifeline import (
    Connected,
    Drain,
    Leaving,
    Options,
    Ready,
    Refused,
    Replace,
    Stop,
    ToChild,
    decode_for_parent,
    encode_line,
)
from tq.worker.running_table import RunningTable

LAST_LINES_MAX = 40
LAST_CHARS_MAX = 8_000
LINE_BYTES_MAX = 64 << 10
"""Of its stderr: what is kept for the report of its death, and the longest line that is read as one."""
KINDS_OF_HANDLERS = 3


class WorkerProcess:
    """A spawned worker process. Made by `start`, on the parent's event loop.

    Attributes:
        ready: done when it has loaded its application: True; or False when it ended before.
        wish: done when it wants to be replaced, or was told by the broker to leave.
        ended: done when it is dead and all that it wrote has been read.
        refused: why it, or any other, cannot work, in its own words.
        was_connected: whether the broker had let it in.
        on_counted: called with each of its reports, and its pid.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", incarnation: str, host: str, table: RunningTable) -> None:
        loop = asyncio.get_running_loop()
        self.pid = process.pid
        self.incarnation = incarnation
        self.ready: asyncio.Future[bool] = loop.create_future()
        self.wish: asyncio.Future[Replace | Leaving] = loop.create_future()
        self.ended: asyncio.Future[Ending] = loop.create_future()
        self.refused: Refused | None = None
        self.was_connected = False
        self.on_counted: Callable[[int, Counted], None] | None = None
        self._process = process
        self._host = host
        self._table = table
        self._running: list[bytes] = []
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES_MAX)
        self._writer: asyncio.StreamWriter | None = None
        self._life: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, template: Options, stderr: BinaryIO) -> Self:
        """Spawn a process.

        Args:
            template: its options, apart from the incarnation and the table of running tasks.
            stderr: where what it writes to its stderr is passed on to.
        """
        ours, theirs = socket.socketpair()
        places = template.worker.concurrency * KINDS_OF_HANDLERS
        table = RunningTable.create(places)
        incarnation = secrets.token_hex(16)
        with theirs:
            # Spawned, never forked; in a group of its own, so that Ctrl-C in a terminal reaches the parent alone.
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - a few ms; this very interpreter
                [sys.executable, "-m", "tq.worker.child", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(), table.fd),
                process_group=0,
                env=os.environ | {"TQ_URL": ",".join(template.addresses)},  # handlers enqueue where they came from
            )
        options = msgspec.structs.replace(template, incarnation=incarnation, running_fd=table.fd, running_places=places)
        worker = cls(process, incarnation, template.host, table)
        await worker._begin(ours, options, stderr)
        return worker

    def tell(self, message: ToChild) -> None:
        """Say something; a dead process does not mind."""
        if self._writer is not None and not self.ended.done():
            self._writer.write(encode_line(message))

    def drain(self) -> None:
        """Let it finish. One that is not ready has nothing to finish."""
        if self.ready.done():
            self.tell(Drain())
        else:
            self.kill()

    def stop(self) -> None:
        """Let it hand back what runs, and end."""
        if self.ready.done():
            self.tell(Stop())
        else:
            self.kill()

    def kill(self) -> None:
        """End it now."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def death(self) -> WorkerDied:
        """What the broker should know of its end; once `ended` is done."""
        ending = self.ended.result()
        return WorkerDied(
            request_id=0,
            incarnation=bytes.fromhex(self.incarnation),
            exit_code=ending.exit_code,
            signal=ending.signal,
            host=self._host,
            rss_max_bytes=ending.rss_max_bytes,
            last_lines="\n".join(self._last_lines)[-LAST_CHARS_MAX:],
            running=self._running if len(self._running) <= BATCH_MAX else None,
        )

    async def _begin(self, lifeline: socket.socket, options: Options, stderr: BinaryIO) -> None:
        reader, self._writer = await asyncio.open_unix_connection(sock=lifeline)
        self._writer.write(encode_line(options))
        self._life = asyncio.create_task(self._live(reader, stderr), name=f"worker-{self.pid}")

    async def _live(self, reader: asyncio.StreamReader, stderr: BinaryIO) -> None:
        """Listen until it is dead."""
        listening = asyncio.create_task(self._listen(reader), name=f"lifeline-{self.pid}")
        reading = asyncio.create_task(self._pass_on(stderr), name=f"stderr-{self.pid}")
        ending = await self._end()
        # Both end with it, unless a process that it started holds its stderr open.
        await asyncio.wait([reading, listening], timeout=1)
        reading.cancel()
        listening.cancel()
        await asyncio.gather(reading, listening, return_exceptions=True)
        assert self._writer is not None
        self._writer.close()
        self._running = self._table.running()
        self._table.close()
        if not self.ready.done():
            self.ready.set_result(False)
        self.ended.set_result(ending)

    async def _end(self) -> Ending:
        """Wait for its end in a thread of its own: wait4(2) alone tells how much memory it used."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Ending] = loop.create_future()

        def wait() -> None:
            ending = await_end(self._process)
            with suppress(RuntimeError):  # the parent is gone from its loop, and does not care any more
                loop.call_soon_threadsafe(ended.set_result, ending)

        threading.Thread(target=wait, name=f"wait-{self.pid}", daemon=True).start()
        return await ended

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            match decode_for_parent(line):
                case Ready():
                    self.ready.set_result(True)
                case Connected():
                    self.was_connected = True
                case Refused() as refused:
                    self.refused = refused
                case Counted() as counted:
                    if self.on_counted is not None:
                        self.on_counted(self.pid, counted)
                case (Replace() | Leaving()) as wish:
                    if not self.wish.done():
                        self.wish.set_result(wish)

    async def _pass_on(self, stderr: BinaryIO) -> None:
        assert self._process.stderr is not None
        loop: Any = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), self._process.stderr)
        while chunk := await _line(reader):
            stderr.write(chunk)
            stderr.flush()
            self._last_lines.append(chunk.decode("utf-8", "replace").rstrip("\n"))


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line, or a part of one that is very long; empty at the end."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as long:
        return await reader.read(long.consumed)

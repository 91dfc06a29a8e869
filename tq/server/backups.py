"""Backups run in a thread of their own, one at a time."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from tq.model.commands import Backup
from tq.model.errors import InternalError, InvalidArgument, TqError, WrongState
from tq.model.replies import Affected, Reply
from tq.protocol.codec import to_reply
from tq.storage.manifest import Manifest
from tq.storage.store import Store


class Backups:
    """Copies the data of a running broker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_done: Callable[[int, Reply], None],
        log: FilteringBoundLogger,
    ) -> None:
        """`on_done` is called on `loop` with the session that asked and its answer."""
        self._loop = loop
        self._on_done = on_done
        self._log = log
        self._running: asyncio.Future[Manifest] | None = None

    @property
    def is_running(self) -> bool:
        """Whether an answer is still to come."""
        return self._running is not None

    def start(self, session_id: int, request: Backup, store: Store) -> None:
        """Begin a copy.

        Raises:
            InvalidArgument: the directory is not absolute: a relative one would depend on where the broker was started.
            WrongState: another backup runs.
        """
        directory = Path(request.directory)
        if not directory.is_absolute():
            raise InvalidArgument(
                f"backup directory {request.directory[:200]!r} is not an absolute path",
                hint="the directory is made on the broker's machine; start it with /",
            )
        if self._running is not None:
            raise WrongState("another backup is running", hint="wait for its end")
        self._running = self._loop.run_in_executor(None, store.backup, directory)
        self._running.add_done_callback(lambda done: self._finish(session_id, request, done))

    def _finish(self, session_id: int, request: Backup, done: "asyncio.Future[Manifest]") -> None:
        self._running = None
        failure = done.exception()
        if failure is None:
            manifest = done.result()
            self._log.info(
                "backup_made", directory=request.directory, size_bytes=manifest.size, applied=manifest.applied
            )
            self._on_done(session_id, Affected(request.request_id, 1))
        elif isinstance(failure, TqError):
            self._log.warning("backup_failed", directory=request.directory, error=str(failure))
            self._on_done(session_id, to_reply(request.request_id, failure))
        else:
            self._log.error("backup_failed", directory=request.directory, exc_info=failure)
            excuse = InternalError("the backup failed by a defect of the broker", hint="its log has the trace")
            self._on_done(session_id, to_reply(request.request_id, excuse))

"""Hand-written stand-ins: an engine that does as it is told, a disk whose sync waits for the test, a connection."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from tq.engine.ledger import Disk
from tq.engine.tables import Table, TokenRow, Writes
from tq.model.commands import Backup, Fetch, GetTask, Heartbeat, Hello, ReportProgress, Request, Submit, Watch
from tq.model.credentials import Token
from tq.model.errors import AccessDenied, TqError
from tq.model.identity import Actor, Role
from tq.model.replies import Affected, FromBroker, Push, Reply, Settled, Submitted
from tq.server.access import Access, Peer
from tq.storage.manifest import Manifest
from tq.storage.memory import MemoryStore

Step = Callable[[int, Request], Reply | None]


class FakeCore:
    """Writes one row for every request that is not a read; answers with the plainest reply."""

    def __init__(self) -> None:
        self.stepped: list[tuple[int, Request]] = []
        self.disconnected: list[int] = []
        self.identified: dict[int, Actor] = {}
        self.advanced: list[int] = []
        self.shown: list[int] = []
        self.disks: list[Disk] = []
        self.opened: list[int] = []
        self.held: set[int] = set()
        self.takes = 0
        self.deadlines: list[int | None] = []  # the last one stays
        self.pushes: list[tuple[int, Reply | Push]] = []
        self.on_step: Step | None = None
        self.on_advance: Callable[[], None] | None = None
        self._writes: list[dict[bytes, bytes | None]] = [{} for _ in Table]

    def open(self, now_ms: int) -> None:
        self.opened.append(now_ms)

    def step(self, session: int, request: Request, now_ms: int) -> Reply | None:
        self.stepped.append((session, request))
        if self.on_step is not None:
            return self.on_step(session, request)
        return self.answer(request)

    def step_confined(self, session: int, request: Request, now_ms: int) -> Reply | None:
        return self.step(session, request, now_ms)

    def check_token(self, token: Token, now_ms: int) -> TokenRow:
        raise AccessDenied("unknown")

    def has_token(self, token_id: bytes | None = None) -> bool:
        return False

    def identify(self, session: int, actor: Actor) -> None:
        self.identified[session] = actor

    def answer(self, request: Request) -> Reply | None:
        match request:
            case GetTask() | Backup() | Watch():
                return Affected(request.request_id, 0)
            case Hello():
                return Settled(request.request_id)
            case Fetch() | Heartbeat() | ReportProgress():
                return None
            case Submit():
                self.write()
                return Submitted(request.request_id)
            case _:
                self.write()
                return Affected(request.request_id, 1)

    def write(self) -> None:
        self._writes[Table.BODIES][len(self.stepped).to_bytes(8, "big")] = b""

    def disconnect(self, session: int, now_ms: int) -> None:
        self.disconnected.append(session)

    def hold(self, session: int) -> None:
        self.held.add(session)

    def resume(self, session: int) -> None:
        self.held.discard(session)

    def show(self, now_ms: int) -> None:
        self.shown.append(now_ms)

    def note_disk(self, disk: Disk) -> None:
        self.disks.append(disk)

    def advance(self, now_ms: int) -> None:
        self.advanced.append(now_ms)
        if self.on_advance is not None:
            self.on_advance()

    def take(self) -> tuple[Writes, list[tuple[int, Reply | Push]]]:
        self.takes += 1
        taken, self._writes = self._writes, [{} for _ in Table]
        pushes, self.pushes = self.pushes, []
        return taken, pushes

    def next_deadline_ms(self) -> int | None:
        if not self.deadlines:
            return None
        return self.deadlines.pop(0) if len(self.deadlines) > 1 else self.deadlines[0]


class GatedStore(MemoryStore):
    """A disk whose syncs end when the test says so, as the test says: well, or with an error."""

    def __init__(self) -> None:
        super().__init__()
        self.applied: list[int] = []  # rows of each batch
        self.syncs_begun = 0
        self.is_closed = False
        self.reopens = 0
        self.free_bytes: int | None = None
        self.on_apply: TqError | None = None
        self.on_reopen: TqError | None = None
        self.on_backup: Exception | None = None
        self.backups: list[Path] = []
        self.backup_gate = threading.Event()
        self.is_open = False
        self._loop = asyncio.get_running_loop()
        self._begun = asyncio.Semaphore(0)
        self._ends: list[TqError | None] = []
        self._may_end = threading.Semaphore(0)

    def apply(self, writes: Writes) -> None:
        if self.on_apply is not None:
            raise self.on_apply
        self.applied.append(sum(map(len, writes)))
        super().apply(writes)

    def sync(self) -> None:
        self.syncs_begun += 1
        self._loop.call_soon_threadsafe(self._begun.release)
        if not self.is_open:
            self._may_end.acquire()
            failure = self._ends.pop(0)
            if failure is not None:
                raise failure

    async def sync_begun(self) -> None:
        """Until one more sync has begun."""
        await self._begun.acquire()

    def end_sync(self, failure: TqError | None = None) -> None:
        """Let one sync end."""
        self._ends.append(failure)
        self._may_end.release()

    def open_gate(self) -> None:
        """Let all syncs end, well."""
        self.is_open = True
        self.end_sync()

    def reopen(self) -> None:
        self.reopens += 1
        if self.on_reopen is not None:
            raise self.on_reopen

    def disk_free_bytes(self) -> int | None:
        return self.free_bytes

    def backup(self, directory: Path) -> Manifest:
        self.backups.append(directory)
        self.backup_gate.wait()
        if self.on_backup is not None:
            raise self.on_backup
        return Manifest(format=1, database="", applied=7, created_at="", files=())

    def close(self) -> None:
        self.is_closed = True


class FakeSession:
    """A connection without a socket."""

    def __init__(self, session_id: int, *, is_worker: bool = False) -> None:
        self.session_id = session_id
        self.peer = Peer("unix", is_local=True, uid=os.geteuid())
        self.access = Access(Actor("test"), Role.ADMIN)  # as if it had been greeted
        self.is_worker = self.gets_pushes = is_worker
        self.worker_name = ""
        self.outstanding = 0
        self.writes: list[list[FromBroker]] = []
        self.is_ended = False
        self.is_finishing = False
        self.is_stuck = False
        self.is_paused = False
        self._written = asyncio.Event()

    @property
    def received(self) -> list[FromBroker]:
        return [message for messages in self.writes for message in messages]

    async def until(self, count: int) -> list[FromBroker]:
        """The first `count` messages, once they are there."""
        while len(self.received) < count:
            self._written.clear()
            await self._written.wait()
        return self.received

    def send(self, messages: list[FromBroker]) -> None:
        self.outstanding -= sum(not isinstance(message, Push) for message in messages)
        self.writes.append(messages)
        self._written.set()

    def finish(self) -> None:
        self.is_finishing = True

    def end(self) -> None:
        self.is_ended = True

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False


def recording_logger() -> "tuple[FilteringBoundLogger, LogRecorder]":
    """A logger, and what was logged with it."""
    recorder = LogRecorder()
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.ReturnLogger(),
        processors=[recorder],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
    )
    return logger, recorder


class LogRecorder:
    """A processor of structlog that keeps the events."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._came = asyncio.Event()

    def __call__(self, _logger: object, level: str, event: Any) -> str:
        self.events.append({**event, "level": level})
        self._came.set()
        return ""

    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    def find(self, name: str) -> dict[str, Any]:
        """The facts of the only event of this name."""
        (found,) = [event for event in self.events if event["event"] == name]
        return found

    async def until(self, name: str, count: int = 1) -> dict[str, Any]:
        """The facts of the latest event of this name, once there are `count`."""
        while self.names().count(name) < count:
            self._came.clear()
            await self._came.wait()
        return [event for event in self.events if event["event"] == name][-1]

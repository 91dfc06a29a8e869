"""A feed whose frames the test pushes, and rows to push."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from tq.client.watching import Change
from tq.model.identity import Role
from tq.model.operations import Action, Operation, OperationState
from tq.model.watching import Event, Finding, QueueLive, Totals
from tq.tui.feed import Connected, Facts, Frame, Greeting, Told

NOW_MS = 1_700_000_000_000
GREETING = Greeting("prod@broker-1", "0.1.0", "boot-1", Role.OPERATOR, "anna", "PRODUCTION")


class FakeFeed:
    """Nothing happens but what is pushed."""

    def __init__(self) -> None:
        self.watched: list[tuple[tuple[str, ...], float]] = []
        self.is_closed = False
        self._queue: asyncio.Queue[Told | None] = asyncio.Queue()

    def watch(self, scopes: Sequence[str], hz: float) -> None:
        self.watched.append((tuple(scopes), hz))

    async def told(self) -> AsyncIterator[Told]:
        while (told := await self._queue.get()) is not None:
            yield told

    def facts(self) -> Facts:
        return Facts()

    async def close(self) -> None:
        self.is_closed = True
        self._queue.put_nowait(None)

    @property
    def has_more(self) -> bool:
        """Whether something was pushed that has not been taken yet."""
        return not self._queue.empty()

    def push(self, told: Told) -> None:
        self._queue.put_nowait(told)

    def greet(self, role: Role = Role.OPERATOR) -> None:
        self.push(Connected(GREETING._replace(role=role)))

    def frame(self, *changes: Change, at_ms: int = NOW_MS) -> None:
        self.push(Frame(changes, at_ms))


def part(
    scope: str, rows: Sequence[msgspec.Struct], *, is_whole: bool = True, gone: Sequence[str] = (), left_out: int = 0
) -> Change:
    return Change(scope, is_whole, list(rows), list(gone), left_out)


def queue(name: str, **fields: object) -> QueueLive:
    row = QueueLive(name, "ok", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    return msgspec.structs.replace(row, **fields)


def totals(**fields: object) -> Totals:
    row = Totals(
        queues=3, ready=48_211, scheduled=12, retrying=1_164, in_progress=3_394, dead=1_204_331, workers=214,
        workers_lost=2, slots=3_424, submitted_10s=8_120, completed_10s=7_970, failed_60s=40, dead_60s=38,
        submitted_total=10, completed_total=9, sequence=88,
    )  # fmt: skip
    return msgspec.structs.replace(row, **fields)


def finding(name: str, text: str, severity: int = 2, code: str = "behind") -> Finding:
    return Finding(severity=severity, code=code, scope=f"queue:{name}", name=name, text=text, since_ms=NOW_MS - 60_000)


def operation(number: int, action: Action = Action.RETRY, **fields: object) -> Operation:
    row = Operation(
        id=number.to_bytes(8), action=action, state=OperationState.RUNNING, target="state:dead_letter queue:media",
        is_hard=False, total=50_000, done=234, skipped=0, failed=0, queues=(), rate=500, reason="gateway fixed",
        actor="anna", origin="unix", as_of=88, started_at_ms=NOW_MS, ended_at_ms=0, remaining_ms=100_000,
        undo_until_ms=0, undo_of=None, undone_by=None, error="",
    )  # fmt: skip
    return msgspec.structs.replace(row, **fields)


def event(number: int, action: str, **fields: object) -> Event:
    row = Event(number=number, at_ms=NOW_MS + number, actor="anna", action=action, target="media")
    return msgspec.structs.replace(row, **fields)

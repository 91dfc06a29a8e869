"""Every screen of the dashboard over a broker that is made up: the same each time, down to the millisecond."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from textual.pilot import Pilot

from tests.tui.dumps import settled
from tests.tui.fakes import NOW_MS, FakeFeed, event, finding, operation, part, queue, totals
from tq.client.async_client import AsyncClient
from tq.client.watching import Change
from tq.model.errors import TaskNotFound
from tq.model.groups import FailureGroup
from tq.model.history import HistoryPoint
from tq.model.identity import Role
from tq.model.ids import format_id
from tq.model.insight import Explanation, HeldTask, LogLine, Reason, WorkerView
from tq.model.operations import Action, Operation, OperationState, QueueCount
from tq.model.replies import LogPage, Prepared, TaskPage
from tq.model.signatures import TaskSignature
from tq.model.stats import QueueStats, WorkerInfo
from tq.model.task import AttemptRecord, Progress, State, TaskSummary, TaskView
from tq.model.watching import WorkerLive
from tq.tui.app import Look, TopApp
from tq.tui.commandline import Place
from tq.tui.feed import Disconnected
from tq.tui.glyphs import ASCII
from tq.tui.places import MODES
from tq.tui.screens.base import TopScreen
from tq.tui.screens.confirm import Confirm
from tq.tui.screens.edit import Edit
from tq.tui.screens.help import HelpScreen
from tq.tui.widgets.footer import Footer

SECONDS_MAX = 10.0
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
INCARNATION = "5f" * 16
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/gateway.py", line 88, in charge
    raise TimeoutError(f"upstream took > {seconds} s")
TimeoutError: upstream took > 30 s
"""
QUEUES = ("orders.charge", "webhooks.out", "media.thumbs", "reports.nightly", "orders.email", "orders.refund")
LOOKS_OF_QUEUES: tuple[tuple[str, int], ...] = (
    ("behind", 2), ("dead+", 2), ("slow", 1), ("paused", 0), ("ok", 0), ("no_worker", 2),
)  # fmt: skip


def task_id(number: int) -> bytes:
    """An id as of the moment of these scenes."""
    return (0x018F3A00_0000_7000_8000_000000000000 + number).to_bytes(16)


TASK = format_id(task_id(0))


@dataclass(frozen=True)
class World:
    """What there is: of each kind `rows`; every text that comes from outside is what `said` makes of it."""

    rows: int = 9
    said: Callable[[str], str] = str

    def part(self, scope: str) -> Change:
        """All of a scope of the stream."""
        kind = scope.partition(":")[0]
        rows_of: dict[str, Callable[[], Sequence[msgspec.Struct]]] = {
            "totals": lambda: [totals()],
            "attention": self.findings,
            "queues": lambda: [self.queue(number) for number in range(self.rows)],
            "queue": lambda: [self.queue_stats(0)],
            "workers": lambda: [self.worker(number) for number in range(self.rows)],
            "groups": lambda: [self.group(number) for number in range(self.rows)],
            "ops": lambda: [self.operation(number) for number in range(min(self.rows, 100))],
            "events": self.events,
            "task": lambda: [self.task(0)],
        }
        return part(scope, rows_of[kind]())

    def findings(self) -> list[msgspec.Struct]:
        if not self.rows:
            return []
        said = self.said
        return [
            finding(said("orders.charge"), said("in 402/s > out 371/s for 11 min: will not drain")),
            finding(said("webhooks.out"), said("1.19M dead, +38/min"), code="dead_rising"),
            finding(said("media.thumbs"), said("oldest waits 4m"), severity=1, code="slow"),
        ]

    def queue(self, number: int) -> msgspec.Struct:
        state, severity = LOOKS_OF_QUEUES[number % 6]
        name = QUEUES[number] if number < 6 else f"tenant-{number:04}.sync"
        return queue(
            self.said(name), state=state, severity=severity, ready=41_902 // (number + 1), in_progress=512 >> number,
            retrying=211 % (number + 2), dead=1_190_422 if number == 1 else number * 7, dead_60s=38 * (number == 1),
            oldest_at_ms=NOW_MS - (number + 1) * 17_000, submitted_10s=4_020 // (number + 1),
            completed_10s=3_710 // (number + 1), scheduled=number, no_handler=9 * (state == "no_worker"),
        )  # fmt: skip

    def queue_stats(self, number: int) -> QueueStats:
        return QueueStats(
            name=self.said(QUEUES[number]), ready_high=902, ready_normal=41_000, ready_low=0, scheduled=12,
            retrying=211, in_progress=512, dead=1_902, no_handler=3, oldest_ready_ms=134_000, is_paused=True,
            paused_at_ms=NOW_MS - HOUR_MS, pause_reason=self.said("migration 214"), paused_by=self.said("anna"),
            submitted_total=9_000, completed_total=8_000, failed_total=1_000, crashed_total=1, dead_total=1_902,
            cancelled_total=4, submitted_10s=4_020, completed_10s=3_710, failed_60s=40, dead_60s=38,
        )  # fmt: skip

    def worker(self, number: int) -> WorkerLive:
        status = ("lost", "draining", "connected", "connected", "connected")[number % 5]
        return WorkerLive(
            incarnation=(INCARNATION if number == 0 else f"{number:032x}"), name=self.said(f"ip-10-0-3-{number}"),
            host=self.said(f"ip-10-0-3-{number}"), pid=1_000 + number, status=status, slots=16, leases=number % 17,
            running=number % 17, prefetched=number % 3, rss_bytes=(64 + number) << 20, connected_at_ms=NOW_MS - HOUR_MS,
            seen_at_ms=NOW_MS - (41_000 if number == 3 else 2_000),
            note=self.said("event loop blocked for 1.2 s") if number == 2 else "",
        )  # fmt: skip

    def group(self, number: int) -> FailureGroup:
        said = self.said
        error_type, message, place = (
            ("httpx.ConnectTimeout", "* timed out after *s", "http.py:212 post()"),
            ("builtins.TimeoutError", "upstream took > *s", "gateway.py:88 charge()"),
            ("shop.CardDeclined", "code *", "charge.py:41 charge()"),
        )[number % 3]
        return FailureGroup(
            fingerprint=f"{number:016x}", error_type=said(error_type), message=said(message), place=said(place),
            count=1_190_422 // (number + 1), queues=(QueueCount(said(QUEUES[number % 6]), 7),),
            queues_total=1 + number % 3, first_died_at_ms=NOW_MS - (number + 1) * HOUR_MS,
            last_died_at_ms=NOW_MS - (number + 1) * 4_000, deaths_per_minute=38.0 * (number == 0), sample=task_id(0),
            dead_total=1_190_422, retried_total=number % 4,
        )  # fmt: skip

    def operation(self, number: int) -> Operation:
        state = (OperationState.RUNNING, OperationState.DONE, OperationState.CANCELLED)[number % 3]
        is_over = state is not OperationState.RUNNING
        done = 50_000 if state is OperationState.DONE else 12_340
        action = list(Action)[number % 3]
        return operation(
            number, action, state=state, done=done, skipped=number % 4, failed=number % 5,
            target=self.said(f"state:dead_letter queue:{QUEUES[number % 6]}"),
            reason=self.said("gateway fixed, OPS-311"), actor=self.said("anna"),
            started_at_ms=NOW_MS - (number + 1) * MINUTE_MS,
            ended_at_ms=NOW_MS - number * MINUTE_MS if is_over else 0, remaining_ms=0 if is_over else 75_000,
            undo_until_ms=NOW_MS + HOUR_MS if is_over else 0,
        )  # fmt: skip

    def events(self) -> list[msgspec.Struct]:
        if not self.rows:
            return []
        said = self.said
        return [
            event(1, "pause", target=said("reports.nightly"), actor=said("ci"), reason=said("migration 214")),
            event(2, "purge", target=said("state:dead_letter queue:media.thumbs"), actor=said("anna"), count=1_511),
            event(3, "worker_connected", target=said("ip-10-0-3-17"), actor=""),
        ]

    def summary(self, number: int) -> TaskSummary:
        said = self.said
        state = tuple(State)[number % len(State)]
        has_failed = state in (State.DEAD_LETTER, State.FAILED)
        return TaskSummary(
            id=task_id(number), task_type=said("charge_card"), queue=said(QUEUES[number % 6]), priority=5, state=state,
            submitted_at_ms=NOW_MS - (number + 1) * MINUTE_MS, scheduled_at_ms=0, ended_at_ms=0, attempt=number % 4,
            worker=said("ip-10-0-3-17") if number % 2 else "", error_type=said("builtins.TimeoutError") * has_failed,
            message=said("upstream took > 30 s") * has_failed, group="", key=None, tags=(),
        )  # fmt: skip

    def task(self, number: int) -> TaskView:
        said = self.said
        attempts = tuple(
            AttemptRecord(
                attempt, "failed", NOW_MS - (4 - attempt) * MINUTE_MS, NOW_MS - (4 - attempt) * MINUTE_MS + 30_000,
                said("ip-10-0-3-17"), said("builtins.TimeoutError"), said("upstream took > 30 s"), said(TRACEBACK),
            )
            for attempt in (1, 2, 3)
        )  # fmt: skip
        return TaskView(
            id=task_id(number), task_type=said("charge_card"), queue=said("orders.charge"), priority=5,
            state=State.DEAD_LETTER, payload=said('{"args":[],"kwargs":{"order_id":311,"cents":1990}}').encode(),
            content_type="application/json", submitted_at_ms=NOW_MS - 5 * MINUTE_MS, scheduled_at_ms=0,
            started_at_ms=NOW_MS - MINUTE_MS, ended_at_ms=NOW_MS - 30_000, expires_at_ms=0, attempt=3, max_retries=2,
            crashes=1, max_crashes=3, timeout_ms=30_000, worker=said("ip-10-0-3-17"), no_handler=False,
            cancel_requested=False, progress=Progress(0.4, said("card 4 of 10"), NOW_MS - 40_000), result=b"",
            result_content_type="", reason=said("out of attempts"), history=attempts, key=said("order-311"),
            tags=(said("vip"), said("eu")), resubmit_of=task_id(7), resubmitted_as=None,
        )  # fmt: skip


class MadeUpClient(AsyncClient):
    """Answers what the screens ask, at once."""

    def __init__(self, world: World) -> None:
        super().__init__("127.0.0.1:1", connect_timeout=0.2, reconnect_timeout=0.0)
        self._world = world

    async def list_tasks(self, *_: Any, **__: Any) -> TaskPage:
        found = [self._world.summary(number) for number in range(self._world.rows)]
        return TaskPage(0, found, total=len(found), is_total_exact=True)

    async def get_task(self, task_id: object) -> TaskView:
        if not self._world.rows:
            raise TaskNotFound(f"no task {task_id}")
        return self._world.task(0)

    async def why(self, *_: Any) -> Explanation:
        task, said = self._world.task(0), self._world.said
        reasons = (
            Reason(code="dead_letter", text=said("it failed for good after 3 attempts"), hint=said("tq dead retry")),
            Reason(code="note", text=said("its queue is paused"), is_cause=False),
        )
        return Explanation(
            id=task.id, task_type=task.task_type, queue=task.queue, state=task.state, worker=task.worker,
            submitted_at_ms=task.submitted_at_ms, reasons=reasons, history=(),
        )  # fmt: skip

    async def task_log(self, *_: Any, after: int = 0, **__: Any) -> LogPage:
        texts = ("asking the gateway", "no answer yet", "giving up")
        lines = [
            LogLine(number=number, at_ms=NOW_MS - 40_000 + number, level="info", attempt=3, text=self._world.said(text))
            for number, text in enumerate(texts, start=1)
        ]
        return LogPage(0, lines[after:], len(lines), is_over=True)

    async def worker(self, *_: Any) -> list[WorkerView]:
        said, live = self._world.said, self._world.worker(0)
        info = WorkerInfo(
            name=live.name, incarnation=bytes.fromhex(INCARNATION), host=live.host, pid=live.pid, status="connected",
            version=said("0.1.0"), queues=(said("orders.charge"),), task_types=(said("charge_card"),), concurrency=16,
            leases=2, running=2, prefetched=1, rss_bytes=64 << 20, connected_at_ms=NOW_MS - HOUR_MS,
            last_seen_at_ms=NOW_MS - 2_000, note=said("event loop blocked for 1.2 s"), cpu_percent=93,
            loop_blocked_ms=1_200, reported_at_ms=NOW_MS - 2_000,
        )  # fmt: skip
        held = tuple(
            HeldTask(
                id=task_id(number), task_type=said("charge_card"), queue=said("orders.charge"), attempt=number + 1,
                leased_at_ms=NOW_MS - (number + 1) * 9_000, deadline_ms=NOW_MS + (5_000 if number else -1_000),
                cancel_requested=number == 1, progress=Progress(0.25, said("a quarter"), NOW_MS),
            )
            for number in range(min(2, self._world.rows))
        )  # fmt: skip
        return [WorkerView(info=info, tasks=held)]

    async def history(self, *queues: str, **_: Any) -> dict[str, list[HistoryPoint]]:
        points = [
            HistoryPoint(NOW_MS // 1_000 * 1_000 - ago * 1_000, 40 + ago % 7, ago * ago % 90, 0, 0, 300 - ago)
            for ago in range(1, 300)
        ]
        return dict.fromkeys(queues, points)

    async def prepare(self, action: Action | str, *_: Any, **__: Any) -> Prepared:
        said = self._world.said
        return Prepared(
            0, token=b"token", action=Action(str(action)), count=1_190_422,
            queues=[QueueCount(said("webhooks.out"), 1_190_000), QueueCount(said("orders.charge"), 422)],
            sample=[self._world.summary(0)], as_of=88, rate=500, estimated_ms=40 * MINUTE_MS,
            expires_at_ms=NOW_MS + MINUTE_MS, warnings=[said("they still fail, 38 a minute: likely again")],
        )  # fmt: skip

    async def commit(self, *_: Any, **__: Any) -> Operation:
        return self._world.operation(0)

    async def signature(self, *_: Any) -> TaskSignature | None:
        return None

    async def close(self) -> None:
        """There is nothing to close."""


class Scene(NamedTuple):
    """A place, the keys that are pressed there, and the screen that is on top then, if not that of the place."""

    place: Place
    keys: tuple[str, ...] = ()
    then: type[object] | None = None


TABS = ("queues", "workers", "dead", "tasks", "activity")
SCENES: dict[str, Scene] = {
    **{name: Scene(Place(name)) for name in TABS},
    "queue": Scene(Place("queue", "orders.charge")),
    "worker": Scene(Place("worker", INCARNATION)),
    "found": Scene(Place("found", "state:dead_letter")),
    "task": Scene(Place("task", TASK)),
    "doctor": Scene(Place("doctor")),
    "help": Scene(Place("queues"), ("question_mark",), HelpScreen),
    "prompt": Scene(Place("queues"), ("colon", "d", "e")),
    "retry": Scene(Place("dead"), ("R",), Confirm),
    "purge": Scene(Place("dead"), ("P", "y"), Confirm),
    "edit": Scene(Place("task", TASK), ("E",), Edit),
}


@dataclass
class Stage:
    """A dashboard in which one can go from scene to scene."""

    app: TopApp
    feed: FakeFeed
    world: World
    pilot: "Pilot[None]" = field(repr=False)
    clock: "Clock" = field(repr=False)

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for what comes by itself."""
        async with asyncio.timeout(SECONDS_MAX):
            while not is_so():
                await self.pilot.pause(0.01)
        await settled(self.pilot)

    async def play(self, scene: Scene) -> None:
        """Go there, with all that the screen shows."""
        before = self.app.here
        await self.app.go(scene.place)
        await self.until(lambda: _is_there(self.app.here, scene.place, before))
        assert self.app.here is not None
        self.feed.frame(*(self.world.part(scope) for scope in ("totals", "attention", *self.app.here.scopes)))
        await self.until(lambda: not self._asks())
        for key in scene.keys:
            await self.pilot.press(key)
            await settled(self.pilot)
            if scene.then is not None:
                await self.until(lambda: isinstance(self.app.screen, scene.then or object))
        await settled(self.pilot)

    def _asks(self) -> bool:
        """Whether a frame has not been drawn yet, or an answer is to come."""
        # The feed goes on for ever, and an action for as long as its dialog is open.
        busy = [one for one in self.app.workers if one.name != "feed" and one.group != "action" and not one.is_finished]
        return bool(busy) or self.feed.has_more or (self.app.here is not None and bool(self.app.missing(self.app.here)))

    async def resize(self, width: int, height: int) -> None:
        """The terminal has another size."""
        await self.pilot.resize_terminal(width, height)
        await self.until(lambda: self._fills(width, height) and not self._asks())

    def _fills(self, width: int, height: int) -> bool:
        """Whether the screen is laid out in this size: Textual does so a moment after it knows of the size."""
        here = self.app.here
        return here is not None and here.query_one(Footer).region.bottom_right == (width, height)

    async def silence(self, seconds: float) -> None:
        """Nothing comes for a while."""
        self.clock.now += seconds
        self.app.draw_header()
        if self.app.here is not None:
            self.app.here.tell_time()
            self.app.here.say()
        await settled(self.pilot)

    async def lose(self) -> None:
        """The connection breaks."""
        self.feed.push(Disconnected("connection refused"))
        await self.silence(0.0)


class Clock:
    """Stands still, else nothing would look the same twice."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def _is_there(here: TopScreen | None, place: Place, before: TopScreen | None) -> bool:
    if here is None or not (here.has_begun and here.is_whole):
        return False
    return type(here) is type(MODES[place.screen]()) if place.screen in MODES else here is not before


@asynccontextmanager
async def stage(
    world: World | None = None,
    *,
    size: tuple[int, int] = (120, 40),
    look: Look | None = None,
    role: Role = Role.OPERATOR,
) -> AsyncIterator[Stage]:
    """A dashboard over a world."""
    app, set_up = dashboard(world or World(), look or Look(ASCII), role)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield await set_up(pilot)


def dashboard(
    world: World, look: Look, role: Role = Role.OPERATOR
) -> tuple[TopApp, "Callable[[Pilot[None]], Awaitable[Stage]]"]:
    """A dashboard that is not running yet, and what is to be awaited once it is."""
    feed, clock = FakeFeed(), Clock()
    app = TopApp(feed, look, MadeUpClient(world), clock)

    async def set_up(pilot: "Pilot[None]") -> Stage:
        feed.greet(role)
        on = Stage(app, feed, world, pilot, clock)
        await on.until(lambda: app.greeting is not None and app.has_started)
        return on

    return app, set_up

"""A broker loop over stand-ins, for tests of what it does when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.server.fakes import FakeCore, FakeSession, GatedStore, recording_logger
from tq.model.commands import Hello, Submit, WorkerHello
from tq.model.replies import Limits, Welcome
from tq.model.settings import Settings
from tq.model.task import TaskSpec
from tq.server.access import NOBODY
from tq.server.clock import Clock
from tq.server.gate import Gate
from tq.server.loop import TURN_SECONDS_MAX, UNSETTLED_BYTES_MAX, BrokerLoop, SyncPolicy
from tq.server.ports import Taken
from tq.server.vitals import Vitals

ID = b"0123456789abcdef"
WELCOME = Welcome(
    0,
    1,
    "0.1.0",
    "boot",
    "admin",
    Limits(
        frame_bytes_max=1,
        payload_bytes_max=1,
        batch_max=1,
        outstanding_requests_max=1,
        heartbeat_interval_ms=1,
    ),
)


def submit(request_id: int) -> Submit:
    return Submit(request_id, [TaskSpec(ID, "send", b"")])


def worker_hello(request_id: int = 0) -> Hello:
    return Hello(request_id, 1, worker=WorkerHello("w", ID, "host", 1, ["send"]))


class Bench:
    """A loop over fakes."""

    def __init__(
        self,
        sync: SyncPolicy = "always",
        *,
        interval_ms: int = 1,
        unsettled_bytes_max: int = UNSETTLED_BYTES_MAX,
        turn_seconds_max: float = TURN_SECONDS_MAX,
    ) -> None:
        self.store = GatedStore()
        self.cores: list[FakeCore] = []
        self.vitals = Vitals(version="0.1.0", boot_id="boot", started_at_ms=1, data_dir="", sync=sync)
        log, self.log = recording_logger()
        self.loop = BrokerLoop(
            store=self.store,
            open_core=lambda store: self._make_core(),
            welcome=WELCOME,
            gate=Gate(Settings()),
            sync=sync,
            sync_interval_ms=interval_ms,
            clock=Clock(),
            vitals=self.vitals,
            log=log,
            unsettled_bytes_max=unsettled_bytes_max,
            turn_seconds_max=turn_seconds_max,
        )

    def _make_core(self) -> FakeCore:
        self.cores.append(FakeCore())
        return self.cores[-1]

    @property
    def core(self) -> FakeCore:
        return self.cores[-1]

    def session(self, session_id: int, *, is_worker: bool = False, is_greeted: bool = True) -> FakeSession:
        session = FakeSession(session_id, is_worker=is_worker)
        if not is_greeted:
            session.access = NOBODY
        self.loop.add(session)
        return session

    def send(self, session: FakeSession, *requests: Taken, size: int = 1) -> None:
        session.outstanding += len(requests)
        self.loop.receive(session, list(requests), size)

    async def turn(self) -> None:
        """Until what was sent has been stepped."""
        await asyncio.sleep(0)


@asynccontextmanager
async def bench(
    sync: SyncPolicy = "always",
    *,
    interval_ms: int = 1,
    unsettled_bytes_max: int = UNSETTLED_BYTES_MAX,
    turn_seconds_max: float = TURN_SECONDS_MAX,
) -> AsyncIterator[Bench]:
    made = Bench(
        sync, interval_ms=interval_ms, unsettled_bytes_max=unsettled_bytes_max, turn_seconds_max=turn_seconds_max
    )
    await made.turn()
    try:
        async with asyncio.timeout(20):
            yield made
    finally:
        made.store.open_gate()
        made.loop.close()
        if made.loop.died.done():
            made.loop.died.exception()

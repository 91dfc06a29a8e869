"""A whole broker: the real store, real sockets, real signals."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.server.fakes import GatedStore, LogRecorder, recording_logger
from tests.server.process import BrokerProcess
from tests.server.wire import Wire
from tq.engine.tables import Table
from tq.model.commands import GetMetrics, GetStats, GetTask, Submit
from tq.model.errors import ConfigInvalid, StorageCorrupt, StorageInUse
from tq.model.replies import ErrorReply, MetricsReply, StatsReply, Stopping, Submitted, TaskReply
from tq.model.settings import BrokerSettings, PersistenceSettings, Settings
from tq.model.task import TaskSpec
from tq.server.broker import Broker, open_store
from tq.server.clock import Clock
from tq.storage.memory import MemoryStore
from tq.storage.rocks import RocksStore


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory whose name leaves room in the 107 bytes of a socket's address."""
    link = Path(f"/tmp/tq-test-{os.getpid()}-{os.urandom(4).hex()}")
    link.symlink_to(tmp_path)
    yield link / "data"
    link.unlink()


def settings_for(
    data_dir: Path,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    is_insecure: bool = False,
    path: str = "",
    stop_seconds: int = 10,
    min_free_bytes: int = 0,
) -> Settings:
    return Settings(
        broker=BrokerSettings(
            host=host, port=port, socket=path, insecure=is_insecure, graceful_shutdown_timeout_secs=stop_seconds
        ),
        persistence=PersistenceSettings(data_dir=str(data_dir), min_free_bytes=min_free_bytes),
    )


def submit(number: int) -> Submit:
    return Submit(number, [TaskSpec(number.to_bytes(16, "big"), "send", b"payload")])


def get(number: int) -> GetTask:
    return GetTask(number, number.to_bytes(16, "big"))


class Running:
    """A broker in this process, its log, and its clients."""

    def __init__(self, broker: Broker, log: LogRecorder) -> None:
        self.broker = broker
        self.log = log
        self.wires: list[Wire] = []

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.broker.addresses

    async def connect(self, number: int = 0) -> Wire:
        """A client of one of the addresses."""
        address = self.addresses[number]
        if address.startswith("unix://"):
            wire = Wire(*await asyncio.open_unix_connection(address.removeprefix("unix://")))
        else:
            host, _, port = address.removeprefix("tcp://").rpartition(":")
            wire = Wire(*await asyncio.open_connection(host, int(port)))
        self.wires.append(wire)
        await wire.greet()
        return wire


@asynccontextmanager
async def running(settings: Settings, *, is_ephemeral: bool = False) -> AsyncIterator[Running]:
    log, recorder = recording_logger()
    store = open_store(settings, log, is_ephemeral=is_ephemeral)
    broker = Broker(settings, store, log, is_ephemeral=is_ephemeral)
    await broker.start()
    run = Running(broker, recorder)
    try:
        async with asyncio.timeout(30):
            yield run
    finally:
        for wire in run.wires:
            wire.writer.close()
        if "broker_stopping" not in recorder.names():
            await broker.stop()


async def test_a_task_submitted_over_tcp_is_seen_over_the_unix_socket_and_after_a_restart(data_dir: Path) -> None:
    settings = settings_for(data_dir)
    async with running(settings) as run:
        tcp, unix = await run.connect(0), await run.connect(1)
        submitted = await tcp.ask(submit(1))
        seen = await unix.ask(get(1))

    async with running(settings) as second:
        again = await (await second.connect()).ask(get(1))

    assert submitted == Submitted(1)
    assert run.addresses[1] == f"unix://{data_dir}/tq.sock"
    assert isinstance(seen, TaskReply)
    assert isinstance(again, TaskReply)
    assert again.task.payload == b"payload"
    assert second.log.find("storage_opened")["is_new"] is False


async def test_stats_name_the_process_and_its_addresses(data_dir: Path) -> None:
    async with running(settings_for(data_dir)) as run:
        reply = await (await run.connect()).ask(GetStats(1))

    assert isinstance(reply, StatsReply)
    assert reply.process is not None
    assert reply.process.addresses == run.addresses
    assert reply.process.data_dir == str(data_dir)
    assert reply.process.disk_free_bytes > 0
    assert run.log.find("broker_started")["sync"] == "always"


async def test_metrics_have_the_commits_the_syncs_and_the_connections_of_the_process(data_dir: Path) -> None:
    async with running(settings_for(data_dir)) as run:
        wire = await run.connect()
        await wire.ask(submit(1))
        reply = await wire.ask(GetMetrics(2))

    assert isinstance(reply, MetricsReply)
    process = reply.metrics.process
    assert process is not None
    assert sum(process.commit_us.counts) == process.stats.commits_total >= 1
    assert sum(process.sync_us.counts) >= 1
    assert 0 < process.sync_us.sum <= process.commit_us.sum
    assert (process.stats.connections, process.connections_total, process.denied_total) == (1, 1, 0)
    assert process.connections_max == BrokerSettings().max_connections
    assert process.cpu_ms > 0


async def test_a_stop_tells_everybody_and_removes_the_socket(data_dir: Path) -> None:
    async with running(settings_for(data_dir)) as run:
        wire = await run.connect(1)
        stopping = asyncio.ensure_future(run.broker.stop())
        goodbye = await wire.receive()
        assert await wire.is_ended()
        wire.writer.close()
        await stopping

    assert goodbye == Stopping()
    assert not (data_dir / "tq.sock").exists()
    assert run.log.names()[-1] == "broker_stopped"


async def test_a_stop_does_not_wait_for_ever_for_those_who_do_not_leave(data_dir: Path) -> None:
    async with running(settings_for(data_dir, stop_seconds=0)) as run:
        await run.connect()
        await run.broker.stop()

    assert "stop_timed_out" in run.log.names()


async def test_an_ephemeral_broker_leaves_nothing_behind(data_dir: Path) -> None:
    async with running(settings_for(data_dir), is_ephemeral=True) as run:
        answer = await (await run.connect()).ask(submit(1))

    assert answer == Submitted(1)
    assert len(run.addresses) == 1
    assert not data_dir.exists()


async def test_no_socket_is_made_if_none_is_wanted(data_dir: Path) -> None:
    async with running(settings_for(data_dir, path="none")) as run:
        pass

    assert len(run.addresses) == 1


async def test_a_socket_may_be_elsewhere(data_dir: Path) -> None:
    path = data_dir.parent / "other" / "my.sock"
    async with running(settings_for(data_dir, path=str(path)), is_ephemeral=True) as run:
        pass

    assert run.addresses[1] == f"unix://{path}"


async def test_a_data_directory_too_deep_for_a_socket_is_served_without_one(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path / ("x" * 100))) as run:
        pass

    assert len(run.addresses) == 1
    assert run.log.find("socket_unavailable")["level"] == "warning"


async def test_a_socket_that_was_asked_for_and_cannot_be_had_is_an_error(data_dir: Path) -> None:
    log, _ = recording_logger()
    settings = settings_for(data_dir, path=str(data_dir / ("x" * 120)))

    with pytest.raises(ConfigInvalid, match="cannot listen on socket"):
        await Broker(settings, open_store(settings, log), log).start()

    RocksStore.open(data_dir).close()  # it was let go of


async def test_a_busy_port_is_insisted_on_unless_another_will_do(data_dir: Path) -> None:
    log, recorder = recording_logger()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = settings_for(data_dir, port=port)
        with pytest.raises(ConfigInvalid, match="in use"):
            await Broker(settings, MemoryStore(), log, is_ephemeral=True).start()

        broker = Broker(settings, MemoryStore(), log, is_ephemeral=True, takes_next_free_port=True)
        await broker.start()
        await broker.stop()

    assert broker.addresses[0] != f"tcp://127.0.0.1:{port}"
    assert recorder.find("port_taken")["wanted"] == port


async def test_an_open_address_needs_to_be_asked_for_and_is_warned_of(data_dir: Path) -> None:
    log, recorder = recording_logger()
    with pytest.raises(ConfigInvalid, match="not loopback"):
        await Broker(settings_for(data_dir, host="0.0.0.0"), MemoryStore(), log, is_ephemeral=True).start()

    broker = Broker(settings_for(data_dir, host="0.0.0.0", is_insecure=True), MemoryStore(), log, is_ephemeral=True)
    await broker.start()
    await broker.stop()

    assert recorder.find("broker_insecure")["level"] == "warning"


async def test_a_data_directory_has_one_broker(data_dir: Path) -> None:
    settings = settings_for(data_dir)
    async with running(settings):
        log, _ = recording_logger()
        with pytest.raises(StorageInUse, match=str(os.getpid())):
            open_store(settings, log)


async def test_a_store_that_cannot_be_read_is_closed_again(data_dir: Path) -> None:
    class Unreadable(GatedStore):
        def range(
            self, table: Table, start: bytes, end: bytes, limit: int, is_descending: bool = False
        ) -> list[tuple[bytes, bytes]]:
            raise StorageCorrupt("bad block")

        def get(self, table: Table, key: bytes) -> bytes | None:
            raise StorageCorrupt("bad block")

    store = Unreadable()
    log, _ = recording_logger()

    with pytest.raises(StorageCorrupt):
        await Broker(settings_for(data_dir), store, log).start()

    assert store.is_closed


async def test_a_disk_that_is_nearly_full_is_noticed(data_dir: Path) -> None:
    async with running(settings_for(data_dir, min_free_bytes=1 << 60)) as run:
        answer = await (await run.connect()).ask(submit(1))

    assert isinstance(answer, ErrorReply)
    assert answer.code == "DISK_FULL"
    assert run.log.find("disk_low")["min_free_bytes"] == 1 << 60


async def test_a_wall_clock_set_back_is_reported_once_and_so_is_its_return(data_dir: Path) -> None:
    wall_ms = 1_700_000_000_000
    log, recorder = recording_logger()
    broker = Broker(
        settings_for(data_dir),
        MemoryStore(),
        log,
        is_ephemeral=True,
        clock=Clock(lambda: wall_ms * 1_000_000, lambda: 0),
    )
    await broker.start()

    wall_ms -= 60_000
    broker.check()
    broker.check()
    wall_ms += 60_000
    broker.check()
    await broker.stop()

    assert recorder.find("clock_set_back")["ahead_ms"] == 60_000
    assert recorder.names().count("clock_caught_up") == 1


async def test_a_process_stops_gracefully_on_sigterm(data_dir: Path) -> None:
    settings = settings_for(data_dir)
    broker = await BrokerProcess.start(settings)
    wire = await broker.connect()
    wire.send(submit(1))

    broker.signal(signal.SIGTERM)
    answers = [await wire.receive(), await wire.receive()]
    wire.writer.close()
    code = await broker.ended()

    assert code == 0
    assert answers == [Submitted(1), Stopping()]
    assert broker.names()[-1] == "broker_stopped"
    assert not (data_dir / "tq.sock").exists()


async def test_a_second_signal_ends_the_process_at_once(data_dir: Path) -> None:
    broker = await BrokerProcess.start(settings_for(data_dir))
    wire = await broker.connect()  # and it does not leave

    broker.signal(signal.SIGINT)
    await broker.until("broker_stopping")
    broker.signal(signal.SIGTERM)
    code = await broker.ended()
    wire.writer.close()

    assert code == 128 + signal.SIGTERM
    assert "broker_stopped" not in broker.names()


async def test_a_disk_that_fails_ends_the_process_with_the_reason(data_dir: Path) -> None:
    broker = await BrokerProcess.start(settings_for(data_dir), "die")

    code = await broker.ended()

    assert code == 1
    assert "STORAGE_FAILED: input/output error" in broker.rest
    assert "ZeroDivisionError" in next(e["exception"] for e in broker.events if e["message"] == "callback_failed")


async def test_what_was_acknowledged_survives_kill_9(data_dir: Path) -> None:
    """Under load, at no particular moment, several times; the socket left behind is no obstacle."""
    settings = settings_for(data_dir)
    acknowledged: set[int] = set()
    number = 0
    for _ in range(3):
        broker = await BrokerProcess.start(settings)
        wire = await broker.connect()
        for known in acknowledged:
            wire.send(get(known))
        found = [await wire.receive() for _ in acknowledged]
        assert all(isinstance(answer, TaskReply) for answer in found)

        enough = len(acknowledged) + 300
        with suppress(EOFError, ConnectionError):
            while True:
                for _ in range(20):
                    number += 1
                    wire.send(submit(number))
                answer = await wire.receive()
                assert isinstance(answer, Submitted)
                acknowledged.add(answer.request_id)
                if len(acknowledged) == enough:
                    broker.signal(signal.SIGKILL)
        wire.writer.close()
        assert await broker.ended() == -signal.SIGKILL

    broker = await BrokerProcess.start(settings)
    wire = await broker.connect()
    for known in acknowledged:
        wire.send(get(known))
    found = [await wire.receive() for _ in acknowledged]
    broker.signal(signal.SIGTERM)
    wire.writer.close()

    assert await broker.ended() == 0
    assert len(acknowledged) >= 900
    assert all(isinstance(answer, TaskReply) for answer in found)

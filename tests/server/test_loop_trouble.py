"""The broker loop when the disk is full, fails, or the broker must stop: nothing false is said, and nothing is lost."""

import asyncio
from pathlib import Path

import pytest

from tests.server.bench import ID, Bench, bench, submit, worker_hello
from tests.server.fakes import FakeSession
from tq.engine.ledger import Disk
from tq.model.commands import Ack, Backup, GetStats, GetTask, Heartbeat, Hello, Resubmit, Watch
from tq.model.errors import DiskFull, StorageFailed, TqError
from tq.model.replies import Affected, Deliver, Drain, ErrorReply, StatsReply, Stopping, Submitted, Welcome
from tq.model.stats import EngineStats
from tq.server.loop import REOPEN_BYTES_MIN

PLENTY = 1 << 40


def codes(session: FakeSession) -> list[str]:
    return [message.code for message in session.received if isinstance(message, ErrorReply)]


async def fill_the_disk(b: Bench, session: FakeSession) -> None:
    """Have a sync fail for want of room."""
    b.send(session, submit(1))
    await b.store.sync_begun()
    b.store.end_sync(DiskFull("no room"))
    await session.until(1)


async def test_a_batch_that_could_not_be_synced_and_what_came_after_it_are_declared_unknown() -> None:
    async with bench() as b:
        session, later = b.session(1), b.session(2)
        b.send(session, submit(1))
        await b.store.sync_begun()
        b.send(later, submit(2))
        await b.turn()

        b.store.end_sync(DiskFull("no room"))
        await later.until(1)

    assert codes(session) == codes(later) == ["OUTCOME_UNKNOWN"]


async def test_pushes_of_a_lost_batch_are_dropped_and_workers_must_greet_again() -> None:
    """Their leases are in the engine's memory alone, which is thrown away."""
    async with bench() as b:
        session, worker = b.session(1), b.session(2, is_worker=True)
        b.core.pushes = [(2, Deliver([]))]

        await fill_the_disk(b, session)

    assert worker.received == []
    assert worker.is_ended


async def test_a_full_disk_leaves_reads_and_refuses_writes() -> None:
    async with bench() as b:
        await fill_the_disk(b, b.session(1))
        session, new = b.session(2), b.session(3, is_greeted=False)

        b.send(session, GetTask(1, ID), submit(2), Ack(3, []), Heartbeat(0))
        b.send(new, Hello(4, 1))
        answers = await session.until(3)
        welcomes = await new.until(1)

    assert answers[0] == Affected(1, 0)
    assert isinstance(welcomes[0], Welcome)
    assert codes(session) == ["DISK_FULL", "DISK_FULL"]
    assert b.store.reopens == 1
    assert b.store.applied == [1]
    assert b.vitals.why_not_accepting
    assert session.outstanding == 0


async def test_a_worker_is_not_taken_while_the_disk_is_full() -> None:
    """It would be given tasks whose leases cannot be written."""
    async with bench() as b:
        await fill_the_disk(b, b.session(1))
        worker = b.session(2, is_greeted=False)

        b.send(worker, worker_hello())
        await worker.until(1)

    assert codes(worker) == ["DISK_FULL"]
    assert worker.is_finishing


async def test_what_the_engine_would_write_while_the_disk_is_full_is_not_written() -> None:
    async with bench() as b:
        await fill_the_disk(b, b.session(1))
        session = b.session(2)
        b.core.write()

        b.send(session, GetTask(1, ID))
        await session.until(1)

    assert b.store.applied == [1]
    assert b.core.advanced == []


async def test_the_broker_takes_tasks_again_by_itself_once_there_is_room() -> None:
    async with bench() as b:
        await fill_the_disk(b, b.session(1))
        session = b.session(2)

        b.loop.note_disk(REOPEN_BYTES_MIN - 1, bytes_min=0)
        b.send(session, submit(1))
        await session.until(1)
        b.loop.note_disk(REOPEN_BYTES_MIN, bytes_min=0)
        b.send(session, submit(2))
        await b.store.sync_begun()
        b.store.end_sync()
        answers = await session.until(2)

    assert codes(session) == ["DISK_FULL"]
    assert answers[1] == Submitted(2)
    assert b.core.advanced
    assert b.vitals.why_not_accepting == ""
    assert b.log.names().count("disk_recovered") == 1


async def test_a_store_that_cannot_be_opened_for_want_of_room_is_tried_again_and_read_meanwhile() -> None:
    async with bench() as b:
        b.store.on_reopen = DiskFull("still no room")
        await fill_the_disk(b, b.session(1))
        session = b.session(2)

        b.loop.note_disk(PLENTY, bytes_min=0)
        b.send(session, GetTask(1, ID), submit(2))
        await session.until(2)
        b.store.on_reopen = None
        b.loop.note_disk(PLENTY, bytes_min=0)
        b.send(session, submit(3))
        await b.store.sync_begun()
        b.store.end_sync()
        answers = await session.until(3)

    assert b.store.reopens == 3
    assert answers[0] == Affected(1, 0)
    assert codes(session) == ["DISK_FULL"]
    assert answers[2] == Submitted(3)


async def test_a_disk_that_is_full_when_a_batch_is_written_is_the_same() -> None:
    async with bench() as b:
        session, other = b.session(1), b.session(2)
        b.send(other, submit(1))
        await b.store.sync_begun()
        b.send(session, submit(2))
        await b.turn()

        b.store.on_apply = DiskFull("no room")
        b.store.end_sync()
        await session.until(1)

    assert other.received == [Submitted(1)]
    assert codes(session) == ["OUTCOME_UNKNOWN"]
    assert b.vitals.why_not_accepting


async def test_with_sync_interval_a_store_is_not_reopened_under_a_running_sync() -> None:
    async with bench("interval") as b:
        session = b.session(1)
        b.send(session, submit(1))
        await b.store.sync_begun()
        b.store.on_apply = DiskFull("no room")

        b.send(session, submit(2))
        await session.until(2)
        early = b.store.reopens
        b.store.on_apply = None
        b.store.end_sync(DiskFull("no room"))
        while not b.store.reopens:
            await asyncio.sleep(0.001)
        b.loop.note_disk(PLENTY, bytes_min=0)

    assert early == 0
    assert codes(session) == ["OUTCOME_UNKNOWN"]
    assert b.vitals.why_not_accepting == ""


@pytest.mark.parametrize("is_on_apply", [True, False])
async def test_a_disk_that_fails_ends_the_broker_and_is_never_synced_again(is_on_apply: bool) -> None:
    """The kernel may have dropped the page that it could not write: a second fsync would succeed and lie."""
    async with bench() as b:
        session = b.session(1)
        failure = StorageFailed("input/output error")
        if is_on_apply:
            b.store.on_apply = failure
            b.send(session, submit(1))
        else:
            b.send(session, submit(1))
            await b.store.sync_begun()
            b.store.end_sync(failure)
        await asyncio.wait({b.loop.died})
        syncs = b.store.syncs_begun
        b.send(session, submit(2))
        await b.turn()
        b.loop.note_disk(PLENTY, bytes_min=0)
        await b.loop.stop()
        b.loop.close()

    assert codes(session) == ["OUTCOME_UNKNOWN"]
    assert session.is_ended
    assert b.loop.died.exception() is failure
    assert b.store.syncs_begun == syncs
    assert not b.store.is_closed
    assert b.log.find("broker_failed")["level"] == "critical"


async def test_a_store_that_fails_while_it_is_reopened_ends_the_broker() -> None:
    async with bench() as b:
        session = b.session(1)
        b.store.on_reopen = StorageFailed("gone")
        await fill_the_disk(b, session)
        await asyncio.wait({b.loop.died})

    assert isinstance(b.loop.died.exception(), StorageFailed)


async def test_a_store_that_fails_when_there_is_room_again_ends_the_broker() -> None:
    async with bench() as b:
        session = b.session(1)
        b.store.on_reopen = DiskFull("no room")
        await fill_the_disk(b, session)

        b.store.on_reopen = StorageFailed("gone")
        b.loop.note_disk(PLENTY, bytes_min=0)
        await asyncio.wait({b.loop.died})

    assert isinstance(b.loop.died.exception(), StorageFailed)


async def test_a_disk_that_is_nearly_full_takes_nothing_new_and_lets_workers_finish() -> None:
    zeros = EngineStats(**dict.fromkeys(EngineStats.__struct_fields__, 0))
    async with bench() as b:
        session = b.session(1)

        b.loop.note_disk(99, bytes_min=100)
        b.loop.note_disk(98, bytes_min=100)
        b.send(session, submit(1), Resubmit(2, ID, ID), Ack(3, []))
        await b.store.sync_begun()
        b.store.end_sync()
        await session.until(3)
        b.core.on_step = lambda _session, request: StatsReply(request.request_id, zeros)
        b.send(session, GetStats(4))
        stats = (await session.until(4))[3]
        b.core.on_step = None
        b.loop.note_disk(100, bytes_min=100)
        b.send(session, submit(5))
        await b.store.sync_begun()
        b.store.end_sync()
        answers = await session.until(5)

    assert codes(session) == ["DISK_FULL", "DISK_FULL"]
    assert answers[2] == Affected(3, 1)
    assert isinstance(stats, StatsReply)
    assert stats.process is not None
    assert not stats.process.is_accepting
    assert "disk" in stats.process.why_not_accepting
    assert stats.process.disk_free_bytes == 98
    assert answers[4] == Submitted(5)
    assert b.log.names() == ["disk_low", "disk_recovered"]


async def test_a_stop_answers_what_was_taken_refuses_the_rest_and_says_goodbye() -> None:
    async with bench() as b:
        session, late = b.session(1), b.session(2)
        b.send(session, submit(1))

        stopping = asyncio.ensure_future(b.loop.stop())
        await b.store.sync_begun()
        b.send(late, submit(2), GetTask(3, ID), Hello(4, 1))
        await b.turn()
        is_early = stopping.done() or session.is_ended
        b.store.open_gate()
        await stopping

    assert not is_early
    assert session.received == [Submitted(1), Stopping()]
    assert codes(late) == ["SHUTTING_DOWN"] * 3
    assert late.received[-1] == Stopping()
    assert session.is_ended
    assert late.is_ended
    assert b.store.is_closed


async def test_nothing_is_dispatched_once_the_broker_stops() -> None:
    async with bench() as b:
        b.session(1)
        b.core.deadlines = [0]
        await b.loop.stop()
        advanced = len(b.core.advanced)
        for _ in range(5):
            await b.turn()

    assert len(b.core.advanced) == advanced


async def test_a_stop_waits_for_a_backup() -> None:
    async with bench() as b:
        session = b.session(1)
        b.send(session, Backup(1, "/backup"))
        await b.turn()

        stopping = asyncio.ensure_future(b.loop.stop())
        await b.turn()
        await b.turn()
        is_early = stopping.done()
        b.store.backup_gate.set()
        await stopping

    assert not is_early
    assert session.received == [Affected(1, 1), Stopping()]


async def test_a_defect_met_while_stopping_does_not_keep_the_broker_from_stopping() -> None:
    async with bench() as b:
        session = b.session(1)

        def fail(_session: int, request: object) -> None:
            raise ZeroDivisionError

        b.core.on_step = fail
        b.send(session, submit(1))
        await b.loop.stop()

    assert codes(session) == ["INTERNAL"]
    assert b.store.is_closed


async def test_a_backup_is_made_beside_the_loop_one_at_a_time() -> None:
    async with bench() as b:
        session = b.session(1)

        b.send(session, Backup(1, "/backup"), Backup(2, "/other"))
        await session.until(1)
        b.send(session, GetTask(3, ID))
        await session.until(2)
        b.store.backup_gate.set()
        answers = await session.until(3)

    assert codes(session) == ["WRONG_STATE"]
    assert answers[1:] == [Affected(3, 0), Affected(1, 1)]
    assert b.store.backups == [Path("/backup")]
    assert b.log.find("backup_made")["directory"] == "/backup"


@pytest.mark.parametrize(
    ("directory", "failure", "code"),
    [
        ("relative", None, "INVALID_ARGUMENT"),
        ("/backup", DiskFull("no room"), "DISK_FULL"),
        ("/backup", ZeroDivisionError("secret"), "INTERNAL"),
    ],
)
async def test_a_backup_that_cannot_be_made_is_answered_with_the_reason(
    directory: str, failure: TqError | None, code: str
) -> None:
    async with bench() as b:
        session = b.session(1)
        b.store.on_backup = failure
        b.store.backup_gate.set()

        b.send(session, Backup(1, directory))
        (answer,) = await session.until(1)

    assert isinstance(answer, ErrorReply)
    assert answer.code == code
    assert "secret" not in answer.message


async def test_a_sync_that_does_not_end_does_not_keep_the_process_from_ending() -> None:
    async with bench() as b:
        session = b.session(1)
        b.send(session, submit(1))
        await b.store.sync_begun()

        b.loop.close(sync_seconds_max=0.01)

    assert b.log.find("sync_hangs")["level"] == "error"


async def test_who_watches_is_told_of_a_full_disk_while_nothing_is_written() -> None:
    async with bench() as b:
        b.store.on_reopen = DiskFull("still no room")
        await fill_the_disk(b, b.session(1))
        session = b.session(2)
        b.core.pushes = [(2, Drain())]

        b.loop.note_disk(17, bytes_min=99)
        await session.until(1)

    assert b.core.disks == [Disk("the disk is full: only reads are served", True, 17, 99)]
    assert b.core.shown
    assert session.received == [Drain()]


async def test_who_watches_is_sent_away_when_the_engine_is_loaded_again() -> None:
    """The new engine knows nothing of it: it would wait for frames for ever."""
    async with bench() as b:
        session, other = b.session(1), b.session(2)
        b.send(session, Watch(1, ["totals"]))
        await session.until(1)
        await fill_the_disk(b, b.session(3))

    assert session.is_ended
    assert not other.is_ended

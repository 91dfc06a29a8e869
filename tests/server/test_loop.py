"""The broker loop: what is answered, when, and what becomes of it when the disk says no."""

import asyncio

import pytest

from tests.server.bench import ID, bench, submit, worker_hello
from tq.model.commands import Fetch, GetStats, GetTask, Heartbeat, Hello, Submit
from tq.model.errors import InvalidArgument, StorageCorrupt, StorageFailed
from tq.model.identity import Role
from tq.model.replies import (
    Affected,
    Deliver,
    Drain,
    ErrorReply,
    Reply,
    Settled,
    StatsReply,
    Submitted,
    Welcome,
)
from tq.model.stats import EngineStats
from tq.server.clock import Clock


async def test_a_request_is_answered_only_after_its_batch_is_on_disk() -> None:
    """What was acknowledged is on disk."""
    async with bench() as b:
        session = b.session(1)

        b.send(session, submit(5))
        await b.store.sync_begun()
        before = list(session.received)
        b.store.end_sync()
        after = await session.until(1)

    assert b.store.applied == [1]
    assert before == []
    assert after == [Submitted(5)]


async def test_requests_that_come_during_a_sync_are_stepped_at_once_and_committed_together_after_it() -> None:
    """Load makes batches larger, not latency longer."""
    async with bench() as b:
        session = b.session(1)
        b.send(session, submit(1))
        await b.store.sync_begun()

        b.send(session, submit(2))
        await b.turn()
        b.send(session, submit(3))
        await b.turn()
        stepped, applied = len(b.core.stepped), list(b.store.applied)
        b.store.end_sync()
        await b.store.sync_begun()
        first = list(session.received)
        b.store.end_sync()
        await session.until(3)

    assert (stepped, applied) == (3, [1])
    assert first == [Submitted(1)]
    assert b.store.applied == [1, 2]
    assert session.writes[1] == [Submitted(2), Submitted(3)]


async def test_a_read_is_answered_at_once_when_nothing_is_being_synced() -> None:
    async with bench() as b:
        session = b.session(1)

        b.send(session, GetTask(4, ID))
        answers = await session.until(1)

    assert answers == [Affected(4, 0)]
    assert b.store.syncs_begun == 0


async def test_a_read_waits_for_the_sync_whose_rows_it_may_have_seen() -> None:
    """What is shown is true: a task that a power cut could still undo is not shown."""
    async with bench() as b:
        writer, reader = b.session(1), b.session(2)
        b.send(writer, submit(1))
        await b.store.sync_begun()

        b.send(reader, GetTask(2, ID))
        await b.turn()
        before = list(reader.received)
        b.store.end_sync()
        await reader.until(1)

    assert before == []
    assert reader.received == [Affected(2, 0)]
    assert b.store.syncs_begun == 1


async def test_all_messages_of_a_batch_for_one_connection_leave_in_order_and_in_one_piece() -> None:
    async with bench() as b:
        session, other = b.session(1), b.session(2)
        b.core.pushes = [(1, Drain()), (2, Deliver([])), (1, Deliver([]))]

        b.send(session, submit(1), submit(2))
        await b.store.sync_begun()
        b.store.end_sync()
        await session.until(4)

    assert session.writes == [[Submitted(1), Submitted(2), Drain(), Deliver([])]]
    assert other.writes == [[Deliver([])]]


async def test_a_refused_request_is_answered_with_its_error_and_stops_no_other() -> None:
    async with bench() as b:
        session = b.session(1)

        def refuse_the_second(_session: int, request: object) -> Reply | None:
            assert isinstance(request, Submit)
            if request.request_id == 2:
                raise InvalidArgument("no", hint="do not")
            return b.core.answer(request)

        b.core.on_step = refuse_the_second
        b.send(session, submit(1), submit(2), submit(3))
        await b.store.sync_begun()
        b.store.end_sync()
        answers = await session.until(3)

    assert answers == [Submitted(1), ErrorReply(2, "INVALID_ARGUMENT", "no", "do not"), Submitted(3)]


async def test_a_refused_request_without_an_id_ends_its_connection() -> None:
    async with bench() as b:
        session = b.session(1)

        def refuse(_session: int, request: object) -> Reply | None:
            raise InvalidArgument("not a worker")

        b.core.on_step = refuse
        b.send(session, Fetch(0, 5))
        answers = await session.until(1)

    assert answers == [ErrorReply(0, "INVALID_ARGUMENT", "not a worker")]
    assert session.is_finishing


async def test_requests_without_a_reply_do_not_count_as_unanswered() -> None:
    async with bench() as b:
        session = b.session(1, is_worker=True)

        b.send(session, Fetch(0, 5), Heartbeat(0), submit(1))
        await b.store.sync_begun()
        unanswered = session.outstanding
        b.store.end_sync()
        await session.until(1)

    assert unanswered == 1
    assert session.outstanding == 0


async def test_a_defect_in_a_read_is_internal_on_the_wire_and_its_trace_stays_in_the_log() -> None:
    async with bench() as b:
        session, other = b.session(1), b.session(2)

        def fail(_session: int, request: object) -> Reply | None:
            if isinstance(request, GetTask):
                raise ZeroDivisionError("secret")
            assert isinstance(request, Submit)
            return b.core.answer(request)

        b.core.on_step = fail
        b.send(other, submit(8))
        b.send(session, GetTask(9, ID))
        await b.store.sync_begun()
        b.store.end_sync()
        (answer,) = await session.until(1)

    assert isinstance(answer, ErrorReply)
    assert (answer.request_id, answer.code) == (9, "INTERNAL")
    assert "secret" not in answer.message + answer.hint
    assert isinstance(b.log.find("request_failed")["exc_info"], ZeroDivisionError)
    assert other.received == [Submitted(8)]
    assert len(b.cores) == 1


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (ZeroDivisionError(), "INTERNAL"),
        (StorageCorrupt("a row that cannot be read"), "STORAGE_CORRUPT"),
        (StorageFailed("a read that failed"), "STORAGE_FAILED"),
    ],
)
async def test_trouble_in_the_middle_of_a_change_throws_the_engine_away_and_what_it_had_not_committed(
    trouble: Exception, code: str
) -> None:
    """A step that stopped half way may have left anything behind: none of it may reach the disk."""
    async with bench() as b:
        culprit, victim, idle = b.session(1), b.session(2), b.session(4)
        worker = b.session(3, is_worker=True)
        spoiled = b.core

        def fail(session: int, request: object) -> Reply | None:
            assert isinstance(request, Submit)
            spoiled.write()
            if session == 1:
                raise trouble
            return Submitted(request.request_id)

        spoiled.on_step = fail
        b.send(victim, submit(1))
        b.send(culprit, submit(2))
        await victim.until(1)
        await b.turn()

    assert [type(m) for m in culprit.received] == [ErrorReply]
    assert [m.code for m in culprit.received + victim.received if isinstance(m, ErrorReply)] == [
        code,
        "OUTCOME_UNKNOWN",
    ]
    assert b.store.applied == []
    assert len(b.cores) == 2
    assert b.core.opened
    assert worker.is_ended
    assert not idle.is_ended


async def test_work_goes_on_after_the_engine_was_thrown_away() -> None:
    async with bench() as b:
        session = b.session(1)

        def fail(_session: int, request: object) -> Reply | None:
            raise ZeroDivisionError

        b.core.on_step = fail
        b.send(session, submit(1))
        await session.until(1)
        b.send(session, submit(2))
        await b.store.sync_begun()
        b.store.end_sync()
        answers = await session.until(2)

    assert answers[1] == Submitted(2)


async def test_a_defect_in_work_that_nobody_asked_for_ends_the_broker() -> None:
    """It would meet the same defect for ever; a supervisor may start it again."""
    async with bench() as b:
        session = b.session(1)

        def fail() -> None:
            raise ZeroDivisionError

        b.core.on_advance = fail
        b.send(session, submit(1))
        (answer,) = await session.until(1)
        await asyncio.wait({b.loop.died})

    assert isinstance(answer, ErrorReply)
    assert answer.code == "OUTCOME_UNKNOWN"
    assert isinstance(b.loop.died.exception(), ZeroDivisionError)
    assert b.log.find("broker_failed")["level"] == "critical"
    assert b.store.applied == []


async def test_a_client_and_a_worker_are_welcomed_and_a_worker_told_what_it_lost() -> None:
    async with bench() as b:
        client, worker = b.session(1, is_greeted=False), b.session(2, is_greeted=False)

        def lose(_session: int, request: object) -> Reply | None:
            assert isinstance(request, Hello)
            return Settled(request.request_id, [ID])

        b.core.on_step = lose
        b.send(client, Hello(7, 1))
        b.send(worker, worker_hello())
        await worker.until(1)

    (welcome,) = client.received
    (lost,) = worker.received
    assert isinstance(welcome, Welcome)
    assert isinstance(lost, Welcome)
    assert (welcome.request_id, welcome.boot_id, welcome.lost) == (7, "boot", [])
    assert lost.lost == [ID]
    assert (client.is_worker, worker.is_worker) == (False, True)
    assert [session for session, _ in b.core.stepped] == [2]
    assert b.log.find("worker_connected")["worker"] == "w"


async def test_stats_carry_the_figures_of_the_process() -> None:
    zeros = EngineStats(**dict.fromkeys(EngineStats.__struct_fields__, 0))
    async with bench() as b:
        session = b.session(1)
        b.send(session, submit(1))
        await b.store.sync_begun()
        b.store.end_sync()
        await session.until(1)
        b.core.on_step = lambda _session, request: StatsReply(request.request_id, zeros)

        b.send(session, GetStats(2))
        answers = await session.until(2)

    assert isinstance(answers[1], StatsReply)
    process = answers[1].process
    assert process is not None
    assert (process.connections, process.commits_total, process.is_accepting) == (1, 1, True)
    assert process.commit_us_p99 >= process.commit_us_p50 > 0
    assert process.rss_bytes > 1 << 20


async def test_a_connection_that_ended_is_told_to_the_engine_after_its_requests() -> None:
    async with bench() as b:
        session = b.session(1)

        b.send(session, submit(1))
        b.loop.remove(session)
        await b.store.sync_begun()
        b.store.end_sync()

    assert len(b.core.stepped) == 1
    assert b.core.disconnected == [1]
    assert session.received == []


async def test_the_engine_is_advanced_at_its_deadline_without_polling() -> None:
    async with bench() as b:
        reached = asyncio.Event()
        due_ms = Clock().now_ms() + 30
        b.core.deadlines = [due_ms + 60_000, due_ms]
        session = b.session(1)
        for request_id in (1, 2):  # the second deadline is nearer than the one that the timer waits for
            b.send(session, GetTask(request_id, ID))
            await session.until(request_id)
        b.core.advanced.clear()

        def note() -> None:
            if b.core.advanced[-1] >= due_ms:
                b.core.deadlines = [None]
                reached.set()

        b.core.on_advance = note
        await reached.wait()

    assert len(b.core.advanced) <= 3  # a timer may fire a fraction of a millisecond early


async def test_work_that_is_due_at_once_goes_on_until_there_is_none() -> None:
    async with bench() as b:
        b.core.deadlines = [0, 0, 0, None]
        session = b.session(1)
        before = len(b.core.advanced)

        b.send(session, GetTask(1, ID))
        while len(b.core.advanced) < before + 4:
            await b.turn()
        await b.turn()

    assert len(b.core.advanced) == before + 4


async def test_work_that_is_due_does_not_pile_up_behind_a_slow_disk() -> None:
    async with bench() as b:
        session = b.session(1)
        b.core.deadlines = [0]
        b.core.on_advance = b.core.write
        b.send(session, submit(1))
        await b.store.sync_begun()

        before = len(b.core.advanced)
        for _ in range(20):
            await b.turn()
        after = len(b.core.advanced)
        b.core.deadlines, b.core.on_advance = [None], None

    assert after - before <= 1


async def test_with_sync_interval_answers_do_not_wait_and_the_sync_follows() -> None:
    async with bench("interval") as b:
        session = b.session(1)

        b.send(session, submit(1))
        answers = await session.until(1)
        await b.store.sync_begun()
        b.store.end_sync()

    assert answers == [Submitted(1)]


async def test_with_sync_interval_two_syncs_never_overlap() -> None:
    async with bench("interval") as b:
        session = b.session(1)
        b.send(session, submit(1))
        await b.store.sync_begun()

        b.send(session, submit(2))
        await session.until(2)
        b.send(session, submit(3))
        await session.until(3)
        begun = b.store.syncs_begun
        b.store.end_sync()
        await b.store.sync_begun()
        b.store.end_sync()

    assert begun == 1


async def test_with_sync_never_nothing_is_synced_before_the_close() -> None:
    async with bench("never") as b:
        session = b.session(1)

        b.send(session, submit(1))
        answers = await session.until(1)

    assert answers == [Submitted(1)]
    assert b.store.syncs_begun == 0
    assert b.store.is_closed


async def test_nothing_is_read_while_more_is_taken_than_may_wait_for_the_disk() -> None:
    """A disk that hangs must not fill the memory."""
    async with bench(unsettled_bytes_max=100) as b:
        session, other = b.session(1), b.session(2)
        b.send(session, submit(1), size=60)
        await b.store.sync_begun()

        b.send(session, submit(2), size=60)
        calm = other.is_paused
        b.send(session, submit(3), size=60)
        held = (session.is_paused, other.is_paused, b.session(3).is_paused)
        b.store.end_sync()
        await b.store.sync_begun()
        released = (session.is_paused, other.is_paused)
        b.store.end_sync()

    assert calm is False
    assert held == (True, True, True)
    assert released == (False, False)


async def test_a_turn_is_bounded_and_what_is_left_keeps_its_place() -> None:
    async with bench(turn_seconds_max=0) as b:
        sessions = [b.session(number) for number in (1, 2, 3)]
        for session in sessions:
            b.send(session, submit(session.session_id))

        await b.turn()
        first_turn = [number for number, _ in b.core.stepped]
        b.send(sessions[0], submit(9))
        b.store.open_gate()
        await sessions[0].until(2)

    assert first_turn == [1]
    assert [number for number, _ in b.core.stepped] == [1, 2, 3, 1]


async def test_a_connection_is_greeted_once() -> None:
    """Who lowers the role of a connection in its greeting relies on it, such as `tq stdio --role viewer`."""
    async with bench() as b:
        client = b.session(1, is_greeted=False)
        b.send(client, Hello(0, 1, role_max=Role.VIEWER), Hello(0, 1, role_max=Role.ADMIN))
        await client.until(2)

    welcome, refusal = client.received
    assert isinstance(welcome, Welcome)
    assert welcome.role == "viewer"
    assert isinstance(refusal, ErrorReply)
    assert (refusal.code, client.access.role) == ("PROTOCOL_VIOLATION", Role.VIEWER)

"""`tq_app`: what tests of applications say and see."""

import asyncio
import threading
from datetime import timedelta
from typing import Any
from unittest.mock import ANY

import pytest

import tq
from tests.testing.shop import Bounced, Journal, app, await_hook, call_hook, chain, count, mail, other
from tq.testing import MemoryBroker


async def test_what_is_enqueued_runs_when_it_is_drained(broker: MemoryBroker, done: Journal) -> None:
    handle = await mail.enqueue("ada")

    assert done.lines == []
    assert await broker.drain() == 1
    assert done.lines == [("ada", 1)]
    assert broker.result(handle) == "sent to ada"
    assert await broker.drain() == 0


def test_plain_tests_drain_too(broker: MemoryBroker, done: Journal) -> None:
    handle = mail.enqueue_sync("ada")
    second = count.enqueue_sync(1)

    assert broker.drain_sync() == 2
    assert broker.result(handle) == "sent to ada"
    assert broker.result(second) == 2


async def test_drain_runs_what_the_work_itself_enqueues(broker: MemoryBroker, done: Journal) -> None:
    await chain.enqueue(3)

    assert await broker.drain() == 4
    assert done.lines == [3, 2, 1, 0]


async def test_only_one_queue_can_be_drained(broker: MemoryBroker, done: Journal) -> None:
    await mail.enqueue("ada")
    later = await count.enqueue(1)

    assert await broker.drain("mail") == 1
    assert done.lines == [("ada", 1)]
    with pytest.raises(tq.WrongState, match="has not ended"):
        broker.result(later)


async def test_priorities_hold_as_in_production(broker: MemoryBroker, done: Journal) -> None:
    for to, priority in (("low", tq.LOW), ("normal", tq.NORMAL), ("high", tq.HIGH)):
        await mail.options(priority=priority).enqueue(to)

    await broker.drain()

    assert [to for to, _ in done.lines] == ["high", "normal", "low"]


async def test_a_delayed_task_waits_for_the_clock(broker: MemoryBroker, done: Journal) -> None:
    before = broker.now
    await mail.options(delay="10m").enqueue("ada")

    assert await broker.drain() == 0
    broker.advance("9m59s")
    assert await broker.drain() == 0
    broker.advance(timedelta(seconds=1))
    assert await broker.drain() == 1
    assert broker.now - before == timedelta(minutes=10)


async def test_an_error_of_a_handler_is_raised_in_the_test(broker: MemoryBroker, done: Journal) -> None:
    await mail.enqueue("bounce")

    with pytest.raises(Bounced):
        await broker.drain()

    assert broker.enqueued[0].state is tq.State.FAILED
    assert broker.enqueued[0].view.scheduled_at_ms == round(broker.now.timestamp() * 1000) + 10_000


async def test_retries_can_be_watched_up_to_the_dead_letters(broker: MemoryBroker, done: Journal) -> None:
    handle = await mail.enqueue("bounce")

    for _ in range(4):
        await broker.drain(raise_errors=False)
        broker.advance("10s")

    assert done.lines == [("bounce", 1), ("bounce", 2), ("bounce", 3)]
    (dead,) = broker.dead_letters()
    assert (dead.id, dead.arguments["to"]) == (handle.id, "bounce")
    assert dead.error is not None
    assert (dead.error.error_type, dead.error.message) == ("tests.testing.shop.Bounced", "bounce")
    with pytest.raises(tq.TaskFailed, match="Bounced"):
        broker.result(handle)


def test_plain_drains_raise_and_record_too(broker: MemoryBroker) -> None:
    mail.enqueue_sync("never")

    with pytest.raises(tq.Fail):
        broker.drain_sync()

    assert [task.state for task in broker.dead_letters()] == [tq.State.DEAD_LETTER]


async def test_a_snooze_uses_no_attempt(broker: MemoryBroker, done: Journal) -> None:
    await mail.enqueue("later")
    await broker.drain()

    assert broker.enqueued[0].state is tq.State.PENDING
    assert broker.enqueued[0].error is None
    broker.advance("5m")
    await broker.drain()
    assert done.lines == [("later", 1), ("later", 1)]


async def test_waiting_for_a_result_runs_the_work(broker: MemoryBroker, done: Journal) -> None:
    assert await (await mail.enqueue("ada")).result() == "sent to ada"
    assert mail.enqueue_sync("bob").result_sync() == "sent to bob"
    assert (await (await count.enqueue(1)).wait()).state is tq.State.COMPLETED


def test_waiting_takes_the_time_of_the_clock(broker: MemoryBroker, done: Journal) -> None:
    before = broker.now
    handle = mail.options(delay="40s").enqueue_sync("ada")

    with pytest.raises(tq.TimedOut, match="has not ended within 30s of the test's clock; it is pending"):
        handle.result_sync("30s")
    assert broker.now - before == timedelta(seconds=30)
    assert handle.result_sync("30s") == "sent to ada"
    assert broker.now - before == timedelta(seconds=40)


async def test_waiting_for_a_task_that_fails_raises_its_end_and_no_others(broker: MemoryBroker, done: Journal) -> None:
    await mail.enqueue("never")
    handle = await mail.enqueue("bounce")

    with pytest.raises(tq.TaskFailed, match="bounce"):
        await handle.result()
    assert len(done.lines) == 4


async def test_a_test_sees_what_was_enqueued(broker: MemoryBroker) -> None:
    await mail.options(delay="10m", key="k").enqueue("ada", copies=(1, 2))

    task = broker.assert_enqueued(mail, "ada")

    assert broker.assert_enqueued(mail, copies=(1, 2)) is task
    assert broker.assert_enqueued(mail, to=ANY) is task
    assert broker.assert_enqueued(mail) is task
    assert (task.queue, task.priority, task.task_type, task.task) == ("mail", tq.NORMAL, "mail", mail)
    assert task.arguments == {"to": "ada", "copies": (1, 2)}
    assert (task.options.delay_ms, task.options.key) == (600_000, "k")
    assert broker.enqueued == [task]
    assert repr(task) == "mail(to='ada', copies=(1, 2))"
    broker.refute_enqueued(mail, "bob")
    broker.refute_enqueued(mail, to="ada", copies=(1,))
    broker.refute_enqueued(count)


async def test_defaults_count_as_arguments(broker: MemoryBroker) -> None:
    await mail.enqueue("ada")

    broker.assert_enqueued(mail, copies=(1,))
    broker.refute_enqueued(mail, copies=())


async def test_failed_assertions_show_what_was_enqueued(broker: MemoryBroker) -> None:
    with pytest.raises(AssertionError, match=r"mail\('bob'\) was not enqueued; nothing was"):
        broker.assert_enqueued(mail, "bob")

    await mail.enqueue("ada")

    with pytest.raises(
        AssertionError, match=r"(?s)mail\(to='bob'\) was not .*\n  mail\(to='ada', .*\) in queue 'mail'"
    ):
        broker.assert_enqueued(mail, to="bob")
    with pytest.raises(AssertionError, match=r"mail\(\) was enqueued 1 times"):
        broker.refute_enqueued(mail)
    with pytest.raises(tq.InvalidArgument, match="too many"):
        broker.assert_enqueued(mail, 1, 2, 3, 4)
    broker.refute_enqueued(mail, object())


async def test_the_same_key_again_is_the_same_task(broker: MemoryBroker) -> None:
    keyed = mail.options(key="welcome-7")

    first, second = await keyed.enqueue("ada"), await keyed.enqueue("ada")

    assert first.id == second.id
    assert len(broker.enqueued) == 1


async def test_many_are_enqueued_in_order(broker: MemoryBroker) -> None:
    handles = await count.enqueue_many([(number,) for number in range(3)])

    assert [task.id for task in broker.enqueued] == [handle.id for handle in handles]
    assert [task.arguments["number"] for task in broker.enqueued] == [0, 1, 2]
    assert await count.enqueue_many([]) == []


async def test_a_worker_that_dies_before_its_ack_runs_the_task_again(broker: MemoryBroker, done: Journal) -> None:
    """What at-least-once means for a handler."""
    await mail.enqueue("ada")
    broker.crash_during(mail)

    assert await broker.drain() == 2
    assert done.lines == [("ada", 1), ("ada", 1)]
    task = broker.enqueued[0]
    assert (task.state, task.view.crashes) == (tq.State.COMPLETED, 1)
    assert task.error is not None
    assert (task.error.outcome, task.error.message) == ("crashed", "worker killed by SIGKILL on 'localhost'")


def test_a_worker_that_dies_before_the_start_runs_the_task_once(broker: MemoryBroker, done: Journal) -> None:
    mail.enqueue_sync("ada")
    broker.crash_during(mail, at="before_start")

    assert broker.drain_sync() == 2
    assert done.lines == [("ada", 1)]


async def test_a_task_that_kills_too_many_workers_is_quarantined(broker: MemoryBroker, done: Journal) -> None:
    await mail.options(max_crashes=1).enqueue("ada")
    broker.crash_during(mail)

    await broker.drain()

    (dead,) = broker.dead_letters()
    assert dead.view.reason == "quarantined: 1 workers died running it"


def test_a_crash_needs_a_known_moment(broker: MemoryBroker) -> None:
    with pytest.raises(tq.InvalidArgument, match="before_ack"):
        broker.crash_during(mail, at="sometime")  # type: ignore[arg-type]


async def test_a_task_waiting_for_its_turn_can_be_cancelled(broker: MemoryBroker, done: Journal) -> None:
    handle = await mail.enqueue("ada")

    assert await handle.cancel("user deleted") is True
    assert handle.cancel_sync() is False
    assert await broker.drain() == 0
    with pytest.raises(tq.TaskCancelled, match="user deleted"):
        await handle.result()


async def test_a_running_async_handler_is_cancelled_where_it_awaits(broker: MemoryBroker, done: Journal) -> None:
    async def cancel_myself(ctx: tq.Context) -> None:
        await await_hook.handle(ctx.task_id).cancel("enough")
        done.lines.append(ctx.cancelled)
        await asyncio.Event().wait()

    done.hooks["cancel"] = cancel_myself
    handle = await await_hook.enqueue("cancel")

    assert await broker.drain() == 1
    assert done.lines == [True]
    assert (await handle.wait()).reason == "enough"
    assert broker.enqueued[0].state is tq.State.CANCELLED


async def test_a_running_plain_handler_may_finish(broker: MemoryBroker, done: Journal) -> None:
    done.hooks["cancel"] = lambda: call_hook.handle(broker.enqueued[0].id).cancel_sync("enough")
    handle = await call_hook.enqueue("cancel")

    assert await broker.drain() == 1
    assert await handle.result() is True


async def test_progress_is_seen_while_the_handler_runs(broker: MemoryBroker, done: Journal) -> None:
    async def look(ctx: tq.Context) -> None:
        ctx.progress(0.25, "a quarter")
        progress = (await await_hook.handle(ctx.task_id).status()).progress
        assert progress is not None
        done.lines.append((progress.fraction, progress.note, ctx.deadline and ctx.deadline - broker.now))

    done.hooks["look"] = look
    await await_hook.enqueue("look")
    await broker.drain()

    assert done.lines == [(0.25, "a quarter", timedelta(minutes=5))]


async def test_a_handler_may_wait_for_another_task(broker: MemoryBroker, done: Journal) -> None:
    async def wait_for_another(ctx: tq.Context) -> int:
        return await (await count.enqueue(5)).result()

    done.hooks["wait"] = wait_for_another

    assert await (await await_hook.enqueue("wait")).result() == 6


async def test_a_lease_is_lost_by_a_handler_that_moves_the_clock_too_far(broker: MemoryBroker, done: Journal) -> None:
    done.hooks["sleep"] = lambda: broker.advance("1h")
    await call_hook.enqueue("sleep")

    with pytest.raises(tq.LeaseLost):
        await broker.drain()

    assert broker.enqueued[0].error is not None
    assert broker.enqueued[0].error.outcome == "timed_out"


async def test_plain_handlers_find_no_event_loop_in_their_thread(broker: MemoryBroker, done: Journal) -> None:
    """As in a worker: what refuses to run in a loop, such as asyncio.run, works."""
    await count.enqueue(1)
    await broker.drain()
    await count.enqueue(2)
    broker.drain_sync()

    assert [has_loop for _, _, has_loop in done.lines] == [False, False]
    assert all(thread is not threading.current_thread() for _, thread, _ in done.lines)


def test_plain_tests_run_plain_handlers_in_their_own_thread(broker: MemoryBroker, done: Journal) -> None:
    """So that what belongs to the thread, such as a database transaction, is theirs too."""
    count.enqueue_sync(1)
    broker.drain_sync()

    assert done.lines == [(1, threading.current_thread(), False)]


async def test_an_interrupted_drain_hands_the_task_back(broker: MemoryBroker, done: Journal) -> None:
    started = asyncio.Event()

    async def hang(ctx: tq.Context) -> None:
        started.set()
        await asyncio.Event().wait()

    done.hooks["hang"] = hang
    await await_hook.enqueue("hang")
    drain = asyncio.create_task(broker.drain())
    await started.wait()

    drain.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drain

    assert broker.enqueued[0].state is tq.State.PENDING
    assert broker.enqueued[0].view.attempt == 0


def test_what_ends_the_test_is_no_failure_of_the_task(broker: MemoryBroker, done: Journal) -> None:
    def fail() -> Any:
        pytest.fail("in a handler")

    done.hooks["fail"] = fail
    call_hook.enqueue_sync("fail")

    with pytest.raises(pytest.fail.Exception):
        broker.drain_sync()

    assert broker.enqueued[0].state is tq.State.PENDING


async def test_a_task_that_expires_is_cancelled(broker: MemoryBroker, done: Journal) -> None:
    await mail.options(expires="1m").enqueue("ada")

    broker.advance("2m")

    assert await broker.drain() == 0
    assert (broker.enqueued[0].state, broker.enqueued[0].view.reason) == (tq.State.CANCELLED, "expired")


async def test_records_go_when_their_time_is_over(broker: MemoryBroker, done: Journal) -> None:
    handle = await mail.enqueue("ada")
    await broker.drain()
    broker.advance("2h")

    with pytest.raises(tq.TaskNotFound):
        await handle.status()
    assert broker.dead_letters() == []


async def test_a_task_that_enqueues_itself_for_ever_is_stopped(
    broker: MemoryBroker, done: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.testing.drains.RUNS_MAX", 20)
    await chain.enqueue(1_000)

    with pytest.raises(tq.WrongState, match="20 tasks have run and more are ready"):
        await broker.drain()

    assert len(done.lines) == 20


async def test_an_alias_runs_the_handler(broker: MemoryBroker, done: Journal) -> None:
    spec = tq.Task("mail_v1", b'{"to": "ada"}', content_type="application/json", queue="mail").to_spec()
    await app.backend().submit([spec])

    assert await broker.drain() == 1
    assert done.lines == [("ada", 1)]


async def test_arguments_that_do_not_fit_are_dead_at_once(broker: MemoryBroker, done: Journal) -> None:
    spec = tq.Task("mail", b'{"too": "ada"}', content_type="application/json").to_spec()
    await app.backend().submit([spec])

    with pytest.raises(tq.InvalidArgument, match="task 'mail': got an unexpected argument: 'too'"):
        await broker.drain()

    (dead,) = broker.dead_letters()
    assert dead.view.reason == "failed for good"
    assert done.lines == []


def test_two_applications_share_a_broker(broker: MemoryBroker, done: Journal) -> None:
    @other.task
    def late(number: int) -> int:
        return number * 2

    broker.use(other)
    broker.use(other)

    assert late.enqueue_sync(2).result_sync() == 4
    assert count.enqueue_sync(2).result_sync() == 3


def test_a_task_that_is_declared_late_is_known(broker: MemoryBroker) -> None:
    fresh = tq.App("fresh")
    broker.use(fresh)

    @fresh.task
    def declared_late(number: int) -> int:
        return number * 2

    assert declared_late.enqueue_sync(2).result_sync() == 4


def test_two_tasks_of_one_name_cannot_share_a_broker(broker: MemoryBroker) -> None:
    clash = tq.App("clash")
    clash.task(name="count")(lambda: None)

    with pytest.raises(tq.InvalidArgument, match="two applications in use have a task 'count'"):
        broker.use(clash)


def test_at_the_end_the_application_has_back_what_it_used() -> None:
    fresh = tq.App("fresh", "127.0.0.1:1")
    before = fresh.backend()
    broker = MemoryBroker()

    broker.use(fresh)
    assert fresh.backend() is not before
    broker.close()

    assert fresh.backend() is before

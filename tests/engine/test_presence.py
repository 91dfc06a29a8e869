"""Which workers are there: they come, come back, fall silent, die and leave."""

import pytest

from tests.engine.rig import CLIENT, HOUR, SECOND, Hand, Rig, id_of, number_of, ref, task
from tq.engine.settling import SUSPECTS_APART_MS_MAX
from tq.model.commands import (
    Cancel,
    DrainWorker,
    Extend,
    Fetch,
    Heartbeat,
    Hello,
    LeaseRef,
    ListWorkers,
    QueuePreference,
    WorkerDied,
    WorkerHello,
)
from tq.model.errors import InvalidArgument, WorkerNotFound
from tq.model.replies import Affected, CancelRun, Drain, LeaseRevoked, Settled, WorkerPage
from tq.model.settings import BrokerSettings
from tq.model.stats import WorkerInfo
from tq.model.task import State, TaskOptions

GRACE = 5 * SECOND
SILENCE = 45 * SECOND


def running(rig: Rig, *, timeout_ms: int = 300_000, options: TaskOptions | None = None) -> Hand:
    """A worker that runs task 1."""
    worker = rig.worker()
    rig.submit(task(1, timeout_ms=timeout_ms, options=options))
    worker.fetch(1)
    return worker


def workers(rig: Rig) -> list[WorkerInfo]:
    reply = rig.step(ListWorkers(1))
    assert isinstance(reply, WorkerPage)
    return reply.workers


def died(rig: Rig, worker: Hand, *, running: list[bytes] | None = None, signal: str = "SIGKILL") -> int:
    request = WorkerDied(1, worker.hello.incarnation, -9, signal, "host", 512 << 20, "Out of memory", running)
    return rig.ask(request, Affected).count


# -- coming and coming back ------------------------------------------------------------------------------------------


def test_a_worker_that_lost_its_connection_and_returns_within_the_grace_goes_on() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    worker.disconnect()
    rig.pass_time(GRACE - 1)

    assert worker.connect(delivery) == []
    rig.pass_time(GRACE)
    assert worker.ack(delivery) == []
    assert rig.state(1) is State.COMPLETED


def test_a_lost_worker_is_shown_as_lost_while_its_grace_runs() -> None:
    rig = Rig()
    worker = running(rig)
    worker.disconnect()

    assert [(info.name, info.status, info.leases) for info in workers(rig)] == [("w", "lost", 1)]


def test_a_worker_that_does_not_return_within_the_grace_has_crashed() -> None:
    rig = Rig()
    worker = running(rig)
    worker.disconnect()
    rig.pass_time(GRACE)

    assert workers(rig) == []
    assert rig.state(1) is State.PENDING
    assert rig.view(1).crashes == 1


def test_a_worker_that_held_nothing_is_gone_with_its_connection() -> None:
    rig = Rig()
    worker = rig.worker()
    worker.disconnect()

    assert workers(rig) == []


def test_a_returning_worker_is_told_which_of_its_leases_are_lost() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    first, second = worker.fetch(2)
    worker.disconnect()
    rig.pass_time(GRACE)

    assert worker.connect(first, second) == [id_of(1), id_of(2)]


def test_what_a_returning_worker_does_not_hold_is_handed_back_with_no_attempt_used() -> None:
    """A Deliver that was on its way when the connection broke."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    first, _ = worker.fetch(2)
    worker.disconnect()
    worker.connect(first)

    assert rig.state(1) is State.IN_PROGRESS
    assert rig.state(2) is State.PENDING
    assert (rig.view(2).attempt, rig.view(2).crashes) == (0, 0)


def test_a_claim_with_a_stale_token_is_lost_and_the_lease_handed_back() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    hello = WorkerHello("w", worker.hello.incarnation, "host", 7, ["mail"], held=[LeaseRef(id_of(1), 999)])
    worker.disconnect()

    assert rig.ask(Hello(1, 1, worker=hello), Settled, 77).lost == [id_of(1)]
    assert rig.state(1) is State.PENDING
    assert worker.ack(delivery) == [id_of(1)]


def test_the_same_incarnation_on_a_new_connection_takes_over_from_the_old_one() -> None:
    """The old connection is half open: nobody told the broker that it is dead."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    old = worker.session
    worker.connect(delivery)
    rig.disconnect(old)
    rig.pass_time(GRACE)

    assert [info.status for info in workers(rig)] == ["connected"]
    assert rig.state(1) is State.IN_PROGRESS
    with pytest.raises(InvalidArgument):
        rig.step(Fetch(0, 1), old)


def test_a_takeover_starts_with_no_credit() -> None:
    rig = Rig()
    worker = rig.worker(credit=5)
    worker.connect()
    rig.submit(task(1))

    assert rig.state(1) is State.PENDING


def test_the_same_name_with_another_incarnation_is_another_worker() -> None:
    rig = Rig()
    worker = running(rig)
    other = Hand(rig, WorkerHello("w", b"another-process.", "host", 8, ["mail"]))
    other.connect()

    assert len(workers(rig)) == 2
    assert rig.state(1) is State.IN_PROGRESS
    assert worker.hello.name == other.hello.name


def test_a_second_worker_on_one_connection_is_refused() -> None:
    """The first would look connected for as long as heartbeats of the second keep coming."""
    rig = Rig()
    worker = rig.worker()
    other = WorkerHello("other", b"another-process.", "host", 8, ["mail"])

    with pytest.raises(InvalidArgument, match="'w'"):
        worker.step(Hello(1, 1, worker=other))
    assert [info.name for info in workers(rig)] == ["w"]


def test_a_worker_may_say_hello_again_with_another_catalogue() -> None:
    rig = Rig()
    worker = rig.worker(types=("sms",))
    rig.submit(task(1))
    hello = WorkerHello("w", worker.hello.incarnation, "host", 7, ["mail"])
    worker.step(Hello(1, 1, worker=hello))

    assert worker.numbers(1) == [1]


def test_a_hello_without_a_worker_is_nothing_to_the_engine() -> None:
    rig = Rig()

    assert rig.ask(Hello(1, 1), Settled) == Settled(1)
    assert workers(rig) == []


@pytest.mark.parametrize(
    "hello",
    [WorkerHello("", b"i" * 16, "h", 1, []), WorkerHello("w", b"i" * 16, "h", 1, [], [QueuePreference(" mail")])],
    ids=["no name", "a queue with a space in front"],
)
def test_a_worker_with_a_bad_name_is_refused(hello: WorkerHello) -> None:
    rig = Rig()

    with pytest.raises(InvalidArgument):
        rig.step(Hello(1, 1, worker=hello), 5)
    assert workers(rig) == []


def test_a_session_that_is_no_worker_cannot_fetch() -> None:
    rig = Rig()

    with pytest.raises(InvalidArgument, match="introduce"):
        rig.step(Fetch(0, 1), CLIENT)


# -- silence ---------------------------------------------------------------------------------------------------------


def test_a_worker_that_misses_three_heartbeats_is_lost_though_its_connection_stands() -> None:
    rig = Rig()
    running(rig)
    rig.pass_time(SILENCE - 1)
    assert rig.state(1) is State.IN_PROGRESS

    rig.pass_time(1)

    assert rig.state(1) is State.PENDING
    assert "silent" in rig.view(1).history[0].message
    assert workers(rig) == []


def test_heartbeats_keep_all_leases_of_a_worker() -> None:
    rig = Rig()
    worker = running(rig, timeout_ms=0)
    for _ in range(10):
        rig.pass_time(SILENCE - 1)
        worker.beat()

    assert rig.state(1) is State.IN_PROGRESS


def test_any_request_of_a_worker_counts_as_a_sign_of_life() -> None:
    rig = Rig()
    worker = running(rig)
    rig.pass_time(SILENCE - 1)
    worker.fetch(1)
    rig.pass_time(SILENCE - 1)

    assert rig.state(1) is State.IN_PROGRESS


def test_a_worker_given_up_for_silence_has_to_introduce_itself_again() -> None:
    rig = Rig()
    worker = running(rig)
    rig.pass_time(SILENCE)

    with pytest.raises(InvalidArgument):
        worker.step(Heartbeat(0))


def test_the_engine_wakes_up_when_a_worker_would_be_lost() -> None:
    rig = Rig()
    worker = running(rig)
    rig.pass_time(SECOND)  # after which the history is written
    assert rig.engine.next_deadline_ms() == rig.now_ms - SECOND + SILENCE

    worker.disconnect()

    assert rig.engine.next_deadline_ms() == rig.now_ms + GRACE


def test_a_grace_of_zero_gives_a_worker_up_with_its_connection() -> None:
    rig = Rig(broker=BrokerSettings(reconnect_grace_ms=0))
    worker = running(rig)
    worker.disconnect()

    assert rig.view(1).crashes == 1


def test_a_heartbeat_shows_what_the_worker_says_of_itself() -> None:
    rig = Rig()
    worker = rig.worker()
    (info,) = workers(rig)
    assert (info.running, info.prefetched, info.rss_bytes, info.note) == (0, 0, 0, "")

    worker.step(Heartbeat(0, running=2, prefetched=3, rss_bytes=4, note="loop blocked 14 s at app.py:88"))

    (info,) = workers(rig)
    assert (info.running, info.prefetched, info.rss_bytes, info.note) == (2, 3, 4, "loop blocked 14 s at app.py:88")


# -- a broker that slept --------------------------------------------------------------------------------------------


def test_silence_while_the_broker_slept_is_not_held_against_a_worker() -> None:
    """A laptop that was closed, a virtual machine that was moved, a clock that was put forward: all workers would be
    lost at once, and after three times each task that ran meanwhile quarantined."""
    rig = Rig()
    worker = running(rig)
    rig.jump(HOUR)

    assert rig.state(1) is State.IN_PROGRESS
    assert rig.view(1).crashes == 0
    worker.beat()
    rig.pass_time(SILENCE - 1)
    assert rig.state(1) is State.IN_PROGRESS


def test_a_worker_that_stays_silent_after_the_sleep_is_lost_as_ever() -> None:
    rig = Rig()
    running(rig)
    rig.jump(HOUR)
    rig.pass_time(SILENCE - 1)
    assert rig.state(1) is State.IN_PROGRESS

    rig.pass_time(1)

    assert rig.view(1).crashes == 1


def test_a_lost_worker_has_its_grace_again_after_the_sleep() -> None:
    rig = Rig()
    worker = running(rig)
    worker.disconnect()
    rig.jump(HOUR)
    assert rig.state(1) is State.IN_PROGRESS

    rig.pass_time(GRACE)

    assert rig.view(1).crashes == 1


def test_a_task_does_not_overrun_while_the_broker_sleeps() -> None:
    rig = Rig()
    worker = running(rig, timeout_ms=10 * SECOND)
    rig.now_ms += HOUR
    worker.beat()
    assert rig.state(1) is State.IN_PROGRESS

    rig.pass_time(40 * SECOND)
    worker.beat()

    assert rig.state(1) is State.FAILED


def test_a_call_that_is_a_little_late_is_no_sleep() -> None:
    """A broker under load is late by milliseconds; who is silent then is lost."""
    rig = Rig()
    running(rig)
    rig.jump(SILENCE + 5 * SECOND)

    assert rig.view(1).crashes == 1


# -- overruns --------------------------------------------------------------------------------------------------------


def test_a_task_held_beyond_its_timeout_and_the_margin_is_taken_back_at_the_next_heartbeat() -> None:
    """The worker should have enforced the timeout itself: its word is not waited for any longer."""
    rig = Rig()
    worker = running(rig, timeout_ms=10 * SECOND)
    rig.pass_time(40 * SECOND)
    worker.beat()
    assert rig.state(1) is State.IN_PROGRESS

    rig.pass_time(1)
    worker.beat()

    assert rig.state(1) is State.FAILED
    assert rig.view(1).history[0].outcome == "timed_out"
    assert any(isinstance(message, LeaseRevoked) for message in rig.take_sent(worker.session))


def test_an_extended_task_is_not_taken_back() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, timeout_ms=10 * SECOND))
    delivery = worker.fetch_one()
    worker.extend(delivery, extend_ms=HOUR)
    for _ in range(3):
        rig.pass_time(40 * SECOND)
        worker.beat()

    assert rig.state(1) is State.IN_PROGRESS


def test_an_extension_outlives_the_broker() -> None:
    """It was acknowledged, so it is on disk."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, timeout_ms=10 * SECOND))
    delivery = worker.fetch_one()
    worker.extend(delivery, extend_ms=HOUR)
    rig.restart()
    worker.connect(delivery)
    for _ in range(3):
        rig.pass_time(40 * SECOND)
        worker.beat()

    assert rig.state(1) is State.IN_PROGRESS


def test_a_task_without_a_timeout_is_never_taken_back() -> None:
    rig = Rig()
    worker = running(rig, timeout_ms=0)
    for _ in range(100):
        rig.pass_time(40 * SECOND)
        worker.beat()

    assert rig.state(1) is State.IN_PROGRESS


def test_a_stale_lease_cannot_be_extended() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    worker.release(delivery)

    assert rig.ask(Extend(1, [ref(delivery)], HOUR), Settled, worker.session).lost == [id_of(1)]


# -- death -----------------------------------------------------------------------------------------------------------


def test_a_reported_death_frees_the_tasks_at_once_and_keeps_the_evidence() -> None:
    rig = Rig()
    worker = running(rig)

    assert died(rig, worker) == 1

    attempt = rig.view(1).history[0]
    assert rig.state(1) is State.PENDING
    assert attempt.outcome == "crashed"
    assert attempt.message == "worker killed by SIGKILL on 'host', peak memory 512 MiB"
    assert attempt.traceback == "Out of memory"


def test_a_reported_exit_names_its_code() -> None:
    rig = Rig()
    worker = running(rig)
    rig.ask(WorkerDied(1, worker.hello.incarnation, 3, "", "host"), Affected)

    assert rig.view(1).history[0].message == "worker exited with code 3 on 'host'"


def test_only_tasks_that_had_started_count_a_crash_where_the_supervisor_knows_them() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    worker.fetch(2)

    assert died(rig, worker, running=[id_of(2)]) == 2

    assert [rig.view(number).crashes for number in (1, 2)] == [0, 1]
    assert [rig.state(number) for number in (1, 2)] == [State.PENDING, State.PENDING]


def test_the_death_of_an_unknown_worker_is_nothing_new() -> None:
    rig = Rig()

    assert rig.ask(WorkerDied(1, b"x" * 16), Affected).count == 0


def test_a_death_reported_twice_counts_once() -> None:
    rig = Rig()
    worker = running(rig)
    died(rig, worker)

    assert died(rig, worker) == 0
    assert rig.view(1).crashes == 1


def test_a_task_whose_worker_died_runs_next_before_those_that_came_after_it() -> None:
    rig = Rig()
    worker = running(rig)
    rig.submit(task(2))
    died(rig, worker)

    assert rig.worker("other").numbers(2) == [1, 2]


def test_tasks_of_a_dead_worker_keep_their_order_however_many_they_are() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(*(task(number) for number in range(1, 301)))
    worker.fetch(300)
    died(rig, worker)

    assert rig.worker("other").numbers(300) == list(range(1, 301))


def test_tasks_under_which_a_second_worker_died_run_again_at_different_times() -> None:
    """Together again, they would all be quarantined for what one of them does."""
    rig = Rig()
    rig.submit(*(task(number) for number in range(1, 5)))
    for name in ("a", "b"):
        worker = rig.worker(name)
        assert worker.numbers(4) == [1, 2, 3, 4]
        died(rig, worker)

    moments = {rig.view(number).scheduled_at_ms for number in range(1, 5)}
    assert len(moments) == 4
    assert rig.now_ms < min(moments) <= max(moments) <= rig.now_ms + SUSPECTS_APART_MS_MAX
    rig.pass_time(SUSPECTS_APART_MS_MAX)
    assert sorted(rig.worker("c").numbers(4)) == [1, 2, 3, 4]


def test_a_task_is_quarantined_when_too_many_workers_died_running_it() -> None:
    rig = Rig()
    rig.submit(task(1, max_retries=10, options=TaskOptions(max_crashes=2)))
    for name in ("a", "b"):
        worker = rig.worker(name, credit=1)
        died(rig, worker)

    view = rig.view(1)
    assert view.state is State.DEAD_LETTER
    assert view.reason == "quarantined: 2 workers died running it"
    assert [attempt.outcome for attempt in view.history] == ["crashed", "crashed"]


def test_a_crash_uses_no_attempt() -> None:
    rig = Rig()
    worker = running(rig)
    died(rig, worker)

    delivery = rig.worker("other").fetch_one()

    assert delivery.attempt == 1
    assert rig.view(1).crashes == 1


# -- cancelled while lost --------------------------------------------------------------------------------------------


def test_a_task_cancelled_while_its_worker_is_lost_ends_with_the_grace() -> None:
    rig = Rig()
    worker = running(rig)
    worker.disconnect()
    rig.ask(Cancel(1, [id_of(1)], "not needed"), Affected)
    assert rig.state(1) is State.IN_PROGRESS

    rig.pass_time(GRACE)

    assert rig.state(1) is State.CANCELLED
    assert rig.view(1).reason == "not needed"


def test_a_returning_worker_is_told_of_the_cancels_that_it_missed() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    worker.disconnect()
    rig.ask(Cancel(1, [id_of(1)]), Affected)
    worker.connect(delivery)

    assert rig.take_sent(worker.session) == [CancelRun(id_of(1), delivery.token)]


def test_a_task_cancelled_while_lost_ends_when_its_worker_returns_without_it() -> None:
    rig = Rig()
    worker = running(rig)
    worker.disconnect()
    rig.ask(Cancel(1, [id_of(1)]), Affected)
    worker.connect()

    assert rig.state(1) is State.CANCELLED


# -- restart ---------------------------------------------------------------------------------------------------------


def test_after_a_restart_workers_have_the_grace_to_come_back_with_their_leases() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    first, _ = worker.fetch(2)
    rig.restart()
    assert rig.state(1) is State.IN_PROGRESS

    assert worker.connect(first) == []
    rig.pass_time(GRACE)

    assert worker.ack(first) == []
    assert [rig.state(number) for number in (1, 2)] == [State.COMPLETED, State.PENDING]


def test_after_a_restart_a_worker_that_stays_away_has_crashed() -> None:
    rig = Rig()
    running(rig)
    rig.restart()
    rig.pass_time(GRACE)

    assert rig.view(1).crashes == 1
    assert rig.view(1).worker == "w"


def test_a_request_to_stop_outlives_the_broker() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    delivery = worker.fetch_one()
    rig.ask(Cancel(1, [id_of(1)], "not needed"), Affected)
    rig.restart()
    worker.connect(delivery)

    assert rig.take_sent(worker.session) == [CancelRun(id_of(1), delivery.token)]
    assert rig.view(1).cancel_requested


def test_tokens_go_on_after_a_restart() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    first = worker.fetch_one()
    rig.restart()

    second = rig.worker("other").fetch_one()

    assert number_of(second) == 2
    assert second.token > first.token


# -- draining --------------------------------------------------------------------------------------------------------


def test_a_worker_is_told_to_drain_once() -> None:
    rig = Rig()
    worker = rig.worker()

    assert rig.ask(DrainWorker(1, "w"), Affected) == Affected(1, 1)
    assert rig.ask(DrainWorker(1, "w"), Affected) == Affected(1, 0, 1)
    assert rig.take_sent(worker.session) == [Drain()]
    assert [info.status for info in workers(rig)] == ["draining"]


def test_draining_by_name_takes_all_its_incarnations() -> None:
    rig = Rig()
    rig.worker()
    Hand(rig, WorkerHello("w", b"another-process.", "host", 8, ["mail"])).connect()

    assert rig.ask(DrainWorker(1, "w"), Affected).count == 2


def test_draining_by_the_beginning_of_an_incarnation_takes_that_one() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.worker("x")

    assert rig.ask(DrainWorker(1, worker.hello.incarnation.hex()[:8]), Affected).count == 1


@pytest.mark.parametrize("wanted", ["nobody", "77", "772e2e2e"[:3]])
def test_draining_what_is_no_one_worker_is_refused(wanted: str) -> None:
    rig = Rig()
    rig.worker()

    with pytest.raises(WorkerNotFound):
        rig.step(DrainWorker(1, wanted))


def test_a_lost_worker_cannot_be_told_to_drain() -> None:
    rig = Rig()
    worker = running(rig)
    worker.disconnect()

    assert rig.ask(DrainWorker(1, "w"), Affected) == Affected(1, 0, 1)


def test_a_draining_worker_finishes_what_it_has() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    delivery = worker.fetch_one()
    rig.ask(DrainWorker(1, "w"), Affected)

    assert worker.ack(delivery) == []
    assert worker.numbers(1) == []

"""What monitoring is told: true, and with names that stay."""

from functools import reduce

import pytest

from tests.engine.rig import HOUR, MINUTE, SECOND, Rig, task
from tq.engine.metering import PART
from tq.model.commands import GetMetrics, GetStats, PauseQueue
from tq.model.metrics import PROCESSING_MS_BOUNDS, Metrics, QueueMetrics, together
from tq.model.replies import Affected, MetricsReply, StatsReply


def metrics(rig: Rig, queues: int = 100) -> Metrics:
    reply = rig.ask(GetMetrics(1, queues), MetricsReply)
    assert reply.more_after == 0
    return reply.metrics


def names(rig: Rig, queues: int = 100) -> list[str]:
    return [queue.stats.name for queue in metrics(rig, queues).queues]


def only(rig: Rig) -> QueueMetrics:
    (queue,) = metrics(rig).queues
    return queue


def times(queue: QueueMetrics) -> dict[int, int]:
    """How many attempts lasted as long as each bound says; those above all bounds under -1."""
    bounds = (*queue.processing_ms.bounds, -1)
    return {bound: count for bound, count in zip(bounds, queue.processing_ms.counts, strict=True) if count}


def test_each_attempt_that_a_handler_ended_is_counted_by_how_long_it_took() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(*(task(number, timeout_ms=0) for number in range(1, 6)))
    quick, bound, above, failed, slow = worker.fetch(5)

    worker.ack(quick)
    rig.jump(5)
    worker.ack(bound)
    rig.jump(1)
    worker.ack(above)
    rig.jump(1_000 - 6)
    worker.nack(failed, is_final=True)
    rig.jump(2 * HOUR - 1_000)
    worker.connect(slow)
    worker.ack(slow)

    assert times(only(rig)) == {5: 2, 10: 1, 1_000: 1, -1: 1}
    assert only(rig).processing_ms.sum == 5 + 6 + 1_000 + 2 * HOUR


def test_what_no_handler_ended_is_not_counted_as_processing() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    handed_back, _crashed = worker.fetch(2)

    worker.release(handed_back)
    worker.disconnect()
    rig.pass_time(MINUTE)

    assert times(only(rig)) == {}


def test_retries_are_the_failures_that_were_followed_by_a_wait_for_another_attempt() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, max_retries=1), task(2))
    again, for_good = worker.fetch(2)
    worker.nack(again, retry_in_ms=SECOND)
    worker.nack(for_good, is_final=True)
    rig.pass_time(2 * SECOND)
    worker.nack(worker.fetch_one())

    queue = only(rig)
    assert (queue.stats.failed_total, queue.retried_total, queue.stats.dead_total) == (3, 1, 2)


def test_counters_survive_a_restart_and_distributions_begin_anew() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    worker.nack(worker.fetch_one(), retry_in_ms=HOUR)
    worker.ack(worker.fetch_one())

    rig.restart()

    queue = only(rig)
    assert (queue.stats.submitted_total, queue.stats.completed_total, queue.retried_total) == (2, 1, 1)
    assert times(queue) == {}
    assert queue.processing_ms.sum == 0


def test_the_busiest_queues_are_named_and_the_others_counted_together() -> None:
    rig = Rig()
    numbers = iter(range(1, 100))
    for name, count in (("a", 1), ("b", 3), ("c", 2), ("d", 1)):
        rig.submit(*(task(next(numbers), queue=name) for _ in range(count)))
    worker = rig.worker(queues={"a": 0})
    worker.ack(worker.fetch_one())

    shown = metrics(rig, 2)

    assert [queue.stats.name for queue in shown.queues] == ["b", "c"]
    assert shown.rest is not None
    assert (shown.rest.stats.name, shown.rest.stats.submitted_total, shown.rest.stats.ready) == ("_other", 2, 1)
    assert sum(shown.rest.processing_ms.counts) == 1
    assert shown.rest.stats.completed_total == 1


def test_a_queue_that_was_named_stays_named_when_others_become_busier() -> None:
    """In and out of the rest, it would take its counters with it: monitoring would see them jump."""
    rig = Rig()
    rig.submit(task(1, queue="a"), task(2, queue="b"))
    rig.submit(task(3, queue="b"))
    assert names(rig, 1) == ["b"]

    rig.submit(*(task(number, queue="a") for number in range(10, 20)))

    assert names(rig, 1) == ["b"]
    assert names(rig, 2) == ["b", "a"], "who asks for more gets more, in an order that stays"
    assert names(rig, 1) == ["b"]


def test_later_queues_are_named_while_there_is_room() -> None:
    rig = Rig()
    rig.submit(task(1, queue="a"))
    assert names(rig, 2) == ["a"]
    rig.submit(task(2, queue="b"), task(3, queue="c"))

    assert names(rig, 2) == ["a", "b"]


def test_a_queue_that_is_called_as_the_rest_is_counted_with_the_rest() -> None:
    rig = Rig()
    rig.submit(task(1, queue="_other"), task(2, queue="a"))

    shown = metrics(rig)

    assert [queue.stats.name for queue in shown.queues] == ["a"]
    assert shown.rest is not None
    assert (shown.rest.stats.name, shown.rest.stats.ready) == ("_other", 1)


def test_named_queues_and_the_rest_add_up_to_the_whole() -> None:
    rig = Rig()
    for number in range(1, 30):
        rig.submit(task(number, queue=f"q{number % 7}"))
    worker = rig.worker()
    done, failed, dead, _running = worker.fetch(4)
    worker.ack(done)
    worker.nack(failed, retry_in_ms=HOUR)
    worker.nack(dead, is_final=True)
    stats = rig.step(GetStats(1))
    assert isinstance(stats, StatsReply)

    for count in (0, 1, 3, 7, 8):
        shown = metrics(rig, count)
        parts = [part.stats for part in (*shown.queues, *([shown.rest] if shown.rest else []))]
        assert len(shown.queues) == min(count, 7)
        assert (shown.queue_count, shown.waiters) == (stats.engine.queues, stats.engine.waiters)
        for name in ("ready", "in_progress", "dead", "retrying", "submitted_total", "completed_total", "failed_total"):
            assert sum(getattr(part, name) for part in parts) == getattr(stats.engine, name), name


def test_queues_that_are_not_named_are_counted_in_parts_and_each_of_them_once() -> None:
    rig = Rig()
    count = 2 * PART + 100
    rig.submit(*(task(number, queue=f"q{number}") for number in range(count)))
    rig.pass_time(SECOND)
    rig.submit(task(5_000, queue="q0"))  # which is the busiest now

    parts = [rig.ask(GetMetrics(1, 1), MetricsReply)]
    while parts[-1].more_after:
        parts.append(rig.ask(GetMetrics(1, 1, parts[-1].more_after), MetricsReply))

    rests = [part.metrics.rest for part in parts]
    assert [[queue.stats.name for queue in part.metrics.queues] for part in parts] == [["q0"], [], []]
    assert [rest.stats.ready_normal for rest in rests if rest] == [PART - 1, PART, 100]
    whole = reduce(together, rests)
    assert whole is not None
    assert (whole.stats.submitted_total, whole.stats.oldest_ready_ms) == (count - 1, SECOND)
    assert len(whole.processing_ms.counts) == len(PROCESSING_MS_BOUNDS) + 1


def test_the_age_of_the_queues_that_are_not_named_is_that_of_the_oldest_that_is_not_paused() -> None:
    rig = Rig()
    rig.submit(task(1, queue="paused"))
    rig.ask(PauseQueue(1, "paused", "broken"), Affected)
    rig.pass_time(MINUTE)
    assert age_of_the_rest(rig) == 0
    rig.submit(task(2, queue="a"))
    rig.pass_time(MINUTE)
    rig.submit(task(3, queue="b"))

    assert age_of_the_rest(rig) == MINUTE
    worker = rig.worker(queues={"a": 0})
    worker.fetch_one()
    assert age_of_the_rest(rig) == 0


def age_of_the_rest(rig: Rig) -> int:
    rest = metrics(rig, 0).rest
    assert rest is not None
    return rest.stats.oldest_ready_ms


def test_what_alarms_ring_for_is_there_of_each_named_queue() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.ask(PauseQueue(1, "default", "broken"), Affected)
    rig.pass_time(MINUTE)

    stats = only(rig).stats
    assert (stats.oldest_ready_ms, stats.no_handler, stats.is_paused) == (MINUTE, 1, True)


def test_workers_are_counted_by_what_they_are_and_what_they_can_take() -> None:
    rig = Rig()
    gone = rig.worker("a")
    rig.worker("b")
    rig.submit(task(1))
    gone.fetch(1)
    gone.disconnect()

    workers = metrics(rig).workers

    assert (workers.connected, workers.draining, workers.lost, workers.slots, workers.in_use) == (1, 0, 1, 1, 0)


def test_tasks_that_a_worker_has_fetched_ahead_are_in_no_slot() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2))
    worker.fetch(2)

    assert (metrics(rig).workers.slots, metrics(rig).workers.in_use) == (1, 1)


@pytest.mark.parametrize("bound", PROCESSING_MS_BOUNDS)
def test_bounds_are_inclusive(bound: int) -> None:
    rig = Rig()
    rig.submit(task(1, timeout_ms=0))
    worker = rig.worker()
    delivery = worker.fetch_one()
    rig.now_ms += bound
    worker.ack(delivery)

    assert times(only(rig)) == {bound: 1}

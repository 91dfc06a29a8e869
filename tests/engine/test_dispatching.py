"""Who gets which task next."""

from collections import Counter

from tests.engine.rig import SECOND, Rig, id_of, number_of, task
from tq.engine.bounds import Bounds
from tq.engine.dispatching import DELIVER_BYTES_MAX, TURN_MAX
from tq.engine.tables import Table
from tq.model.commands import Fetch, Heartbeat, PauseQueue, ResumeQueue
from tq.model.replies import Affected, Deliver
from tq.model.settings import BrokerSettings
from tq.model.task import HIGH, LOW, NORMAL, State


def test_tasks_of_a_tier_run_first_in_first_out_whatever_their_priority_inside_it() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, priority=85), task(2, priority=169), task(3, priority=128))

    assert worker.numbers(3) == [1, 2, 3]


def test_first_in_first_out_holds_over_all_types_that_a_worker_can_run() -> None:
    rig = Rig()
    worker = rig.worker(types=("mail", "sms"))
    rig.submit(task(1), task(2, task_type="sms"), task(3), task(4, task_type="sms"))

    assert worker.numbers(4) == [1, 2, 3, 4]


def test_a_higher_tier_runs_first() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, priority=84), task(2, priority=85), task(3, priority=170))

    assert worker.numbers(3) == [3, 2, 1]


def test_one_dispatch_in_sixteen_goes_to_a_lower_tier() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(*(task(number, priority=HIGH) for number in range(1, 101)))
    rig.submit(*(task(number, priority=LOW) for number in range(101, 111)))

    order = worker.numbers(48)

    assert [place for place, number in enumerate(order, start=1) if number > 100] == [16, 32, 48]


def test_no_tier_starves_while_both_others_are_busy() -> None:
    """The lowest tier alone would not be enough: the middle one waits too."""
    rig = Rig()
    worker = rig.worker()
    rig.submit(*(task(number, priority=HIGH) for number in range(1, 101)))
    rig.submit(*(task(number, priority=NORMAL) for number in range(101, 121)))
    rig.submit(*(task(number, priority=LOW) for number in range(201, 221)))

    tiers = Counter(number // 100 for number in worker.numbers(64))

    assert tiers == {0: 57, 1: 3, 2: 4}


def test_workers_of_different_types_in_lockstep_starve_no_tier() -> None:
    """A guard that counts dispatches alone could always fall on the worker that cannot run the low tasks."""
    rig = Rig()
    high_only = rig.worker("a", types=("mail",))
    both = rig.worker("b", types=("mail", "sms"))
    rig.submit(*(task(number, priority=HIGH) for number in range(1, 101)))
    rig.submit(task(200, task_type="sms", priority=LOW))

    ran: list[int] = []
    for _ in range(20):
        ran += both.numbers(1) + high_only.numbers(1)

    assert 200 in ran


def test_a_low_task_that_no_worker_can_run_does_not_disturb_the_order_of_the_others() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(900, task_type="unknown", priority=LOW))
    rig.submit(*(task(number, priority=HIGH) for number in range(1, 41)))
    rig.submit(*(task(number, priority=NORMAL) for number in range(101, 141)))

    order = worker.numbers(32)

    assert [place for place, number in enumerate(order, start=1) if number > 100] == [16, 32]


def test_a_task_that_nobody_can_run_waits_visibly_and_blocks_nobody() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, task_type="unknown"), task(2))

    assert worker.numbers(5) == [2]
    assert rig.view(1).no_handler
    assert rig.queue().no_handler == 1


def test_a_worker_that_waits_is_sent_nothing_while_there_is_nothing_for_it() -> None:
    """Nothing, not even an empty Deliver: it would be sent again with every turn of the loop."""
    rig = Rig()
    worker = rig.worker(credit=1)
    rig.submit(task(1, task_type="unknown"))
    worker.beat()

    assert rig.take_sent(worker.session) == []


def test_a_worker_that_can_run_it_gets_a_task_that_had_no_handler() -> None:
    rig = Rig()
    rig.submit(task(1, task_type="unknown"))
    worker = rig.worker(types=("unknown",), credit=1)

    assert [number_of(delivery) for delivery in worker.deliveries()] == [1]


def test_a_queue_that_had_nothing_for_a_worker_is_served_as_soon_as_it_has() -> None:
    rig = Rig()
    worker = rig.worker(credit=1)
    rig.submit(task(1, task_type="unknown"))
    rig.submit(task(2, task_type="unknown"), task(3))

    assert [number_of(delivery) for delivery in worker.deliveries()] == [3]


def test_queues_that_have_nothing_for_a_worker_are_not_looked_at_again_and_again() -> None:
    """Five thousand queues of a service that is down would cost the others 14 ms with every turn of the loop."""
    rig = Rig()
    rig.submit(*(task(number, task_type="unknown", queue=f"q{number}") for number in range(1, 501)))
    worker = rig.worker(credit=1)
    (profile,) = rig.engine._ledger.profiles.values()

    assert len(profile.barren) == 500
    turns = profile.turns
    worker.beat()
    assert profile.turns == turns


def test_a_worker_gets_as_many_tasks_as_it_asked_for() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(*(task(number) for number in range(1, 6)))

    assert worker.numbers(2) == [1, 2]
    assert worker.numbers(1) == [3]


def test_credit_waits_for_tasks() -> None:
    rig = Rig()
    worker = rig.worker(credit=2)
    rig.submit(task(1))
    rig.submit(task(2), task(3))

    assert [number_of(delivery) for delivery in worker.deliveries()] == [1, 2]
    assert rig.state(3) is State.PENDING


def test_a_worker_serves_only_the_queues_that_it_named() -> None:
    rig = Rig()
    worker = rig.worker(queues={"mine": 0})
    rig.submit(task(1, queue="other"), task(2, queue="mine"))

    assert worker.numbers(5) == [2]


def test_a_queue_of_higher_priority_is_served_first() -> None:
    rig = Rig()
    worker = rig.worker(queues={"slow": 1, "fast": 10})
    rig.submit(task(1, queue="slow"), task(2, queue="fast"), task(3, queue="fast"))

    assert worker.numbers(3) == [2, 3, 1]


def test_no_queue_priority_starves() -> None:
    rig = Rig()
    worker = rig.worker(queues={"top": 10, "middle": 5, "bottom": 1})
    for start, queue in ((0, "top"), (1_000, "middle"), (2_000, "bottom")):
        rig.submit(*(task(start + number, queue=queue) for number in range(1, 201)))

    ran = Counter(worker.numbers(1)[0] // 1_000 for _ in range(160))

    assert ran[0] == 150
    assert ran[1] == ran[2] == 5


def test_a_lower_queue_priority_has_its_turn_within_one_large_fetch() -> None:
    rig = Rig()
    worker = rig.worker(queues={"top": 10, "bottom": 1})
    rig.submit(*(task(number, queue="top") for number in range(1, 701)))
    rig.submit(*(task(number, queue="bottom") for number in range(1_001, 1_101)))

    order = worker.numbers(16 * TURN_MAX)

    assert [place // TURN_MAX for place, number in enumerate(order) if number > 1_000] == [15] * TURN_MAX


def test_queues_of_equal_priority_take_turns() -> None:
    rig = Rig()
    worker = rig.worker()
    for start, queue in ((0, "a"), (1_000, "b"), (2_000, "c")):
        rig.submit(*(task(start + number, queue=queue) for number in range(1, 2 * TURN_MAX)))

    ran = Counter(number // 1_000 for number in worker.numbers(3 * TURN_MAX))

    assert ran == {0: TURN_MAX, 1: TURN_MAX, 2: TURN_MAX}


def test_two_queues_take_turns_within_one_fetch() -> None:
    rig = Rig()
    worker = rig.worker()
    for start, queue in ((0, "a"), (1_000, "b")):
        rig.submit(*(task(start + number, queue=queue) for number in range(1, 3 * TURN_MAX)))

    order = [number // 1_000 for number in worker.numbers(4 * TURN_MAX)]

    assert order == [0] * TURN_MAX + [1] * TURN_MAX + [0] * TURN_MAX + [1] * TURN_MAX


def test_turns_go_on_from_one_fetch_to_the_next() -> None:
    rig = Rig()
    worker = rig.worker()
    for start, queue in ((0, "a"), (1_000, "b")):
        rig.submit(*(task(start + number, queue=queue) for number in range(1, 11)))

    assert [worker.numbers(1)[0] // 1_000 for _ in range(6)] == [0, 1, 0, 1, 0, 1]


def test_few_tasks_are_spread_over_the_workers_that_wait() -> None:
    rig = Rig()
    first, second = rig.worker("a", credit=100), rig.worker("b", credit=100)
    rig.submit(*(task(number) for number in range(1, 11)))

    assert (len(first.deliveries()), len(second.deliveries())) == (5, 5)


def test_nothing_is_dispatched_from_a_paused_queue_and_all_is_after_its_resume() -> None:
    rig = Rig()
    worker = rig.worker(credit=5)
    rig.submit(task(1, queue="other"))
    rig.ask(PauseQueue(1, "other", "deploy"), Affected)
    rig.submit(task(2, queue="other"), task(3))

    assert [number_of(delivery) for delivery in worker.deliveries()] == [1, 3]

    rig.ask(ResumeQueue(1, "other"), Affected)

    assert [number_of(delivery) for delivery in worker.deliveries()] == [2]


def test_a_paused_queue_of_high_priority_leaves_its_turn_to_the_others() -> None:
    rig = Rig()
    worker = rig.worker(queues={"high": 10, "low": 0})
    rig.submit(task(1, queue="high"), task(2, queue="low"))
    rig.ask(PauseQueue(1, "high"), Affected)

    assert worker.numbers(2) == [2]


def test_a_draining_worker_gets_nothing_more() -> None:
    rig = Rig()
    worker = rig.worker(credit=5)
    worker.step(Heartbeat(0, is_draining=True))
    rig.submit(task(1))
    worker.step(Fetch(0, 1))
    rig.turn()

    assert worker.deliveries() == []
    assert rig.state(1) is State.PENDING


def test_one_call_dispatches_a_bounded_number_and_says_that_there_is_more() -> None:
    rig = Rig(bounds=Bounds(dispatch_max=3))
    worker = rig.worker()
    rig.submit(*(task(number) for number in range(1, 6)))

    worker.step(Fetch(0, 100))
    rig.engine.advance(rig.now_ms)
    rig.commit()

    assert len(worker.deliveries()) == 3
    assert rig.engine.next_deadline_ms() == 0

    rig.turn()

    assert [number_of(delivery) for delivery in worker.deliveries()] == [4, 5]


def test_one_batch_delivers_a_bounded_number_of_bytes_and_the_next_one_goes_on() -> None:
    rig = Rig()
    rig.submit(task(1))
    length = len(rig.rows.tables[Table.BODIES][id_of(1)])
    for bytes_max in (length, 2 * length, 2 * length + 1):
        rig = Rig(bounds=Bounds(deliver_bytes_max=bytes_max))
        worker = rig.worker()
        rig.submit(*(task(number) for number in range(1, 6)))

        worker.step(Fetch(0, 10))
        rig.engine.advance(rig.now_ms)
        rig.commit()

        assert len(worker.deliveries()) == -(-bytes_max // length)
        assert rig.engine.next_deadline_ms() == 0
        rig.turn()
        assert number_of(worker.deliveries()[-1]) == 5


def test_a_delivery_carries_the_stored_task_the_attempt_and_a_token_of_its_own() -> None:
    rig = Rig()
    worker = rig.worker()
    spec = task(1, payload=b"hello")
    rig.submit(spec, task(2))

    first, second = worker.fetch(2)

    assert first.stored().spec == spec
    assert first.stored().submitted_at_ms == rig.now_ms
    assert first.attempt == 1
    assert first.token < second.token


def test_large_bodies_are_delivered_in_several_frames() -> None:
    rig = Rig(broker=BrokerSettings(max_payload_bytes=DELIVER_BYTES_MAX, window_bytes=1 << 16))
    worker = rig.worker()
    half = bytes(DELIVER_BYTES_MAX // 2 + 1)
    rig.submit(*(task(number, payload=half) for number in range(1, 4)), task(4))

    worker.step(Fetch(0, 10))
    rig.turn()
    frames = [message for message in rig.take_sent(worker.session) if isinstance(message, Deliver)]

    assert [[number_of(delivery) for delivery in frame.deliveries] for frame in frames] == [[1], [2], [3, 4]]


def test_a_retried_task_keeps_its_tier_and_goes_behind_those_that_are_ready_already() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one(), retry_in_ms=SECOND)
    rig.submit(task(2))
    rig.pass_time(SECOND)
    rig.submit(task(3))

    assert worker.numbers(3) == [2, 1, 3]


def test_a_task_submitted_and_run_in_one_batch_leaves_no_ready_row_to_delete() -> None:
    rig = Rig()
    worker = rig.worker(credit=1)
    rig.submit(task(1))

    assert [number_of(delivery) for delivery in worker.deliveries()] == [1]
    assert rig.writes[2] == {}
    assert rig.view(1).id == id_of(1)

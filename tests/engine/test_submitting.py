"""Taking tasks in: exactly once each, all of a request or none."""

import pytest

from tests.engine.rig import MINUTE, SECOND, Rig, id_of, task
from tq.engine.queues import TYPES_MAX
from tq.model.commands import Submit
from tq.model.errors import InvalidArgument, PayloadTooLarge, QueueFull, TooManyRequests, TqError
from tq.model.replies import Existing
from tq.model.settings import BrokerSettings
from tq.model.task import RetryPolicy, State, TaskOptions, TaskSpec


def keyed(number: int, key: str, *, queue: str = "default") -> TaskSpec:
    return task(number, queue=queue, options=TaskOptions(key=key))


def refused(rig: Rig, error: type[TqError], *specs: TaskSpec) -> str:
    """The message of a refusal, after which nothing has changed."""
    before = rig.rows.copy()
    with pytest.raises(error) as refusal:
        rig.step(Submit(1, list(specs)))
    rig.turn()
    assert rig.rows.tables == before.tables
    return refusal.value.message


# -- once each -------------------------------------------------------------------------------------------------------


def test_a_submitted_task_is_pending_with_all_that_was_said_of_it() -> None:
    rig = Rig()
    rig.submit(TaskSpec(id_of(1), "mail", b"hi", "q", 200, 7_000, 4, "text/plain"))

    view = rig.view(1)
    assert (view.state, view.task_type, view.payload, view.queue) == (State.PENDING, "mail", b"hi", "q")
    assert (view.priority, view.timeout_ms, view.max_retries, view.content_type) == (200, 7_000, 4, "text/plain")
    assert (view.submitted_at_ms, view.attempt, view.history) == (rig.now_ms, 0, ())


def test_the_same_id_again_is_the_task_that_exists() -> None:
    rig = Rig()
    rig.submit(task(1, payload=b"first"))

    reply = rig.submit(task(2), task(1, payload=b"second"))

    assert reply.existing == [Existing(1, id_of(1))]
    assert rig.view(1).payload == b"first"
    assert rig.queue().submitted_total == 2


def test_the_same_id_twice_in_one_request_is_taken_once() -> None:
    rig = Rig()

    assert rig.submit(task(1), task(1)).existing == [Existing(1, id_of(1))]


def test_a_submit_repeated_in_the_same_batch_is_taken_once() -> None:
    rig = Rig()
    rig.step(Submit(1, [task(1)]))

    assert rig.submit(task(1)).existing == [Existing(0, id_of(1))]


def test_a_submit_repeated_after_the_task_was_done_does_not_run_it_again() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.ack(worker.fetch_one())

    rig.submit(task(1))

    assert worker.numbers(1) == []


def test_a_submit_repeated_after_a_restart_is_taken_once() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.restart()

    assert rig.submit(task(1)).existing == [Existing(0, id_of(1))]


def test_the_same_key_gives_the_same_task() -> None:
    rig = Rig()
    rig.submit(keyed(1, "welcome-7"))

    assert rig.submit(keyed(2, "welcome-7")).existing == [Existing(0, id_of(1))]
    assert rig.queue().submitted_total == 1


def test_a_key_twice_in_one_request_is_taken_once() -> None:
    rig = Rig()

    assert rig.submit(keyed(1, "k"), keyed(2, "k")).existing == [Existing(1, id_of(1))]


def test_a_key_counts_within_its_queue() -> None:
    rig = Rig()

    assert rig.submit(keyed(1, "k"), keyed(2, "k", queue="other")).existing == []


def test_a_key_is_free_again_when_the_record_of_its_task_is_gone() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1, options=TaskOptions(key="k", result_ttl_ms=SECOND)))
    worker.ack(worker.fetch_one())
    rig.pass_time(SECOND)

    assert rig.submit(keyed(2, "k")).existing == []


# -- delays and expiry -----------------------------------------------------------------------------------------------


def test_a_delayed_task_is_pending_and_not_run_before_its_time() -> None:
    rig = Rig()
    worker = rig.worker(credit=1)
    rig.submit(task(1, options=TaskOptions(delay_ms=30 * SECOND)))
    assert rig.view(1).scheduled_at_ms == rig.now_ms + 30 * SECOND
    assert (rig.queue().scheduled, rig.queue().ready_normal) == (1, 0)

    rig.pass_time(30 * SECOND - 1)
    assert worker.deliveries() == []
    rig.pass_time(1)

    assert len(worker.deliveries()) == 1


def test_the_later_of_delay_and_eta_holds() -> None:
    rig = Rig()
    now_ms = rig.now_ms
    rig.submit(
        task(1, options=TaskOptions(delay_ms=MINUTE, eta_ms=now_ms + SECOND)),
        task(2, options=TaskOptions(delay_ms=SECOND, eta_ms=now_ms + MINUTE)),
    )

    assert rig.view(1).scheduled_at_ms == rig.view(2).scheduled_at_ms == now_ms + MINUTE


def test_a_moment_in_the_past_is_now() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(eta_ms=rig.now_ms - MINUTE)))

    assert rig.worker().numbers(1) == [1]


def test_the_engine_wakes_up_when_a_task_becomes_due() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(delay_ms=MINUTE)))
    rig.pass_time(SECOND)  # after which the history is written

    assert rig.engine.next_deadline_ms() == rig.now_ms - SECOND + MINUTE


def test_a_task_still_waiting_at_its_expiry_is_cancelled() -> None:
    rig = Rig()
    rig.submit(task(1, options=TaskOptions(expires_ms=MINUTE)))
    rig.pass_time(MINUTE - 1)
    assert rig.state(1) is State.PENDING

    rig.pass_time(1)

    assert rig.state(1) is State.CANCELLED
    assert rig.view(1).reason == "expired"
    assert rig.worker().numbers(1) == []


def test_a_task_that_expires_at_once_never_runs() -> None:
    rig = Rig()
    worker = rig.worker(credit=1)
    rig.submit(task(1, options=TaskOptions(expires_ms=0)))

    assert worker.deliveries() == []
    assert rig.state(1) is State.CANCELLED


# -- refusals --------------------------------------------------------------------------------------------------------

GOOD = task(1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (task(2, priority=256), "priority 256"),
        (task(2, priority=-1), "priority -1"),
        (task(2, max_retries=1_001), "max_retries 1001"),
        (task(2, max_retries=-1), "max_retries -1"),
        (task(2, timeout_ms=-1), "timeout_ms -1"),
        (task(2, timeout_ms=11 * 365 * 86_400_000), "ten years"),
        (TaskSpec(b"short", "mail", b""), "16 bytes, not 5"),
        (TaskSpec(id_of(2), "mail", b"", content_type="x" * 513), "content type"),
        (task(2, queue=""), "queue is empty"),
        (task(2, queue="a\nb"), "control"),
        (task(2, queue="q" * 201), "longer than 200 bytes"),
        (task(2, task_type=""), "task type is empty"),
        (task(2, task_type=" mail"), "space"),
        (task(2, options=TaskOptions(delay_ms=-1)), "delay_ms -1"),
        (task(2, options=TaskOptions(expires_ms=-1)), "expires_ms -1"),
        (task(2, options=TaskOptions(result_ttl_ms=-1)), "result_ttl_ms -1"),
        (task(2, options=TaskOptions(eta_ms=-1)), "eta_ms -1"),
        (task(2, options=TaskOptions(eta_ms=1 << 48)), "eta_ms"),
        (task(2, options=TaskOptions(key="")), "key of task 1 is empty"),
        (task(2, options=TaskOptions(key="k" * 513)), "longer than 512 bytes"),
        (task(2, options=TaskOptions(tags=("a\n",))), "a tag of task 1 'a\\n' has a control"),
        (task(2, options=TaskOptions(tags=("t",) * 17)), "a tag of task 1 is one of 17; a task has at most 16 tags"),
        (task(2, options=TaskOptions(trace="00-abc")), "the trace of task 1 '00-abc' is not a traceparent"),
        (
            task(2, options=TaskOptions(trace=f"00-{1:032x}-{1:016x}-01-" + "c" * 200)),
            "not a traceparent",
        ),
        (task(2, options=TaskOptions(max_crashes=0)), "max_crashes 0"),
        (task(2, options=TaskOptions(max_crashes=1_001)), "max_crashes 1001"),
        (task(2, options=TaskOptions(retry=RetryPolicy(factor=0.5))), "factor 0.5"),
        (task(2, options=TaskOptions(retry=RetryPolicy(factor=float("nan")))), "factor nan"),
        (task(2, options=TaskOptions(retry=RetryPolicy(backoff_ms_base=-1))), "backoff_ms_base"),
        (task(2, options=TaskOptions(retry=RetryPolicy(backoff_ms_max=-1))), "backoff_ms_max"),
        (task(2, options=TaskOptions(resubmit_of=b"short")), "resubmit_of"),
    ],
)
def test_one_wrong_task_refuses_its_whole_request_and_is_named(wrong: TaskSpec, said: str) -> None:
    rig = Rig()

    assert said in refused(rig, InvalidArgument, GOOD, wrong)


def test_a_payload_above_the_limit_refuses_the_request() -> None:
    rig = Rig(broker=BrokerSettings(max_payload_bytes=10))

    assert "11 bytes; the limit is 10" in refused(rig, PayloadTooLarge, GOOD, task(2, payload=bytes(11)))
    rig.submit(task(2, payload=bytes(10)))


def test_a_queue_above_its_depth_refuses_the_whole_request() -> None:
    rig = Rig(broker=BrokerSettings(queue_depth_threshold=3))
    rig.submit(task(1), task(2))

    assert "holds 2 waiting tasks; the limit is 3" in refused(rig, QueueFull, task(3), task(4))
    rig.submit(task(3))
    rig.submit(task(5, queue="another"))


def test_waiting_for_a_time_counts_as_waiting_and_running_does_not() -> None:
    rig = Rig(broker=BrokerSettings(queue_depth_threshold=2))
    worker = rig.worker()
    rig.submit(task(1))
    worker.fetch(1)
    rig.submit(task(2, options=TaskOptions(delay_ms=MINUTE)), task(3))

    refused(rig, QueueFull, task(4))


def test_a_repeated_submit_is_answered_however_full_the_queue_is() -> None:
    """Or a client that lost its connection could never learn that its task is safe."""
    rig = Rig(broker=BrokerSettings(queue_depth_threshold=1))
    rig.submit(keyed(1, "k"))

    assert rig.submit(keyed(1, "k")).existing == [Existing(0, id_of(1))]
    assert rig.submit(keyed(2, "k")).existing == [Existing(0, id_of(1))]
    refused(rig, QueueFull, keyed(2, "k"), task(3))


def test_what_a_request_names_twice_counts_once_against_the_depth() -> None:
    rig = Rig(broker=BrokerSettings(queue_depth_threshold=2))

    rig.submit(keyed(1, "k"), keyed(1, "k"), keyed(2, "k"), task(3))

    assert rig.queue().submitted_total == 2


def test_a_depth_of_zero_is_no_limit() -> None:
    rig = Rig(broker=BrokerSettings(queue_depth_threshold=0))

    rig.submit(*(task(number) for number in range(1, 50)))

    assert rig.queue().ready_normal == 49


def test_more_queues_than_there_may_be_are_refused() -> None:
    rig = Rig(broker=BrokerSettings(max_queues=2))
    rig.submit(task(1, queue="a"))

    assert "max_queues = 2" in refused(rig, TooManyRequests, task(2, queue="b"), task(3, queue="c"))
    rig.submit(task(2, queue="b"))


def test_more_types_in_a_queue_than_there_may_be_are_refused_within_one_request_too() -> None:
    rig = Rig()
    many = [task(number, task_type=f"type{number}") for number in range(1, TYPES_MAX + 1)]
    rig.submit(*many[:-1])

    assert f"more than {TYPES_MAX} different" in refused(
        rig, TooManyRequests, many[-1], task(TYPES_MAX + 1, task_type="one more")
    )
    rig.submit(many[-1])
    refused(rig, TooManyRequests, task(TYPES_MAX + 1, task_type="one more"))


def test_which_of_two_errors_is_told_is_no_chance() -> None:
    rig = Rig()

    messages = {
        refused(rig, InvalidArgument, task(1, queue="\0"), *(task(n, task_type=f" {n}") for n in range(2, 20)))
        for _ in range(3)
    }

    assert messages == {"queue '\\x00' has a control or invisible character"}

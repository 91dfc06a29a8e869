"""What becomes of a handler's return, exception or death: async, in threads, in processes."""

import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.worker.rig import Broker, Worker, a_broker, a_worker, task_id_of
from tq.model.commands import Ack
from tq.model.ids import format_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def broker() -> AsyncIterator[Broker]:
    """One broker and one worker for all tests here: each leaves the worker idle."""
    async with a_broker() as broker:
        yield broker


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def worker(broker: Broker) -> AsyncIterator[Worker]:
    async with a_worker(broker.address) as worker:
        await broker.worker()
        yield worker


async def test_a_coroutine_runs_with_its_arguments_and_its_result_is_acknowledged(
    broker: Broker, worker: Worker
) -> None:
    token = broker.deliver("echo", value="hello")

    assert await broker.result(token) == "hello"


async def test_a_handler_that_returns_none_has_no_result(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("none")

    assert await broker.result(token) is None


async def test_a_handler_learns_of_its_task(broker: Broker, worker: Worker) -> None:
    in_loop, in_thread = broker.deliver("who", attempt=3), broker.deliver("thread_who", attempt=2)

    first, second = await broker.result(in_loop), await broker.result(in_thread)

    assert first["id"] == format_id(task_id_of(in_loop))
    assert (first["attempt"], second["attempt"]) == (3, 2)
    assert first["pid"] == second["pid"] != worker.pid
    assert first["thread"] != second["thread"]


async def test_many_tasks_are_acknowledged_in_few_requests(broker: Broker, worker: Worker) -> None:
    deliveries = [broker.delivery("none") for _ in range(1_000)]

    broker.push_at_once(deliveries)
    for delivery in deliveries:
        await broker.result(delivery.token)

    tokens = {one.token for one in deliveries}
    batches = [{one.token for one in ack.successes} & tokens for ack in broker.requests if isinstance(ack, Ack)]
    assert sum(map(len, batches)) == len(set().union(*batches)) == 1_000
    assert sum(map(bool, batches)) < 50


async def test_context_variables_of_one_task_do_not_reach_the_next(broker: Broker, worker: Worker) -> None:
    tokens = [broker.deliver("counts_in_its_context") for _ in range(12)]

    assert [await broker.result(token) for token in tokens] == [1] * 12


async def test_a_cancel_that_an_ended_handler_left_behind_harms_nobody(broker: Broker, worker: Worker) -> None:
    for _ in range(8):
        await broker.result(broker.deliver("cancels_its_slot"))

    tokens = [broker.deliver("has_timeout") for _ in range(4)]

    assert [await broker.result(token) for token in tokens] == ["timed out inside"] * 4


@pytest.mark.parametrize("task_type", ["raises_value", "raises_from_afar", "thread_raises", "process_raises"])
async def test_an_exception_is_reported_with_its_type_text_and_traceback(
    broker: Broker, worker: Worker, task_type: str
) -> None:
    token = broker.deliver(task_type)

    failure = await broker.failure(token)

    assert failure.error_type == "ValueError"
    assert failure.message in ("in the loop", "from afar", "in a thread", "in a process")
    assert "sample.py" in failure.traceback
    assert "tq/worker" not in failure.traceback
    assert not failure.is_final
    assert not failure.is_timeout
    assert failure.retry_in_ms is None


async def test_the_rules_of_a_task_decide_on_retries(broker: Broker, worker: Worker) -> None:
    never, later, final = (
        broker.deliver("raises", kind="key"),
        broker.deliver("raises", kind="connection"),
        broker.deliver("fails"),
    )

    assert (await broker.failure(never)).is_final
    assert (await broker.failure(later)).retry_in_ms == 7_000
    assert (await broker.failure(final)).is_final
    assert (await broker.failure(final)).error_type == "tq.Fail"


async def test_a_handler_that_exits_fails_alone(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("raises", kind="exit")

    assert (await broker.failure(token)).error_type == "SystemExit"
    assert await broker.result(broker.deliver("echo", value="still here")) == "still here"


@pytest.mark.parametrize("task_type", ["snoozes", "process_snoozes"])
async def test_a_snooze_hands_the_task_back_for_later(broker: Broker, worker: Worker, task_type: str) -> None:
    token = broker.deliver(task_type)

    assert (await broker.released(token)).delay_ms == 300_000


async def test_arguments_that_do_not_fit_fail_for_good(broker: Broker, worker: Worker) -> None:
    wrong, unknown = broker.deliver("echo", value=7), broker.deliver("nobody_has_this")

    failure = await broker.failure(wrong)

    assert failure.is_final
    assert "value" in failure.message
    assert "nobody_has_this" in (await broker.failure(unknown)).message


async def test_a_result_without_a_form_as_bytes_fails_for_good(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("returns_a_file")

    assert (await broker.failure(token)).is_final


async def test_a_result_above_the_brokers_limit_fails_for_good(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("returns_bytes", count=2 << 20)

    failure = await broker.failure(token)

    assert failure.is_final
    assert failure.error_type == "PayloadTooLarge"


async def test_results_that_are_large_together_travel_in_several_requests(broker: Broker, worker: Worker) -> None:
    tokens = [broker.deliver("returns_bytes", count=900_000) for _ in range(4)]

    assert [len(await broker.result(token)) for token in tokens] == [900_000] * 4


async def test_a_process_handler_runs_in_a_process_that_stays_for_the_next(broker: Broker, worker: Worker) -> None:
    first = await broker.result(token := broker.deliver("process_who", attempt=5))
    second = await broker.result(broker.deliver("process_who"))

    assert first["pid"] == second["pid"]
    assert first["pid"] != (await broker.result(broker.deliver("who")))["pid"]
    assert (first["id"], first["attempt"]) == (format_id(task_id_of(token)), 5)


@pytest.mark.parametrize(
    ("task_type", "how"), [("process_crashes", "was killed by SIGSEGV"), ("process_exits", "exited with code 9")]
)
async def test_a_process_that_dies_fails_its_task_alone_and_is_replaced(
    broker: Broker, worker: Worker, task_type: str, how: str
) -> None:
    token, bystander = broker.deliver(task_type), broker.deliver("waits_a_little", seconds=0.2)

    assert how in (await broker.failure(token)).message
    assert await broker.result(bystander) == "waited"
    assert (await broker.result(broker.deliver("process_who")))["attempt"] == 1
    assert len(broker.hellos) == 1


async def test_progress_of_every_kind_of_handler_arrives(broker: Broker, worker: Worker) -> None:
    tokens = [broker.deliver(name) for name in ("waits", "thread_looks", "process_sleeps")]

    notes = [await broker.progress(token) for token in tokens]

    assert notes[:2] == ["started", "started"]
    os.kill(int(notes[2]), signal.SIGKILL)
    assert "SIGKILL" in (await broker.failure(tokens[2])).message
    await broker.stop(*tokens[:2])


async def test_a_note_that_cannot_be_sent_as_it_is_harms_nobody(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("notes_what_cannot_be_sent")

    assert await broker.progress(token) == "half ?"
    assert await broker.result(token) == "noted"


async def test_kinds_together_run_no_more_than_the_slots(broker: Broker, worker: Worker) -> None:
    """`concurrency: 4` is a promise: to a database with four connections, say."""
    running = [broker.deliver(name) for name in ("waits", "thread_looks", "waits", "thread_looks")]
    for token in running:
        await broker.progress(token)

    late = [broker.push("echo", value="late"), broker.push("thread_echo", value="late")]

    for token in late:  # no slot: back they go, unrun
        assert (await broker.released(token)).delay_ms == 0
    assert not {success.token for success in broker.successes()} & set(late)
    await broker.stop(*running)

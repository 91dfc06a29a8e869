"""The broker goes away and comes back: what is held stays held, outcomes are kept until they are confirmed."""

import signal
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.client.scripted import LIMITS, welcome
from tests.worker.rig import Broker, Worker, a_broker, a_worker, ref_of, task_id_of
from tq.model.commands import Ack, Fetch, Heartbeat, Nack, Release
from tq.model.replies import ErrorReply, Settled


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with a_broker() as broker:
        yield broker


@pytest.fixture
async def worker(broker: Broker) -> AsyncIterator[Worker]:
    async with a_worker(broker.address) as worker:
        await broker.worker()
        yield worker


async def _second_greeting(broker: Broker) -> None:
    await broker.until(lambda: True if len(broker.hellos) == 2 else None, "second greeting")


async def test_a_running_task_goes_on_over_a_lost_connection(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits_a_little", seconds=1.0)
    await broker.progress(token)

    broker.peer.reset()
    await _second_greeting(broker)

    assert broker.hellos[1].incarnation == broker.hellos[0].incarnation
    assert broker.hellos[1].held == [ref_of(token)]
    assert await broker.result(token) == "waited"


async def test_unconfirmed_outcomes_are_held_and_sent_again(broker: Broker, worker: Worker) -> None:
    broker.is_settling = False
    done, failed, snoozed = broker.deliver("echo", value="x"), broker.deliver("fails"), broker.deliver("snoozes")
    await broker.result(done)
    await broker.failure(failed)
    await broker.released(snoozed)
    broker.is_settling = True

    broker.peer.reset()
    await _second_greeting(broker)
    await broker.until(
        lambda: True if {type(one) for one in broker.since_hello()} >= {Ack, Nack, Release} else None, "repeats"
    )

    assert sorted(ref.token for ref in broker.hellos[1].held) == [done, failed, snoozed]
    broker.peer.reset()
    await broker.until(lambda: True if len(broker.hellos) == 3 else None, "third greeting")
    assert broker.hellos[2].held == []


async def test_what_the_broker_gave_to_others_meanwhile_is_stopped_and_dropped(broker: Broker, worker: Worker) -> None:
    broker.is_settling = False
    done, running = broker.deliver("echo", value="x"), broker.deliver("waits")
    await broker.result(done)
    await broker.progress(running)
    broker.is_settling = True
    broker.lost = [task_id_of(done), task_id_of(running)]

    broker.peer.reset()
    await worker.logged("told")
    await broker.result(broker.deliver("echo", value="next"))

    since = broker.since_hello()
    assert not [one for one in since if isinstance(one, Ack) and ref_of(done).token in {s.token for s in one.successes}]
    assert not broker.is_settled(running)


async def test_credit_is_asked_for_anew_on_each_connection(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits")
    await broker.progress(token)

    broker.peer.reset()
    await broker.worker(2)

    fetches = [one for one in broker.since_hello() if isinstance(one, Fetch)]
    assert fetches[0].credit == 3


async def test_a_draining_worker_says_so_on_the_next_connection_too(broker: Broker, worker: Worker) -> None:
    token = broker.deliver("waits_a_little", seconds=1.5)
    await broker.progress(token)
    worker.send_signal(signal.SIGTERM)
    await broker.next(Heartbeat, lambda one: one.is_draining)

    broker.peer.reset()
    await _second_greeting(broker)

    assert await broker.result(token) == "waited"
    assert await worker.ended() == 0
    beats = [one for one in broker.since_hello() if isinstance(one, Heartbeat)]
    assert beats
    assert all(beat.is_draining for beat in beats)
    assert not [one for one in broker.since_hello() if isinstance(one, Fetch) and one.credit]


async def test_an_outcome_that_the_broker_cannot_take_now_is_sent_again(broker: Broker, worker: Worker) -> None:
    """A full disk, for example: it may be better in a second."""
    broker.is_settling = False
    token = broker.deliver("echo", value="x")
    first = await broker.next(Ack, lambda one: bool(one.successes))

    broker.send(ErrorReply(first.request_id, "DISK_FULL", "no space"))
    again = await broker.next(Ack, lambda one: bool(one.successes) and one.request_id != first.request_id)
    broker.send(Settled(again.request_id))

    assert [success.token for success in again.successes] == [token]


async def test_a_refused_batch_is_split_and_the_one_to_blame_becomes_a_failure(broker: Broker, worker: Worker) -> None:
    broker.is_settling = False
    deliveries = [broker.delivery("echo", value="good"), broker.delivery("echo", value="bad")]
    good, bad = (one.token for one in deliveries)
    broker.push_at_once(deliveries)
    first = await broker.next(Ack, lambda one: len(one.successes) == 2)

    broker.send(ErrorReply(first.request_id, "PAYLOAD_TOO_LARGE", "one of them"))
    alone = [
        await broker.next(Ack, lambda one, token=token: [s.token for s in one.successes] == [token])  # type: ignore[misc]
        for token in (good, bad)
    ]
    broker.send(Settled(alone[0].request_id), ErrorReply(alone[1].request_id, "PAYLOAD_TOO_LARGE", "this one"))

    failure = await broker.failure(bad)
    assert failure.is_final
    assert "this one" in failure.message


async def test_a_refusal_that_waiting_would_not_change_ends_the_worker(broker: Broker) -> None:
    broker.greets_with = lambda hello: ErrorReply(0, "ACCESS_DENIED", "this token may not work here")
    async with a_worker(broker.address) as worker:
        assert await worker.ended() == 2

    assert "this token may not work here" in worker.lines[-1]


async def test_a_broker_that_is_not_there_yet_is_waited_for(broker: Broker) -> None:
    refusals = iter([ErrorReply(0, "TOO_MANY_CONNECTIONS", "later"), ErrorReply(0, "SHUTTING_DOWN", "later")])
    broker.greets_with = lambda hello: next(refusals, None) or welcome()
    async with a_worker(broker.address) as worker:
        await worker.logged("broker_unreachable")

        await broker.until(lambda: True if len(broker.hellos) == 3 else None, "third greeting")

        assert await broker.result(broker.deliver("echo", value="x")) == "x"


async def test_no_more_requests_are_outstanding_than_the_broker_allows(broker: Broker) -> None:
    limits = msgspec.structs.replace(LIMITS, outstanding_requests_max=1)
    broker.greets_with = lambda hello: welcome(limits=limits)
    async with a_worker(broker.address):
        await broker.worker()
        await broker.next(Ack)  # the one that goes with the first heartbeat
        broker.is_settling = False
        first = broker.deliver("echo", value="first")
        await broker.result(first)
        second = broker.deliver("echo", value="second")
        request = await broker.next(Ack, lambda one: [success.token for success in one.successes] == [first])

        broker.is_settling = True
        broker.send(Settled(request.request_id))

        assert await broker.result(second) == "second"
        acks = [one for one in broker.requests if isinstance(one, Ack) and one.successes]
        assert len(acks) == 2


async def test_a_request_that_fits_no_frame_is_reported_as_a_failure(broker: Broker) -> None:
    """Limits of results and of frames are set apart from each other."""
    limits = msgspec.structs.replace(LIMITS, frame_bytes_max=100_000)
    broker.greets_with = lambda hello: welcome(limits=limits)
    async with a_worker(broker.address):
        await broker.worker()

        failure = await broker.failure(broker.deliver("returns_bytes", count=200_000))

        assert failure.is_final
        assert failure.error_type == "PAYLOAD_TOO_LARGE"

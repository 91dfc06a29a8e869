"""What a worker does not read, the broker does not make: bodies in memory are bounded however large they are."""

import msgspec

from tests.engine.rig import Hand, Rig, number_of, task
from tq.engine.bounds import Bounds
from tq.model.commands import Fetch

KIB = 1 << 10


def turn(rig: Rig) -> None:
    """One advance and one commit, as the broker does while more is due."""
    rig.engine.advance(rig.now_ms)
    rig.commit()


def submit_large(rig: Rig, count: int) -> None:
    rig.submit(*(msgspec.structs.replace(task(number), payload=bytes(KIB)) for number in range(1, count + 1)))


def numbers(worker: Hand) -> list[int]:
    return [number_of(delivery) for delivery in worker.deliveries()]


def test_large_tasks_are_delivered_a_few_in_a_batch() -> None:
    rig = Rig(bounds=Bounds(deliver_bytes_max=3 * KIB))
    submit_large(rig, 7)
    worker = rig.worker()
    worker.step(Fetch(0, 10))

    batches = []
    for _ in range(4):
        turn(rig)
        batches.append(numbers(worker))

    assert batches == [[1, 2, 3], [4, 5, 6], [7], []]


def test_while_a_batch_is_full_nothing_more_is_delivered_and_the_engine_says_that_more_is_due() -> None:
    rig = Rig(bounds=Bounds(deliver_bytes_max=3 * KIB))
    submit_large(rig, 7)
    worker = rig.worker()
    worker.step(Fetch(0, 10))

    rig.engine.advance(rig.now_ms)
    rig.engine.advance(rig.now_ms)

    assert rig.engine.next_deadline_ms() == 0
    rig.commit()
    assert numbers(worker) == [1, 2, 3]


def test_a_held_worker_gets_nothing_and_keeps_its_credit() -> None:
    rig = Rig()
    held, other = rig.worker("a"), rig.worker("b")
    held.step(Fetch(0, 2))
    rig.engine.hold(held.session)
    held.step(Fetch(0, 1))
    submit_large(rig, 4)
    rig.turn()
    before = numbers(held)
    taken = other.numbers(1)

    rig.engine.resume(held.session)
    rig.turn()

    assert before == []
    assert taken == [1]
    assert numbers(held) == [2, 3, 4]


def test_a_new_connection_of_a_held_worker_is_not_held() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.engine.hold(worker.session)
    worker.disconnect()
    worker.connect()
    submit_large(rig, 1)

    assert worker.numbers(1) == [1]


def test_a_held_worker_that_leaves_is_forgotten_like_any_other() -> None:
    rig = Rig()
    worker = rig.worker()
    worker.step(Fetch(0, 1))
    rig.engine.hold(worker.session)

    worker.disconnect()
    rig.engine.resume(worker.session)
    submit_large(rig, 1)

    assert rig.queue().ready == 1


def test_one_who_is_no_worker_is_neither_held_nor_resumed() -> None:
    rig = Rig()
    rig.engine.hold(99)
    rig.engine.resume(99)
    submit_large(rig, 1)

    assert rig.worker().numbers(1) == [1]

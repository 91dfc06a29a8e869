"""The sums that interfaces show."""

from tests.engine.rig import HOUR, Rig, task
from tq.model.task import HIGH, LOW, TaskOptions


def test_ready_is_all_tiers_and_waiting_is_all_that_will_still_run() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2, priority=HIGH), task(3, priority=LOW), task(4, options=TaskOptions(delay_ms=HOUR)))
    worker.nack(worker.fetch_one(), retry_in_ms=HOUR)

    queue = rig.queue()

    assert queue.ready == 2
    assert queue.waiting == 4

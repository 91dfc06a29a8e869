"""The disk may refuse any read. Whatever the engine was doing, no task may end up in no place, or in two."""

from collections.abc import Callable

import pytest

from tests.engine.invariants import violations
from tests.engine.rig import HOUR, SECOND, Hand, Rig, id_of, ref, task
from tests.engine.rows import Rows
from tq.engine.bounds import Bounds
from tq.engine.tables import Table
from tq.model.commands import (
    Ack,
    Cancel,
    CancelledByWorker,
    CommitOperation,
    Failure,
    Hello,
    LeaseRef,
    Nack,
    PrepareOperation,
    Release,
    Request,
    Resubmit,
    Submit,
    Success,
    WorkerDied,
)
from tq.model.errors import StorageFailed
from tq.model.operations import Action, OperationState
from tq.model.replies import Delivery
from tq.model.task import TaskOptions


class FailingRows(Rows):
    """Fails the read that `reads_left` says, counting down; None: none."""

    reads_left: int | None = None

    def _count_down(self) -> None:
        if self.reads_left is not None:
            self.reads_left -= 1
            if self.reads_left == 0:
                raise StorageFailed("the disk refuses to read")

    def get(self, table: Table, key: bytes) -> bytes | None:
        self._count_down()
        return super().get(table, key)

    def range(
        self, table: Table, start: bytes, end: bytes, limit: int, is_descending: bool = False
    ) -> list[tuple[bytes, bytes]]:
        self._count_down()
        return super().range(table, start, end, limit, is_descending)


def scene() -> tuple[Rig, Hand, list[Delivery]]:
    """Tasks 1 to 3 dead, 4 to 6 running after a retry, 7 to 9 ready, 10 and 11 scheduled; all out of memory."""
    rig = Rig(bounds=Bounds(window_max=2, refill=2))
    rig.rows = FailingRows()
    rig.restart()
    worker = rig.worker()
    rig.submit(*(task(number) for number in range(1, 7)))
    first = worker.fetch(6)
    worker.nack(*first[:3], is_final=True)
    worker.nack(*first[3:], retry_in_ms=0)
    running = worker.fetch(3)
    rig.submit(*(task(number) for number in range(7, 10)))
    rig.submit(*(task(number, options=TaskOptions(delay_ms=HOUR, key=str(number))) for number in (10, 11)))
    rig.restart()
    worker.connect(*running)
    return rig, worker, running


def leases(running: list[Delivery]) -> list[LeaseRef]:
    return [ref(delivery) for delivery in running]


REQUESTS: dict[str, Callable[[Hand, list[Delivery]], Request]] = {
    "submit": lambda worker, running: Submit(
        1, [task(20), task(21, options=TaskOptions(key="10", expires_ms=SECOND)), task(22)]
    ),
    "ack": lambda worker, running: Ack(1, [Success(ref.task_id, ref.token) for ref in leases(running)]),
    "nack": lambda worker, running: Nack(1, [Failure(ref.task_id, ref.token) for ref in leases(running)]),
    "release": lambda worker, running: Release(1, leases(running)),
    "snooze": lambda worker, running: Release(1, leases(running), SECOND),
    "stop": lambda worker, running: CancelledByWorker(1, leases(running)),
    "return": lambda worker, running: Hello(1, 1, worker=worker.hello),
    "death": lambda worker, running: WorkerDied(1, worker.hello.incarnation),
    "cancel": lambda worker, running: Cancel(1, [id_of(number) for number in range(1, 12)]),
    "prepare": lambda worker, running: PrepareOperation(1, Action.PURGE, "type:mail"),
    "prepare ids": lambda worker, running: PrepareOperation(1, Action.RETRY, "", [id_of(1), id_of(2)]),
    "resubmit": lambda worker, running: Resubmit(1, id_of(1), id_of(30)),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_a_read_that_fails_in_the_middle_of_a_request_puts_no_task_nowhere(what: str) -> None:
    for failing in range(1, 100):
        rig, worker, running = scene()
        rows = rig.rows
        assert isinstance(rows, FailingRows)
        rows.reads_left = failing
        try:
            worker.step(REQUESTS[what](worker, running))
        except StorageFailed:
            has_failed = True
        else:
            has_failed = False
        rows.reads_left = None
        rig.commit()

        assert violations(rows, rig.now_ms) == [], failing
        if not has_failed:
            assert failing > 1, "it reads nothing: it proves nothing"
            return
    raise AssertionError("does it never end?")


@pytest.mark.parametrize("selector", ["", "type:mail"])
@pytest.mark.parametrize("action", [Action.RETRY, Action.PURGE, Action.CANCEL, Action.RESUBMIT])
def test_a_read_that_fails_in_the_middle_of_an_operation_moves_no_task_twice(action: Action, selector: str) -> None:
    for failing in range(1, 100):
        rig, _, _ = scene()
        rows = rig.rows
        assert isinstance(rows, FailingRows)
        prepared = rig.prepare(PrepareOperation(1, action, selector))
        rig.step(CommitOperation(1, prepared.token))
        rows.reads_left = failing
        has_failed = False
        try:
            rig.engine.advance(rig.now_ms)
        except StorageFailed:
            has_failed = True
        has_failed = has_failed or rows.reads_left <= 0
        rows.reads_left = None
        rig.turn()

        operation = rig.operation(prepared.token)
        assert operation.state is OperationState.DONE
        assert operation.done + operation.failed == operation.total == prepared.count, failing
        if not has_failed:
            assert failing > 1, "it reads nothing: it proves nothing"
            return
    raise AssertionError("does it never end?")

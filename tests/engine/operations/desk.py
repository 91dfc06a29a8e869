"""An operator at a rig: previews, starts and undoes operations in one line each."""

from tests.engine.rig import HOUR, Rig, id_of, task
from tq.engine.bounds import Bounds
from tq.model.commands import (
    CancelOperation,
    PrepareOperation,
    UndoOperation,
)
from tq.model.operations import RATE_MAX, Action, Operation, Overrides
from tq.model.replies import OperationReply, Prepared
from tq.model.task import State, TaskOptions

SMALL = Bounds(window_max=2, refill=2, bulk_max=4, scan_max=6, sweep_max=5)
"""So small that a few tasks meet every bound."""


class Desk:
    """The operator's side of a rig."""

    def __init__(self, rig: Rig | None = None) -> None:
        self.rig = rig or Rig(bounds=SMALL)

    def prepare(
        self,
        action: Action,
        selector: str = "",
        *numbers: int,
        is_hard: bool = False,
        overrides: Overrides = Overrides(),  # noqa: B008 - frozen
    ) -> Prepared:
        ids = [id_of(number) for number in numbers]
        return self.rig.prepare(PrepareOperation(7, action, selector, ids, is_hard, overrides))

    def commit(self, prepared: Prepared, *, rate: int = RATE_MAX, reason: str = "") -> Operation:
        """Start it, and give the engine its turn."""
        return self.rig.commit_operation(prepared.token, rate=rate, reason=reason)

    def do(
        self, action: Action, selector: str = "", *numbers: int, rate: int = RATE_MAX, is_hard: bool = False
    ) -> Operation:
        """Prepare and commit."""
        return self.rig.operate(action, selector, *numbers, rate=rate, is_hard=is_hard)

    def get(self, operation_id: bytes) -> Operation:
        return self.rig.operation(operation_id)

    def cancel(self, operation: Operation) -> Operation:
        return self.rig.ask(CancelOperation(10, operation.id.hex()), OperationReply).operation

    def undo(self, operation: Operation, *, rate: int = RATE_MAX) -> Operation:
        reply = self.rig.ask(UndoOperation(11, operation.id.hex(), "", rate), OperationReply)
        return self.get(reply.operation.id)

    # -- scenes -----------------------------------------------------------------------------------------------------

    def kill(self, *numbers: int, queue: str = "default") -> None:
        """These tasks are submitted and die."""
        self.rig.submit(*(task(number, queue=queue, max_retries=0) for number in numbers))
        worker = self.rig.worker("killer", queues={queue: 0})
        dying = worker.fetch(len(numbers))
        worker.nack(*dying, error_type="http.ConnectTimeout", message="no answer in 30 s")
        worker.disconnect()
        assert self.states(*numbers) == {State.DEAD_LETTER}

    def wait(self, *numbers: int, queue: str = "default") -> None:
        """These tasks are submitted and wait: the odd ones are ready, the even ones have a delay."""
        for number in numbers:
            options = TaskOptions(delay_ms=HOUR, expires_ms=3 * HOUR) if number % 2 == 0 else None
            self.rig.submit(task(number, queue=queue, options=options))

    def states(self, *numbers: int) -> set[State]:
        return {self.rig.state(number) for number in numbers}

"""The client's calls for operations: one thing done to many tasks, previewed, run by the broker, and taken back."""

from collections.abc import Sequence

from tq.client.asking import Asking, Blocking, Id
from tq.client.ids import raw_id
from tq.model.commands import (
    CancelOperation,
    CommitOperation,
    GetOperation,
    ListOperations,
    PrepareOperation,
    UndoOperation,
)
from tq.model.errors import InvalidArgument
from tq.model.operations import RATE, UNDO_RATE, Action, Operation, OperationState, Overrides
from tq.model.replies import OperationPage, OperationReply, Prepared
from tq.model.selector import Selector

OperationId = str | bytes
"""An operation's id: hex digits, also a unique beginning of them, or its 8 bytes."""

WAIT_SECONDS_MAX = 60.0
NO_OVERRIDES = Overrides()


class AsyncOperations(Asking):
    """Operations, for AsyncClient."""

    async def prepare(
        self,
        action: Action | str,
        selector: Selector | str = "",
        task_ids: Sequence[Id] = (),
        hard: bool = False,
        overrides: Overrides = NO_OVERRIDES,
    ) -> Prepared:
        """Freeze and count the tasks to which something is about to be done; changes nothing. `commit` starts it.

        Args:
            action: "retry" dead letters, "purge" dead letters and what waits, "cancel" what waits or runs, "resubmit"
                what has ended.
            selector: which tasks; an empty one: all.
            task_ids: which tasks, instead of a selector; up to 1000.
            hard: of a purge, remove the records of all that does not run; cannot be undone.
            overrides: of a resubmit, what the new tasks have instead of what the old ones had.

        Raises:
            SelectorInvalid: the selector makes no sense; says where.
            QueueNotFound: a queue that it names in full was never submitted to.
            TaskNotFound, WrongState: the only id is of no task, or of one to which this cannot be done.
        """
        text = selector.text if isinstance(selector, Selector) else selector
        ids = [raw_id(task_id) for task_id in task_ids]
        return await self._ask(PrepareOperation(0, _action(action), text, ids, hard, overrides), Prepared)

    async def commit(self, token: bytes, reason: str = "", rate: int = RATE) -> Operation:
        """Start what was prepared, within a minute. The broker goes on with it by itself, also after a restart.

        Args:
            token: of the preview.
            rate: tasks a second.

        Raises:
            PreviewExpired: the preview is too old, or the broker was restarted since.
        """
        return (await self._ask(CommitOperation(0, token, reason, rate), OperationReply)).operation

    async def operations(self, limit: int = 100) -> list[Operation]:
        """The latest operations, the latest first, up to 1000."""
        return (await self._ask(ListOperations(0, limit), OperationPage)).operations

    async def operation(self, operation: OperationId, wait: float = 0.0) -> Operation:
        """One operation.

        Args:
            wait: seconds, up to 60; the broker answers when it ends, and after this time at the latest.

        Raises:
            OperationNotFound: it never started, or its record is gone.
        """
        wait_ms = round(min(max(0.0, wait), WAIT_SECONDS_MAX) * 1_000)
        return (await self._ask(GetOperation(0, _name(operation), wait_ms), OperationReply)).operation

    async def wait_for_operation(self, operation: OperationId) -> Operation:
        """Wait until an operation has ended.

        Raises:
            OperationNotFound: as for `operation`.
        """
        while True:
            found = await self.operation(operation, WAIT_SECONDS_MAX)
            if found.state is not OperationState.RUNNING:
                return found

    async def cancel_operation(self, operation: OperationId, reason: str = "") -> Operation:
        """Stop an operation; what it has done stays done, and can be undone.

        Raises:
            OperationNotFound: as for `operation`.
            WrongState: it has ended.
        """
        return (await self._ask(CancelOperation(0, _name(operation), reason), OperationReply)).operation

    async def undo(self, operation: OperationId, reason: str = "", rate: int = UNDO_RATE) -> Operation:
        """Put back what a retry, purge or cancel has moved, where nothing else has moved it since and it does not run.

        Returns:
            The new operation that does so; where one does already, that one.

        Raises:
            OperationNotFound: as for `operation`.
            WrongState: it cannot be undone, or has moved nothing.
        """
        return (await self._ask(UndoOperation(0, _name(operation), reason, rate), OperationReply)).operation


class Operations(Blocking):
    """Operations, for Client."""

    def prepare(
        self,
        action: Action | str,
        selector: Selector | str = "",
        task_ids: Sequence[Id] = (),
        hard: bool = False,
        overrides: Overrides = NO_OVERRIDES,
    ) -> Prepared:
        """See AsyncClient.prepare."""
        return self._thread.run(lambda: self._client.prepare(action, selector, task_ids, hard, overrides))

    def commit(self, token: bytes, reason: str = "", rate: int = RATE) -> Operation:
        """See AsyncClient.commit."""
        return self._thread.run(lambda: self._client.commit(token, reason, rate))

    def operations(self, limit: int = 100) -> list[Operation]:
        """See AsyncClient.operations."""
        return self._thread.run(lambda: self._client.operations(limit))

    def operation(self, operation: OperationId, wait: float = 0.0) -> Operation:
        """See AsyncClient.operation."""
        return self._thread.run(lambda: self._client.operation(operation, wait))

    def wait_for_operation(self, operation: OperationId) -> Operation:
        """See AsyncClient.wait_for_operation."""
        return self._thread.run(lambda: self._client.wait_for_operation(operation))

    def cancel_operation(self, operation: OperationId, reason: str = "") -> Operation:
        """See AsyncClient.cancel_operation."""
        return self._thread.run(lambda: self._client.cancel_operation(operation, reason))

    def undo(self, operation: OperationId, reason: str = "", rate: int = UNDO_RATE) -> Operation:
        """See AsyncClient.undo."""
        return self._thread.run(lambda: self._client.undo(operation, reason, rate))


def _name(operation: OperationId) -> str:
    return operation.hex() if isinstance(operation, bytes) else operation


def _action(action: Action | str) -> Action:
    try:
        return Action(action)
    except ValueError:
        known = ", ".join(action for action in Action if action is not Action.UNDO)
        raise InvalidArgument(f"{action!r} is nothing that can be done to tasks", hint=f"one of {known}") from None

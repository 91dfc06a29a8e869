"""One thing done to tasks that are named, with the same preview, record and undo as one done to a million."""

from collections.abc import Sequence

from tq.client.async_client import AsyncClient
from tq.model.errors import WrongState
from tq.model.operations import RATE, Action, Operation

WAIT_SECONDS = 10.0
"""How long an answer waits for a small operation to end; it goes on by itself."""


async def carry_out(client: AsyncClient, action: Action, task_ids: Sequence[str], reason: str) -> Operation:
    """Do something to these tasks now.

    Raises:
        TaskNotFound, WrongState: the only one does not exist, or is in no state for it.
    """
    preview = await client.prepare(action, task_ids=task_ids)
    if not preview.count:
        raise WrongState(f"none of {len(task_ids)} tasks is there, and in a state for {action.value}")
    operation = await client.commit(preview.token, reason, RATE)
    return await client.operation(operation.id, wait=WAIT_SECONDS)

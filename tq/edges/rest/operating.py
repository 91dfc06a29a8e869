"""One thing done to tasks, with the same preview, record and undo whether they are one or a million."""

from collections.abc import Sequence

from tq.client.async_client import AsyncClient
from tq.edges.rest.bodies import Reasoned, Started
from tq.model.errors import InvalidArgument, WrongState
from tq.model.operations import OPERATION_ID_BYTES, RATE, Action, Operation

WAIT_SECONDS = 10.0
"""How long an answer waits for a small operation to end; it goes on by itself."""


async def carry_out(client: AsyncClient, action: Action, task_ids: Sequence[str], why: Reasoned) -> Operation:
    """Do something to these tasks now.

    Raises:
        TaskNotFound, WrongState: the only one does not exist, or is in no state for it.
    """
    preview = await client.prepare(action, task_ids=task_ids)
    if not preview.count:
        raise WrongState(f"none of {len(task_ids)} tasks is there, and in a state for {action.value}")
    operation = await client.commit(preview.token, why.reason, RATE)
    return await client.operation(operation.id, wait=WAIT_SECONDS)


async def start(client: AsyncClient, action: Action, how: Started, *, selector: str) -> Operation:
    """Start doing something to the tasks of a selector.

    Raises:
        QueueNotFound: a queue that it names in full was never submitted to.
    """
    preview = await client.prepare(action, selector)
    return await client.commit(preview.token, how.reason, how.rate)


def operation_token(text: str) -> bytes:
    """The token of a preview, which is the id of the operation.

    Raises:
        InvalidArgument: none.
    """
    try:
        token = bytes.fromhex(text)
    except ValueError:
        token = b""
    if len(token) != OPERATION_ID_BYTES:
        raise InvalidArgument(
            f"{text[:60]!r} is not the token of a preview", hint=f"{2 * OPERATION_ID_BYTES} hex digits: `token`"
        )
    return token

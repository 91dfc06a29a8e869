"""Dead letters in bulk, as a worker makes them: tasks are submitted, delivered, and fail for good."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from tq.client.async_client import AsyncClient
from tq.client.connection import Connection
from tq.client.task import Task
from tq.model.commands import BATCH_MAX, Failure, Fetch, Hello, Nack, Order, WorkerHello
from tq.model.errors import InternalError
from tq.model.replies import Deliver, Delivery, Push, Settled
from tq.protocol.codec import PROTOCOL_VERSION

TASK_TYPES = tuple(f"charge_{kind}" for kind in range(5))
RARE_ONE_IN = 1_000
"""Of these there are 3 failure groups; of the others 60."""
_IN_HAND = 4 * BATCH_MAX
_WORKERS = 2
"""While one fails its tasks, the tasks of the other are submitted."""
_TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/venv/lib/python3.11/site-packages/httpx/_transports/default.py", line 72, in map_httpcore_exceptions
    yield
  File "/srv/shop/app/{module}.py", line {line}, in {function}
    response = await client.post(url, json=body, timeout=30)
  File "/srv/shop/venv/lib/python3.11/site-packages/httpx/_client.py", line 1898, in post
    return await self.request("POST", url, content=content, data=data, files=files, json=json, headers=headers)
{error_type}: {message}
"""


async def make_dead_letters(
    client: AsyncClient,
    address: str,
    count: int,
    queues: Sequence[str],
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Submit tasks to the queues in turn and fail them for good.

    Args:
        address: of the broker, for the workers.
        on_progress: called with how many there are.

    Raises:
        InternalError: the broker took a task away meanwhile.
    """
    made = 0
    firsts = iter(range(0, count, _IN_HAND))

    async def work(number: int) -> None:
        nonlocal made
        async with _worker(address, number) as (connection, deliveries):
            for first in firsts:
                size = min(_IN_HAND, count - first)
                await client.submit_tasks([_task(number, queues) for number in range(first, first + size)])
                connection.send(Fetch(0, size))
                while size:
                    failed = [await deliveries.get() for _ in range(min(BATCH_MAX, size))]
                    reply = await connection.request(Nack(connection.next_id(), [_failure(each) for each in failed]))
                    if not isinstance(reply, Settled) or reply.lost:
                        raise InternalError("the broker took away what the worker had in hand")
                    size -= len(failed)
                    made += len(failed)
                    if on_progress is not None:
                        on_progress(made)

    async with asyncio.TaskGroup() as group:
        for number in range(_WORKERS):
            group.create_task(work(number))


async def dead_letters(client: AsyncClient) -> int:
    """How many there are."""
    return (await client.list_tasks("state:dead_letter", Order.AGE, limit=1)).total


def _task(number: int, queues: Sequence[str]) -> Task:
    payload = number.to_bytes(8, "big") + bytes(192)
    return Task(TASK_TYPES[number % len(TASK_TYPES)], payload, queue=queues[number % len(queues)], max_retries=0)


def _failure(delivery: Delivery) -> Failure:
    spec = delivery.stored().spec
    number = int.from_bytes(spec.payload[:8], "big")
    if number % RARE_ONE_IN == RARE_ONE_IN - 1:
        error_type, message = "shop.errors.RareError", f"order {number} has no address"
    else:
        error_type, message = "httpx.ConnectTimeout", f"'api{number % 97}.example.org' did not answer in {number % 7} s"
    kind = number % 60
    traceback = _TRACEBACK.format(
        module=f"pay_{kind}", line=number % 90, function="charge", error_type=error_type, message=message
    )
    return Failure(spec.id, delivery.token, error_type, message, traceback)


@asynccontextmanager
async def _worker(address: str, number: int) -> AsyncIterator[tuple[Connection, "asyncio.Queue[Delivery]"]]:
    """A connection that says it is a worker of all task types, and what is delivered on it."""
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    def take(push: Push) -> None:
        if isinstance(push, Deliver):
            for delivery in push.deliveries:
                deliveries.put_nowait(delivery)

    incarnation = secrets.token_bytes(16)
    hello = WorkerHello(f"bench-{number}", incarnation, "bench", 0, list(TASK_TYPES), concurrency=_IN_HAND)
    connection = await Connection.open(
        address, Hello(0, PROTOCOL_VERSION, "tq bench", worker=hello), on_push=take, timeout=10
    )
    try:
        yield connection, deliveries
    finally:
        await connection.close()

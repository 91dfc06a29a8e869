"""What an operator waits for: listings of a million dead letters, over a fresh start, from a client's side."""

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tq.bench.plan import Figure, Plan
from tq.bench.rig import Rig
from tq.client.async_client import AsyncClient
from tq.client.connection import Connection
from tq.client.task import Task
from tq.model.commands import BATCH_MAX, Failure, Fetch, Hello, Nack, Order, WorkerHello
from tq.model.errors import InternalError
from tq.model.replies import Deliver, Delivery, Push, Settled
from tq.protocol.codec import PROTOCOL_VERSION

DEAD_LETTERS = 1_000_000
QUEUES = 8
RARE_ONE_IN = 1_000
LINES = 50
"""Of a page: what a screen shows."""
ROUNDS = 20
"""Times that each figure is measured; their median counts."""
_IN_HAND = 4 * BATCH_MAX
_TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/venv/lib/python3.11/site-packages/httpx/_transports/default.py", line 72, in map_httpcore_exceptions
    yield
  File "/srv/shop/app/{module}.py", line {line}, in {function}
    response = await client.post(url, json=body, timeout=30)
  File "/srv/shop/venv/lib/python3.11/site-packages/httpx/_client.py", line 1898, in post
    return await self.request("POST", url, content=content, data=data, files=files, json=json, headers=headers)
{error_type}: {message}
"""


async def operate(plan: Plan) -> list[Figure]:
    """Pages, filters and counts over dead letters of 8 queues and 63 failure groups, three of them of one in 1,000."""
    count = plan.count(DEAD_LETTERS)
    async with plan.rig() as rig:
        async with rig.client() as client:
            seconds = await _seed(rig, client, count, plan)
        rig.kill_broker()
        await rig.start_broker()
        async with rig.client() as client:
            figures = await _listings(client, count)
    return [Figure(name="dead letters made, in bulk", value=count / seconds, unit="tasks/s"), *figures]


async def _listings(client: AsyncClient, count: int) -> list[Figure]:
    dead, rare = "state:dead_letter", "state:dead_letter err:RareError"

    async def first_page() -> None:
        page = await client.list_tasks(dead, Order.AGE, limit=LINES)
        _check(page.is_total_exact and page.total == count and len(page.tasks) == LINES, "the first page")

    cursor, as_of = b"", 0

    async def next_page() -> None:
        nonlocal cursor, as_of
        page = await client.list_tasks(dead, Order.AGE, False, LINES, cursor, as_of)
        cursor, as_of = page.cursor, page.as_of

    async def filtered() -> None:
        page = await client.list_tasks(rare, Order.AGE, limit=LINES)
        _check(page.is_total_exact and page.total == count // RARE_ONE_IN, "the filtered page")

    async def searched() -> None:
        found, place, moment = 0, b"", 0
        while found < LINES:
            page = await client.list_tasks(f'{dead} "has no address"', Order.AGE, False, LINES - found, place, moment)
            found, place, moment = found + len(page.tasks), page.cursor, page.as_of
            if not place:
                return

    async def groups() -> None:
        page = await client.failure_groups(limit=BATCH_MAX)
        _check(sum(group.count for group in page.groups) == count, "the sum of the groups")

    async def old() -> None:
        await client.list_tasks(f"{dead} queue:shop-1,shop-2 age:>1s", Order.QUEUE, limit=LINES)

    cold = await _timed(first_page)
    return [
        Figure(name=f"first page of {count:,} dead letters, after a start", value=cold, unit="ms", target=100),
        *await _figures("first page", first_page, 100),
        *await _figures("next page", next_page, 50),
        *await _figures("filter by error type, 1 in 1,000", filtered, 150),
        *await _figures("all failure groups", groups, 100),
        *await _figures("of two queues and an age, by queue", old, 100),
        Figure(name=f"search for words of 1 in 1,000, to {LINES} lines", value=await _timed(searched), unit="ms"),
    ]


def _check(is_right: bool, what: str) -> None:
    if not is_right:
        raise InternalError(f"{what} is not what was submitted; a figure for it would mean nothing")


async def _timed(ask: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await ask()
    return (time.perf_counter() - started) * 1_000


async def _figures(name: str, ask: Callable[[], Awaitable[None]], target: float) -> list[Figure]:
    times = [await _timed(ask) for _ in range(ROUNDS)]
    return [
        Figure(name=name, value=statistics.median(times), unit="ms", target=target),
        Figure(name=f"  slowest of {ROUNDS}", value=max(times), unit="ms"),
    ]


# -- making dead letters -----------------------------------------------------------------------------------------------


async def _seed(rig: Rig, client: AsyncClient, count: int, plan: Plan) -> float:
    """Submit tasks and fail them for good, as a worker would; the seconds it took."""
    started = time.perf_counter()
    made = 0
    async with _worker(rig.address) as (connection, deliveries):
        while made < count:
            size = min(_IN_HAND, count - made)
            await client.submit_tasks([_task(number) for number in range(made, made + size)])
            connection.send(Fetch(0, size))
            for _ in range(0, size, BATCH_MAX):
                failed = [await deliveries.get() for _ in range(min(BATCH_MAX, size))]
                size -= len(failed)
                reply = await connection.request(Nack(connection.next_id(), [_failure(each) for each in failed]))
                _check(isinstance(reply, Settled) and not reply.lost, "what the worker had in hand")
                made += len(failed)
            if plan.on_progress is not None:
                plan.on_progress("dead letters", made, count)
    return time.perf_counter() - started


def _task(number: int) -> Task:
    payload = number.to_bytes(8, "big") + bytes(192)
    return Task(f"charge_{number % 5}", payload, queue=f"shop-{number % QUEUES}", max_retries=0)


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
async def _worker(address: str) -> AsyncIterator[tuple[Connection, "asyncio.Queue[Delivery]"]]:
    """A connection that says it is a worker of all task types, and what is delivered on it."""
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    def take(push: Push) -> None:
        if isinstance(push, Deliver):
            for delivery in push.deliveries:
                deliveries.put_nowait(delivery)

    types = [f"charge_{kind}" for kind in range(5)]
    hello = WorkerHello("bench", secrets.token_bytes(16), "bench", 0, types, concurrency=_IN_HAND)
    connection = await Connection.open(
        address, Hello(0, PROTOCOL_VERSION, "tq bench", worker=hello), on_push=take, timeout=10
    )
    try:
        yield connection, deliveries
    finally:
        await connection.close()

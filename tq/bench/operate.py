"""What an operator waits for: listings of a million dead letters, over a fresh start, from a client's side."""

import statistics
import time
from collections.abc import Awaitable, Callable

from tq.bench.dead_letters import RARE_ONE_IN, make_dead_letters
from tq.bench.plan import Figure, Plan
from tq.bench.rig import Rig
from tq.client.async_client import AsyncClient
from tq.model.commands import BATCH_MAX, Order
from tq.model.errors import InternalError

DEAD_LETTERS = 1_000_000
QUEUES = 8
LINES = 50
"""Of a page: what a screen shows."""
ROUNDS = 20
"""Times that each figure is measured; their median counts."""


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


async def _seed(rig: Rig, client: AsyncClient, count: int, plan: Plan) -> float:
    """Make the dead letters; the seconds it took."""
    started = time.perf_counter()

    def tell(made: int) -> None:
        if plan.on_progress is not None:
            plan.on_progress("dead letters", made, count)

    await make_dead_letters(client, rig.address, count, [f"shop-{number}" for number in range(QUEUES)], tell)
    return time.perf_counter() - started


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

"""The measurements, one function each, every one on a rig of its own with empty data, real handlers and fsync on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tq.app.codec import ARGUMENTS
from tq.bench import rest
from tq.bench.executions import check_each_ran_once, read_starts
from tq.bench.handlers import hold
from tq.bench.load import percentile_ms, submit_in_bulk, submit_paced, submit_singly
from tq.bench.operate import operate
from tq.bench.plan import Figure, Plan
from tq.bench.rig import Rig
from tq.bench.watching import watch
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.errors import TqError

RUN_SECONDS_MAX = 600.0


async def _completed(client: AsyncClient) -> int:
    return sum(queue.completed_total for queue in await client.queues() if queue.name == "bench")


async def _until_completed(rig: Rig, client: AsyncClient, total: int) -> float:
    async def are_completed() -> bool:
        return await _completed(client) >= total

    return await rig.until(are_completed, f"{total} tasks to complete", seconds=RUN_SECONDS_MAX, log="worker.log")


async def submit(plan: Plan) -> list[Figure]:
    """Submits, one by one and in bulk; nothing runs them."""
    count, bulk = plan.count(150_000), plan.count(600_000)
    async with plan.rig() as rig, rig.client() as client:
        await submit_singly(client, plan.count(10_000), 100)
        singles = await submit_singly(client, count, 100)
        seconds = await submit_in_bulk(client, bulk, 100, 8)
    return [
        Figure(
            name="submit, one by one, 100 outstanding",
            value=count / singles.seconds,
            unit="tasks/s",
            target=35_000,
            more_is_better=True,
        ),
        Figure(name="  of these, p99", value=percentile_ms(singles.latencies_ns, 99), unit="ms"),
        Figure(name="submit, bulk of 100", value=bulk / seconds, unit="tasks/s", target=120_000, more_is_better=True),
    ]


async def drain(plan: Plan) -> list[Figure]:
    """A backlog, run by 2 worker processes with no-op async handlers."""
    count = plan.count(400_000)
    async with plan.rig() as rig, rig.client() as client:
        await submit_in_bulk(client, count, 500, 4)
        base = await _completed(client)
        await client.pause_queue("bench", "tq bench: until the workers are there")
        await rig.start_workers()
        started = time.perf_counter()
        await client.resume_queue("bench")
        ended = await _until_completed(rig, client, base + count)
        rig.stop_workers()
        check_each_ran_once(rig.ledger, count)
    return [
        Figure(
            name="drain, no-op async handlers, 2 processes",
            value=count / (ended - started),
            unit="tasks/s",
            target=60_000,
            more_is_better=True,
        )
    ]


async def submit_and_run(plan: Plan) -> list[Figure]:
    """One client submits one by one while 2 worker processes run what comes."""
    count = plan.count(150_000)
    async with plan.rig() as rig, rig.client() as client:
        await rig.start_workers()
        base = await _completed(client)
        started = time.perf_counter()
        await submit_singly(client, count, 100)
        ended = await _until_completed(rig, client, base + count)
        rig.stop_workers()
        check_each_ran_once(rig.ledger, count)
    return [
        Figure(
            name="submit and run at once, one by one",
            value=count / (ended - started),
            unit="tasks/s",
            target=25_000,
            more_is_better=True,
        )
    ]


async def _paced(plan: Plan, rate: int, seconds: float) -> tuple[list[int], list[int], float]:
    """Latencies of submits and of starts, ns, at a steady rate; and the part of a core that the broker used."""
    count = int(rate * seconds)
    async with plan.rig() as rig, rig.client() as client:
        await rig.start_workers()
        base = await _completed(client)
        process = rig.broker_process() if rig.is_own else None
        before = sum(process.cpu_times()[:2]) if process else 0.0
        started = time.perf_counter()
        submits = await submit_paced(client, count, rate)
        await _until_completed(rig, client, base + count)
        used = (sum(process.cpu_times()[:2]) - before) if process else 0.0
        elapsed = time.perf_counter() - started
        rig.stop_workers()
        starts = check_each_ran_once(rig.ledger, count)
    assignments = [starts[number] - submits.sent_ns[number] for number in range(count)]
    return submits.latencies_ns, assignments, used / elapsed


async def latency(plan: Plan) -> list[Figure]:
    """From submit to the handler's first line, on an idle system."""
    _, starts, _ = await _paced(plan, 100, plan.seconds(10))
    return [
        Figure(name="submit -> handler at 100/s, p50", value=percentile_ms(starts, 50), unit="ms", target=1.5),
        Figure(name="submit -> handler at 100/s, p99", value=percentile_ms(starts, 99), unit="ms", target=4),
    ]


async def load(plan: Plan) -> list[Figure]:
    """The same under load, and what the load costs the broker."""
    submits, starts, _ = await _paced(plan, 10_000, plan.seconds(10))
    figures = [
        Figure(name="submit p99 at 10,000/s", value=percentile_ms(submits, 99), unit="ms", target=10),
        Figure(name="assignment p99 at 10,000/s", value=percentile_ms(starts, 99), unit="ms", target=20),
    ]
    if plan.url is None:
        _, _, cpu = await _paced(plan, 5_000, plan.seconds(10))
        figures.append(Figure(name="broker CPU at 5,000 tasks/s", value=cpu * 100, unit="% of a core", target=50))
    return figures


async def memory(plan: Plan) -> list[Figure]:
    """Memory of the broker with a backlog, and its restart after kill -9 with a larger one."""
    small, large = plan.count(100_000), plan.count(1_000_000)
    async with plan.rig() as rig:
        async with rig.client() as client:
            await submit_in_bulk(client, small, 500, 4)
            rss = rig.broker_process().memory_info().rss
            await submit_in_bulk(client, large - small, 500, 4)
        rig.kill_broker()
        seconds = await rig.start_broker()
        async with rig.client() as client:
            waiting = sum(queue.waiting for queue in await client.queues())
    assert waiting == large, f"{large} tasks were acknowledged and {waiting} are there after kill -9"
    return [
        Figure(name=f"broker RSS with {small:,} pending", value=rss / 2**20, unit="MiB", target=150),
        Figure(name=f"restart with {large:,} pending to serving", value=seconds, unit="s", target=2),
    ]


async def backlog(plan: Plan) -> list[Figure]:
    """Ten million tasks: submitted, kept, served after kill -9 and a restart, run, each once."""
    count = plan.count(10_000_000)
    done = 0

    def note(more: int) -> None:
        nonlocal done
        done += more
        if plan.on_progress is not None:
            plan.on_progress("submitting", done, count)

    async with plan.rig() as rig:
        async with rig.client() as client:
            submitting = await submit_in_bulk(client, count, 500, 4, note)
            rss = rig.broker_process().memory_info().rss
            peak = _peak_rss_bytes(rig.broker_process().pid)
        rig.kill_broker()
        restart = await rig.start_broker()
        async with rig.client() as client:
            await rig.start_workers()
            started = time.perf_counter()

            async def are_completed() -> bool:
                completed = await _completed(client)
                if plan.on_progress is not None:
                    plan.on_progress("running", completed, count)
                return completed >= count

            ended = await rig.until(are_completed, "all tasks to complete", seconds=3_600, log="worker.log")
            drained_peak = _peak_rss_bytes(rig.broker_process().pid)
            rig.stop_workers()
        check_each_ran_once(rig.ledger, count)
    return [
        Figure(name=f"submit {count:,} tasks", value=count / submitting, unit="tasks/s"),
        Figure(name=f"broker RSS with {count:,} pending", value=rss / 2**20, unit="MiB", target=300),
        Figure(name="  its peak while submitting", value=peak / 2**20, unit="MiB"),
        Figure(name=f"restart with {count:,} pending to serving", value=restart, unit="s", target=2),
        Figure(name=f"drain {count:,} tasks", value=count / (ended - started), unit="tasks/s"),
        Figure(name="  broker's peak RSS while draining", value=drained_peak / 2**20, unit="MiB"),
    ]


def _peak_rss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


async def failover(plan: Plan) -> list[Figure]:
    """A worker is killed while it runs a task: how long until the task runs elsewhere."""
    with_parent = await _rerun_seconds(plan, kills_parent=False)
    alone = await _rerun_seconds(plan, kills_parent=True)
    return [
        Figure(name="worker process killed -> task runs elsewhere", value=with_parent, unit="s", target=6),
        Figure(name="worker and its parent killed -> elsewhere", value=alone, unit="s", target=6),
    ]


async def _rerun_seconds(plan: Plan, *, kills_parent: bool) -> float:
    async with plan.rig() as rig, rig.client() as client:
        await rig.start_workers(parents=2, processes=1, concurrency=1)
        payload = hold.signature.encode((0,), {})
        await client.submit_task(Task(hold.name, payload, queue="bench", max_retries=0, content_type=ARGUMENTS))
        await rig.until(lambda: len(read_starts(rig.ledger).get(0, ())) == 1, "the task to start", log="worker.log")
        pid = int(next(rig.ledger.iterdir()).name)
        killed_ns = time.monotonic_ns()
        if kills_parent:
            rig.kill_worker_group_of(pid)
        else:
            rig.kill_worker(pid)
        await rig.until(lambda: len(read_starts(rig.ledger)[0]) == 2, "the task to start again", log="worker.log")
        return (max(read_starts(rig.ledger)[0]) - killed_ns) / 1e9


async def grpc(plan: Plan) -> list[Figure]:
    """The gRPC edge."""
    from tq.bench import rpc  # 70 ms that the others do not need

    return await rpc.measure(plan)


MEASURES: dict[str, Callable[[Plan], Awaitable[list[Figure]]]] = {
    "submit": submit,
    "drain": drain,
    "run": submit_and_run,
    "latency": latency,
    "load": load,
    "memory": memory,
    "failover": failover,
    "watch": watch,
    "rest": rest.measure,
    "grpc": grpc,
    "operate": operate,
    "backlog": backlog,
}
"""All measurements by name."""

LONG = frozenset({"operate", "backlog"})
"""Those that take minutes, and are run only when they are named."""
STANDARD = tuple(name for name in MEASURES if name not in LONG)
OF_ANY_BROKER = ("submit", "drain", "run", "latency", "load")
"""Those that need no process of the broker's, and so can be run with a url."""


def run_measure(name: str, plan: Plan) -> list[Figure]:
    """Run one measurement.

    Raises:
        TqError: a process did not start, or tasks did not run exactly once.
    """
    try:
        return asyncio.run(_run(MEASURES[name], plan))
    except ExceptionGroup as group:
        raise _first_told(group) or group from None


def _first_told(error: Exception) -> TqError | None:
    """Of what went wrong for tasks side by side, the first that is meant for the user: the others say the same."""
    if isinstance(error, ExceptionGroup):
        return next((told for one in error.exceptions if (told := _first_told(one)) is not None), None)
    return error if isinstance(error, TqError) else None


async def _run(measure: Callable[[Plan], Awaitable[list[Figure]]], plan: Plan) -> list[Figure]:
    return await measure(plan)

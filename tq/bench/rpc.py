"""How fast the gRPC edge is: one submit a call, many a call, and a worker on a stream. The broker, its edge and this
process, which is the client, share the machine."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from tq.bench.handlers import noop
from tq.bench.load import noop_task, submit_in_bulk
from tq.bench.plan import Figure, Plan
from tq.client.async_client import AsyncClient
from tq.edges.grpc import tq_pb2 as pb
from tq.model.errors import TqError

SETTINGS = {"TQ_API_GRPC_ENABLED": "true", "TQ_API_GRPC_PORT": "0"}
OUTSTANDING = 100
BULK = 100
WORKERS = 2
SLOTS = 1_000
"""Tasks that each worker has asked for at any time."""


async def measure(plan: Plan) -> list[Figure]:
    """Submits over gRPC, and a backlog that two streams run."""
    singles, bulk, backlog = plan.count(20_000), plan.count(200_000), plan.count(100_000)
    async with plan.rig(SETTINGS) as rig, rig.client() as client, _channel(client) as channel:
        await _submit_singly(channel, plan.count(2_000))
        single_seconds = await _submit_singly(channel, singles)
        bulk_seconds = await _submit_many(channel, bulk)
    async with plan.rig(SETTINGS) as rig, rig.client() as client, _channel(client) as channel:
        await submit_in_bulk(client, backlog, 500, 4)
        run_seconds = await _run_all(channel, backlog)
        (queue,) = await client.queues()
        if (queue.completed_total, queue.in_progress) != (backlog, 0):
            raise TqError(f"{queue.completed_total} of {backlog} tasks are completed, {queue.in_progress} in progress")
    return [
        Figure(
            name=f"gRPC: submit, one a call, {OUTSTANDING} outstanding",
            value=singles / single_seconds,
            unit="tasks/s",
            target=3_000,
            more_is_better=True,
        ),
        Figure(name=f"gRPC: submit, {BULK} a call", value=bulk / bulk_seconds, unit="tasks/s"),
        Figure(
            name=f"gRPC: backlog run by {WORKERS} worker streams",
            value=backlog / run_seconds,
            unit="tasks/s",
            target=10_000,
            more_is_better=True,
        ),
    ]


@asynccontextmanager
async def _channel(client: AsyncClient) -> AsyncIterator[grpc.aio.Channel]:
    """To the edge of the broker, once it serves."""
    process = (await client.stats()).process
    assert process is not None, "a broker process says where it listens"
    (address,) = [each for each in process.addresses if each.startswith("grpc://")]
    async with grpc.aio.insecure_channel(address.removeprefix("grpc://")) as channel:
        await channel.channel_ready()
        yield channel


async def _submit_singly(channel: grpc.aio.Channel, count: int) -> float:
    """One task a call; the seconds that all took."""
    submit = channel.unary_unary("/tq.v1.Tasks/Submit", pb.SubmitRequest.SerializeToString, pb.SubmitReply.FromString)
    numbers = iter(range(count))

    async def produce() -> None:
        for number in numbers:
            await submit(pb.SubmitRequest(task=_message(number)))

    return await _all_at_once(produce, OUTSTANDING)


async def _submit_many(channel: grpc.aio.Channel, count: int) -> float:
    submit = channel.unary_unary(
        "/tq.v1.Tasks/SubmitMany", pb.SubmitManyRequest.SerializeToString, pb.SubmitManyReply.FromString
    )
    firsts = iter(range(0, count, BULK))

    async def produce() -> None:
        for first in firsts:
            tasks = [_message(number) for number in range(first, min(first + BULK, count))]
            await submit(pb.SubmitManyRequest(tasks=tasks))

    return await _all_at_once(produce, 8)


async def _run_all(channel: grpc.aio.Channel, count: int) -> float:
    """All tasks of the backlog, acknowledged as they come; the seconds until the last was confirmed."""
    left = count

    async def run() -> None:
        """One worker, until all of both is confirmed; the other then waits for nothing."""
        nonlocal left
        work: Any = channel.stream_stream(
            "/tq.v1.Workers/Work", pb.WorkRequest.SerializeToString, pb.WorkReply.FromString
        )()
        who: Any = {"name": "bench", "incarnation": os.urandom(16).hex()}
        hello = pb.WorkerHello(**who, task_types=[noop.name], concurrency=SLOTS)
        await work.write(pb.WorkRequest(hello=hello, credit=SLOTS))
        number = 0
        open_numbers: dict[int, int] = {}
        while left:
            reply = await work.read()
            if reply is grpc.aio.EOF:
                raise TqError("the stream of a worker has ended")
            for settled in reply.settled:
                left -= open_numbers.pop(settled.number)
            taken = len(reply.deliveries)
            if taken:
                number += 1
                open_numbers[number] = taken
                successes = [pb.Success(task_id=task.id, token=task.token) for task in reply.deliveries]
                await work.write(pb.WorkRequest(number=number, successes=successes, credit=taken))
        work.cancel()

    started = time.perf_counter()
    running = [asyncio.create_task(run()) for _ in range(WORKERS)]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                task.result()
        return time.perf_counter() - started
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _all_at_once(produce: Callable[[], Awaitable[None]], count: int) -> float:
    """So many producers; the seconds until the last has ended."""
    started = time.perf_counter()
    await asyncio.gather(*(produce() for _ in range(count)))
    return time.perf_counter() - started


def _message(number: int) -> pb.Task:
    task = noop_task(number)
    return pb.Task(
        task_type=task.task_type,
        payload=task.payload,
        queue=task.queue,
        max_retries=task.max_retries,
        content_type=task.content_type,
    )

"""Producers: how tasks are submitted in a measurement."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from tq.app.codec import ARGUMENTS
from tq.bench.handlers import noop
from tq.client.async_client import AsyncClient
from tq.client.task import Task

PAYLOAD_BYTES = 200
SPIN_SECONDS = 0.002
"""How long before its moment a producer that has the time begins to spin."""
_SAMPLE_NUMBER = 0xA1B2C3D4
_UNPADDED = noop.signature.encode((_SAMPLE_NUMBER, b""), {})
_SAMPLE = noop.signature.encode((_SAMPLE_NUMBER, bytes(PAYLOAD_BYTES - len(_UNPADDED))), {})
_BEFORE, _AFTER = _SAMPLE.split(_SAMPLE_NUMBER.to_bytes(4, "big"))


def noop_task(number: int) -> Task:
    """A task that does nothing, with a payload of 200 bytes: the arguments as the Python API would encode them.

    They are put together from a sample, so that what is measured is the queue and not the encoding of arguments.
    """
    payload = _BEFORE + number.to_bytes(4, "big") + _AFTER
    return Task(noop.name, payload, queue="bench", max_retries=0, content_type=ARGUMENTS)


class Submits(NamedTuple):
    """What came of submitting: how long all took, and each; by number of the task, when it was sent (monotonic)."""

    seconds: float
    latencies_ns: list[int]
    sent_ns: list[int]


async def submit_singly(client: AsyncClient, count: int, outstanding: int) -> Submits:
    """Submit tasks one by one, `outstanding` at any time."""
    latencies, sent = [0] * count, [0] * count
    numbers = iter(range(count))
    submit, now = client.submit_task, time.monotonic_ns

    async def produce() -> None:
        for number in numbers:
            task = noop_task(number)
            sent[number] = started = now()
            await submit(task)
            latencies[number] = now() - started

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(outstanding):
            group.create_task(produce())
    return Submits(time.perf_counter() - started, latencies, sent)


async def submit_in_bulk(
    client: AsyncClient,
    count: int,
    size: int,
    outstanding: int,
    on_progress: Callable[[int], None] | None = None,
) -> float:
    """Submit tasks `size` a request, `outstanding` requests at any time; the seconds it took."""
    firsts = iter(range(0, count, size))

    async def produce() -> None:
        for first in firsts:
            tasks = [noop_task(number) for number in range(first, min(first + size, count))]
            await client.submit_tasks(tasks)
            if on_progress is not None:
                on_progress(len(tasks))

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(outstanding):
            group.create_task(produce())
    return time.perf_counter() - started


async def _until(moment_ns: int) -> None:
    """Sleep, and where there is time for it come back early and spin: the event loop's timers are late by up to 1 ms,
    which would be measured as if it were the queue's."""
    left = (moment_ns - time.monotonic_ns()) / 1e9
    if left < SPIN_SECONDS:
        await asyncio.sleep(max(0.0, left))
        return
    await asyncio.sleep(left - SPIN_SECONDS)
    while time.monotonic_ns() < moment_ns:  # noqa: ASYNC110 - nothing announces a moment
        await asyncio.sleep(0)


async def submit_paced(client: AsyncClient, count: int, rate: int) -> Submits:
    """Submit tasks one by one at a steady rate, whether the answers keep up or not (open loop).

    A latency counts from the moment that the task was to be sent: a stall is not hidden by sending less.
    """
    latencies, sent = [0] * count, [0] * count
    began = time.monotonic_ns()

    async def submit_one(number: int) -> None:
        await client.submit_task(noop_task(number))
        latencies[number] = time.monotonic_ns() - sent[number]

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        number = 0
        while number < count:
            due = min(count, (time.monotonic_ns() - began) * rate // 1_000_000_000 + 1)
            while number < due:
                sent[number] = began + number * 1_000_000_000 // rate
                group.create_task(submit_one(number))
                number += 1
            await _until(began + number * 1_000_000_000 // rate)
    return Submits(time.perf_counter() - started, latencies, sent)


def percentile_ms(values_ns: list[int], percent: float) -> float:
    """The value below which `percent` of the values lie, in ms."""
    ordered = sorted(values_ns)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] / 1e6

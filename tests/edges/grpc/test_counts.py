"""What gRPC was asked for is with the broker's metrics, by method and status."""

import asyncio

import grpc
import pytest

from tests.edges.grpc.conftest import Edge
from tq.edges.grpc import tq_pb2 as pb
from tq.model.metrics import EdgeRequests


async def told(edge: Edge, operations: set[str]) -> dict[str, dict[str, int]]:
    """What the broker shows of the edge, once it has heard of these operations."""

    def by_status(requests: list[EdgeRequests]) -> dict[str, dict[str, int]]:
        return {asked.operation: {answered.status: answered.count for answered in asked.statuses} for asked in requests}

    async with asyncio.timeout(20):
        while True:
            for shown in (await edge.native.metrics()).edges:
                if operations <= (found := by_status(shown.requests)).keys():
                    return found
            await asyncio.sleep(0.05)  # a report is up to a second old


async def test_calls_are_counted_by_method_and_by_the_status_that_they_ended_with(edge: Edge) -> None:
    await edge.stubs.Tasks.Submit(pb.SubmitRequest(task=pb.Task(task_type="t", queue="q")))
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError):
            await edge.stubs.Tasks.Get(pb.TaskId(id="0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b"))

    counts = await told(edge, {"Tasks.Submit", "Tasks.Get"})

    assert counts["Tasks.Submit"] == {"OK": 1}
    assert counts["Tasks.Get"] == {"NOT_FOUND": 2}


async def test_a_stream_that_its_caller_ends_is_counted_as_that(edge: Edge) -> None:
    watching = edge.stubs.Broker.Watch(pb.WatchRequest(scopes=["totals"]))
    await watching.read()
    watching.cancel()

    assert (await told(edge, {"Broker.Watch"}))["Broker.Watch"] == {"CANCELLED": 1}

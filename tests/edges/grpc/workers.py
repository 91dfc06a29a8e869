"""A worker over gRPC for tests: says hello, and waits for what the test asks for."""

import asyncio
import os
from typing import Any

import grpc

from tests.edges.grpc.stubs import Stubs
from tq.edges.grpc import tq_pb2 as pb

SECONDS_MAX = 20.0


class StreamWorker:
    """One Work stream. `seen` is everything that came, in one message."""

    def __init__(self, stubs: Stubs, *, incarnation: str = "", **hello: Any) -> None:
        self.incarnation = incarnation or os.urandom(16).hex()
        self.seen = pb.WorkReply()
        self.call = stubs.Workers.Work()
        self._hello = {"name": "node", "task_types": ["job"], "host": "h", "pid": 1, **hello}

    async def start(self) -> pb.Welcome:
        await self.send(hello=pb.WorkerHello(incarnation=self.incarnation, **self._hello))
        await self.until(lambda seen: seen.HasField("welcome"))
        return self.seen.welcome

    async def send(self, **fields: Any) -> None:
        await self.call.write(pb.WorkRequest(**fields))

    async def until(self, has_come: Any) -> pb.WorkReply:
        async with asyncio.timeout(SECONDS_MAX):
            while not has_come(self.seen):
                reply = await self.call.read()
                assert reply is not grpc.aio.EOF, f"the stream ended; {self.seen}"
                self.seen.MergeFrom(reply)
        return self.seen

    async def take(self, count: int = 1) -> list[pb.Delivery]:
        before = len(self.seen.deliveries)
        await self.send(credit=count)
        seen = await self.until(lambda seen: len(seen.deliveries) >= before + count)
        return list(seen.deliveries[before:])

    async def settled(self, number: int) -> pb.Settled:
        seen = await self.until(lambda seen: any(one.number == number for one in seen.settled))
        return next(one for one in seen.settled if one.number == number)

    async def leave(self) -> grpc.StatusCode:
        await self.call.done_writing()
        async with asyncio.timeout(SECONDS_MAX):
            while await self.call.read() is not grpc.aio.EOF:
                pass
            code: grpc.StatusCode = await self.call.code()
            return code

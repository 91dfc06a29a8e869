"""From a service of tq.proto to handlers that gRPC can serve: who asks, whose connection, which error."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from tq.client.async_client import AsyncClient
from tq.edges.gateway import Gateway, is_refused
from tq.edges.grpc import tq_pb2 as pb
from tq.edges.grpc.callers import caller_of
from tq.edges.grpc.errors import Unauthenticated, fail, known
from tq.model.errors import AccessDenied, ProtocolViolation, ShuttingDown

T = TypeVar("T")


class Call(NamedTuple):
    """One call: the connection to the broker of whoever makes it, gRPC's own side of it, and whether the edge is about
    to end."""

    client: AsyncClient
    context: Any
    ending: asyncio.Event

    def seconds_left(self) -> float | None:
        """Until the caller's deadline; None: there is none."""
        left: float | None = self.context.time_remaining()
        return left

    async def while_serving(self, asking: Coroutine[Any, Any, T]) -> T:
        """The answer to a question that may take long; given up when the edge ends.

        Raises:
            ShuttingDown: it did.
        """
        answering = asyncio.create_task(asking, name="grpc asking")
        ending = asyncio.create_task(self.ending.wait(), name="grpc ending")
        try:
            await asyncio.wait({answering, ending}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                return answering.result()
            raise stopping()
        finally:
            for task in (answering, ending):
                task.cancel()
            await asyncio.wait({answering, ending})  # each closes what it has opened


class Talk(NamedTuple):
    """One stream in both directions, on which the caller is not known yet."""

    gateway: Gateway
    context: Any
    kind: type[Message]
    ending: asyncio.Event

    async def read(self) -> Any:
        """The next message; None: there will be no more.

        Raises:
            ProtocolViolation: bytes that are no message.
        """
        data = await self.context.read()
        return None if data is grpc.aio.EOF else _decoded(self.kind, data)


Unary = Callable[[Call, Any], Awaitable[Any]]
Stream = Callable[[Call, Any], AsyncIterator[Any]]
Duplex = Callable[[Talk], Awaitable[None]]


class Calls:
    """Makes the handlers, counts what they are asked for, and knows which calls are open.

    Attributes:
        ending: to be set when the edge is about to end: what does not end by itself is ended then.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.ending = asyncio.Event()
        self._gateway = gateway
        self._open: set[asyncio.Task[Any]] = set()

    async def ended(self, seconds: float) -> None:
        """Wait until no call is open, at most so long: a call that was cut off still has its connection to close."""
        if self._open:
            await asyncio.wait(self._open, timeout=seconds)

    def handlers(
        self,
        service: str,
        unary: Mapping[str, Unary],
        streams: Mapping[str, Stream] | None = None,
        duplexes: Mapping[str, Duplex] | None = None,
    ) -> grpc.GenericRpcHandler:
        """The handlers of a service, by the names of its methods in tq.proto; every one of them must be there."""
        described = pb.DESCRIPTOR.services_by_name[service]
        made: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        for method in described.methods:
            operation = f"{service}.{method.name}"
            name, encode = method.name, GetMessageClass(method.output_type).SerializeToString
            # Bytes come in as they are: what gRPC cannot decode by itself it logs with a trace, as often as anybody
            # likes.
            if name in unary:
                made[name] = grpc.unary_unary_rpc_method_handler(
                    self._counted(operation, self._answering(unary[name], method)), response_serializer=encode
                )
            elif streams and name in streams:
                made[name] = grpc.unary_stream_rpc_method_handler(
                    self._counted(operation, self._streaming(streams[name], method)), response_serializer=encode
                )
            elif duplexes and name in duplexes:
                made[name] = grpc.stream_stream_rpc_method_handler(
                    self._counted(operation, self._conversing(duplexes[name], method)), response_serializer=encode
                )
            else:
                raise AssertionError(f"nothing serves {method.full_name}")
        return grpc.method_handlers_generic_handler(described.full_name, made)

    def _answering(self, answer: Unary, method: MethodDescriptor) -> Any:
        kind = GetMessageClass(method.input_type)

        async def handle(data: bytes, context: Any) -> Any:
            try:
                request = _decoded(kind, data)
                async with self._client_of(context) as client:
                    return await answer(Call(client, context, self.ending), request)
            except Exception as error:  # whatever it is, the caller gets an answer
                await fail(context, known(error, method.full_name))

        return handle

    def _streaming(self, give: Stream, method: MethodDescriptor) -> Any:
        kind = GetMessageClass(method.input_type)

        async def handle(data: bytes, context: Any) -> None:
            try:
                request = _decoded(kind, data)
                async with self._client_of(context) as client:
                    call = Call(client, context, self.ending)
                    await call.while_serving(_give(give(call, request), context))
            except Exception as error:  # the same
                await fail(context, known(error, method.full_name))

        return handle

    def _conversing(self, converse: Duplex, method: MethodDescriptor) -> Any:
        kind = GetMessageClass(method.input_type)

        async def handle(_: Any, context: Any) -> None:
            try:
                await converse(Talk(self._gateway, context, kind, self.ending))
            except Exception as error:  # the same
                await fail(context, known(error, method.full_name))

        return handle

    def _counted(self, operation: str, handle: Any) -> Any:
        counting = self._gateway.counting

        async def count(data: Any, context: Any) -> Any:
            task = asyncio.current_task()
            assert task is not None
            self._open.add(task)
            began, status = counting.began(), grpc.StatusCode.CANCELLED
            try:
                answer = await handle(data, context)
                status = grpc.StatusCode.OK
            except grpc.aio.AbortError:
                status = context.code()
                raise
            finally:
                self._open.discard(task)
                counting.ended(operation, status.name, began)
            return answer

        return count

    @asynccontextmanager
    async def _client_of(self, context: Any) -> AsyncGenerator[AsyncClient, None]:
        caller, let_in = caller_of(context), None
        try:
            async with self._gateway.client(caller) as client:
                let_in = client
                yield client
        except AccessDenied as error:
            if let_in is not None and caller.token and not await is_refused(let_in):
                raise
            raise Unauthenticated(error.message) from None  # other credentials could help: these are none, any more


async def _give(messages: AsyncIterator[Any], context: Any) -> None:
    async for message in messages:
        await context.write(message)


def stopping() -> ShuttingDown:
    """What a call is told that is under way when the edge ends."""
    return ShuttingDown("the broker is stopping", hint="connect again, or ask another address")


def _decoded(kind: type[Message], data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError:
        raise ProtocolViolation(
            f"{len(data)} bytes that are no {kind.DESCRIPTOR.full_name}", hint="is the client's tq.proto this one?"
        ) from None

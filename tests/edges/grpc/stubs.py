"""A client of tq.proto, made from its descriptors: `stubs.Tasks.Submit(pb.SubmitRequest(...))`."""

from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from tq.edges.grpc import tq_pb2 as pb


class Service:
    """The methods of one service."""

    def __init__(self, channel: Any, name: str) -> None:
        for method in pb.DESCRIPTOR.services_by_name[name].methods:
            kind = ("stream" if method.client_streaming else "unary") + (
                "_stream" if method.server_streaming else "_unary"
            )
            path = f"/{method.containing_service.full_name}/{method.name}"
            call = getattr(channel, kind)(
                path,
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            setattr(self, method.name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class Stubs:
    """All services over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.Tasks = Service(channel, "Tasks")
        self.Workers = Service(channel, "Workers")
        self.Broker = Service(channel, "Broker")

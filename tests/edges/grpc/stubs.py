"""A client of tq.proto, made from its descriptors: `stubs.Tasks.Submit(pb.SubmitRequest(...))`."""

from functools import partial
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from tq.edges.grpc import tq_pb2 as pb


class Service:
    """The methods of one service."""

    def __init__(self, channel: Any, name: str, token: str) -> None:
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
            if token:
                call = partial(call, metadata=(("authorization", f"Bearer {token}"),))
            setattr(self, method.name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class Stubs:
    """All services over one channel."""

    def __init__(self, channel: Any, token: str = "") -> None:
        self.channel = channel
        self.Tasks = Service(channel, "Tasks", token)
        self.Workers = Service(channel, "Workers", token)
        self.Broker = Service(channel, "Broker", token)

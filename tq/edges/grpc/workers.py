"""tq.v1.Workers: who runs tasks. The stream on which one is a worker is in work.py."""

from tq.edges.grpc import tq_pb2 as pb
from tq.edges.grpc.calls import Call, Duplex, Unary
from tq.edges.grpc.translate import message_of
from tq.edges.grpc.work import work
from tq.model.replies import WorkerPage, WorkerReply


async def list_(call: Call, _: pb.Empty) -> pb.WorkerPage:
    """All worker processes."""
    return message_of(pb.WorkerPage, WorkerPage(0, await call.client.workers()))


async def get(call: Call, request: pb.WorkerName) -> pb.WorkerViewPage:
    """The processes of a worker, with what they have in hand."""
    return message_of(pb.WorkerViewPage, WorkerReply(0, await call.client.worker(request.worker)))


async def drain(call: Call, request: pb.WorkerName) -> pb.Affected:
    """Tell workers to take nothing more."""
    return message_of(pb.Affected, await call.client.drain_worker(request.worker))


UNARY: dict[str, Unary] = {"List": list_, "Get": get, "Drain": drain}
DUPLEXES: dict[str, Duplex] = {"Work": work}

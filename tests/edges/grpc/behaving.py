"""gRPC as one of the edges of tests/edges/behaviour.py."""

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin

import grpc
import msgspec
from google.protobuf.message import Message

from tests.edges.behaviour import Record, Refused
from tests.edges.grpc.stubs import Stubs
from tests.edges.real import EdgeBroker
from tq.edges.grpc import tq_pb2 as pb
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument
from tq.model.ids import parse_id
from tq.model.insight import Explanation
from tq.model.operations import Operation
from tq.model.selector import Field, Selector, StateTerm, literal_term
from tq.model.stats import QueueStats
from tq.model.task import Outcome, State, TaskView
from tq.views.records import explanation_record, operation_record, outcome_record, queue_record, task_record

S = TypeVar("S", bound=msgspec.Struct)
NO_LENGTH = -1


class Grpc:
    """A blocking client of tq.proto. Its messages are turned back into the Structs that they repeat, and so into the
    records of `tq ... -o json`."""

    def __init__(self, channel: grpc.Channel, token: str = "") -> None:
        self._stubs = Stubs(channel, token)

    def submit(self, task_type: str, payload: bytes, queue: str, **options: Any) -> str:
        delay = options.pop("delay", None)
        task = pb.Task(task_type=task_type, payload=payload, queue=queue, **options)
        if delay is not None:
            try:
                task.delay_ms = duration_ms(delay, "delay")
            except InvalidArgument:  # lengths are numbers here: of those, one that cannot be either
                task.delay_ms = NO_LENGTH
        return str(self._ask(lambda: self._stubs.Tasks.Submit(pb.SubmitRequest(task=task))).id)

    def get(self, task_id: str) -> Record:
        found = self._ask(lambda: self._stubs.Tasks.Get(pb.TaskId(id=task_id)))
        return _as_json(task_record(struct_of(TaskView, found)))

    def wait(self, task_id: str, timeout: str) -> Record:
        request = pb.WaitRequest(id=task_id, timeout_ms=duration_ms(timeout, "timeout"))
        return _as_json(outcome_record(struct_of(Outcome, self._ask(lambda: self._stubs.Tasks.Wait(request)))))

    def why(self, task_id: str) -> Record:
        found = self._ask(lambda: self._stubs.Tasks.Why(pb.TaskId(id=task_id)))
        return _as_json(explanation_record(struct_of(Explanation, found)))

    def select(self, selector: str) -> list[str]:
        request = pb.ListRequest(selector=selector, order="id")
        ids: list[str] = []
        while True:  # a page may be empty and have a cursor: the broker looks at so many rows at once
            page = self._ask(lambda: self._stubs.Tasks.List(request))
            ids += [task.id for task in page.tasks]
            request.cursor, request.as_of = page.cursor, page.as_of
            if not page.cursor:
                return ids

    def cancel(self, task_id: str) -> None:
        self._carry_out(pb.PrepareOperationRequest(action="cancel", ids=[task_id]))

    def retry(self, task_id: str) -> None:
        self._carry_out(pb.PrepareOperationRequest(action="retry", ids=[task_id]))

    def queue(self, name: str) -> Record:
        page = self._ask(lambda: self._stubs.Broker.ListQueues(pb.Empty()))
        return next(queue_record(struct_of(QueueStats, queue)) for queue in page.queues if queue.name == name)

    def pause(self, name: str, reason: str) -> None:
        self._ask(lambda: self._stubs.Broker.PauseQueue(pb.PauseQueueRequest(queue=name, reason=reason)))

    def resume(self, name: str) -> None:
        self._ask(lambda: self._stubs.Broker.ResumeQueue(pb.QueueName(queue=name)))

    def purge_queue(self, name: str) -> str:
        waiting = Selector((literal_term(Field.QUEUE, name), StateTerm((State.PENDING, State.FAILED))))
        return self._carry_out(pb.PrepareOperationRequest(action="purge", selector=waiting.text))

    def undo(self, operation: str) -> None:
        undo = pb.UndoOperationRequest(operation=operation)
        self._ended(self._ask(lambda: self._stubs.Broker.UndoOperation(undo)).id)

    def operation(self, operation: str) -> Record:
        return _as_json(operation_record(struct_of(Operation, self._ended(operation, wait_ms=0))))

    def _carry_out(self, request: pb.PrepareOperationRequest) -> str:
        token = self._ask(lambda: self._stubs.Broker.PrepareOperation(request)).token
        started = self._ask(lambda: self._stubs.Broker.CommitOperation(pb.CommitOperationRequest(token=token)))
        return str(self._ended(started.id).id)

    def _ended(self, operation: str, wait_ms: int = 60_000) -> Any:
        request = pb.GetOperationRequest(operation=operation, wait_ms=wait_ms)
        return self._ask(lambda: self._stubs.Broker.GetOperation(request))

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except grpc.RpcError as error:
            shown: Any = error
            raise Refused(dict(shown.trailing_metadata())["tq-code"]) from None


@contextmanager
def channel_to(broker: EdgeBroker) -> Iterator[grpc.Channel]:
    """A connection to the gRPC edge of a broker, once it serves."""
    with grpc.insecure_channel(broker.grpc.partition("://")[2]) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        yield channel


def struct_of(kind: type[S], message: Message) -> S:
    """The Struct that a message repeats: the other direction of what the edge does."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        described = message.DESCRIPTOR.fields_by_name[field.name]
        if described.has_presence and not message.HasField(field.name):
            values[field.name] = None
            continue
        values[field.name] = _value(field.type, getattr(message, field.name))
    return kind(**values)


def _value(declared: Any, given: Any) -> Any:
    if get_origin(declared) is types.UnionType:
        declared = next(one for one in get_args(declared) if one is not type(None))
    if get_origin(declared) in (tuple, list):
        return get_origin(declared)(_value(get_args(declared)[0], one) for one in given)
    if issubclass(declared, msgspec.Struct):
        return struct_of(declared, given)
    if declared is bytes and isinstance(given, str):
        return parse_id(given) if "-" in given else bytes.fromhex(given)
    return declared(given) if issubclass(declared, Enum) else given


def _as_json(record: object) -> Record:
    shown: Record = msgspec.json.decode(msgspec.json.encode(record))
    return shown

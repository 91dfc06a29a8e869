"""tq.proto, the code made from it, and the Structs whose fields it repeats: one cannot change without the others."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tq.client.access import NewToken
from tq.client.watching import Change, Update
from tq.edges.grpc import broker, tasks, workers
from tq.edges.grpc import tq_pb2 as pb
from tq.model import commands, credentials, groups, history, insight, operations, replies, signatures, stats, watching
from tq.model import task as tasks_model

ROOT = Path(__file__).parents[3]
PROTO = "tq/edges/grpc/tq.proto"

MIRRORS: dict[type[Message], type] = {
    pb.TaskView: tasks_model.TaskView,
    pb.Progress: tasks_model.Progress,
    pb.AttemptRecord: tasks_model.AttemptRecord,
    pb.Outcome: tasks_model.Outcome,
    pb.TaskSummary: tasks_model.TaskSummary,
    pb.Retry: tasks_model.RetryPolicy,
    pb.TaskPage: replies.TaskPage,
    pb.Explanation: insight.Explanation,
    pb.Reason: insight.Reason,
    pb.LogPage: replies.LogPage,
    pb.LogLine: insight.LogLine,
    pb.TaskStack: insight.TaskStack,
    pb.TaskSignature: signatures.TaskSignature,
    pb.Parameter: signatures.Parameter,
    pb.WorkerHello: commands.WorkerHello,
    pb.QueuePreference: commands.QueuePreference,
    pb.Lease: commands.LeaseRef,
    pb.Success: commands.Success,
    pb.Failure: commands.Failure,
    pb.ProgressNote: commands.ProgressNote,
    pb.LogEntry: commands.LogEntry,
    pb.Heartbeat: commands.Heartbeat,
    pb.StackTaken: commands.StackTaken,
    pb.StackWanted: replies.StackWanted,
    pb.WorkerInfo: stats.WorkerInfo,
    pb.WorkerView: insight.WorkerView,
    pb.HeldTask: insight.HeldTask,
    pb.Stats: replies.StatsReply,
    pb.EngineStats: stats.EngineStats,
    pb.ProcessStats: stats.ProcessStats,
    pb.QueueStats: stats.QueueStats,
    pb.History: replies.HistoryReply,
    pb.QueueHistory: history.QueueHistory,
    pb.HistoryPoint: history.HistoryPoint,
    pb.Finding: watching.Finding,
    pb.WatchRequest: commands.Watch,
    pb.WatchFrame: Update,
    pb.Change: Change,
    pb.Totals: watching.Totals,
    pb.QueueLive: watching.QueueLive,
    pb.WorkerLive: watching.WorkerLive,
    pb.Event: watching.Event,
    pb.GroupPage: replies.GroupPage,
    pb.FailureGroup: groups.FailureGroup,
    pb.QueueCount: operations.QueueCount,
    pb.Overrides: operations.Overrides,
    pb.Prepared: replies.Prepared,
    pb.Operation: operations.Operation,
    pb.TokenInfo: credentials.TokenInfo,
    pb.AuditPage: replies.AuditPage,
    pb.AuditEntry: credentials.AuditEntry,
}


@pytest.mark.parametrize("message", MIRRORS, ids=lambda message: message.DESCRIPTOR.name)
def test_a_message_has_the_fields_of_its_struct(message: type[Message]) -> None:
    names = {field.name for field in message.DESCRIPTOR.fields}

    assert names == set(MIRRORS[message].__struct_fields__) - {"request_id"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("message", MIRRORS, ids=lambda message: message.DESCRIPTOR.name)
def test_what_may_be_missing_in_a_struct_may_be_missing_in_its_message(message: type[Message]) -> None:
    hints = {field.name: field for field in msgspec.structs.fields(MIRRORS[message])}

    for field in message.DESCRIPTOR.fields:
        if type(None) in getattr(hints[field.name].type, "__args__", ()):
            assert field.has_presence, f"{field.name} may be None"


def test_new_token_is_what_the_client_makes() -> None:
    assert {field.name for field in pb.NewToken.DESCRIPTOR.fields} == set(NewToken._fields)


def test_every_method_of_the_services_is_served_and_nothing_else() -> None:
    services = pb.DESCRIPTOR.services_by_name
    served = {
        "Tasks": {*tasks.UNARY},
        "Workers": {*workers.UNARY, *workers.DUPLEXES},
        "Broker": {*broker.UNARY, *broker.STREAMS},
    }

    assert {name: {method.name for method in service.methods} for name, service in services.items()} == served


def test_the_rows_of_a_watch_are_one_for_each_kind_of_scope() -> None:
    assert {field.name for field in pb.Row.DESCRIPTOR.fields} == {str(kind) for kind in watching.ScopeKind}


def test_the_generated_code_is_that_of_the_file(tmp_path: Path) -> None:
    """`make proto` after every change of tq.proto."""
    out = tmp_path / "set"
    command = ("-m", "grpc_tools.protoc", "-I.", f"--descriptor_set_out={out}", f"--pyi_out={tmp_path}", PROTO)
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, timeout=60)

    (described,) = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    kept = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(kept)
    for message in (*described.message_type, *kept.message_type):
        for field in message.field:
            field.ClearField("json_name")  # which protoc writes down, and the library does not
    assert kept == described
    assert (tmp_path / "tq/edges/grpc/tq_pb2.pyi").read_text() == (ROOT / "tq/edges/grpc/tq_pb2.pyi").read_text()


def test_every_message_and_method_is_explained_or_explains_itself() -> None:
    """Every rpc has a comment above it."""
    lines = (ROOT / PROTO).read_text().splitlines()

    for number, line in enumerate(lines):
        if line.strip().startswith("rpc "):
            assert lines[number - 1].strip().startswith("//"), line


def test_numbers_of_fields_are_given_in_order_without_gaps() -> None:
    """A gap would be a field that went: none may."""
    for message in pb.DESCRIPTOR.message_types_by_name.values():
        numbers = [field.number for field in message.fields]
        assert numbers == list(range(1, len(numbers) + 1)), message.name


def test_nothing_is_a_number_that_javascript_cannot_hold() -> None:
    """Unsigned 64-bit and fixed fields would need more care in languages without them."""
    allowed = {
        FieldDescriptor.TYPE_STRING,
        FieldDescriptor.TYPE_BYTES,
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_BOOL,
        FieldDescriptor.TYPE_DOUBLE,
        FieldDescriptor.TYPE_MESSAGE,
    }
    for message in pb.DESCRIPTOR.message_types_by_name.values():
        assert {field.type for field in message.fields} <= allowed

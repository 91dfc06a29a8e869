"""Every request, as it comes from the wire: typed, bounded, with a tag that never changes."""

from typing import get_args

import msgspec
import pytest

from tq.model import replies
from tq.model.commands import (
    BATCH_MAX,
    Cancel,
    CommitOperation,
    Fetch,
    Hello,
    ListTasks,
    PrepareOperation,
    ProgressNote,
    Request,
    Submit,
    Wait,
    WorkerDied,
    WorkerHello,
)
from tq.model.operations import Action, Overrides
from tq.model.replies import Delivery, FromBroker
from tq.model.task import StoredTask, TaskSpec

encode = msgspec.msgpack.encode
decoder = msgspec.msgpack.Decoder(Request)

RELEASED_REQUESTS = {
    "Hello": 1, "Submit": 2, "GetTask": 3, "Wait": 4, "Cancel": 5, "ListTasks": 6,
    "Fetch": 10, "Ack": 11, "Nack": 12, "Release": 13, "Extend": 14, "ReportProgress": 15, "CancelledByWorker": 16,
    "Heartbeat": 17, "WorkerDied": 18,
    "ListQueues": 20, "PauseQueue": 21, "ResumeQueue": 22,
    "Resubmit": 26, "GetSignature": 42, "ListWorkers": 27, "DrainWorker": 28, "GetStats": 29, "Backup": 30,
    "PrepareOperation": 32, "CommitOperation": 33, "ListOperations": 34, "GetOperation": 35, "CancelOperation": 36,
    "UndoOperation": 37,
}  # fmt: skip
RELEASED_REPLIES = {
    "Welcome": 100, "ErrorReply": 101, "Submitted": 102, "Settled": 103, "Affected": 104, "TaskReply": 105,
    "OutcomeReply": 106, "TaskPage": 107, "QueuePage": 108, "WorkerPage": 109, "StatsReply": 110, "SignatureReply": 119,
    "Prepared": 112, "OperationReply": 113, "OperationPage": 114,
    "Deliver": 150, "CancelRun": 151, "LeaseRevoked": 152, "Drain": 153, "Stopping": 154,
}  # fmt: skip


def tags(union: object) -> dict[str, int]:
    return {kind.__name__: kind.__struct_config__.tag for kind in get_args(union)}


def test_released_tags_keep_their_meaning() -> None:
    """Clients of other versions and languages speak them: a tag may be added, none may change."""
    assert RELEASED_REQUESTS.items() <= tags(Request).items()
    assert RELEASED_REPLIES.items() <= tags(FromBroker).items()


def test_no_tag_means_two_things() -> None:
    numbers = [*tags(Request).values(), *tags(FromBroker).values()]

    assert len(numbers) == len(set(numbers))


def test_a_request_is_an_array_that_begins_with_its_tag() -> None:
    assert msgspec.msgpack.decode(encode(Wait(7, bytes(16), 1_000))) == [4, 7, bytes(16), 1_000]


@pytest.mark.parametrize(
    "request_",
    [
        Hello(1, 1, worker=WorkerHello("w", bytes(16), "h", 1, ["mail"])),
        Submit(2, [TaskSpec(bytes(16), "mail", b"x")]),
        ListTasks(3, "queue:q", cursor=b"c"),
        Fetch(0, 5, 3),
        WorkerDied(4, bytes(16), running=[bytes(16)]),
        PrepareOperation(5, Action.PURGE, "queue:q", overrides=Overrides("r")),
    ],
    ids=lambda request: type(request).__name__,
)
def test_a_request_is_read_as_it_was_written(request_: Request) -> None:
    assert decoder.decode(encode(request_)) == request_


@pytest.mark.parametrize(
    "wrong",
    [
        Submit(1, []),
        Submit(1, [TaskSpec(bytes(16), "mail", b"")] * (BATCH_MAX + 1)),
        Cancel(1, [b"short"]),
        Cancel(1, [bytes(16)] * (BATCH_MAX + 1)),
        Wait(1, bytes(16), -1),
        Wait(1, bytes(16), 86_400_001),
        Fetch(0, -1),
        Fetch(0, 100_001),
        ListTasks(1, "x" * 2_001),
        ListTasks(1, limit=0),
        ListTasks(1, limit=BATCH_MAX + 1),
        ListTasks(1, cursor=bytes(513)),
        PrepareOperation(1, Action.PURGE, "q" * 2_001),
        CommitOperation(1, b"8" * 7),
        CommitOperation(1, b"8" * 8, rate=0),
        ProgressNote(bytes(16), 1, 1.5),
        [99, 1],
        [2],
        {"tag": 2},
        "text",
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused_by_the_decoder(wrong: object) -> None:
    """What comes through has bounded cost: no step of the engine is longer than a batch."""
    with pytest.raises(msgspec.ValidationError):
        decoder.decode(encode(wrong))


def test_a_delivery_carries_the_stored_bytes_and_decodes_them_when_asked() -> None:
    stored = StoredTask(1, 2, 3, 4, TaskSpec(bytes(16), "mail", b"x"))
    delivery = Delivery(5, 1, msgspec.Raw(encode(stored)))
    frame = encode(replies.Deliver([delivery]))

    again = msgspec.msgpack.decode(frame, type=replies.Deliver)

    assert encode(stored) in frame
    assert again.deliveries[0].stored() == stored

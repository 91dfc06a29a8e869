from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.messages import FROM_BROKER, REQUESTS, messages_of, tag_of
from tq.model.commands import GetTask, Hello, LeaseRef, ListTasks, Release, Submit, WorkerHello
from tq.model.errors import ERRORS, InternalError, ProtocolViolation
from tq.model.replies import Affected, Deliver, Delivery, ErrorReply
from tq.model.task import StoredTask, TaskSpec
from tq.protocol.codec import decode_from_broker, decode_request, encode_frame, to_error, to_reply
from tq.protocol.frames import HEADER, HEADER_BYTES

ID = bytes(range(16))


def body(message: Any) -> bytes:
    return encode_frame(message)[HEADER_BYTES:]


@pytest.mark.parametrize("kind", REQUESTS)
@settings(max_examples=30)
@given(data=st.data())
def test_every_request_comes_back_as_it_was(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    message = data.draw(messages_of(kind))

    assert decode_request(body(message)) == message


@pytest.mark.parametrize("kind", FROM_BROKER)
@settings(max_examples=30)
@given(data=st.data())
def test_every_reply_and_push_comes_back_as_it_was(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    message = data.draw(messages_of(kind))

    assert decode_from_broker(body(message)) == message


def test_no_two_messages_share_a_tag() -> None:
    requests, from_broker = ([tag_of(kind) for kind in kinds] for kinds in (REQUESTS, FROM_BROKER))

    assert len(set(requests)) == len(requests)
    assert len(set(from_broker)) == len(from_broker)
    assert all(tag < 100 for tag in requests)
    assert all(tag >= 100 for tag in from_broker)


def test_the_header_is_the_length_of_the_body() -> None:
    frame = encode_frame(GetTask(7, ID))

    assert HEADER.unpack_from(frame) == (len(frame) - HEADER_BYTES,)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_protocol_violation(data: bytes) -> None:
    for decode in (decode_request, decode_from_broker):
        with suppress(ProtocolViolation):
            decode(data)


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_message_is_a_message_or_a_protocol_violation(data: st.DataObject) -> None:
    """Bytes near a real message reach deeper than random ones."""
    kind = data.draw(st.sampled_from(REQUESTS))
    damaged = bytearray(body(data.draw(messages_of(kind))))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    with suppress(ProtocolViolation):
        decode_request(bytes(damaged))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x90",
        b"\x80",
        msgspec.msgpack.encode([999, 1]),
        msgspec.msgpack.encode(["3", 1, ID]),
        msgspec.msgpack.encode([3, 1]),
        msgspec.msgpack.encode([3, "1", ID]),
        msgspec.msgpack.encode([3, 1, ID[:15]]),
        msgspec.msgpack.encode([3, 1, "x" * 16]),
        msgspec.msgpack.encode([3, 1.5, ID]),
        body(GetTask(1, ID)) + b"\0",
        body(GetTask(1, ID))[:-1],
        b"\x91" * 100_000,
        body(Submit(1, [])),
        msgspec.msgpack.encode([4, 1, ID, -1]),
        msgspec.msgpack.encode([4, 1, ID, 86_400_001]),
        msgspec.msgpack.encode([5, 1, [ID] * 1_001]),
        msgspec.msgpack.encode([21, 1, "q" * 201]),
        msgspec.msgpack.encode([21, 1, b"\xff".decode("latin-1")]).replace(b"\xc3\xbf", b"\xff\xff"),
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="not a request"):
        decode_request(data)


def test_what_is_no_reply_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="not a reply"):
        decode_from_broker(body(GetTask(1, ID)))


def test_trailing_fields_with_defaults_may_be_left_out_and_unknown_ones_are_skipped() -> None:
    """How the protocol grows: an older side skips what it does not know, a newer one fills in what is missing."""
    assert decode_request(msgspec.msgpack.encode([1, 0, 1])) == Hello(0, 1)
    assert decode_request(msgspec.msgpack.encode([3, 9, ID, "a field of the future"])) == GetTask(9, ID)
    assert decode_from_broker(msgspec.msgpack.encode([104, 9, 2])) == Affected(9, 2)
    spec = TaskSpec(ID, "send_email", b"body")
    assert decode_request(msgspec.msgpack.encode([2, 1, [[ID, "send_email", b"body"]]])) == Submit(1, [spec])


def test_numbers_and_bytes_survive_at_their_bounds() -> None:
    held = [LeaseRef(ID, (1 << 64) - 1), LeaseRef(ID, 0)]
    hello = Hello(0, 1, "c", "t", WorkerHello("w", ID, "h", 1, ["a"], held=held))
    assert decode_request(body(hello)) == hello
    assert decode_request(body(Release(1, held, delay_ms=1 << 53))) == Release(1, held, delay_ms=1 << 53)


def test_a_delivery_carries_the_stored_row_byte_for_byte() -> None:
    stored = StoredTask(1, 2, 3, 4, TaskSpec(ID, "send_email", b"body"))
    row = msgspec.msgpack.encode(stored)

    decoded = decode_from_broker(body(Deliver([Delivery(7, 1, msgspec.Raw(row))])))

    assert isinstance(decoded, Deliver)
    [delivery] = decoded.deliveries
    assert bytes(delivery.task) == row
    assert delivery.stored() == stored


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_survives_the_wire(code: str) -> None:
    error = ERRORS[code]("what happened", hint="what to do")

    back = to_error(to_reply(7, error))

    assert type(back) is type(error)
    assert (back.code, back.message, back.hint) == (code, "what happened", "what to do")


def test_a_code_of_the_future_is_an_internal_error_that_names_it() -> None:
    error = to_error(ErrorReply(1, "NEW_TROUBLE", "text", "hint"))

    assert type(error) is InternalError
    assert (error.message, error.hint) == ("NEW_TROUBLE: text", "hint")


def test_a_wrong_value_is_not_quoted_whole() -> None:
    """It goes into a log and a reply, and a stranger chose it."""
    array = msgspec.msgpack.decode(body(ListTasks(1)))
    array[2] = "dead" * 70_000

    for spoiled in (array, ["x" * 70_000], [6, 1, "x" * 70_000]):
        with pytest.raises(ProtocolViolation) as caught:
            decode_request(msgspec.msgpack.encode(spoiled))
        assert len(caught.value.message) < 400
